"""The ledger in a real PostgreSQL: who may buy, how fast all together, and what a lost connection leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, LiteralString

import anyio
import anyio.lowlevel
import psycopg
import pytest

from kiejobs.adapters.ledger.database import VERSION
from kiejobs.adapters.ledger.folder import FolderStore
from kiejobs.adapters.ledger.postgresql import PostgresStore
from kiejobs.core.diagnostics import Held, JournalProblem, TooSoon, UsageProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.records import State
from tests.contracts.fakes import FakeClock
from tests.support.histories import BUSY, ORIGIN, bought, collected, failed, reserved, submitted, succeeded
from tests.support.postgres_proxy import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from kiejobs.adapters.ledger.postgresql import PostgresJournal
    from tests.support.postgres import Postgres

URL = "KIEJOBS_TESTS_LEDGER_URL"
HEADER = e.RunStarted("run-1", "run", "tea", ORIGIN, None, "kiejobs 0", 1)
SINCE = "2026-11-22T08:00:00.000Z"


class Team:
    """Several processes on one database."""

    def __init__(self, url: str) -> None:
        self.url = os.environ[URL] = url

    def store(self, **more: Any) -> PostgresStore:
        return PostgresStore(URL, **more)

    def run(self, number: int, **more: Any) -> PostgresJournal:
        """A run that has read the ledger and is about to buy."""
        store = self.store(**more)
        store.read()
        return store.journal(replace(HEADER, run_id=f"run-{number}"), FakeClock())

    def do(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def states(self) -> dict[str, State | None]:
        return {a.attempt_id: a.state for a in self.store().read().ledger(ORIGIN).attempts()}


@pytest.fixture
def team(postgres: Postgres) -> Team:
    return Team(postgres.database())


# --- who may buy --------------------------------------------------------------------------------------


def test_of_two_runs_one_has_the_purchase_and_the_other_hears_which(team: Team) -> None:
    first, second = team.run(1), team.run(2)
    first.append(reserved("a1"))
    with pytest.raises(Held, match=r"^run run-1 has bought it, or is about to$"):
        second.append(reserved("a2"))
    second.append(reserved("a3", fingerprint="f2"))
    assert set(team.states()) == {"a1", "a3"}


def test_another_take_another_api_and_another_project_are_other_purchases(team: Team) -> None:
    team.run(1).append(reserved("a1"))
    second = team.run(2)
    second.append(reserved("a2", take=2))
    elsewhere = replace(HEADER, run_id="run-3", origin="https://other.example.com")
    team.store().journal(elsewhere, FakeClock()).append(reserved("a3"))
    team.run(1, project="other").append(reserved("a4"))
    assert [one.run_id for one in team.store(project="other").read().records] == ["run-1"]


@pytest.mark.parametrize("end", [succeeded("a1"), failed("a1"), e.Rejected("a1", BUSY)])
def test_what_was_bought_since_the_plan_was_made_is_not_bought_again(team: Team, end: e.Event) -> None:
    first, planned_before = team.run(1), team.run(2)
    first.append(reserved("a1"))
    first.append(submitted("a1"), end)
    with pytest.raises(Held, match="run-1"):
        planned_before.append(reserved("a2"))
    team.run(3).append(reserved("a3"))  # its plan knows, and wants it nevertheless: a retry


@pytest.mark.parametrize("ruling", [e.NotAccepted("a1", BUSY), e.Resolved("a1", "lost", None, "asked them")])
def test_what_came_to_nothing_may_be_bought(team: Team, ruling: e.Event) -> None:
    first, second = team.run(1), team.run(2)
    first.append(reserved("a1"))
    first.append(ruling)
    second.append(reserved("a2"))


def test_what_is_in_doubt_is_held_until_somebody_rules_on_it(team: Team) -> None:
    team.run(1).append(reserved("a1"))
    assert team.states() == {"a1": State.IN_DOUBT}
    with pytest.raises(Held):
        team.run(2).append(reserved("a2"))
    team.run(3).append(e.Resolved("a1", "lost", None, "asked them"))
    team.run(4).append(reserved("a4"))


def test_what_was_ruled_lost_and_turns_out_to_be_paid_is_on_record_though_it_was_bought_again(
    team: Team,
) -> None:
    first = team.run(1)
    first.append(reserved("a1"))
    team.run(2).append(e.Resolved("a1", "lost", None, "asked them"))
    team.run(3).append(reserved("a3"))
    first.append(submitted("a1"))
    assert team.states() == {"a1": State.SUBMITTED, "a3": State.IN_DOUBT}


def test_many_runs_at_once_buy_each_purchase_once(team: Team) -> None:
    team.store().read()
    team.do("INSERT INTO kiejobs.accounts VALUES (%s, 'default', 1000, 10.5)", ORIGIN)
    journals = [team.run(number) for number in range(6)]
    start = threading.Barrier(len(journals))

    def buy(number: int) -> int:
        start.wait()
        return sum(_could(journals[number], f"{number}-{one}", f"f{one}") for one in range(20))

    with ThreadPoolExecutor(len(journals)) as pool:
        assert sum(pool.map(buy, range(len(journals)))) == 20
    assert len(team.states()) == 20


def _could(journal: PostgresJournal, attempt: str, fingerprint: str) -> bool:
    try:
        journal.append(reserved(attempt, fingerprint=fingerprint))
    except Held:
        return False
    return True


# --- how fast -----------------------------------------------------------------------------------------


def test_an_account_starts_eighteen_jobs_in_any_ten_and_a_half_seconds_whoever_starts(team: Team) -> None:
    runs = [team.run(1), team.run(2, project="other")]
    for number in range(18):
        runs[number % 2].append(reserved(f"a{number}", fingerprint=f"f{number}"))
    for run in runs:
        with pytest.raises(TooSoon) as caught:
            run.append(reserved("late", fingerprint="late"))
        assert 0 < caught.value.seconds <= 10.5
    team.run(3, account="another key").append(reserved("b1", fingerprint="late"))
    team.do("UPDATE kiejobs.reservations SET started = started - interval '11 s' WHERE attempt_id = 'a0'")
    runs[1].append(reserved("late", fingerprint="late"))
    assert "late" not in team.states()


def test_what_was_not_taken_counts_as_a_start_all_the_same(team: Team) -> None:
    run = team.run(1)
    for number in range(18):
        run.append(reserved(f"a{number}"))
        run.append(e.NotAccepted(f"a{number}", BUSY))
    with pytest.raises(TooSoon):
        run.append(reserved("late"))


# --- who is alive -------------------------------------------------------------------------------------


def test_a_lease_that_ran_out_by_the_databases_clock_leaves_its_reservations_in_doubt(team: Team) -> None:
    store = team.store()
    with store.claim("run-1", SINCE):
        journal = store.journal(HEADER, FakeClock())  # a clock that is far off
        journal.append(reserved("a1"))
        assert team.states() == {"a1": State.RESERVED}
        team.do("UPDATE kiejobs.runs SET leased_until = clock_timestamp() - interval '1 ms'")
        assert team.states() == {"a1": State.IN_DOUBT}
        journal.append(submitted("a1"))
        assert set(team.store().read().live_runs) == {"run-1"}, "who writes is alive"


def test_the_lease_is_renewed_as_long_as_the_run_holds_it(team: Team) -> None:
    store = team.store(lease=0.2)

    async def outlives_its_first_lease() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(store.keep)
            until = first = self_until()
            while until == first:
                await anyio.lowlevel.checkpoint()
                until = self_until()
            group.cancel_scope.cancel()

    def self_until() -> object:
        return team.do("SELECT leased_until FROM kiejobs.runs WHERE leased_until IS NOT NULL")[0][0]

    with store.claim("run-1", SINCE):
        anyio.run(outlives_its_first_lease)
    assert team.do("SELECT leased_until FROM kiejobs.runs") == [(None,)]


# --- a connection that is lost half-way ---------------------------------------------------------------


@pytest.fixture
def wire(postgres: Postgres, team: Team) -> Iterator[Wire]:
    """Between `team.cut` and its database."""
    with Wire(postgres.port) as wire:
        os.environ["KIEJOBS_TESTS_WIRE_URL"] = postgres.url(team.url.rpartition("/")[2], wire.port)
        yield wire


def _buyer() -> PostgresJournal:
    store = PostgresStore("KIEJOBS_TESTS_WIRE_URL")
    store.read()
    return store.journal(HEADER, FakeClock())


@pytest.mark.parametrize("how", ["before", "after", "at_once"])
@pytest.mark.parametrize("is_first", [True, False])
def test_an_append_whose_answer_is_lost_is_on_record_once(
    team: Team, wire: Wire, how: Any, *, is_first: bool
) -> None:
    journal = _buyer()
    if not is_first:
        journal.append(reserved("a0", fingerprint="f0"))
    wire.cut = how
    journal.append(reserved("a1"))
    journal.append(submitted("a1"))
    assert wire.cuts == 1
    (record,) = team.store().read().records
    types = [timed.event.type for timed in record.events][-2:]
    assert types == ["reserved", "submitted"]
    assert len(record.events) == (3 if is_first else 4)


def test_what_can_not_be_known_is_no_purchase_and_is_given_back_once_it_is_known(
    team: Team, wire: Wire
) -> None:
    journal = _buyer()
    journal.append(reserved("a0", fingerprint="f0"))
    wire.cut, wire.then_down = "after", True
    with pytest.raises(JournalProblem, match=r"^the ledger's database can't be reached: ") as caught:
        journal.append(reserved("a1"))
    assert caught.value.exit_code == 7
    assert team.states()["a1"] is State.IN_DOUBT
    wire.mend()
    journal.append(submitted("a0"))
    assert team.states() == {"a0": State.SUBMITTED, "a1": None}
    team.run(2).append(reserved("a2"))


def test_a_first_append_that_arrived_without_an_answer_leaves_one_header(team: Team, wire: Wire) -> None:
    journal = _buyer()
    wire.cut, wire.then_down = "after", True
    with pytest.raises(JournalProblem, match="can't be reached"):
        journal.append(reserved("a1"))
    wire.mend()
    journal.append(reserved("a2", fingerprint="f2"))
    (record,) = team.store().read().records
    types = [timed.event.type for timed in record.events]
    assert types == ["run_started", "reserved", "not_accepted", "reserved"]


def test_what_never_arrived_leaves_nothing(team: Team, wire: Wire) -> None:
    journal = _buyer()
    wire.cut, wire.then_down = "before", True
    with pytest.raises(JournalProblem, match="can't be reached"):
        journal.append(reserved("a1"))
    wire.mend()
    journal.append(reserved("a2"))
    assert list(team.states()) == ["a2"]


def test_a_run_goes_on_where_the_server_was_killed_and_started_again(postgres: Postgres, team: Team) -> None:
    store = team.store()
    with store.claim("run-1", SINCE):
        journal = store.journal(HEADER, FakeClock())
        journal.append(reserved("a1"))
        postgres.kill()
        postgres.start()
        journal.append(submitted("a1"))
        postgres.kill()
        with pytest.raises(JournalProblem, match="can't be reached"):
            journal.append(reserved("a2", fingerprint="f2"))
        with pytest.raises(JournalProblem, match="can't be reached"):
            store.read()
        assert "can't be reached" in (team.store().unwritable() or "")
        postgres.start()
        journal.append(succeeded("a1"))
    assert team.states() == {"a1": State.SUCCEEDED}


# --- what happens while the database is away -----------------------------------------------------------


def _planned_before_all(team: Team) -> PostgresJournal:
    """Of a run whose plan knows of no purchase."""
    return team.store().journal(replace(HEADER, run_id="run-2"), FakeClock())


def _traveller(folder: Path) -> tuple[PostgresStore, PostgresJournal]:
    store = PostgresStore("KIEJOBS_TESTS_WIRE_URL", kept=folder / ".kiejobs")
    store.read()
    journal = store.journal(HEADER, FakeClock())
    journal.append(reserved("a1"))
    return store, journal


@pytest.mark.parametrize("how", ["before", "after", "at_once"])
def test_a_task_that_is_paid_while_the_database_is_away_is_kept_and_written_first_next_time(
    team: Team, wire: Wire, tmp_path: Path, how: Any
) -> None:
    store, journal = _traveller(tmp_path)
    wire.cut, wire.then_down = how, True
    journal.append(submitted("a1"))
    journal.append(succeeded("a1"))
    with pytest.raises(JournalProblem, match="can't be reached"):
        journal.append(reserved("a2", fingerprint="f2"))
    known = store.read().ledger(ORIGIN).attempt("a1")
    assert known is not None
    assert known.state is State.SUCCEEDED
    assert store.publish("run-1") == []
    assert ".kiejobs" in (store.trouble or "")
    wire.mend()
    assert team.states()["a1"] in {State.IN_DOUBT, State.SUBMITTED}
    journal.close()
    later = team.store(kept=tmp_path / ".kiejobs")
    attempts = later.read().ledger(ORIGIN).attempts()
    assert [(one.attempt_id, one.state) for one in attempts] == [("a1", State.SUCCEEDED)]
    assert later.check()[1] == []
    assert not (tmp_path / ".kiejobs").exists()
    with pytest.raises(Held):
        _planned_before_all(team).append(reserved("a3"))


@pytest.mark.parametrize("how", ["before", "after", "at_once"])
def test_a_reservation_that_may_have_arrived_is_given_back_by_what_is_kept(
    team: Team, wire: Wire, tmp_path: Path, how: Any
) -> None:
    _, journal = _traveller(tmp_path)
    wire.cut, wire.then_down = how, True
    with pytest.raises(JournalProblem, match="can't be reached"):
        journal.append(reserved("a2", fingerprint="f2"))
    journal.append(submitted("a1"))
    wire.mend()
    journal.close()
    states = {
        one.attempt_id: one.state
        for one in team.store(kept=tmp_path / ".kiejobs").read().ledger(ORIGIN).attempts()
    }
    assert states == {"a1": State.SUBMITTED, "a2": None}
    team.run(3).append(reserved("a4", fingerprint="f2"))


def test_the_run_itself_goes_on_in_the_database_once_it_is_back(
    team: Team, wire: Wire, tmp_path: Path
) -> None:
    store, journal = _traveller(tmp_path)
    wire.cut, wire.then_down = "before", True
    journal.append(submitted("a1"))
    wire.mend()
    store.read()
    journal.append(succeeded("a1"))
    assert team.states() == {"a1": State.SUCCEEDED}
    assert store.trouble is None
    assert not (tmp_path / ".kiejobs").exists()


def test_nobody_takes_what_a_living_process_keeps(team: Team, wire: Wire, tmp_path: Path) -> None:
    _, journal = _traveller(tmp_path)
    wire.cut, wire.then_down = "before", True
    journal.append(submitted("a1"))
    wire.mend()
    known = team.store(kept=tmp_path / ".kiejobs").read().ledger(ORIGIN).attempt("a1")
    assert known is not None
    assert known.state is State.IN_DOUBT
    assert list(tmp_path.glob(".kiejobs/run-1/*.jsonl"))


def test_what_does_not_go_on_where_the_journal_ends_is_refused_and_stays(
    team: Team, wire: Wire, tmp_path: Path
) -> None:
    _, journal = _traveller(tmp_path)
    wire.cut, wire.then_down = "before", True
    journal.append(submitted("a1"))
    wire.mend()
    journal.close()
    (kept,) = tmp_path.glob(".kiejobs/run-1/*.jsonl")
    kept.write_bytes(kept.read_bytes().replace(b'"prev"', b'"perv"', 1))
    later = team.store(kept=tmp_path / ".kiejobs")
    assert later.read().ledger(ORIGIN).attempt("a1") is not None, "what is on record can be looked at"
    assert "does not go on where" in (later.trouble or "")
    with pytest.raises(JournalProblem, match=r"\.kiejobs") as caught:
        later.require_current()
    assert "task task-a1 of attempt a1" in (caught.value.hint or "")
    assert kept.exists()


def test_a_database_that_refuses_is_as_one_that_is_away(team: Team, tmp_path: Path) -> None:
    """A copy that became read-only, after a failover say."""
    store = team.store(kept=tmp_path / ".kiejobs")
    store.read()
    journal = store.journal(HEADER, FakeClock())
    journal.append(reserved("a1"))
    team.do("ALTER TABLE kiejobs.events ADD CONSTRAINT full_disk CHECK (id < 0) NOT VALID")
    journal.append(submitted("a1"))
    known = store.read().ledger(ORIGIN).attempt("a1")
    assert known is not None
    assert known.state is State.SUBMITTED
    assert "full_disk" in (store.trouble or "")
    journal.close()
    with pytest.raises(JournalProblem, match="full_disk"):
        team.store(kept=tmp_path / ".kiejobs").require_current()
    team.do("ALTER TABLE kiejobs.events DROP CONSTRAINT full_disk")
    team.store(kept=tmp_path / ".kiejobs").read()
    assert team.states() == {"a1": State.SUBMITTED}


def test_nothing_more_goes_into_a_ledger_that_was_moved(team: Team, tmp_path: Path) -> None:
    store = team.store(kept=tmp_path / ".kiejobs")
    store.read()
    journal = store.journal(HEADER, FakeClock())
    journal.append(reserved("a1"))
    team.store().mark_moved(b"elsewhere")
    journal.append(submitted("a1"))
    journal.close()
    ((lines,),) = team.do("SELECT count(*) FROM kiejobs.events")
    assert lines == 2
    with pytest.raises(JournalProblem, match="is not in"):
        team.store(kept=tmp_path / ".kiejobs").read()
    assert list(tmp_path.glob(".kiejobs/run-1/*.jsonl"))


# --- what is handed over to workers ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["before", "after", "at_once"])
def test_a_task_is_handed_over_if_and_only_if_it_is_on_record(team: Team, wire: Wire, how: Any) -> None:
    store = PostgresStore("KIEJOBS_TESTS_WIRE_URL")
    store.hands_over = True
    store.read()
    journal = store.journal(HEADER, FakeClock())
    journal.append(reserved("a1"), reserved("a2", fingerprint="f2"))
    journal.append(submitted("a1"))
    wire.cut, wire.then_down = how, True
    # Cut at once, the answer may have come before the end of the connection.
    with suppress(JournalProblem) if how == "at_once" else pytest.raises(JournalProblem):
        journal.append(submitted("a2"))
    wire.mend()
    journal.append(e.InDoubt("a2", BUSY))  # found out what became of the last one
    waiting = {row[0] for row in team.do("SELECT args->>'attempt_id' FROM kiejobs.procrastinate_jobs")}
    assert waiting == {name for name, state in team.states().items() if state is State.SUBMITTED}
    assert ("a2" in waiting) == (how == "after") or how == "at_once"
    journal.append(submitted("a1"), submitted("a2"))
    assert team.do("SELECT count(*) FROM kiejobs.procrastinate_jobs") == [(2,)], "none waits twice"


def test_a_run_that_follows_its_tasks_itself_hands_nothing_over(team: Team) -> None:
    run = team.run(1)
    run.append(reserved("a1"))
    run.append(submitted("a1"))
    assert team.do("SELECT count(*) FROM kiejobs.procrastinate_jobs") == [(0,)]


# --- what is in it ------------------------------------------------------------------------------------


def test_a_journals_rows_are_the_lines_of_a_file_and_move_there_and_back(team: Team, tmp_path: Path) -> None:
    folder, store = FolderStore(tmp_path / "runs"), team.store()
    events = [*bought("a1"), reserved("a2", fingerprint="f2", input={"prompt": "意式 \u2028 \ud83d"})]
    for journal in (folder.journal(HEADER, FakeClock()), store.journal(HEADER, FakeClock())):
        for event in events:
            journal.append(event)
        journal.close()
    data = (tmp_path / "runs/run-1/journal.jsonl").read_bytes()
    assert list(store.journals()) == [("run-1", data)]
    other = team.store(project="moved")
    other.take_in("run-1", data)
    other.take_in("run-1", data)
    assert list(other.journals()) == [("run-1", data)]
    assert other.read().records == store.read().records


def test_what_was_moved_in_is_held_as_it_was_elsewhere(team: Team, tmp_path: Path) -> None:
    folder, store = FolderStore(tmp_path / "runs"), team.store()
    clock = FakeClock()
    first = folder.journal(HEADER, clock)
    first.append(reserved("a1"), reserved("a2", fingerprint="f2"), reserved("a3", fingerprint="f3"))
    first.append(submitted("a1"), e.NotAccepted("a3", BUSY), reserved("a4", fingerprint="f2"))
    second = folder.journal(replace(HEADER, run_id="run-2", command="collect"), clock)
    second.append(succeeded("a1"), collected("a1"))
    for run_id in ("run-2", "run-1"):  # in any order
        store.take_in(run_id, (tmp_path / "runs" / run_id / "journal.jsonl").read_bytes())
    assert store.read().ledger(ORIGIN).attempts() is not None
    assert dict(team.do("SELECT attempt_id, state FROM kiejobs.reservations")) == {
        "a1": "ended", "a2": "reserved", "a3": "void", "a4": "ended",
    }  # fmt: skip
    buyer = team.run(3)
    with pytest.raises(Held):
        buyer.append(reserved("b2", fingerprint="f2"))
    buyer.append(reserved("b3", fingerprint="f3"))


def test_a_line_that_was_changed_is_found_and_hides_no_other_run(team: Team) -> None:
    team.run(1).append(reserved("a1"))
    team.run(2).append(reserved("a2", fingerprint="f2"))
    reader = team.store()
    reader.read()
    team.do("UPDATE kiejobs.events SET line = '{}' WHERE run_id = 'run-1' AND seq = 2")
    with pytest.raises(JournalProblem, match=r"/run-1/journal\.jsonl:2: not a journal line"):
        team.store().read()
    history, damaged = reader.check()
    assert [one.run_id for one in history.records] == ["run-2"]
    assert [place for place, _ in damaged] == [reader.place("run-1")]
    team.do("DELETE FROM kiejobs.events WHERE run_id = 'run-1' AND seq = 2")
    with pytest.raises(JournalProblem, match="lines are missing"):
        team.store().read()


# --- the database -------------------------------------------------------------------------------------


def test_whoever_comes_first_makes_the_schema_and_the_others_wait(team: Team) -> None:
    start = threading.Barrier(8)

    def come(_: int) -> int:
        start.wait()
        return len(team.store().read().records)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(come, range(8))) == [0] * 8
    assert team.do("SELECT version FROM kiejobs.schema") == [(VERSION,)]


def test_a_newer_schema_is_refused(team: Team) -> None:
    team.store().read()
    team.do("UPDATE kiejobs.schema SET version = version + 1")
    with pytest.raises(JournalProblem, match="newer kiejobs") as caught:
        team.store().read()
    assert caught.value.hint == "update kiejobs"


def test_a_server_that_does_not_sync_is_refused(team: Team, postgres: Postgres) -> None:
    postgres.set("fsync", "off")
    with pytest.raises(JournalProblem, match="does not sync"):
        team.store().read()
    postgres.set("fsync", "on")
    team.do("ALTER ROLE kiejobs SET synchronous_commit = off")
    store = team.store()
    assert store.project.database.rows(b"SHOW synchronous_commit") == [("on",)]
    team.do("ALTER ROLE kiejobs RESET synchronous_commit")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "the ledger is in PostgreSQL, and KIEJOBS_TESTS_LEDGER_URL is not set"),
        (
            "postgresql://me:secret-word@host/db?nonsense=1",
            "KIEJOBS_TESTS_LEDGER_URL is not a PostgreSQL URL",
        ),
    ],
)
def test_a_url_that_is_none_is_not_quoted(url: str, message: str) -> None:
    os.environ[URL] = url
    with pytest.raises(UsageProblem) as caught:
        PostgresStore(URL).read()
    assert caught.value.message == message


def test_the_password_is_in_no_message(team: Team, postgres: Postgres) -> None:
    store = team.store()
    assert postgres.password not in store.name + store.place("run-1")
    os.environ[URL] = team.url.replace(postgres.password, "wrong-word")
    with pytest.raises(JournalProblem) as caught:
        team.store().read()
    assert "wrong-word" not in caught.value.message + str(caught.value.hint)
    assert "authentication failed" in caught.value.message


def test_without_the_extra_it_says_what_to_install() -> None:
    program = """
import os, sys
sys.modules["psycopg"] = None
os.environ["URL"] = "postgresql://somebody@somewhere/ledger"
from kiejobs.adapters.ledger.postgresql import PostgresStore
from kiejobs.core.diagnostics import UsageProblem
try:
    PostgresStore("URL").read()
except UsageProblem as problem:
    print(problem.message, problem.hint, sep="; ")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "a ledger in PostgreSQL needs an extra that is not installed; pip install 'kiejobs[team]'\n"
    )
