"""What the ledger's home promises to commands, and a journal to the runner: in a folder, on a branch of git, in memory."""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import psycopg
import pytest

from kiejobs.adapters.ledger.folder import FolderStore
from kiejobs.adapters.ledger.git import GitStore
from kiejobs.adapters.ledger.moved import mark
from kiejobs.adapters.ledger.postgresql import PostgresStore
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger.events import JournalRecord, Planned, RunFinished, RunStarted
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.records import State
from tests.contracts.fakes import FakeClock, MemoryHome, MemoryStore
from tests.support.histories import bought, reserved, submitted, succeeded
from tests.support.repositories import clone, git, make_remote

if TYPE_CHECKING:
    from pathlib import Path
    from typing import LiteralString

    from kiejobs.ports import LedgerStore, RunJournal

ORIGIN = "https://api.example.com"
HEADER = RunStarted("run-1", "run", "tea", ORIGIN, None, "kiejobs 0", 1)
LATER = replace(HEADER, run_id="run-2")
_URL = "KIEJOBS_TESTS_LEDGER_URL"
SINCE = "2026-11-22T08:00:00.000Z"


class Home(Protocol):
    """Where a ledger lives, and a disk that can be made to refuse."""

    several_buy: bool
    """May several runs buy at once?"""

    def store(self) -> LedgerStore:
        """As another process sees it."""

    def break_disk(self) -> None: ...

    def mend_disk(self) -> None: ...


class Folder:
    """A file stands where the runs folder is to be, as long as the disk is broken."""

    several_buy = False

    def __init__(self, folder: Path) -> None:
        self._runs = folder / "runs"

    def store(self) -> LedgerStore:
        return FolderStore(self._runs)

    def break_disk(self) -> None:
        self._runs.write_text("in the way")

    def mend_disk(self) -> None:
        self._runs.unlink()


class IndexedFolder(Folder):
    """With an index from the first run on that is closed."""

    def store(self) -> LedgerStore:
        return FolderStore(self._runs, worth_an_index=0)


class InMemory:
    several_buy = False

    def __init__(self, _folder: Path) -> None:
        self._home = MemoryHome()

    def store(self) -> LedgerStore:
        return MemoryStore(self._home)

    def break_disk(self) -> None:
        for journal in self._home.journals.values():
            journal.fails = 1

    def mend_disk(self) -> None:
        for journal in self._home.journals.values():
            journal.fails = 0


class Git(Folder):
    """A branch of git, as the worktrees of one clone see it; each store is another one's."""

    def __init__(self, folder: Path) -> None:
        self._clone = self.repository(folder)
        self._runs = self._clone / ".git" / "kiejobs" / "runs"
        self._runs.parent.mkdir()
        self._others = 0

    def repository(self, folder: Path) -> Path:
        return clone(make_remote(folder), "clone")

    def store(self) -> LedgerStore:
        self._others += 1
        place = self._clone.parent / f"worktree-{self._others}"
        git(self._clone, "worktree", "add", "--quiet", "--detach", str(place))
        return GitStore(place, FakeClock(), fresh=0.0)


class GitAlone(Git):
    """The same without a remote."""

    def repository(self, folder: Path) -> Path:
        git(folder, "init", "--quiet", "alone")
        git(folder / "alone", "commit", "--quiet", "--allow-empty", "-m", "first")
        return folder / "alone"


class InPostgres:
    """Each test has a database of its own. One that is broken has no events."""

    several_buy = True

    def __init__(self, url: str) -> None:
        self._url = url
        os.environ[_URL] = url

    def store(self) -> LedgerStore:
        return PostgresStore(_URL)

    def break_disk(self) -> None:
        self.store().read()
        self._do("ALTER TABLE kiejobs.events RENAME TO lost")

    def mend_disk(self) -> None:
        self._do("ALTER TABLE kiejobs.lost RENAME TO events")

    def _do(self, query: LiteralString) -> None:
        with psycopg.connect(self._url) as connection:
            connection.execute(query)


class Stage:
    """One process with a run, and another that only looks."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.clock = FakeClock()
        self.store = home.store()
        self.journal: RunJournal = self.store.journal(HEADER, self.clock)
        self.break_disk, self.mend_disk = home.break_disk, home.mend_disk

    def record(self) -> JournalRecord | None:
        """What others read, which is what the run itself knows."""
        others = self.home.store().read().record("run-1")
        assert others == self.store.read().record("run-1")
        return others


@pytest.fixture(params=[Folder, IndexedFolder, Git, GitAlone, InMemory, InPostgres])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return _stage(request, tmp_path)


def _stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    if request.param is InPostgres:
        return Stage(InPostgres(request.getfixturevalue("postgres").database()))
    return Stage(request.param(tmp_path))


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
    at = stage.journal.append(reserved("a1"), reserved("a2", fingerprint="f2"))
    record = stage.record()
    assert record is not None
    assert at == "2026-11-22T08:00:01.500Z"
    assert {timed.at for timed in record.events} == {at}


def test_money_and_strange_texts_come_back_as_they_were(stage: Stage) -> None:
    strange = {"prompt": "意式 \u2028 \x00 \ud83d half \\n \"'", "n": 1, "f": 0.5, "no": None}
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


# --- the home ------------------------------------------------------------------------------------


def test_an_empty_home_has_no_runs_and_no_documents(stage: Stage) -> None:
    history = stage.store.read()
    assert (list(history.records), set(history.live_runs)) == ([], set())
    assert list(history.ledger(ORIGIN).attempts()) == []
    assert (stage.store.manifest("run-1"), stage.store.document("run-1")) == (None, None)
    assert list(stage.store.publish()) == []
    assert stage.store.check()[1] == []
    assert stage.store.unwritable() is None


def test_runs_come_in_the_order_of_their_ids(stage: Stage) -> None:
    later = stage.home.store().journal(LATER, stage.clock)
    later.append(reserved("a2", fingerprint="f2"))
    stage.journal.append(reserved("a1"))
    assert [one.run_id for one in stage.store.read().records] == ["run-1", "run-2"]


def test_what_others_write_is_seen_by_the_next_reading(stage: Stage) -> None:
    other = stage.home.store()
    stage.journal.append(reserved("a1"))
    before = other.read().ledger(ORIGIN)
    stage.journal.append(submitted("a1"))
    stage.journal.append(succeeded("a1"))
    after = other.read().ledger(ORIGIN)
    assert [attempt.state for attempt in before.attempts()] == [State.IN_DOUBT]
    assert [attempt.state for attempt in after.attempts()] == [State.SUCCEEDED]


def test_what_nobody_wrote_to_is_not_folded_again(stage: Stage) -> None:
    for event in bought("a1"):
        stage.journal.append(event)
    ledger = stage.store.read().ledger(ORIGIN)
    stage.journal.append(RunFinished(0, None))
    history = stage.store.read()
    assert len(history.records[0].events) == 7, "the end is there"
    assert history.ledger(ORIGIN) is ledger


def test_only_one_may_hold_the_claim_where_only_one_may_buy(stage: Stage) -> None:
    if stage.home.several_buy:
        with stage.store.claim("run-1", SINCE), stage.home.store().claim("run-2", SINCE):
            assert set(stage.store.read().live_runs) == {"run-1", "run-2"}
        assert set(stage.store.read().live_runs) == set()
        return
    with stage.store.claim("run-1", SINCE) as claim:
        with pytest.raises(JournalProblem, match="in use by run run-1"):
            stage.home.store().claim("run-2", SINCE).__enter__()
        claim.release()
        with stage.home.store().claim("run-2", SINCE):
            pass
    with stage.store.claim("run-3", SINCE):
        pass


def test_what_a_run_at_work_has_reserved_is_no_doubt_until_it_lets_go(stage: Stage) -> None:
    with stage.store.claim("run-1", SINCE):
        stage.journal.append(reserved("a1"))
        for store in (stage.store, stage.home.store()):
            history = store.read()
            (attempt,) = history.ledger(ORIGIN).attempts()
            assert (set(history.live_runs), attempt.state) == ({"run-1"}, State.RESERVED)
    for store in (stage.store, stage.home.store()):
        history = store.read()
        (attempt,) = history.ledger(ORIGIN).attempts()
        assert (set(history.live_runs), attempt.state) == (set(), State.IN_DOUBT)


def test_manifests_are_as_the_journals_have_it(stage: Stage) -> None:
    for event in bought("a1"):
        stage.journal.append(event)
    assert stage.store.document("run-1") == stage.store.place("run-1")
    assert list(stage.store.publish("run-1")) == [stage.store.manifest_place("run-1")]
    history = stage.home.store().read()
    assert stage.home.store().manifest("run-1") == history.manifest(history.records[0])
    assert stage.store.document("run-1") == stage.store.manifest_place("run-1")
    assert list(stage.home.store().publish("run-1")) == [], "nothing has happened since"
    assert list(stage.home.store().publish(every=True)) == []


def test_a_later_run_brings_the_earlier_ones_manifest_up_to_date(stage: Stage) -> None:
    stage.journal.append(Planned("tea/pour", "f1", 1, "example/one", "submit", "new", None))
    stage.journal.append(reserved("a1"))
    stage.journal.append(submitted("a1"))
    stage.store.publish("run-1")
    collecting = stage.home.store()
    journal = collecting.journal(replace(LATER, command="collect"), stage.clock)
    journal.append(succeeded("a1"))
    journal.close()
    places = [collecting.manifest_place(name) for name in ("run-1", "run-2")]
    assert list(collecting.publish("run-2")) == places
    assert b'"state": "succeeded"' in (stage.store.manifest("run-1") or b"")


def test_a_run_at_work_writes_its_manifest_at_its_end(stage: Stage) -> None:
    with stage.store.claim("run-1", SINCE):
        stage.journal.append(reserved("a1"))
        assert list(stage.home.store().publish(every=True)) == []
    assert list(stage.home.store().publish()) == [stage.store.manifest_place("run-1")]


# --- from one home to another ----------------------------------------------------------------------


@pytest.fixture(params=[Folder, Git, GitAlone, InPostgres])
def durable(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return _stage(request, tmp_path)


def test_its_journals_are_taken_in_by_another_home_byte_for_byte(durable: Stage, tmp_path: Path) -> None:
    for event in bought("a1"):
        durable.journal.append(event)
    journals = dict(durable.store.journals())
    other = FolderStore(tmp_path / "other")
    for _ in range(2):
        for run_id, data in journals.items():
            other.take_in(run_id, data)
    assert dict(other.journals()) == journals
    assert other.read().records == durable.store.read().records


def test_it_takes_in_journals_once_and_for_all_to_see(durable: Stage, tmp_path: Path) -> None:
    other = FolderStore(tmp_path / "other")
    journal = other.journal(LATER, durable.clock)
    journal.append(reserved("a1"))
    (early,) = other.journals()
    journal.append(submitted("a1"))
    (late,) = other.journals()
    for run_id, data in (early, late, early):
        durable.store.take_in(run_id, data)
        durable.store.publish(every=True)
    assert dict(durable.home.store().journals()) == dict([late])
    with pytest.raises(JournalProblem, match="run-2"):
        durable.store.take_in("run-2", early[1].replace(b"a1", b"b1"))
    rewritten = FolderStore(tmp_path / "rewritten")
    rewritten.journal(LATER, durable.clock).append(reserved("b1"))
    with pytest.raises(JournalProblem, match="is another journal"):
        durable.store.take_in(*next(iter(rewritten.journals())))


def test_a_home_that_the_ledger_left_is_read_by_nobody_until_it_is_back(durable: Stage) -> None:
    durable.journal.append(reserved("a1"))
    durable.store.publish()
    durable.store.mark_moved(mark("the moon", "ledger: moon"))
    for store in (durable.store, durable.home.store()):
        for use in (store.read, store.check, store.publish, store.require_current):
            with pytest.raises(JournalProblem, match="it moved to the moon") as caught:
                use()
        assert (caught.value.exit_code, "`ledger: moon`" in (caught.value.hint or "")) == (7, True)
    durable.home.store().mark_moved(None)
    assert durable.home.store().read().record("run-1") is not None
