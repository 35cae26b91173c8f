"""`kiejobs worker` against the judge: what is left to workers is downloaded, whatever becomes of them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import FAST, ended, judged
from tests.support.judge.server import RECORD
from tests.support.teams import Team, prompts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import Postgres
    from tests.support.teams import Checkout

DETACHED = ("run", "jobs.yaml", "--yes", "--detach", *FAST)
DRAIN = ("worker", "--drain", "--poll", "50ms")


@pytest.fixture
def team(postgres: Postgres, tmp_path: Path) -> Iterator[Team]:
    _, judge = judged(tmp_path)
    with judge:
        yield Team(tmp_path, judge, postgres.database())


@pytest.fixture
def elsewhere(team: Team) -> Checkout:
    """No job file is there."""
    return team.checkout("elsewhere")


def test_a_detached_runs_files_are_downloaded_by_a_worker_elsewhere(team: Team, elsewhere: Checkout) -> None:
    team.first.write({**prompts(6), "bad": "bad [end=fail]"})
    assert team.first.do(*DETACHED).code == 0
    assert team.do("SELECT count(*) FROM kiejobs.procrastinate_jobs") == [(7,)]
    done = elsewhere.do(*DRAIN)
    assert (done.code, "Nothing is due." in done.err) == (0, True)
    assert len(elsewhere.files()) == 6
    assert team.do("SELECT count(*) FROM kiejobs.procrastinate_jobs") == [(0,)]
    states = {job["state"] for job in team.first.do("status", "--format", "json").json.get("in_flight", [])}
    assert states == set()
    assert team.first.do("report", "--format", "json").code == 0
    assert elsewhere.do(*DRAIN).code == 0
    assert len(team.judge.creates) == 7


def test_the_name_is_the_newest_purchases_for_a_worker_too(team: Team, elsewhere: Checkout) -> None:
    team.first.write({"one": "one"})
    assert team.first.do(*DETACHED).code == 0
    assert elsewhere.do(*DRAIN).code == 0
    (old,) = elsewhere.folder.glob("outputs/**/*.mp4")
    before = old.read_bytes()
    team.first.write({"one": "one, edited"})
    assert team.first.do(*DETACHED).code == 0
    assert elsewhere.do(*DRAIN).code == 0
    (aside,) = elsewhere.files() - {"one.mp4"}
    assert old.with_name(aside).read_bytes() == before
    assert old.read_bytes() != before
    assert aside.startswith("one~")
    assert elsewhere.do("manifest", "verify").code == 0


def test_what_is_still_running_when_patience_ends_is_exit_8(team: Team, elsewhere: Checkout) -> None:
    team.first.write({"slow": "slow [end=never]", "quick": "quick"})
    assert team.first.do(*DETACHED).code == 0
    left = elsewhere.do(*DRAIN, "--wait", "300ms")
    assert (left.code, "1 still due" in left.err) == (8, True)
    assert len(elsewhere.files()) == 1


def test_a_job_that_is_stuck_or_lost_is_put_into_the_queue_again_from_the_ledger(
    team: Team, elsewhere: Checkout
) -> None:
    team.first.write(prompts(6))
    assert team.first.do(*DETACHED).code == 0
    team.do(
        """UPDATE kiejobs.procrastinate_jobs SET status = 'doing'
           WHERE id IN (SELECT id FROM kiejobs.procrastinate_jobs ORDER BY id LIMIT 3)"""
    )  # their worker died, and its row was pruned
    team.do("DELETE FROM kiejobs.procrastinate_jobs WHERE status = 'todo'")
    assert elsewhere.do(*DRAIN).code == 0
    assert len(elsewhere.files()) == 6


def test_workers_that_are_killed_over_and_over_lose_nothing(team: Team, elsewhere: Checkout) -> None:
    team.first.write({name: f"{name} [polls=4]" for name in prompts(30)})
    assert team.first.do(*DETACHED).code == 0
    stuck = 0
    for _ in range(7):
        workers = [elsewhere.start("worker", "--poll", "50ms") for _ in range(2)]
        before = len(team.judge.sent(RECORD))
        team.judge.wait_until(
            lambda before=before: len(team.judge.sent(RECORD)) > before + 5 or _is_done(elsewhere)
        )
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
            ended(worker)
        ((doing,),) = team.do("SELECT count(*) FROM kiejobs.procrastinate_jobs WHERE status = 'doing'")
        stuck += doing
        team.do("DELETE FROM kiejobs.procrastinate_workers")  # as another worker does once they are silent
    assert elsewhere.do(*DRAIN).code == 0
    assert len(elsewhere.files()) == 30
    assert len(team.judge.creates) == 30
    assert stuck > 0


def _is_done(checkout: Checkout) -> bool:
    return len(checkout.files()) == 30


def test_a_worker_ends_when_it_is_told_to(team: Team, elsewhere: Checkout) -> None:
    team.first.write({"slow": "slow [end=never]"})
    assert team.first.do(*DETACHED).code == 0
    worker = elsewhere.start("worker", "--poll", "50ms")
    team.judge.wait_until(lambda: bool(team.judge.sent(RECORD)))
    worker.send_signal(signal.SIGTERM)
    stopped = ended(worker)
    assert (stopped.code, "Stopped." in stopped.err) == (0, True), stopped
    assert team.do("SELECT count(*) FROM kiejobs.procrastinate_workers") == [(0,)]


def test_a_worker_outlives_its_database(team: Team, elsewhere: Checkout, postgres: Postgres) -> None:
    team.first.write({"slow": "slow [polls=8]"})
    assert team.first.do(*DETACHED).code == 0
    worker = elsewhere.start("worker", "--poll", "50ms")
    team.judge.wait_until(lambda: bool(team.judge.sent(RECORD)))
    postgres.kill()
    postgres.start()
    team.first.write({"slow": "slow [polls=8]", "later": "later"})
    assert team.first.do(*DETACHED).code == 0
    while len(elsewhere.files()) < 2:
        team.judge.wait_a_little()
        assert worker.poll() is None, ended(worker)
    worker.send_signal(signal.SIGTERM)
    assert ended(worker).code == 0
    assert elsewhere.do(*DRAIN).code == 0
    assert len(team.judge.creates) == 2


def test_a_file_that_was_damaged_here_is_downloaded_again(team: Team, elsewhere: Checkout) -> None:
    team.first.write(prompts(2))
    assert team.first.do(*DETACHED).code == 0
    assert elsewhere.do(*DRAIN).code == 0
    file = next(elsewhere.folder.glob("outputs/**/*.mp4"))
    good = file.read_bytes()
    file.write_bytes(b"no video")
    assert elsewhere.do(*DRAIN).code == 0
    assert file.read_bytes() == b"no video"  # kiejobs did not write that, so the result went next to it
    (beside,) = file.parent.glob(f"{file.stem}~*.mp4")
    assert beside.read_bytes() == good


def test_without_a_shared_ledger_there_are_no_workers(team: Team) -> None:
    (team.first.folder / "kiejobs.yaml").write_text("version: 1\n")
    refused = team.first.do(*DRAIN)
    assert refused.code == 2
    assert "workers need a ledger in PostgreSQL" in refused.err
