"""What is happening, as it happens: for logs and for terminals."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.app.execute import progress_on
from kiejobs.app.output import Screen
from kiejobs.reports.live_progress import LiveProgress, Look, QuietStream, drawn
from kiejobs.reports.progress import NORMAL, QUIET, VERBOSE, LineProgress, Tally
from kiejobs.reports.terminal import Paint, width
from tests.support.bench import FAST, judged
from tests.support.results import HOSTILE, harmless, uncolored

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    """Time that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def lines(
    *told: tuple[Any, ...], total: int = 3, color: bool = False, verbosity: int = VERBOSE, **how: Any
) -> list[str]:
    """`told` are jobs, notes of one word, and seconds that pass."""
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress(stream, total, color=color, verbosity=verbosity, clock=clock, **how)
    for words in told:
        if isinstance(words[0], int):
            clock.now += words[0]
        elif len(words) == 1:
            progress.note(*words)
        else:
            progress.job(*words)
    return stream.getvalue().splitlines()


def test_each_state_of_a_job_is_a_line_where_that_is_asked_for() -> None:
    assert lines(
        ("tea/a", "reserved"),
        ("tea/a", "submitted", "task-1"),
        ("tea/a", "queuing"),
        ("tea/a", "queuing"),
        ("tea/b", "in_doubt", "the connection broke"),
        ("tea/a", "succeeded"),
        ("tea/a", "downloading"),
        ("tea/a", "collected"),
        ("the API answered 429; all wait 5 s",),
        title="run 1",
    ) == [
        "[0/3] run 1",
        "[0/3] reserved       tea/a",
        "[0/3] submitted      tea/a  task-1",
        "[0/3] queuing        tea/a",
        "[1/3] in doubt       tea/b  the connection broke",
        "[1/3] succeeded      tea/a",
        "[2/3] collected      tea/a",
        "the API answered 429; all wait 5 s",
    ]


RUN = (
    ("a", "reserved"), ("b", "reserved"), ("a", "submitted", "task-1"), (2,),
    ("a", "waiting"), ("b", "in_doubt", "the connection broke"), (3,),
    ("a", "generating"), ("a", "generating"), (60,),
    ("a", "generating"), (60,), ("a", "succeeded"), ("a", "downloading"),
    ("c", "failed", "no"), ("a", "collected"),
)  # fmt: skip


def test_a_log_says_how_far_all_is_when_something_happened_and_at_once_what_needs_a_person() -> None:
    prices = {"a": Decimal(10), "b": Decimal(10), "c": Decimal(20)}
    assert lines(*RUN, verbosity=NORMAL, prices=prices, title="run 1") == [
        "[0/3] run 1",
        "[1/3] in doubt       b  the connection broke",
        "[1/3] 1 not started, 1 generating, 1 in doubt; 0 of 40 credits charged, 20 held; 12.0 jobs/min; 0:05, about 10 s left",
        "[1/3] 1 not started, 1 downloading, 1 in doubt; 10 of 40 credits charged, 10 held; 0.5 jobs/min; 2:05, about 4 min left",
        "[2/3] failed         c  no",
        "[3/3] 1 success, 1 fail, 1 in doubt; 10 of 40 credits charged, 10 held; 1.4 jobs/min; 2:05",
    ]


def test_a_quiet_log_has_what_needs_a_person_only() -> None:
    assert lines(*RUN, ("PAID BUT NOT RECORDED",), verbosity=QUIET, title="run 1") == [
        "[1/3] in doubt       b  the connection broke",
        "[2/3] failed         c  no",
        "PAID BUT NOT RECORDED",
    ]


def test_a_log_is_never_silent_for_long() -> None:
    polls = [step for _ in range(40) for step in ((20,), ("a", "generating"))]
    assert [line.rpartition("; ")[2] for line in lines(*polls, verbosity=NORMAL)] == ["0:20", "5:40", "11:00"]


def test_what_keeps_all_jobs_waiting_is_a_line_for_all_of_them() -> None:
    told = [(f"j{n}", "not submitted", "the budget is used up") for n in range(20)]
    assert lines(*told, total=30, verbosity=NORMAL) == [
        "[ 1/30] not submitted  j0  the budget is used up",
        "[10/30] not submitted  j9  the budget is used up (10 times)",
    ]
    assert len(lines(*told, total=30)) == 20


def test_what_repeats_is_told_the_first_the_tenth_the_hundredth_time() -> None:
    told = lines(*[("tea/a", "retrying", "no connection"), ("slow",)] * 100)
    assert told == [
        "[0/3] retrying       tea/a  no connection",
        "slow",
        "[0/3] retrying       tea/a  no connection (10 times)",
        "slow (10 times)",
        "[0/3] retrying       tea/a  no connection (100 times)",
        "slow (100 times)",
    ]


def test_going_back_and_forth_is_told_once() -> None:
    told = lines(*[("tea/a", "running"), ("tea/a", "retrying")] * 50)
    assert told == ["[0/3] running        tea/a", "[0/3] retrying       tea/a"]


def test_a_job_counts_once_as_settled_and_can_be_unsettled() -> None:
    told = lines(("a", "not_accepted", "429"), ("a", "failed"), ("a", "running"), ("b", "collected"))
    assert [line.split()[0] for line in told] == ["[0/3]", "[1/3]", "[0/3]", "[1/3]"]


def test_more_jobs_than_were_expected_are_counted() -> None:
    assert lines(("a", "collected"), ("b", "collected"), total=0)[-1].startswith("[2/2]")


def test_credits_are_held_until_a_job_has_ended_and_count_as_the_api_says() -> None:
    tally = Tally(5, {name: Decimal(10) for name in "abcde"})
    for name in "abcde":
        tally.move(name, "reserved")
    assert (tally.charged, tally.held) == (0, 50)
    tally.move("a", "succeeded", charged=Decimal(8))
    tally.move("a", "downloading")
    tally.move("a", "succeeded", charged=Decimal(8))
    tally.move("b", "succeeded")
    tally.move("c", "failed", charged=Decimal(0))
    tally.move("d", "not_accepted")
    tally.move("e", "in_doubt")
    tally.move("bought before", "succeeded", charged=Decimal(99))
    assert (tally.charged, tally.held) == (18, 10)


def test_hostile_words_are_told_harmlessly_and_on_one_line() -> None:
    told = lines((HOSTILE, HOSTILE, HOSTILE), (HOSTILE,), (5,), ("b", HOSTILE), verbosity=NORMAL, title="run")
    assert len(told) == 4
    assert all(harmless(line) for line in told)
    assert "[red]泡" in told[2]


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
    for screen in (logs, replace(logs, live=True, quiet=True)):
        with progress_on(screen) as progress:
            assert isinstance(progress, LineProgress)
    assert isinstance(progress_on(replace(logs, live=True)), LiveProgress)


# --- what a terminal shows -------------------------------------------------------------------------


def half_way() -> Tally:
    """60 jobs after two minutes."""
    tally = Tally(60, {f"j{n}": Decimal(16) for n in range(60)})
    ends = {0: "collected", 24: "failed", 25: "in_doubt", 27: "generating", 35: "queuing", 47: "waiting"}
    state = ""
    for n in range(48):
        state = ends.get(n, state)
        tally.move(f"j{n}", "reserved")
        if state == "collected":
            tally.move(f"j{n}", "succeeded")
        tally.move(f"j{n}", state, 30 + n, Decimal(0) if state == "failed" else None)
    return tally


LONG = "tea/pour[duration=10,resolution=1080p,style=hand-drawn,light=golden,brand=Aurora]"
EVENTS = [("failed", LONG, "the prompt was refused by the provider's safety system"), ("collected", "a", "")]
MOVING = {("downloading", name): (4_100_000, 13_400_000) for name in "abc"}
TITLE = "run 20261130T220057123Z-a1b2c3"


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120])
def test_a_terminal_is_filled_and_nothing_breaks_within_a_word(columns: int) -> None:
    look = Look(Paint(color=True), TITLE)
    all_of_it = [
        "downloading 3 files: 12.3 of 40.2 MB",
        *(f"{state:13}  {address}  {note}" for state, address, note in EVENTS),
    ]
    shown = drawn(half_way(), 120, columns, look, moving=MOVING, events=EVENTS)
    bar, *rest = map(uncolored, shown)
    assert width(bar) == columns
    assert bar.count("█") == sum(map(bar.count, "█░")) * 27 // 60
    assert max(map(width, rest)) <= columns
    for line in rest:
        kept = line.removesuffix("…")
        after = next((full[len(kept) :] for full in all_of_it if kept != line and full.startswith(kept)), " ")
        assert not (kept[-1].isalnum() and after[0].isalnum())
        assert kept == line or after.strip()


def test_a_wide_terminal_shows_all_and_a_narrow_one_what_matters_most() -> None:
    tally, look = half_way(), Look(Paint(color=False), TITLE)
    assert drawn(tally, 120, 80, look, moving=MOVING, events=[]) == [
        "█" * 22 + "░" * 28 + " 27/60  2:00, about 2 min left",
        "12 not started   1 waiting   12 queuing   8 generating   24 success   1 fail",
        "2 in doubt",
        "384 of 960 credits charged, 368 held   13.5 jobs/min",
        "run 20261130T220057123Z-a1b2c3",
        "downloading 3 files: 12.3 of 40.2 MB",
    ]
    assert drawn(tally, 120, 30, look, moving=MOVING, events=[]) == [
        "█" * 8 + "░" * 10 + " 27/60  2:00",
        "12 not started   1 waiting",
        "12 queuing   8 generating",
        "24 success   1 fail",
        "2 in doubt",
        "13.5 jobs/min",
        "run 20261130T220057123Z-a1b2c3",
        "downloading 3 files: 12.3 of…",
    ]


def test_a_terminal_that_has_no_blocks_gets_a_bar_of_signs() -> None:
    tally = Tally(2)
    tally.move("a", "collected")
    assert (
        drawn(tally, 0, 14, Look(Paint(color=False), is_ascii=True), moving={}, events=[])[0]
        == "#####----- 1/2"
    )


def test_files_on_their_way_are_added_up() -> None:
    stream = io.StringIO()
    with LiveProgress(stream, 1) as progress:
        progress.moved("downloading", "a", 1_000_000, 20_000_000)
        progress.moved("downloading", "b", 1_000_000, 20_000_000)
        progress.moved("uploading", "c", 500_000, None)
    assert "downloading 2 files: 2.0 of 40.0 MB\nuploading 1 file: 0.5 MB\n" in stream.getvalue()
    with progress:
        progress.moved("uploading", "c", None, None)
    assert "MB" in stream.getvalue().rpartition("\x1b[?25l")[2]
    assert "uploading" not in stream.getvalue().rpartition("\x1b[?25l")[2]


def shown_live(*told: tuple[str, ...], color: bool = True, verbosity: int = NORMAL) -> str:
    stream = io.StringIO()
    with LiveProgress(stream, 8, color=color, verbosity=verbosity, title="run 1") as progress:
        for words in told:
            if len(words) == 1:
                progress.note(*words)
            else:
                progress.job(*words)
    return stream.getvalue()


def test_a_terminal_shows_how_far_it_is_and_what_happened_last() -> None:
    events = [(f"tea/j{n}", "collected") for n in range(6)]
    last = uncolored(shown_live(*events, ("tea/x", "in_doubt", "it broke"))).rpartition("7/8")[2]
    assert "6 success   1 in doubt" in last
    assert "in doubt       tea/x  it broke" in last
    assert "tea/j5" in last
    assert "tea/j0" not in last
    assert "run 1" in last


def test_with_every_job_asked_for_each_stays_on_the_terminal() -> None:
    said = uncolored(shown_live(*[(f"tea/j{n}", "collected") for n in range(9)], verbosity=VERBOSE))
    assert all(f"collected      tea/j{n}" in said for n in range(9))


def test_a_terminal_takes_no_markup_and_no_escapes_from_outside() -> None:
    said = shown_live(("tea/[red]a", "failed", f"[bold]{HOSTILE}"), (f"[link=x]{HOSTILE}",))
    assert "tea/[red]a" in said
    assert "[bold]" in said
    assert "[link=x]" in said
    for sequence in ("\x1b]0;", "\x07", "\x9b", "\u202e", "\ud800", "\ufeff"):
        assert sequence not in said


def test_a_note_stays_on_the_screen_and_is_told_once() -> None:
    said = shown_live(("PAID BUT NOT RECORDED",), ("PAID BUT NOT RECORDED",))
    assert said.count("PAID BUT NOT RECORDED\x1b[0m\n") == 1


def test_a_terminal_without_colour_gets_none() -> None:
    said = shown_live(("tea/a", "failed"), ("tea/b", "collected"), color=False)
    assert "failed" in said
    assert not any(f"\x1b[{code}m" in said for code in range(30, 38))


def test_the_cursor_comes_back_after_an_error() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), LiveProgress(stream, 1):
        raise KeyError
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


def test_a_run_on_a_real_terminal_keeps_to_its_width_and_leaves_only_its_report(tmp_path: Path) -> None:
    bench, judge = judged(tmp_path)
    bench.write({"a-rather-long-name-of-a-job-that-is-cut-after-a-word": "tea"})
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 60, 0, 0))
    with ThreadPoolExecutor(1) as readers:
        written = readers.submit(lambda: b"".join(iter(lambda: _read(ours), b"")))
        subprocess.run(
            bench.command("run", "jobs.yaml", "--yes", *FAST),
            cwd=tmp_path,
            env=bench.environment(TERM="xterm", NO_COLOR="1", KIE_API_BASE=bench.url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            check=True,
        )
        os.close(theirs)
    os.close(ours)
    judge.close()
    said = written.result().decode()
    (journal,) = tmp_path.glob("runs/*/journal.jsonl")
    assert f"run {journal.parent.name}\r\n" in said
    assert re.search(r"█+ 1/1  0:\d\d\r\n1 success\r\n16 of 16 credits charged, 0 held", said)
    assert not re.search(r"\x1b\[[0-9;]*m", said)
    for line in re.split(r"\r\n|\r|\x1b\[[0-9?]*[A-Za-z]", said):
        assert width(line) <= 60
    assert said.endswith("\x1b[1A\x1b[2K")


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65_536)
    except OSError:  # the other end is closed
        return b""


class Watched(io.StringIO):
    """Says when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.is_written = Event()

    def flush(self) -> None:
        self.is_written.set()


def test_what_takes_long_says_what_it_is_and_leaves_nothing_behind() -> None:
    err = Watched()
    screen = Screen(err, err, False, False, True, None, lambda _: None)  # noqa: FBT003 - six flags
    with screen.busy("reading \x1b[2J", after=0):
        assert err.is_written.wait(60)
    said = err.getvalue()
    assert "reading \\x1b[2J: 0 s\n" in said
    assert said.index("\x1b[?25l") < said.index("reading") < said.rindex("\x1b[?25h")
    quiet = Watched()
    with (
        replace(screen, err=quiet, quiet=True).busy("reading", after=0),
        replace(screen, err=quiet).busy("-"),
    ):
        pass
    assert quiet.getvalue() == ""


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
