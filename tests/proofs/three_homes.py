"""The same trials for a ledger in a folder, on a branch of git and in PostgreSQL: `python -m tests.proofs.three_homes`.

In: how many kills, how many damages, a seed. Out: figures for each home. Two machines buy a growing campaign at once
and get SIGKILL at random moments; some lose their disk with that. Then the home goes away half-way through a run,
or refuses: spending stops, and all that was bought is on record or in doubt once the home is back. Then one machine's clock is hours off. Last, the ledger
itself is damaged (bytes of journals, files of the branch, rows), each time another thing, and a machine is to buy one
more job.

The oracle is the judge's log, held against the lines of the journals: nothing bought twice, nothing lost, in any of
it. A damaged ledger is refused with exit code 7 and a reason, or does no harm; nothing crashes.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.core.diagnostics import ExitCode
from tests.proofs.clock import library
from tests.proofs.figures import tell, words
from tests.support import postgres
from tests.support.bench import FAST
from tests.support.homes import FolderHome, GitHome, PostgresHome, books, finished, killed, rule
from tests.support.judge.server import Judge
from tests.support.judge.tasks import accepted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.bench import Ran
    from tests.support.homes import Books, Home, Machine
    from tests.support.postgres import Postgres

KINDS = ("folder", "git", "postgresql")
_RUN = ("run", "jobs.yaml", "--yes", *FAST)
_SLOWLY = ("run", "jobs.yaml", "--yes", "--poll", "50ms", "--rate", "6/1s")
_STEP = 8  # jobs that the campaign grows by each time
_MANY = 40
_TRIES = 12
_OFF = ("+5h", "-30h")
_FAKE = Path(__file__).parents[1] / "support" / "faketime"
_CRASHED = {ExitCode.BUG, ExitCode.INVALID}


@dataclass
class Figures:
    """What came of one home's trials.

    `charged_on_the_way`: by runs whose home went away meanwhile; `not_collected_then`: of these, until it was back.
    """

    jobs: int = 0
    kills: int = 0
    charged: int = 0
    bought_twice: int = 0
    lost: int = 0
    not_bought: int = 0
    in_doubt: int = 0
    in_doubt_allowed: int = 0
    disks_lost: int = 0
    absences: int = 0
    charged_on_the_way: int = 0
    not_collected_then: int = 0
    clocks_off: int = 0
    damages: int = 0
    refused: int = 0
    bought_on_damage: int = 0
    odd_ends: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        return self.in_doubt <= self.in_doubt_allowed and not (
            self.bought_twice or self.lost or self.not_bought or self.bought_on_damage or self.odd_ends
        )


class Trial:
    """One home, two machines, one campaign that grows."""

    def __init__(self, home: Home, judge: Judge, log: Path, chance: random.Random) -> None:
        self._home, self._judge, self._log, self._chance = home, judge, log, chance
        self._machines = [home.machine(name) for name in ("one", "other")]
        self._names: list[str] = []
        self.figures = Figures()

    def go(self, kills: int, damages: int, *, absences: int, clocks: bool) -> Figures:
        start = time.monotonic()
        self._grow(_STEP)
        while self.figures.kills < kills:
            self._one_that_dies()
            self._grow(_STEP)
        self._come_to_the_end()
        for begin, end in list(self._home.absences().values())[:absences]:
            self._without(begin, end)
            self._come_to_the_end()
        for off in _OFF if clocks else ():
            self._clock_is(off)
            self._come_to_the_end()
        self._count()
        self._damage(damages)
        self.figures.seconds = round(time.monotonic() - start, 1)
        return self.figures

    def _count(self) -> None:
        found = self._books()
        self.figures.jobs = len(self._names)
        self.figures.charged, self.figures.bought_twice = found.paid.total(), found.twice
        self.figures.lost = len(found.lost)
        self.figures.not_bought = len(set(self._names) - set(found.paid))

    def _books(self) -> Books:
        return books(self._log, self._home)

    def _grow(self, count: int) -> None:
        self._names += [f"shot{number}" for number in range(len(self._names), len(self._names) + count)]
        for machine in self._machines:
            machine.write({name: name for name in self._names})

    # --- kills, an absence, clocks ------------------------------------------------------------------------

    def _one_that_dies(self) -> None:
        """Or both."""
        processes = [machine.begin(*_RUN) for machine in self._machines]
        victims = self._chance.sample(processes, self._chance.choice((1, 1, 2)))
        self.figures.kills += sum(killed(one, self._judge, self._chance, _STEP // 2) for one in victims)
        self.figures.in_doubt_allowed = self.figures.kills * self._home.window
        for process in processes:
            finished(process)
        lost = processes.index(victims[0])
        if self._chance.random() < 0.5 and (another := self._home.lose(self._machines[lost])):
            self._machines[lost] = another
            self.figures.disks_lost += 1

    def _without(self, begin: Callable[[], object], end: Callable[[], object]) -> None:
        """Half-way the home goes away. The rest is bought once it is back."""
        self._grow(_MANY)
        machine, files = self._machines[0], self._files()
        before = len(self._judge.creates)
        process = machine.begin(*_SLOWLY)
        self._judge.wait_until(lambda: len(self._judge.creates) >= before + 5)
        begin()
        code = finished(process)
        charged = len(self._judge.tasks) - before
        self._require(code in {ExitCode.JOURNAL, ExitCode.IN_DOUBT}, f"without its ledger: {code}", machine)
        self._require(charged < _MANY, "bought on without its ledger", machine)
        self.figures.absences += 1
        self.figures.charged_on_the_way += charged
        self.figures.not_collected_then += charged - (self._files() - files)
        end()
        self.figures.in_doubt_allowed += self._home.window
        code = finished(machine.begin("collect", *FAST[:2]))
        self._require(
            code in {ExitCode.DONE, ExitCode.IN_DOUBT, ExitCode.STILL_RUNNING}, f"back: {code}", machine
        )
        self.figures.lost += len(self._books().lost)

    def _clock_is(self, off: str) -> None:
        """One machine's is; it is killed, too."""
        self._grow(2 * _STEP)
        self.figures.clocks_off += 1
        fake = {
            "LD_PRELOAD": str(library()),
            "FAKETIME": off,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": f"{self._machines[0].package}:{_FAKE}",
        }
        there = self._machines[1].begin(*_RUN, **fake)
        here = self._machines[0].begin(*_RUN)
        self.figures.kills += killed(there, self._judge, self._chance, _STEP)
        self.figures.in_doubt_allowed = self.figures.in_doubt_allowed + self._home.window
        finished(here)
        for machine, more in ((self._machines[1], fake), (self._machines[0], {})):
            code = finished(machine.begin(*_RUN, **more))
            self._require(code not in _CRASHED, f"clock {off}: {code}", machine)

    def _come_to_the_end(self) -> None:
        for _ in range(_TRIES):
            codes = [finished(machine.begin(*_RUN)) for machine in self._machines]
            for machine, code in zip(self._machines, codes, strict=True):
                self._require(code not in _CRASHED, f"{code}", machine)
            if codes == [0, 0]:
                return
            self._home.run_leases_out()
            self.figures.in_doubt += rule(self._machines[0], self._books())
        self._require(codes == [0, 0], "never done", self._machines[0])

    def _files(self) -> int:
        return len(list(self._machines[0].folder.glob("outputs/**/*.mp4")))

    def _require(self, holds: bool, what: str, machine: Machine) -> None:  # noqa: FBT001 - as of `assert`
        if not holds:
            self.figures.odd_ends.append(f"{what}: {machine.printed.read_text()[-600:]}")

    # --- a damaged ledger ---------------------------------------------------------------------------------

    def _damage(self, times: int) -> None:
        """Each time there is one more job to buy, from a machine that has never looked at the ledger before."""
        restore = self._home.keep()
        paid = self._books().paid
        for number in range(times):
            what = self._home.damage(self._chance)
            machine = self._home.machine(f"fresh{number}")
            machine.write({name: name for name in [*self._names[:3], f"new{number}"]}, name="more.yaml")
            before = len(self._judge.tasks)
            ran = machine.do("run", "more.yaml", "--yes", *FAST)
            self.figures.damages += 1
            self._judge_refusal(ran, what, len(self._judge.tasks) - before)
            restore()
        sold = Counter(line["body"]["input"]["prompt"] for line in accepted(self._log))
        again = {name for name, count in sold.items() if count > paid.get(name, 1)}
        self.figures.bought_on_damage += len(again)

    def _judge_refusal(self, ran: Ran, what: str, bought: int) -> None:
        is_refused = ran.code == ExitCode.JOURNAL
        self.figures.refused += is_refused
        clear = "error: " in ran.err and bought == 0 if is_refused else ran.code not in _CRASHED
        if not clear or "Traceback" in ran.err or bought > 1:
            self.figures.odd_ends.append(f"{what}: {ran.code}, {bought} bought: {ran.err[-600:]}")


def trial(
    folder: Path, kind: str, server: Postgres, *, kills: int, damages: int, seed: int, **more: int
) -> Figures:
    """`absences`: in how many ways the home goes away, at most; `clocks`: whether they are off."""
    log = folder / "accepted.jsonl"
    how = {"absences": 9, "clocks": library() is not None, **more}
    with Judge(log) as judge:
        home: Home
        if kind == "folder":
            home = FolderHome(folder, judge)
        elif kind == "git":
            home = GitHome(folder, judge, ["first"])
        else:
            home = PostgresHome(folder, judge, server, starts=400, seconds=0.4)
        return Trial(home, judge, log, random.Random(seed)).go(kills, damages, **how)


def main() -> None:
    line = words(__doc__)
    line.add_argument("homes", nargs="*", metavar="HOME", help=f"{', '.join(KINDS)}; all without any")
    line.add_argument("--kills", type=int, default=8)
    line.add_argument("--damages", type=int, default=60)
    line.add_argument("--seed", type=int, default=1)
    given = line.parse_args()
    found = postgres.programs()
    if found is None:
        line.error("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    how = {"kills": given.kills, "damages": given.damages}
    came: dict[str, Any] = {}
    for kind in given.homes or KINDS:
        with tempfile.TemporaryDirectory() as folder, postgres.serving(found) as server:
            came[kind] = trial(Path(folder), kind, server, **how, seed=given.seed)
    command = " ".join(
        [
            "python -m tests.proofs.three_homes",
            *given.homes,
            *(f"--{name} {count}" for name, count in how.items()),
        ]
    )
    figures = {kind: asdict(one) for kind, one in came.items()}
    well = all(one.well for one in came.values())
    raise SystemExit(tell("three_homes", command, figures, well=well, record=given.record))


if __name__ == "__main__":
    main()
