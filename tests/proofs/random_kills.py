"""Kill it 500 times on its way through one campaign: `python -m tests.proofs.random_kills`.

In: how many kills, how many jobs, a seed. Out: figures. One campaign against the sandbox as a process
of its own, where one in twenty meets each class of fault, and which is killed now and then itself.
`run`, `collect` and `resolve` get SIGKILL: some at a random moment, most right after a create was
charged. Some doubts are ruled on the way, from the charge log; then the faults end, and the campaign
must come to its end.

Each job has a picture of its own, which has to be uploaded before it is bought with.

The oracle is the charge log. While it is being killed no job may be charged twice; what was charged
must be in a manifest, or its job in doubt; a kill leaves at most 4 creates in doubt, and costs at most 4
uploads. In the end each job has one file, and it is the file of the one task that was paid for.
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

from kiejobs.sandbox.files import make_content
from tests.proofs.arbiter import Arbiter, address_of
from tests.proofs.figures import tell, words
from tests.proofs.random_faults import RULES
from tests.proofs.served import Served
from tests.support.bench import MODEL, Bench

CREATES_IN_FLIGHT = 4
UPLOADS_IN_FLIGHT = 4
_SPEED = 400.0  # the sandbox's 20 creates in 10 s are 20 in 25 ms then
_PACE = ("--rate", "18/26ms", "--poll", "30ms")
_BATCH = 25
_LONGEST = 8.0  # seconds until a command that makes no creates is killed all the same
_PASSES = 30
_UPLOAD = "/api/file-stream-upload"


@dataclass(frozen=True)
class Figures:
    """What came of it. `points` are kills; of these so many met each verb."""

    points: int
    of_run: int
    of_collect: int
    of_resolve: int
    server_kills: int
    jobs: int
    charged: int
    charged_and_refunded: int
    bought_twice: int
    lost: int
    in_doubt_of_kills: int
    of_these_charged: int
    in_doubt_of_faults: int
    of_those_charged: int
    left_without_a_file: int
    uploaded_again: int
    uploads_that_met_a_fault: int
    seconds: float

    @property
    def well(self) -> bool:
        few = self.in_doubt_of_kills <= self.points * CREATES_IN_FLIGHT
        uploads = self.points * UPLOADS_IN_FLIGHT + self.uploads_that_met_a_fault
        few = few and self.uploaded_again <= uploads
        return few and not (self.bought_twice or self.lost or self.left_without_a_file)


class Session:
    """One campaign of `jobs` jobs, in batches that `--select` tells apart."""

    def __init__(self, folder: Path, kills: int, jobs: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._server = Served(folder / "store", speed=_SPEED, rules=RULES, seed=seed)
        self._bench = Bench(folder, self._server.url)
        self._wanted, self._jobs = kills, jobs
        self._batches = -(-jobs // _BATCH)
        self._batch = 0
        self._kills: Counter[str] = Counter()
        self._server_kills = 0
        self._arbiter = Arbiter(self._bench, self._server)

    def go(self) -> Figures:
        start = time.monotonic()
        try:
            self._write()
            while self._kills.total() < self._wanted:
                self._one_that_may_die()
                if self._random.random() < 0.04:
                    self._rule(most=4)
            twice, lost = self._verdict()
            self._server.calm()
            self._come_to_the_end()
            return self._figures(twice, lost, time.monotonic() - start)
        finally:
            self._server.die()

    def _write(self) -> None:
        whole, rest = divmod(self._jobs, _BATCH)
        sizes = [_BATCH] * whole + [rest] * bool(rest)
        self._take_pictures(sizes)
        jobs = {
            f"b{number:03}": {
                "matrix": {"shot": list(range(size))},
                "input": {
                    "image_url": f"images/b{number:03}-{{{{ matrix.shot }}}}.png",
                    "prompt": f"batch {number}, shot {{{{ matrix.shot }}}}",
                },
            }
            for number, size in enumerate(sizes)
        }
        document = {
            "version": 1,
            "campaign": "kills",
            "limits": {"max_jobs": self._jobs},
            "defaults": {"model": MODEL},
            "jobs": jobs,
        }
        (self._bench.folder / "jobs.yaml").write_text(json.dumps(document))

    def _take_pictures(self, sizes: list[int]) -> None:
        folder = self._bench.folder / "images"
        folder.mkdir()
        for number, size in enumerate(sizes):
            for shot in range(size):
                name = f"b{number:03}-{shot}.png"
                (folder / name).write_bytes(make_content("image/png", name).data)

    # --- being killed ----------------------------------------------------------------------------

    def _one_that_may_die(self) -> None:
        verb = "collect" if self._random.random() < 0.15 else "run"
        process = self._start(*self._words(verb))
        beside = self._start(*self._words("collect")) if self._random.random() < 0.1 else None
        died = self._kill_in_time(process, verb, self._moment(process, verb))
        if beside is not None:
            self._kill_in_time(beside, "collect", self._random.uniform(0.0, 1.5))
        if verb == "run" and not died and process.returncode in {0, 1, 4}:
            self._batch = (self._batch + 1) % self._batches

    def _words(self, verb: str) -> list[str]:
        if verb == "collect":
            return ["collect", *_PACE[2:]]
        whole = self._random.random() < 0.01  # seldom: each such run writes all of its plan down
        select = [] if whole else ["--select", f"job:b{self._batch:03}"]
        return ["run", "jobs.yaml", "--yes", *_PACE, *select]

    def _start(self, *typed: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._bench.command(*typed),
            cwd=self._bench.folder,
            env=self._bench.environment(KIE_API_BASE=self._server.url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def _moment(self, process: subprocess.Popen[str], verb: str) -> float:
        """Wait for some creates of a run, most of the time; then how many seconds are left to live."""
        if verb == "collect" or self._random.random() < 0.3:
            return self._random.uniform(0.1, 1.5)
        begun = self._server.charged()
        left = (self._jobs - begun) / max(1, self._wanted - self._kills.total())
        until = begun + self._random.randint(1, max(1, round(2 * left) - 2))
        end = time.monotonic() + _LONGEST
        while self._server.charged() < until and time.monotonic() < end:
            if self._over(process, 0.002):
                return 0.0
        return self._random.choice((0.0, 0.001, 0.002, 0.005, 0.01, 0.03))

    def _kill_in_time(self, process: subprocess.Popen[str], verb: str, seconds: float) -> bool:
        """Whether it was killed, and did not come to its own end."""
        if self._over(process, seconds):
            return False
        if verb == "run" and self._random.random() < 0.04:
            self._server.die()
            self._server_kills += 1
            self._server.start()
        if self._over(process, 0.0):
            return False
        process.kill()
        process.wait()
        self._kills[verb] += 1
        return True

    def _over(self, process: subprocess.Popen[str], seconds: float) -> bool:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _rule(self, most: int | None = None) -> None:
        """Rule on doubts; with `most`, on so many of them, and the ruling may be killed as well."""
        rulings = self._arbiter.rulings()
        self._random.shuffle(rulings)
        for address, *ruling in rulings[:most]:
            process = self._start("resolve", address, *ruling)
            if most is not None and self._random.random() < 0.15:
                self._kill_in_time(process, "resolve", self._random.uniform(0.1, 0.4))
            process.wait()

    # --- the verdict -----------------------------------------------------------------------------

    def _verdict(self) -> tuple[int, int]:
        """Bought twice and lost, right after the last kill: nothing was retried on purpose yet."""
        self._bench.do("manifest", "rebuild")
        charges = self._server.charges()
        known, held = self._bench.known_tasks(), set(self._arbiter.in_doubt())
        jobs = Counter(map(address_of, charges))
        unknown = [task for task in charges if task.task_id not in known]
        lost = [task for task in unknown if address_of(task) not in held]
        return sum(count - 1 for count in jobs.values()), len(lost)

    def _come_to_the_end(self) -> None:
        for _ in range(_PASSES):
            self._rule()
            self._bench.do("run", "jobs.yaml", "--yes", "--retry", "failed", *_PACE)
            changes = self._bench.do("plan", "jobs.yaml", "--format", "json").json["changes"]
            if all(change["action"] == "keep" for change in changes):
                break
        assert self._bench.do("manifest", "verify").code == 0

    def _figures(self, twice: int, lost: int, seconds: float) -> Figures:
        charges = self._server.charges()
        paid = [task for task in charges if task.fate.end != "fail"]
        ids = {task.task_id for task in paid}
        lost += len({task.task_id for task in charges} - self._bench.known_tasks())
        told = Counter(self._arbiter.doubts.values())
        files = [path.read_bytes() for path in self._bench.folder.glob("outputs/**/*.mp4")]
        uploads = _lines(self._server.store / "uploads.jsonl")
        asked = _lines(self._server.store / "requests.jsonl", _UPLOAD)
        home = {found for data in files for found in _task_ids(data) & ids}
        return Figures(
            points=self._kills.total(),
            of_run=self._kills["run"],
            of_collect=self._kills["collect"],
            of_resolve=self._kills["resolve"],
            server_kills=self._server_kills,
            jobs=self._jobs,
            charged=len(charges),
            charged_and_refunded=len(charges) - len(paid),
            bought_twice=max(twice, len(paid) - self._jobs),
            lost=lost,
            in_doubt_of_kills=told["kill", True] + told["kill", False],
            of_these_charged=told["kill", True],
            in_doubt_of_faults=told["fault", True] + told["fault", False],
            of_those_charged=told["fault", True],
            left_without_a_file=self._jobs - len(home),
            uploaded_again=len(uploads) - len({upload["sha256"] for upload in uploads}),
            uploads_that_met_a_fault=len([line for line in asked if line["fault"] is not None]),
            seconds=round(seconds, 1),
        )


def _lines(log: Path, word: str = "") -> list[dict[str, Any]]:
    """Those that hold the word."""
    with log.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if word in line and line.endswith("\n")]


def _task_ids(data: bytes) -> set[str]:
    """The sandbox writes a video's task into it."""
    _, mark, rest = data.partition(b"kiejobs sandbox ")
    return {rest[:32].decode("ascii", "replace")} if mark else set()


def random_kills(folder: Path, *, kills: int, jobs: int, seed: int) -> Figures:
    return Session(folder, kills, jobs, seed).go()


def main() -> None:
    line = words(__doc__)
    line.add_argument("--kills", type=int, default=500)
    line.add_argument("--jobs", type=int, default=2000)
    line.add_argument("--seed", type=int, default=1)
    given = line.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = random_kills(Path(folder), kills=given.kills, jobs=given.jobs, seed=given.seed)
    command = (
        f"python -m tests.proofs.random_kills --kills {given.kills} --jobs {given.jobs} --seed {given.seed}"
    )
    raise SystemExit(tell("random_kills", command, asdict(figures), well=figures.well, record=given.record))


if __name__ == "__main__":
    main()
