"""Two checkouts buy, a worker elsewhere downloads, all by one database: `python -m tests.proofs.shared_database`.

In: how many kills, how many jobs, a seed. Out: figures. A real PostgreSQL, which is killed now and then, sometimes to
come back at once, sometimes only when the runs have ended; runs and workers get SIGKILL, at most two minutes' worth of
leases run out, doubts are ruled on by the judge's books, and then the campaign must come to its end.

The oracle is the judge's log. Nothing may be charged twice, what was charged must be on record or in doubt, and a run that
was killed, or lost its database, leaves at most the four creates in doubt that were under way.
"""

from __future__ import annotations

import random
import signal
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.proofs.figures import tell, words
from tests.support.bench import FAST, ended
from tests.support.judge.server import Judge
from tests.support.judge.tasks import accepted
from tests.support.postgres import programs, serving
from tests.support.teams import Team, prompts

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from tests.support.postgres import Postgres

_RUN = ("run", "jobs.yaml", "--yes", "--detach", *FAST)
_WORKER = ("worker", "--poll", "50ms")
_UNDER_WAY = 4
_FINISHED = {0, 4}
_PASSES = 30


@dataclass(frozen=True)
class Figures:
    """What came of it. `outages`: the database came back only after the runs had ended."""

    kills: int
    of_workers: int
    database_kills: int
    outages: int
    jobs: int
    charged: int
    bought_twice: int
    lost: int
    in_doubt: int
    left_without_a_file: int
    seconds: float

    @property
    def well(self) -> bool:
        few = self.in_doubt <= _UNDER_WAY * (self.kills + 2 * self.outages)
        return few and not (self.bought_twice or self.lost or self.left_without_a_file)


class Session:
    """One campaign, bought from two folders at once; its files come to a third."""

    def __init__(self, folder: Path, server: Postgres, judge: Judge, jobs: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._server = server
        self._judge = judge
        self._log = folder / "accepted.jsonl"
        self._jobs = jobs
        self._team = Team(folder, judge, server.database())
        self._buyers = [self._team.first, self._team.checkout("second")]
        self._elsewhere = self._team.checkout("elsewhere")
        for buyer in self._buyers:
            buyer.write(prompts(jobs))
        self._kills = self._of_workers = self._database_kills = self._outages = self._doubts = 0

    def go(self, kills: int) -> Figures:
        start = time.monotonic()
        while self._kills < kills:
            self._one_round()
        for _ in range(_PASSES):
            done = self._buyers[0].do(*_RUN).code in _FINISHED
            self._rule()
            if done and len(self._team.bought()) == self._jobs:
                break
        drained = self._elsewhere.do("worker", "--drain", "--poll", "50ms")
        assert drained.code == 0, drained
        return self._figures(time.monotonic() - start)

    def _one_round(self) -> None:
        worker = self._elsewhere.start(*_WORKER)
        runs = [buyer.start(*_RUN) for buyer in self._buyers]
        soon = len(self._judge.creates) + self._random.randrange(1, 12)
        while len(self._judge.creates) < soon and all(run.poll() is None for run in runs):
            self._judge.wait_a_little()
        outage = self._hurt_the_database()
        if not outage:
            self._kill(self._random.sample(runs, self._random.choice([1, 2])))
        if self._random.random() < 0.5:
            self._kill([worker])
            self._of_workers += 1
        for run in runs:
            ended(run)
        if outage:
            self._server.start()
        worker.send_signal(signal.SIGTERM)
        ended(worker)
        self._rule()

    def _hurt_the_database(self) -> bool:
        """Is it down until the runs have ended?"""
        if self._random.random() < 0.6:
            return False
        self._database_kills += 1
        self._server.kill()
        if self._random.random() < 0.5:
            self._outages += 1
            return True
        self._server.start()
        return False

    def _kill(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        for process in processes:
            process.send_signal(signal.SIGKILL)
            self._kills += 1

    def _rule(self) -> None:
        self._team.leases_run_out()
        self._team.do("DELETE FROM kiejobs.procrastinate_workers")  # those that are silent are pruned
        self._doubts += self._team.rule(self._buyers[0])

    def _figures(self, seconds: float) -> Figures:
        bought = self._team.bought()
        lines = self._team.do("SELECT convert_from(line, 'UTF8')::json->>'task_id' FROM kiejobs.events")
        lost = {line["task_id"] for line in accepted(self._log)} - {task for (task,) in lines}
        return Figures(
            kills=self._kills,
            of_workers=self._of_workers,
            database_kills=self._database_kills,
            outages=self._outages,
            jobs=self._jobs,
            charged=bought.total(),
            bought_twice=bought.total() - len(bought),
            lost=len(lost),
            in_doubt=self._doubts,
            left_without_a_file=self._jobs - len(self._elsewhere.files()),
            seconds=round(seconds, 1),
        )


def shared_database(folder: Path, server: Postgres, kills: int, jobs: int, seed: int) -> Figures:
    with Judge(folder / "accepted.jsonl") as judge:
        return Session(folder, server, judge, jobs, seed).go(kills)


def main() -> int:
    parser = words(__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found = programs()
    if found is None:
        raise SystemExit("PostgreSQL's server is not installed here")
    with tempfile.TemporaryDirectory() as folder, serving(found) as server:
        figures = shared_database(Path(folder), server, given.kills, given.jobs, given.seed)
    command = f"python -m tests.proofs.shared_database --kills {given.kills} --jobs {given.jobs} --seed {given.seed}"
    return tell("shared_database", command, asdict(figures), well=figures.well, record=given.record)


if __name__ == "__main__":
    raise SystemExit(main())
