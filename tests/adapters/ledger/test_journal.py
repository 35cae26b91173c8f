"""The file journal: what is on disk after each append, and how damage is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.adapters.ledger.folder import FolderStore
from kiejobs.adapters.ledger.journal import (
    FileJournal,
    read_journal,
)
from kiejobs.adapters.storage.output_folder import write_atomically
from kiejobs.app.execute import new_run_id
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger.events import Planned, RunFinished
from tests.contracts.fakes import FakeClock
from tests.contracts.test_ledger_contract import HEADER
from tests.support.bench import PACKAGE
from tests.support.histories import bought, reserved, submitted

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of one purchase."""
    journal = FileJournal(tmp_path / "runs", HEADER, FakeClock())
    for event in bought("a1"):
        journal.append(event)
    journal.append(RunFinished(0, None))
    journal.close()
    return journal.path


def damage(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(JournalProblem) as caught:
        read_journal(path)
    return caught.value.message


def test_lines_are_json_with_sorted_keys_and_the_hash_of_the_line_before(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    decoded = [json.loads(line) for line in lines]
    assert [line["seq"] for line in decoded] == list(range(1, len(lines) + 1))
    assert all(list(line) == sorted(line) for line in decoded)
    assert decoded[0]["prev"] is None
    assert len({line["prev"] for line in decoded}) == len(lines)
    assert path.read_bytes().endswith(b"\n")


def test_an_event_is_on_disk_when_append_returns_and_survives_a_kill(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from kiejobs.adapters.ledger.journal import FileJournal\n"
        "from kiejobs.adapters.system import SystemClock\n"
        "from kiejobs.core.ledger.events import RunFinished, RunStarted\n"
        "header = RunStarted('run-1', 'run', 'tea', 'http://x', None, 'k', 1)\n"
        "journal = FileJournal(pathlib.Path(sys.argv[1]), header, SystemClock())\n"
        "journal.append(RunFinished(0, None))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": PACKAGE}
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, check=False)
    assert done.returncode == -9
    (record,) = FolderStore(tmp_path).read().records
    assert [timed.event.type for timed in record.events] == ["run_started", "run_finished"]


def test_a_torn_end_is_expected_wherever_it_tears(path: Path) -> None:
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    everything = read_journal(path).events
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        assert read_journal(path).events == everything[:-1]


def holed(line: bytes) -> bytes:
    """As a power cut may leave it: a sector that never arrived, in the middle."""
    third = len(line) // 3
    return line[:third] + bytes(third) + line[2 * third :]


def test_a_hole_in_the_last_write_is_a_torn_end(path: Path) -> None:
    *lines, last = path.read_bytes().splitlines(keepends=True)
    whole = len(read_journal(path).events)
    path.write_bytes(b"".join([*lines, holed(last)]))
    assert len(read_journal(path).events) == whole - 1


def test_a_hole_before_what_was_acknowledged_later_is_damage(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    for number in range(1, len(lines) - 1):
        torn = [*lines[:number], holed(lines[number]), *lines[number + 1 :]]
        assert f":{number + 1}: " in damage(path, b"".join(torn))


def test_a_hole_in_the_plan_that_begins_a_journal_leaves_what_came_before_it(
    tmp_path: Path,
) -> None:
    journal = FileJournal(tmp_path / "runs", HEADER, FakeClock())
    plan = Planned("tea/x", "f", 1, "m", "submit", "new", None)
    journal.append(plan, plan, plan)
    journal.close()
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join([*lines[:2], holed(lines[2]), lines[3]]))
    assert [timed.event for timed in read_journal(journal.path).events] == [HEADER, plan]


def test_a_folder_that_was_made_for_the_journal_can_be_deep(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "a" / "b" / "c", HEADER, FakeClock())
    journal.append(RunFinished(0, None))
    journal.close()
    assert len(read_journal(journal.path).events) == 2


def test_a_journal_torn_in_its_first_line_says_nothing(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:10])
    assert read_journal(path).header is None
    path.write_bytes(b"")
    assert read_journal(path).events == ()


@given(st.data())
def test_any_byte_that_is_changed_before_the_last_line_is_seen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    journal = FileJournal(path.parent, HEADER, FakeClock())
    for event in bought("a1"):
        journal.append(event)
    journal.close()
    whole = journal.path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n")
    place = data.draw(st.integers(0, last - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != whole[place]))
    changed = whole[:place] + bytes([byte]) + whole[place + 1 :]
    number = whole[:place].count(b"\n") + 1
    message = damage(path, changed)
    told = int(message.removeprefix(f"{path}:").partition(":")[0])
    assert number <= told <= number + 1


@given(st.data())
def test_a_last_line_that_was_changed_is_read_or_refused_and_never_a_bug(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    journal = FileJournal(path.parent, HEADER, FakeClock())
    journal.append(reserved("a1"))
    journal.close()
    lines = journal.path.read_bytes().splitlines(keepends=True)
    line = json.loads(lines[-1])
    key = data.draw(st.sampled_from(sorted(line)))
    values = st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=4,
    )
    line[key] = data.draw(values)
    path.write_bytes(b"".join(lines[:-1]) + json.dumps(line).encode() + b"\n")
    told = f"{path}:2: "
    try:
        read_journal(path)
    except JournalProblem as problem:
        told = problem.message
    assert told.startswith(f"{path}:2: ")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"<<<<<<< HEAD\n", "not a journal line"),
        (b"[" * 100_000 + b"\n", "not a journal line"),
        (b'{"v": 2, "seq": 2}\n', "newer"),
        (b'{"v": "1"}\n', "newer"),
        (b"{}\n", "not a journal line"),
        (b"null\n", "not a journal line"),
        (b"\xff\xfe\n", "not a journal line"),
        (b"\n", "not a journal line"),
    ],
)
def test_a_strange_line_is_told_with_file_and_line(path: Path, line: bytes, words: str) -> None:
    first = path.read_bytes().splitlines(keepends=True)[0]
    message = damage(path, first + line)
    assert message.startswith(f"{path}:2: ")
    assert words in message


def test_kinds_of_events_from_later_versions_are_passed_over(path: Path) -> None:
    text = path.read_bytes().replace(b'"run_finished"', b'"run_celebrated"')
    path.write_bytes(text)
    assert read_journal(path).events[-1].event.type == "collected"


def test_a_disk_that_is_full_takes_nothing_and_later_goes_on(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the full disk; what fits of a line is taken back."""
    script = (
        "import pathlib, resource, sys\n"
        "from kiejobs.adapters.ledger.folder import FolderStore\n"
        "from kiejobs.adapters.ledger.journal import FileJournal\n"
        "from kiejobs.adapters.system import SystemClock\n"
        "from kiejobs.core.diagnostics import JournalProblem\n"
        "from kiejobs.core.ledger.events import RunFinished, RunStarted\n"
        "runs = pathlib.Path(sys.argv[1])\n"
        "header = RunStarted('run-1', 'run', 'tea', 'http://x', None, 'k', 1)\n"
        "journal = FileJournal(runs, header, SystemClock())\n"
        "_, most = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "for room in (100, 700):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))\n"
        "    written = 0\n"
        "    try:\n"
        "        while True:\n"
        "            journal.append(RunFinished(written, None))\n"
        "            written += 1\n"
        "    except JournalProblem as problem:\n"
        "        assert 'File too large' in problem.message, problem.message\n"
        "    print(written, sum(len(r.events) for r in FolderStore(runs).read().records))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))\n"
        "journal.append(RunFinished(99, None))\n"
        "print(FolderStore(runs).read().records[0].events[-1].event.exit_code)\n"
    )
    environment = {**os.environ, "PYTHONPATH": PACKAGE}
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, str(tmp_path)],  # the limit would cut what Python keeps, too
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, second, last = done.stdout.splitlines()
    assert first == "0 0"
    written, there = map(int, second.split())
    assert written >= 1
    assert there == written + 1, "the header, and what was acknowledged"
    assert last == "99"


def test_a_journal_that_is_removed_at_work_is_written_again_and_stops_what_it_stands_for(
    tmp_path: Path,
) -> None:
    journal = FileJournal(tmp_path / "runs", HEADER, FakeClock())
    journal.append(reserved("a1"), submitted("a1"))
    journal.append(reserved("a2"))
    before = journal.path.read_bytes()
    shutil.rmtree(tmp_path / "runs")
    with pytest.raises(JournalProblem, match="removed or replaced at work; it was written again"):
        journal.append(reserved("a3"))
    assert journal.path.read_bytes() == before
    journal.append(submitted("a2"))
    assert len(read_journal(journal.path).events) == 5


def test_a_journal_in_whose_place_is_another_file_takes_nothing_more(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "runs", HEADER, FakeClock())
    journal.append(reserved("a1"))
    journal.path.unlink()
    journal.path.write_text("another's")
    for _ in range(2):
        with pytest.raises(JournalProblem):
            journal.append(submitted("a1"))
    assert journal.path.read_text() == "another's"


def test_two_runs_never_share_a_file(tmp_path: Path) -> None:
    FileJournal(tmp_path, HEADER, FakeClock()).append(reserved("a1"))
    with pytest.raises(JournalProblem):
        FileJournal(tmp_path, HEADER, FakeClock()).append(reserved("a2"))
    (record,) = FolderStore(tmp_path).read().records
    assert len(record.events) == 2


def test_run_ids_sort_by_time_and_differ(path: Path) -> None:
    del path
    clock = FakeClock()
    ids = []
    for _ in range(20):
        ids.append(new_run_id(clock.now()))
        clock.passes(1)
    assert ids == sorted(ids)
    assert len({new_run_id(clock.now()) for _ in range(50)}) == 50


def test_other_things_in_the_runs_folder_are_passed_over(path: Path) -> None:
    runs = path.parent.parent
    (runs / ".lock").write_text("")
    (runs / "notes").mkdir()
    assert len(FolderStore(runs).read().records) == 1
    assert FolderStore(runs / "nowhere").read().records == []


def test_a_document_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a" / "manifest.json"
    write_atomically(target, b"one")
    write_atomically(target, b"two")
    assert target.read_bytes() == b"two"
    blocked = tmp_path / "b"
    blocked.mkdir()
    with pytest.raises(OSError, match="director"):
        write_atomically(blocked, b"three")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b", "manifest.json"]
