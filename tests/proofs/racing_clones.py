"""Two clones that buy the same job file at once: `python -m tests.proofs.racing_clones`.

In: how many rounds, how many jobs, how many kills, a seed. Out: figures. The ledger is on a branch of git. In each
round two fresh clones run one job file at the same moment; in every other round they are killed and begin again, one
of them or both, until there were so many kills. What is in doubt then is ruled on by the judge's books.

The oracle is the judge's log: nothing bought twice, nothing lost; who isn't killed ends as documented, with 0, or with
8 and 4 where the other one has jobs that are under way or in doubt.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import ExitCode
from tests.proofs.figures import tell, words
from tests.support.bench import FAST
from tests.support.homes import GitHome, books, finished, killed, rule
from tests.support.judge.server import Judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.homes import Machine

_FILE = "race.yaml"
_RUN = ("run", _FILE, "--yes", *FAST)
_PEACEFUL = {ExitCode.DONE, ExitCode.STILL_RUNNING}
_TRIES = 5


@dataclass
class Figures:
    """What came of it. `in_doubt` are those that were ruled on."""

    rounds: int = 0
    jobs: int = 0
    kills: int = 0
    charged: int = 0
    bought_twice: int = 0
    lost: int = 0
    in_doubt: int = 0
    not_bought: int = 0
    checkouts_touched: int = 0
    odd_ends: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        few = self.in_doubt <= self.kills * GitHome.window
        return few and not (
            self.bought_twice or self.lost or self.not_bought or self.checkouts_touched or self.odd_ends
        )


class Race:
    """Rounds between two clones of one repository, each by a job file of its own."""

    def __init__(self, folder: Path, judge: Judge, jobs: int, seed: int) -> None:
        self._log = folder / "accepted.jsonl"
        self._judge = judge
        self._chance = random.Random(seed)
        self._home = GitHome(folder, judge, ["first"])
        self._jobs = jobs
        self.figures = Figures()

    def run(self, rounds: int, kills: int) -> Figures:
        start = time.monotonic()
        for number in range(rounds):
            self._round(number, kills if number % 2 else 0)
        found = books(self._log, self._home)
        self.figures.charged, self.figures.bought_twice = found.paid.total(), found.twice
        self.figures.lost = len(found.lost)
        self.figures.not_bought = self.figures.jobs - len(found.paid)
        self.figures.seconds = round(time.monotonic() - start, 1)
        return self.figures

    def _round(self, number: int, kills: int) -> None:
        clones = [self._home.machine(f"{name}{number}") for name in ("one", "other")]
        names = [f"round{number}-{job}" for job in range(self._jobs)]
        self.figures.rounds += 1
        self.figures.jobs += self._jobs
        step, left = self._jobs // (kills + 1), kills
        while left > 0:  # each time there is something to buy
            _write(clones, names[: self._jobs - left * step])
            left -= self._one_that_dies(clones, step // 2)
        _write(clones, names)
        self._both(clones, _PEACEFUL | {ExitCode.IN_DOUBT})
        self._settle(clones[0])
        for _ in range(_TRIES):
            if self._both(clones, _PEACEFUL) == [0, 0]:
                break
        for clone in clones:
            (clone.folder / _FILE).unlink()
            self.figures.checkouts_touched += not self._home.is_untouched(clone)

    def _one_that_dies(self, clones: Sequence[Machine], most: int) -> int:
        """Or both. How many were killed."""
        processes = [clone.begin(*_RUN) for clone in clones]
        victims = self._chance.sample(processes, self._chance.choice((1, 1, 2)))
        count = sum(killed(one, self._judge, self._chance, most) for one in victims)
        for process in processes:
            finished(process)
        self.figures.kills += count
        return max(count, 1)

    def _both(self, clones: Sequence[Machine], ends: set[ExitCode]) -> list[int]:
        """Run in both at once. Their exit codes."""
        processes = [clone.begin(*_RUN) for clone in clones]
        codes = [finished(process) for process in processes]
        for clone, code in zip(clones, codes, strict=True):
            if code not in ends:
                self.figures.odd_ends.append(f"{code}: {clone.printed.read_text()[-400:]}")
        return codes

    def _settle(self, clone: Machine) -> None:
        found = books(self._log, self._home)
        if found.open_:
            self._home.run_leases_out()
            self.figures.in_doubt += rule(clone, found)


def _write(clones: Sequence[Machine], names: Sequence[str]) -> None:
    for clone in clones:
        clone.write({name: name for name in names}, name=_FILE)


def racing_clones(folder: Path, *, rounds: int, jobs: int, kills: int, seed: int) -> Figures:
    with Judge(folder / "accepted.jsonl") as judge:
        return Race(folder, judge, jobs, seed).run(rounds, kills)


def main() -> None:
    line = words(__doc__)
    line.add_argument("--rounds", type=int, default=6)
    line.add_argument("--jobs", type=int, default=60)
    line.add_argument("--kills", type=int, default=4, help="of each other round")
    line.add_argument("--seed", type=int, default=1)
    given = line.parse_args()
    how = {"rounds": given.rounds, "jobs": given.jobs, "kills": given.kills}
    with tempfile.TemporaryDirectory() as folder:
        figures = racing_clones(Path(folder), **how, seed=given.seed)
    command = " ".join(
        ["python -m tests.proofs.racing_clones", *(f"--{name} {count}" for name, count in how.items())]
    )
    raise SystemExit(tell("racing_clones", command, asdict(figures), well=figures.well, record=given.record))


if __name__ == "__main__":
    main()
