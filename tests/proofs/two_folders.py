"""Two folders that buy by one database: `python -m tests.proofs.two_folders`.

In: by how many jobs the campaign grows each time, how many kills, a seed. Out: figures. A real PostgreSQL; one of the folders reaches it through a
proxy that cuts connections while an append is under way: before it arrives, after it was done, in between. Both run
the same job file at once, get SIGKILL at random moments, and begin again; half-way the database's own processes are
killed as well, and it is started again. What is in doubt then is ruled on by the judge's books.

The oracle is the judge's log, held against the rows: nothing bought twice, nothing lost; a kill leaves at most four
creates in doubt; both folders together send at most 20 creates in any 10 s, by the judge's clock.
"""

from __future__ import annotations

import random
import tempfile
import time
from bisect import bisect_right
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import ExitCode
from tests.proofs.figures import tell, words
from tests.support import postgres
from tests.support.bench import FAST
from tests.support.homes import PostgresHome, books, finished, killed, rule
from tests.support.judge.server import Judge
from tests.support.postgres_proxy import Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.homes import Machine
    from tests.support.postgres import Postgres

_RUN = ("run", "jobs.yaml", "--yes", *FAST)
_CUTS = ("before", "after", "at_once", None)
_ENDS = {ExitCode.DONE, ExitCode.IN_DOUBT, ExitCode.STOPPED, ExitCode.JOURNAL, ExitCode.STILL_RUNNING}
_MOST, _SPAN = 20, 10.0  # creates in seconds: what the API takes
_TRIES = 40


@dataclass
class Figures:
    """What came of it. `most_at_once`: creates in any 10 s."""

    jobs: int = 0
    kills: int = 0
    database_kills: int = 0
    cuts: int = 0
    charged: int = 0
    bought_twice: int = 0
    lost: int = 0
    in_doubt: int = 0
    not_bought: int = 0
    most_at_once: int = 0
    odd_ends: list[str] = field(default_factory=list)
    seconds: float = 0.0
    paced: bool = True

    @property
    def well(self) -> bool:
        few = self.in_doubt <= PostgresHome.window * (self.kills + 2 * self.database_kills)
        slow = self.most_at_once <= _MOST or not self.paced
        return few and slow and not (self.bought_twice or self.lost or self.not_bought or self.odd_ends)


class Session:
    """One campaign of two folders."""

    def __init__(
        self, folder: Path, judge: Judge, server: Postgres, wire: Wire, figures: Figures, seed: int
    ) -> None:
        self._log = folder / "accepted.jsonl"
        self._judge, self._server, self._wire = judge, server, wire
        self._chance = random.Random(seed)
        window = () if figures.paced else (400, 0.4)
        self._home = PostgresHome(folder, judge, server, *window)
        there = f"127.0.0.1:{wire.port}"
        self._machines = [
            self._home.machine("one"),
            self._home.machine("other", self._home.url.replace(f"127.0.0.1:{server.port}", there)),
        ]
        self.figures = figures

    def go(self, kills: int, step: int) -> Figures:
        start = time.monotonic()
        while self.figures.kills < kills or not self.figures.database_kills:
            halfway = self.figures.kills >= kills // 2 and not self.figures.database_kills
            self._write(step)
            self._one_that_dies(step, halfway=halfway)
        self._write(step)
        self._come_to_the_end()
        found = books(self._log, self._home)
        self.figures.charged, self.figures.bought_twice = found.paid.total(), found.twice
        self.figures.lost = len(found.lost)
        self.figures.not_bought = self.figures.jobs - len(found.paid)
        self.figures.most_at_once = most_at_once([request.at for request in self._judge.creates])
        self.figures.cuts = self._wire.cuts
        self.figures.seconds = round(time.monotonic() - start, 1)
        return self.figures

    def _write(self, step: int) -> None:
        """There is always something to buy."""
        self.figures.jobs += step
        for machine in self._machines:
            machine.write({f"shot{number}": f"shot{number}" for number in range(self.figures.jobs)})

    def _one_that_dies(self, step: int, *, halfway: bool) -> None:
        self._wire.cut = self._chance.choice(_CUTS)
        processes = [machine.begin(*_RUN) for machine in self._machines]
        victims = self._chance.sample(processes, self._chance.choice((1, 1, 2)))
        if halfway:
            until = len(self._judge.creates) + step // 3
            self._judge.wait_until(lambda: len(self._judge.creates) >= until)
            self._server.kill()
            self._server.start()
            self.figures.database_kills += 1
        self.figures.kills += sum(killed(one, self._judge, self._chance, step // 2) for one in victims)
        for machine, process in zip(self._machines, processes, strict=True):
            if process not in victims:
                self._require(machine, finished(process))

    def _require(self, machine: Machine, code: int) -> None:
        if code not in _ENDS:
            self.figures.odd_ends.append(f"{code}: {machine.printed.read_text()[-400:]}")

    def _come_to_the_end(self) -> None:
        for _ in range(_TRIES):
            self._wire.cut = self._chance.choice(_CUTS)
            processes = [machine.begin(*_RUN) for machine in self._machines]
            codes = [finished(process) for process in processes]
            if codes == [0, 0]:
                return
            for machine, code in zip(self._machines, codes, strict=True):
                self._require(machine, code)
            self._home.run_leases_out()
            self.figures.in_doubt += rule(self._machines[0], books(self._log, self._home))


def most_at_once(times: Sequence[float]) -> int:
    """The most of them in any 10 s."""
    ordered = sorted(times)
    return max((bisect_right(ordered, at + _SPAN) - index for index, at in enumerate(ordered)), default=0)


def two_folders(
    folder: Path, server: Postgres, *, step: int, kills: int, seed: int, paced: bool = True
) -> Figures:
    """Not `paced`: the account's window is so wide that it keeps nobody waiting."""
    with Judge(folder / "accepted.jsonl") as judge, Wire(server.port) as wire:
        return Session(folder, judge, server, wire, Figures(paced=paced), seed).go(kills, step)


def main() -> None:
    line = words(__doc__)
    line.add_argument("--step", type=int, default=12)
    line.add_argument("--kills", type=int, default=10)
    line.add_argument("--seed", type=int, default=1)
    given = line.parse_args()
    found = postgres.programs()
    if found is None:
        line.error("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory() as folder, postgres.serving(found) as server:
        figures = two_folders(Path(folder), server, step=given.step, kills=given.kills, seed=given.seed)
    command = f"python -m tests.proofs.two_folders --step {given.step} --kills {given.kills}"
    raise SystemExit(tell("two_folders", command, asdict(figures), well=figures.well, record=given.record))


if __name__ == "__main__":
    main()
