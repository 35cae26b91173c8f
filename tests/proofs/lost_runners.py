"""Runners that are lost with all they had: `python -m tests.proofs.lost_runners`.

In: how many, how many jobs, a seed. Out: figures. The ledger is on a branch of git. Each runner is a fresh
`git clone --depth 1` in a folder of its own, as CI makes it; it begins to buy, gets SIGKILL at a random moment, and
its folder is deleted. Then a last one buys what is left. Once the leases are over, what is in doubt is ruled on by
the judge's books, and the campaign comes to its end.

The oracle is the judge's log, held against the lines on the branch: nothing bought twice; what was paid is on the
branch, or its job is open there; one lost runner leaves at most a window open; nobody's checkout, and no other
branch, was touched.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from kiejobs.core.diagnostics import ExitCode
from tests.proofs.figures import tell, words
from tests.support.bench import FAST
from tests.support.homes import GitHome, books, finished, killed, rule
from tests.support.judge.server import Judge

_RUN = ("run", "jobs.yaml", "--yes", *FAST)
_END = {ExitCode.DONE, ExitCode.IN_DOUBT, ExitCode.STILL_RUNNING}


@dataclass
class Figures:
    """What came of it. `in_doubt_at_most`: of one lost runner."""

    lost_runners: int = 0
    jobs: int = 0
    charged: int = 0
    bought_twice: int = 0
    lost: int = 0
    in_doubt: int = 0
    in_doubt_at_most: int = 0
    in_doubt_charged: int = 0
    doubts_not_shown: int = 0
    not_bought: int = 0
    checkouts_touched: int = 0
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        return self.in_doubt_at_most <= GitHome.window and not (
            self.bought_twice
            or self.lost
            or self.doubts_not_shown
            or self.not_bought
            or self.checkouts_touched
        )


def lost_runners(folder: Path, *, runners: int, jobs: int, seed: int) -> Figures:
    start, chance, log = time.monotonic(), random.Random(seed), folder / "accepted.jsonl"
    figures = Figures(jobs=jobs)
    names = [f"shot{number}" for number in range(jobs)]
    with Judge(log) as judge:
        home = GitHome(folder, judge, names)
        for number in range(runners):
            before = len(books(log, home).open_)
            most = jobs // (2 * runners)
            figures.lost_runners += _lose(home, f"runner{number}", judge, chance, most, figures)
            found = books(log, home)
            figures.in_doubt_at_most = max(figures.in_doubt_at_most, len(found.open_) - before)
            figures.lost += len(found.lost)
        _go_on(home, log, figures)
    found = books(log, home)
    figures.charged = found.paid.total()
    figures.bought_twice = found.twice
    figures.lost += len(found.lost)
    figures.not_bought = len(set(names) - set(found.paid) - found.open_)
    figures.seconds = round(time.monotonic() - start, 1)
    return figures


def _lose(home: GitHome, name: str, judge: Judge, chance: random.Random, most: int, figures: Figures) -> bool:
    """Whether it was at work until then."""
    machine = home.machine(name)
    was_alive = killed(machine.begin(*_RUN), judge, chance, most)
    figures.checkouts_touched += not home.is_untouched(machine)
    shutil.rmtree(machine.folder)
    return was_alive


def _go_on(home: GitHome, log: Path, figures: Figures) -> None:
    machine = home.machine("last")
    code = finished(machine.begin(*_RUN))
    assert code in _END, machine.printed.read_text()
    found = books(log, home)
    figures.in_doubt, figures.in_doubt_charged = len(found.open_), len(found.open_ & set(found.unknown))
    home.run_leases_out()
    figures.doubts_not_shown = len(found.open_) - rule(machine, found)
    assert finished(machine.begin(*_RUN)) == 0, machine.printed.read_text()
    assert set(machine.plan().values()) == {"keep"}
    figures.checkouts_touched += not home.is_untouched(machine)


def main() -> None:
    line = words(__doc__)
    line.add_argument("--runners", type=int, default=8)
    line.add_argument("--jobs", type=int, default=200)
    line.add_argument("--seed", type=int, default=1)
    given = line.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = lost_runners(Path(folder), runners=given.runners, jobs=given.jobs, seed=given.seed)
    command = f"python -m tests.proofs.lost_runners --runners {given.runners} --jobs {given.jobs}"
    raise SystemExit(tell("lost_runners", command, asdict(figures), well=figures.well, record=given.record))


if __name__ == "__main__":
    main()
