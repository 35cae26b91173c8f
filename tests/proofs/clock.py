"""Set the clock forwards and back by hours while it works: `python -m tests.proofs.clock`.

In: how many commands, a seed. Out: figures. `run` and `collect` as processes under libfaketime
(Debian's faketime), each at another time of day, for some of them changing while they work, some of
them killed; against the sandbox, whose own clock is right. Monotonic time and the times of files stay
what they are, as they do when a real clock is set.

The oracle is the charge log: nothing bought twice, nothing lost, the campaign comes to its end. Then
all clocks must agree: the same plan, and manifests of the same bytes. A job renamed while the clock is
behind is not bought again.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.proofs.figures import tell, words
from tests.proofs.served import Served
from tests.support.bench import Bench, Ran, ended

HOURS = (0, 5, -5, -30, 30, 1, -1)
_FAR = (5, -30)
_PACE = ("--rate", "18/60ms", "--poll", "40ms")
_LIBRARY = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)


def library() -> Path | None:
    """libfaketime for threads, where it is installed."""
    if shutil.which("faketime") is None:
        return None
    found = (path for pattern in _LIBRARY for path in Path("/").glob(pattern[1:]))
    return next(found, None)


@dataclass(frozen=True)
class Figures:
    """What came of it. `set_within`: how many commands had the clock set while they worked."""

    commands: int
    killed: int
    set_within: int
    jobs: int
    charged: int
    bought_twice: int
    lost: int
    in_doubt: int
    plans_that_differ: int
    manifests_that_differ: int
    bought_after_a_rename: int
    hours_spanned: float
    seconds: float

    @property
    def well(self) -> bool:
        return self.hours_spanned > 24 and not (
            self.bought_twice
            or self.lost
            or self.plans_that_differ
            or self.manifests_that_differ
            or self.bought_after_a_rename
        )


class Session:
    """One campaign, and a clock that nobody should trust."""

    def __init__(self, folder: Path, preload: Path, commands: int, jobs: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._server = Served(folder / "store", speed=200.0)
        self._bench = Bench(folder, self._server.url)
        self._preload = preload
        self._clock = folder / "clock"
        self._wanted, self._jobs = commands, jobs
        self._killed = self._set_within = 0

    def go(self) -> Figures:
        start = time.monotonic()
        try:
            self._write("j")
            for _ in range(self._wanted):
                self._one_that_may_die()
            doubts = self._settle()
            plans = {self._plan(hours) for hours in _FAR}
            manifests = {self._rebuilt(hours) for hours in _FAR}
            charges = self._server.charges()
            bought = Counter(task.input["prompt"] for task in charges)
            return Figures(
                commands=self._wanted,
                killed=self._killed,
                set_within=self._set_within,
                jobs=self._jobs,
                charged=len(charges),
                bought_twice=sum(count - 1 for count in bought.values()),
                lost=len({task.task_id for task in charges} - self._bench.known_tasks()),
                in_doubt=doubts,
                plans_that_differ=len(plans) - 1 + len(plans - {f"keep {self._jobs}"}),
                manifests_that_differ=len(manifests) - 1,
                bought_after_a_rename=self._renamed() - len(charges),
                hours_spanned=self._span(),
                seconds=round(time.monotonic() - start, 1),
            )
        finally:
            self._server.die()

    def _write(self, name: str) -> None:
        prompts = {f"{name}{number}": f"shot {number}" for number in range(self._jobs)}
        self._bench.write(prompts, campaign="clock")

    def _start(self, hours: float, *typed: str) -> subprocess.Popen[str]:
        self._set(hours)
        return self._bench.start(
            *typed,
            LD_PRELOAD=str(self._preload),
            FAKETIME_TIMESTAMP_FILE=str(self._clock),
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
            NO_FAKE_STAT="1",
        )

    def _do(self, hours: float, *typed: str) -> Ran:
        return ended(self._start(hours, *typed))

    def _set(self, hours: float) -> None:
        """Whole or not at all: a command may be reading it."""
        partial = self._clock.with_suffix(".new")
        partial.write_text(f"{hours * 3600:+.0f}\n")
        partial.replace(self._clock)

    def _one_that_may_die(self) -> None:
        verb = ["collect"] if self._random.random() < 0.3 else ["run", "jobs.yaml", "--yes"]
        pace = _PACE if len(verb) == 3 else _PACE[2:]
        process = self._start(self._random.choice(HOURS), *verb, *pace)
        patience = self._random.uniform(0.4, 1.6)
        if self._random.random() < 0.5 and not _over(process, patience / 2):
            self._set(self._random.choice(HOURS))
            self._set_within += 1
        if not _over(process, patience):
            process.kill()
            self._killed += 1
        process.communicate()

    def _settle(self) -> int:
        """Rule on the doubts that the kills left, from the charge log, and finish; how many doubts."""
        doubts = json.loads(self._do(0, "status", "--format", "json").out)["in_doubt"]
        known = {event.get("task_id") for event in self._bench.events()}
        charged = {
            f"clock/j{task.input['prompt'].split()[1]}": task.task_id
            for task in self._server.charges()
            if task.task_id not in known
        }
        for doubt in doubts:
            task_id = charged.get(doubt["address"])
            ruling = ["--lost"] if task_id is None else ["--task", task_id]
            self._do(self._random.choice(HOURS), "resolve", doubt["address"], *ruling)
        for hours in (5, -30):
            self._do(hours, "run", "jobs.yaml", "--yes", *_PACE)
        return len(doubts)

    def _plan(self, hours: float) -> str:
        changes = json.loads(self._do(hours, "plan", "jobs.yaml", "--format", "json").out)["changes"]
        count = Counter(change["action"] for change in changes)
        return ", ".join(f"{action} {number}" for action, number in sorted(count.items()))

    def _rebuilt(self, hours: float) -> str:
        """A digest of all manifests, each made anew at that time."""
        digest = hashlib.sha256()
        for path in self._bench.folder.glob("runs/*/manifest.json"):
            path.unlink()
        self._do(hours, "manifest", "rebuild")
        for path in sorted(self._bench.folder.glob("runs/*/manifest.json")):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def _span(self) -> float:
        """Hours between the first and the last time that a journal tells: was the clock ever wrong?"""
        times = [datetime.fromisoformat(event["at"]) for event in self._bench.events()]
        return round((max(times) - min(times)).total_seconds() / 3600, 1)

    def _renamed(self) -> int:
        """How many charges there are after every job was renamed, with the clock far behind."""
        self._write("k")
        for hours in (-30, 5, 0):
            self._do(hours, "run", "jobs.yaml", "--yes", *_PACE)
        return len(self._server.charges())


def _over(process: subprocess.Popen[str], seconds: float) -> bool:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def set_clock(folder: Path, preload: Path, *, commands: int, jobs: int, seed: int) -> Figures:
    return Session(folder, preload, commands, jobs, seed).go()


def main() -> None:
    line = words(__doc__)
    line.add_argument("--commands", type=int, default=60)
    line.add_argument("--jobs", type=int, default=120)
    line.add_argument("--seed", type=int, default=1)
    given = line.parse_args()
    preload = library()
    if preload is None:
        line.error("libfaketime is not installed (Debian: apt-get install faketime)")
    with tempfile.TemporaryDirectory() as folder:
        figures = set_clock(Path(folder), preload, commands=given.commands, jobs=given.jobs, seed=given.seed)
    command = f"python -m tests.proofs.clock --commands {given.commands} --jobs {given.jobs}"
    document: dict[str, Any] = asdict(figures)
    raise SystemExit(tell("clock", command, document, well=figures.well, record=given.record))


if __name__ == "__main__":
    main()
