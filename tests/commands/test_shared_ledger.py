"""Several checkouts on one database: the judge counts what they buy together, whatever befalls them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.proofs.clock import library
from tests.support.bench import FAST, ended, judged
from tests.support.postgres_proxy import Wire
from tests.support.teams import Team, prompts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import Postgres

RUN = ("run", "jobs.yaml", "--yes", *FAST)


@pytest.fixture
def team(postgres: Postgres, tmp_path: Path) -> Iterator[Team]:
    _, judge = judged(tmp_path)
    with judge:
        yield Team(tmp_path, judge, postgres.database())


def test_two_checkouts_buy_a_campaign_once_between_them(team: Team) -> None:
    checkouts = [team.first, team.checkout("second")]
    for checkout in checkouts:
        checkout.write(prompts(60))
    runs = [checkout.start(*RUN) for checkout in checkouts]
    codes = {ended(run).code for run in runs}
    assert codes <= {0, 8}
    assert set(team.bought().values()) == {1}
    assert len(team.bought()) == 60
    for checkout in checkouts:
        assert checkout.do(*RUN).code == 0
        assert "60 " in checkout.do("plan", "jobs.yaml").out
    assert sum(team.bought().values()) == 60


def test_what_a_lost_machine_was_submitting_is_in_doubt_once_its_lease_has_run_out(team: Team) -> None:
    team.first.write({"slow": "slow [create=hang_kept]", "quick": "quick"})
    lost = team.first.start(*RUN)
    team.judge.wait_until(lambda: len(team.judge.tasks) == 2)
    lost.kill()
    ended(lost)
    elsewhere = team.checkout("elsewhere")
    elsewhere.write({"slow": "slow [create=hang_kept]"})
    held = elsewhere.do(*RUN)
    assert (held.code, "Another run is submitting" in held.err) == (8, True)
    team.leases_run_out()
    assert elsewhere.do(*RUN).code == 4
    assert len(team.judge.creates) == 2


def test_a_ledger_moves_into_the_database_and_back_and_nothing_is_bought_again(team: Team) -> None:
    mine = team.checkout("mine")
    (mine.folder / "kiejobs.yaml").write_text("version: 1\n")
    mine.write(prompts(3))
    assert mine.do(*RUN).code == 0
    for home in ("postgresql", "folder", "postgresql"):
        moved = mine.do("ledger", "move", "--to", home)
        assert moved.code == 0, moved
        assert f"ledger: {home}" in (mine.folder / "kiejobs.yaml").read_text()
        assert mine.do("ledger", "verify").code == 0
        assert mine.do("manifest", "verify").code == 0
        assert mine.do(*RUN).code == 0
    assert mine.do("ledger", "show").out.startswith("ledger     postgresql://127.0.0.1:")
    assert len(team.judge.creates) == 3


def test_two_runs_that_are_planned_at_once_keep_to_a_budget_together(team: Team) -> None:
    """Each alone is within it: 30 of at most 40 purchases."""
    budget = {"budget": {"credits": 40 * 16, "per": "campaign"}}
    other = team.checkout("other")
    for checkout in (team.first, other):
        jobs = {f"{checkout.folder.name}{number}": f"{checkout.folder.name}{number}" for number in range(30)}
        checkout.write(jobs, **budget)
    slow = team.first.start("run", "jobs.yaml", "--yes", "--poll", "50ms", "--rate", "6/500ms")
    team.judge.wait_until(lambda: len(team.judge.creates) > 1)
    slow.send_signal(signal.SIGSTOP)
    quick = other.do(*RUN)
    slow.send_signal(signal.SIGCONT)
    end = ended(slow)
    assert (quick.code, end.code) == (0, 5)
    assert "others have bought meanwhile, and judged may hold at most 640 credits" in end.out
    assert len(team.bought()) == 40


def test_while_the_database_is_away_a_run_collects_and_what_happens_is_written_next_time(
    team: Team, postgres: Postgres
) -> None:
    with Wire(postgres.port) as wire:
        far = team.checkout("far")
        far.database = postgres.url(team.database.rpartition("/")[2], wire.port)
        far.write({"a": "a [end=held]", "b": "b [end=held]"})
        run = far.start(*RUN)
        submitted = "SELECT count(*) FROM kiejobs.reservations WHERE state = 'submitted'"
        team.judge.wait_until(lambda: team.do(submitted) == [(2,)])
        wire.cut, wire.then_down = "before", True
        team.judge.let_go.set()
        report = ended(run)
        assert "2 succeeded" in report.out
        assert report.code == 7
        assert "the next command here writes it first" in report.err
        assert len(far.files()) == 2
        assert far.do("status").code == 7
        wire.mend()
        shown = far.do("status", "--format", "json")
        assert (shown.code, shown.json["counts"]["succeeded"]) == (0, 2)
        assert not list(far.folder.glob(".kiejobs/spool/*"))
        assert far.do(*RUN).code == 0
        assert far.do("ledger", "verify").code == 0
    assert len(team.judge.creates) == 2


def test_what_came_too_late_for_a_move_is_named_wherever_the_ledger_is_now(
    team: Team, postgres: Postgres
) -> None:
    with Wire(postgres.port) as wire:
        far = team.checkout("far")
        far.database = postgres.url(team.database.rpartition("/")[2], wire.port)
        far.write({"a": "a [end=held]"})
        run = far.start(*RUN)
        submitted = "SELECT count(*) FROM kiejobs.reservations WHERE state = 'submitted'"
        team.judge.wait_until(lambda: team.do(submitted) == [(1,)])
        wire.cut, wire.then_down = "before", True
        team.judge.let_go.set()
        assert ended(run).code == 7
        team.leases_run_out()
        assert team.first.do("ledger", "move", "--to", "folder").code == 0
        wire.mend()
        assert far.do("status").code == 7
        (far.folder / "kiejobs.yaml").write_text("version: 1\n")
        far.write({"b": "b"})
        refused = far.do(*RUN)
        assert (refused.code, len(team.judge.creates)) == (7, 1)
        assert "came too late for the ledger's move" in refused.err


def test_doctor_looks_at_the_database_and_shows_no_password(team: Team, postgres: Postgres) -> None:
    fine = team.first.do("doctor")
    assert fine.code == 0, fine
    team.first.database = "postgresql://kiejobs:a-secret-word@127.0.0.1:1/none"
    broken = team.first.do("doctor")
    assert broken.code != 0
    assert "can't be reached" in broken.out + broken.err
    for said in (fine, broken):
        assert postgres.password not in said.out + said.err
        assert "a-secret-word" not in said.out + said.err


@pytest.mark.skipif(library() is None, reason="libfaketime is not installed here")
@pytest.mark.parametrize("off", ["+5h", "-30h"])
def test_a_machine_whose_clock_is_hours_off_buys_nothing_twice(team: Team, off: str) -> None:
    elsewhere = team.checkout("elsewhere")
    for checkout in (team.first, elsewhere):
        checkout.write(prompts(30))
    fake = {
        "LD_PRELOAD": str(library()),
        "FAKETIME": off,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    runs = [team.first.start(*RUN), elsewhere.start(*RUN, **fake)]
    team.judge.wait_until(lambda: len(team.judge.creates) > 10)
    live = team.first.do("status", "--format", "json").json["live_runs"]
    assert live, "whoever looks at it, by whichever clock"
    for run in map(ended, runs):
        assert run.code in {0, 8}, run
    assert team.first.do(*RUN).code == 0
    assert set(team.bought().values()) == {1}
    assert len(team.bought()) == 30
