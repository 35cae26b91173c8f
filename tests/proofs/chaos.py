"""Kill it at random moments until it is done, then count: `python -m tests.proofs.chaos --kills 200`.

In: how many kills, a seed, a folder. Out: figures. The second oracle beside `random_kills`: campaigns of
40 jobs, one after the other, against the judge's server, which shares no line with the sandbox, has
faults of its own and dies now and then; each command gets `kill -9`, some of them right
after a create came in, some while another one collects.
The server's log is the oracle: nothing bought twice, nothing accepted that no manifest knows and no
address holds in doubt, and no more doubts from a kill than creates were in flight.
"""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.proofs.figures import tell, words
from tests.support.bench import Bench, judged
from tests.support.judge.server import Judge
from tests.support.judge.tasks import accepted

CREATES_IN_FLIGHT = 4
_QUICK = ("--poll", "30ms", "--rate", "12/200ms")  # short pauses after a 429


@dataclass(frozen=True)
class Figures:
    """What came of it. The first three decide."""

    bought_twice: int
    lost: int
    doubts_of_kills: int
    kills: int
    campaigns: int
    jobs: int
    accepted: int
    known: int
    doubts_of_faults: int
    seconds: float

    @property
    def well(self) -> bool:
        few = self.doubts_of_kills <= self.kills * CREATES_IN_FLIGHT
        return self.bought_twice == 0 and self.lost == 0 and few


class Chaos:
    """One session. `faults` at the server are random too, and stop with the kills."""

    def __init__(self, folder: Path, kills: int, seed: int, jobs: int) -> None:
        self._random, self._faults = random.Random(seed), random.Random(seed + 1)
        self._bench, self._judge = judged(folder, chaos=self._faults)
        self._wanted, self._kills = kills, 0
        self._jobs = jobs
        self._campaigns = 0

    def go(self) -> Figures:
        start = time.monotonic()
        try:
            while self._kills < self._wanted:
                self._campaign()
            return self._figures(time.monotonic() - start)
        finally:
            self._judge.close()

    def _campaign(self) -> None:
        self._campaigns += 1
        name = f"c{self._campaigns}.yaml"
        prompts = {
            f"j{n}": f"campaign {self._campaigns}, shot {n} [polls={self._random.randint(0, 9)}]"
            for n in range(self._jobs)
        }
        self._bench.write(prompts, name=name, campaign=f"c{self._campaigns}")
        ended = False
        while self._kills < self._wanted and not (ended and self._is_done(name)):
            ended = self._one_that_may_die(name)
        if self._kills >= self._wanted:
            self._judge.calm()
            while not self._is_done(name):
                self._bench.do("run", name, "--yes", *_QUICK)
            self._bench.do("collect", *_QUICK[:2])

    def _is_done(self, name: str) -> bool:
        return self._bench.do("plan", name, "--detailed-exitcode").code == 0

    def _one_that_may_die(self, name: str) -> bool:
        """Whether it came to its own end."""
        collects = self._random.random() < 0.1
        words = ("collect", *_QUICK[:2]) if collects else ("run", name, "--yes", *_QUICK)
        process = self._bench.start(*words)
        other = self._bench.start("collect", *_QUICK[:2]) if self._random.random() < 0.1 else None
        ended = self._end_of(process, collects=collects)
        if other is not None:
            other.communicate(timeout=120)
        return ended

    def _end_of(self, process: subprocess.Popen[str], *, collects: bool) -> bool:
        if collects or self._random.random() < 0.4:
            moment = time.monotonic() + self._random.uniform(0.3, 1.5)
        else:
            moment = self._after_some_creates(process)
        if self._random.random() < 0.05:
            self._judge.close()
            self._judge = Judge(self._bench.log, port=self._judge.port, chaos=self._faults)
        try:
            process.communicate(timeout=max(0.0, moment - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self._kills += 1
            return False
        return True

    def _after_some_creates(self, process: subprocess.Popen[str]) -> float:
        """The moment when some more creates came in, give or take what an answer takes."""
        count = len(self._judge.creates) + self._random.randint(1, 12)
        while process.poll() is None and len(self._judge.creates) < count:
            self._judge.wait_a_little()
        return time.monotonic() + self._random.choice((0.0, 0.002, 0.005, 0.01, 0.03))

    def _figures(self, seconds: float) -> Figures:
        bench = self._bench
        oracle = accepted(bench.log)
        before = len(oracle)
        held = _in_doubt(bench)
        known = bench.known_tasks()
        bodies = Counter(json.dumps(line["body"], sort_keys=True) for line in oracle)
        lost = [x for x in oracle if x["task_id"] not in known and _address(x["body"]) not in held]
        answered = {e["attempt_id"] for e in bench.events() if e["type"] == "in_doubt"}
        of_kills = sum(1 for attempt in held.values() if attempt not in answered)
        assert bench.do("manifest", "verify").code == 0
        assert len(accepted(bench.log)) == before
        return Figures(
            bought_twice=sum(count - 1 for count in bodies.values()),
            lost=len(lost),
            doubts_of_kills=of_kills,
            kills=self._kills,
            campaigns=self._campaigns,
            jobs=self._campaigns * self._jobs,
            accepted=len(oracle),
            known=len(known),
            doubts_of_faults=len(held) - of_kills,
            seconds=round(seconds, 1),
        )


def _in_doubt(bench: Bench) -> dict[tuple[str, str], str]:
    """Attempt ids in doubt by (campaign, job)."""
    document = bench.do("status", "--format", "json").json
    found: dict[tuple[str, str], str] = {}
    for attempt in document["in_doubt"]:
        campaign, _, job = attempt["address"].partition("/")
        found[campaign, job] = attempt["attempt_id"]
    return found


def _address(body: dict[str, Any]) -> tuple[str, str]:
    campaign, shot = body["input"]["prompt"].partition(" [")[0].split(", ")
    return f"c{campaign.split()[1]}", f"j{shot.split()[1]}"


def chaos(folder: Path, *, kills: int, seed: int, jobs: int = 40) -> Figures:
    return Chaos(folder, kills, seed, jobs).go()


def main() -> None:
    line = words(__doc__)
    line.add_argument("--kills", type=int, default=200)
    line.add_argument("--seed", type=int, default=1)
    line.add_argument("--jobs", type=int, default=40)
    given = line.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = chaos(Path(folder), kills=given.kills, seed=given.seed, jobs=given.jobs)
    command = f"python -m tests.proofs.chaos --kills {given.kills} --seed {given.seed}"
    raise SystemExit(tell("chaos", command, asdict(figures), well=figures.well, record=given.record))


if __name__ == "__main__":
    main()
