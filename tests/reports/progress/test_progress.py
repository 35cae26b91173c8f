"""What is happening, as it happens: for logs and for terminals."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace

import pytest

from kiejobs.app.execute import progress_on
from kiejobs.app.output import Screen
from kiejobs.reports.live_progress import LiveProgress
from kiejobs.reports.progress import LineProgress, QuietStream
from tests.support.results import HOSTILE, harmless, uncolored


def lines(*told: tuple[str, ...], total: int = 3, color: bool = False) -> list[str]:
    stream = io.StringIO()
    progress = LineProgress(stream, total, color=color)
    for words in told:
        if len(words) == 1:
            progress.note(*words)
        else:
            progress.job(*words)
    return stream.getvalue().splitlines()


def test_each_state_of_a_job_is_a_line() -> None:
    assert lines(
        ("tea/a", "reserved"),
        ("tea/a", "submitted", "task-1"),
        ("tea/a", "running"),
        ("tea/a", "running"),
        ("tea/b", "in_doubt", "the connection broke"),
        ("tea/a", "succeeded"),
        ("tea/a", "downloading"),
        ("tea/a", "collected"),
        ("the API said 429; all wait 5 s",),
    ) == [
        "[0/3] reserved       tea/a",
        "[0/3] submitted      tea/a  task-1",
        "[0/3] running        tea/a",
        "[1/3] in doubt       tea/b  the connection broke",
        "[1/3] succeeded      tea/a",
        "[2/3] collected      tea/a",
        "the API said 429; all wait 5 s",
    ]


def test_what_repeats_is_told_the_first_the_tenth_the_hundredth_time() -> None:
    told = lines(*[("tea/a", "waiting", "no connection"), ("slow",)] * 100)
    assert told == [
        "[0/3] waiting        tea/a  no connection",
        "slow",
        "[0/3] waiting        tea/a  no connection (10 times)",
        "slow (10 times)",
        "[0/3] waiting        tea/a  no connection (100 times)",
        "slow (100 times)",
    ]


def test_going_back_and_forth_is_told_once() -> None:
    told = lines(*[("tea/a", "running"), ("tea/a", "waiting")] * 50)
    assert told == ["[0/3] running        tea/a", "[0/3] waiting        tea/a"]


def test_a_job_counts_once_as_settled_and_can_be_unsettled() -> None:
    told = lines(("a", "not_accepted", "429"), ("a", "failed"), ("a", "running"), ("b", "collected"))
    assert [line.split()[0] for line in told] == ["[0/3]", "[1/3]", "[0/3]", "[1/3]"]


def test_more_jobs_than_were_expected_are_counted() -> None:
    assert lines(("a", "collected"), ("b", "collected"), total=0)[-1].startswith("[2/2]")


def test_hostile_words_are_told_harmlessly_and_on_one_line() -> None:
    told = lines((HOSTILE, HOSTILE, HOSTILE), (HOSTILE,))
    assert len(told) == 2
    assert all(harmless(line) for line in told)
    assert "[red]泡" in told[1]


def test_colour_changes_nothing_but_colour() -> None:
    told = [("a", "failed", "boom"), ("b", "collected")]
    painted = lines(*told, color=True)
    assert [uncolored(line) for line in painted] == lines(*told)
    assert painted != lines(*told)


class Broken(io.TextIOBase):
    """A pipe that nobody reads any more."""

    def write(self, text: str, /) -> int:
        raise BrokenPipeError(len(text))

    def flush(self) -> None:
        raise OSError("gone")

    def close(self) -> None:
        """As it goes nothing is flushed, which since Python 3.13 is said aloud where it fails."""


def test_a_stream_that_is_gone_hurts_nobody() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (Broken(), closed):
        for on_screen in (nullcontext(LineProgress(stream, 1)), LiveProgress(stream, 1)):
            with on_screen as progress:
                progress.job("tea/a", "running")
                progress.note("still there")


def test_what_a_stream_cannot_encode_is_spelled_out() -> None:
    raw = io.BytesIO()
    stream = QuietStream(io.TextIOWrapper(raw, "ascii", newline="\n"))
    stream.write("浓 ok\n")
    stream.flush()
    assert raw.getvalue() == b"\\u6d53 ok\n"


def test_the_kind_is_chosen_by_the_caller() -> None:
    err = io.StringIO()
    logs = Screen(err, err, False, False, False, None, lambda _: None)  # noqa: FBT003 - six flags
    with progress_on(logs, 1) as progress:
        assert isinstance(progress, LineProgress)
    assert isinstance(progress_on(replace(logs, live=True), 1), LiveProgress)


def shown_live(*told: tuple[str, ...], color: bool = True) -> str:
    stream = io.StringIO()
    with LiveProgress(stream, 8, color=color) as progress:
        for words in told:
            if len(words) == 1:
                progress.note(*words)
            else:
                progress.job(*words)
    return stream.getvalue()


def test_a_terminal_shows_how_far_it_is_and_what_happened_last() -> None:
    events = [(f"tea/j{n}", "collected") for n in range(6)]
    last = uncolored(shown_live(*events, ("tea/x", "in_doubt", "it broke"))).rpartition("7/8")[2]
    assert "6 collected, 1 in doubt" in last
    assert "in doubt       tea/x  it broke" in last
    assert "tea/j5" in last
    assert "tea/j0" not in last


def test_a_terminal_takes_no_markup_and_no_escapes_from_outside() -> None:
    said = shown_live(("tea/[red]a", "failed", f"[bold]{HOSTILE}"), (f"[link=x]{HOSTILE}",))
    assert "tea/[red]a" in said
    assert "[bold]" in said
    assert "[link=x]" in said
    for sequence in ("\x1b]0;", "\x07", "\x9b", "\u202e", "\ud800", "\ufeff"):
        assert sequence not in said


def test_a_note_stays_on_the_screen_and_is_told_once() -> None:
    said = shown_live(("PAID BUT NOT WRITTEN DOWN",), ("PAID BUT NOT WRITTEN DOWN",))
    assert said.count("PAID BUT NOT WRITTEN DOWN\x1b[0m\n") == 1


def test_a_terminal_without_colour_gets_none() -> None:
    said = shown_live(("tea/a", "failed"), ("tea/b", "collected"), color=False)
    assert "failed" in said
    assert not any(f"\x1b[{code}m" in said for code in range(30, 38))


def test_the_cursor_comes_back_after_an_error() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), LiveProgress(stream, 1):
        raise KeyError
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


SCRIPT = """
import sys
from kiejobs.reports.live_progress import LiveProgress
with LiveProgress(sys.stderr, 2, color=True) as progress:
    progress.job("tea/a", "collected")
    progress.job("tea/b", "failed", "boom")
    progress.note("noted")
"""


def test_it_draws_on_a_real_terminal_and_leaves_only_notes_behind() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT],
        stderr=theirs,
        stdout=subprocess.PIPE,
        env=environment,
        check=True,
    )
    os.close(theirs)
    drawn = os.read(ours, 65536).decode()
    os.close(ours)
    assert process.stdout == b""
    assert "1 collected" in drawn
    assert "2/2" in drawn
    assert "noted" in drawn


def test_logs_are_written_without_loading_rich() -> None:
    code = (
        "import io, sys\n"
        "from kiejobs.reports.progress import LineProgress\n"
        "LineProgress(io.StringIO(), 1).job('a', 'running')\n"
        "print('rich' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    out = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, env=environment, check=True)
    assert out.stdout == b"False\n"
