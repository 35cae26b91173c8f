"""What a journal promises to the runner, in a file or in memory."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import pytest

from kiejobs.adapters.ledger.journal import FileJournal, read_journal, read_journals
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger.events import RunStarted
from kiejobs.core.ledger.fold import JournalRecord, fold
from kiejobs.core.ledger.records import State
from tests.contracts.fakes import FakeClock, MemoryJournal
from tests.support.histories import bought, reserved, submitted

if TYPE_CHECKING:
    from pathlib import Path

    from kiejobs.ports import Journal

HEADER = RunStarted("run-1", "run", "tea", "https://api.example.com", None, "kiejobs 0", 1)


class Stage(Protocol):
    """A journal, what is in it, and a disk that can be made to refuse."""

    journal: Journal
    clock: FakeClock

    def record(self) -> JournalRecord | None: ...

    def break_disk(self) -> None: ...

    def mend_disk(self) -> None: ...


class OnDisk:
    """A file stands where the runs folder is to be, as long as the disk is broken."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self._runs = folder / "runs"
        self.journal = FileJournal(self._runs, HEADER, self.clock)

    def record(self) -> JournalRecord | None:
        found = read_journals(self._runs)
        return found[0] if found else None

    def break_disk(self) -> None:
        self._runs.write_text("in the way")

    def mend_disk(self) -> None:
        self._runs.unlink()


class InMemory:
    def __init__(self, _folder: Path) -> None:
        self.clock = FakeClock()
        self.journal = MemoryJournal(HEADER, self.clock)

    def record(self) -> JournalRecord | None:
        made = self.journal.record()
        return made if made.events else None

    def break_disk(self) -> None:
        self.journal.fails = 1

    def mend_disk(self) -> None:
        self.journal.fails = 0


@pytest.fixture(params=[OnDisk, InMemory])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    made: Stage = request.param(tmp_path)
    return made


def test_nothing_is_there_before_the_first_event(stage: Stage) -> None:
    assert stage.record() is None
    assert stage.journal.run_id == "run-1"


def test_the_header_comes_first_and_events_follow_in_their_order(stage: Stage) -> None:
    events = bought("a1")
    for event in events:
        stage.journal.append(event)
    record = stage.record()
    assert record is not None
    assert [timed.event for timed in record.events] == [HEADER, *events]
    assert record.header == HEADER
    assert record.run_id == "run-1"


def test_it_answers_with_the_time_that_it_wrote_down(stage: Stage) -> None:
    stage.clock.passes(1.5)
    at = stage.journal.append(reserved("a1"), reserved("a2"))
    record = stage.record()
    assert record is not None
    assert at == "2026-11-22T08:00:01.500Z"
    assert {timed.at for timed in record.events} == {at}


def test_money_and_strange_texts_come_back_as_they_were(stage: Stage) -> None:
    strange = {"prompt": "意式 \u2028 \x00 \ud83d\ude00 \\n \"'", "n": 1, "f": 0.5, "no": None}
    event = reserved("a1", input=strange, credits=Decimal("0.10"))
    stage.journal.append(event)
    record = stage.record()
    assert record is not None
    assert record.events[1].event == event


def test_an_append_that_fails_leaves_nothing_and_the_next_one_works(stage: Stage) -> None:
    stage.break_disk()
    with pytest.raises(JournalProblem) as caught:
        stage.journal.append(reserved("lost"))
    assert caught.value.exit_code == 7
    stage.mend_disk()
    assert stage.record() is None
    stage.journal.append(reserved("a1"))
    stage.journal.append(submitted("a1"))
    record = stage.record()
    assert record is not None
    assert [timed.event.type for timed in record.events] == ["run_started", "reserved", "submitted"]
    (attempt,) = fold([record]).attempts()
    assert (attempt.attempt_id, attempt.state) == ("a1", State.SUBMITTED)


def test_what_is_in_the_file_is_what_is_read_by_its_name(tmp_path: Path) -> None:
    stage = OnDisk(tmp_path)
    stage.journal.append(reserved("a1"))
    assert read_journal(tmp_path / "runs/run-1/journal.jsonl") == stage.record()
