"""A campaign of three jobs, the stand-in that sells them, and the books: what was sold, what is known.

Two jobs of three may share a picture of the campaign's own, and the third have another one.

In: words that go before a command (strace's, mostly). Out: exit codes, `Books`. Touches: a folder of
its own, a port on the loopback. The books are the sandbox's charge log, written before each reply, held
against manifests and `status`; our own journal is not asked.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.project.files import read_schema
from kiejobs.adapters.project.models import bundled_prices
from kiejobs.sandbox.app import Sandbox
from kiejobs.sandbox.files import make_content
from tests.proofs.syscalls import calls, watching
from tests.support.bench import MODEL, Bench, Ran, ended
from tests.support.sandbox_served import read_charges, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kiejobs.sandbox.tasks import Task
    from tests.proofs.syscalls import Call

JOBS = ("a", "b", "c")
CREATES_IN_FLIGHT = min(4, len(JOBS))
UPLOADS_IN_FLIGHT = 2  # one for each content
_SPEED = 400.0  # a task takes 0.1 to 0.225 s: the first poll finds it running, the second done
_WORDS = ("--poll", "200ms")
_RATE = ("--rate", "400/400ms")
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Books:
    """The oracle's figures of one campaign, or of several together."""

    charged: int = 0
    bought_twice: int = 0
    lost: int = 0
    in_doubt: int = 0
    in_doubt_charged: int = 0
    unfinished: int = 0
    torn: int = 0
    uploaded_again: int = 0

    def __add__(self, other: Books) -> Books:
        mine, theirs = self.figures(), other.figures()
        return Books(**{name: count + theirs[name] for name, count in mine.items()})

    def figures(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def well(self) -> bool:
        return not (self.bought_twice or self.lost or self.unfinished or self.torn)


class Shop:
    """Sells to any number of campaigns below one folder; `pictured`: with pictures of their own."""

    def __init__(self, root: Path, url: str, *, pictured: bool) -> None:
        self.root = root.resolve()
        self.url = url
        self._pictured = pictured

    def campaign(self, name: str) -> Campaign:
        folder = self.root / name
        folder.mkdir()
        campaign = Campaign(folder, self.url, self.root / "store")
        if self._pictured:
            campaign.take_pictures()
        return campaign

    def calls(self) -> list[Call]:
        """The calls of a run that nothing disturbs; one before it fills Python's caches."""
        warm = self.campaign("warm").buy()
        assert warm.code == 0, warm
        campaign, trace = self.campaign("watched"), self.root / "watched.trace"
        watched = campaign.buy(*watching(trace))
        assert watched.code == 0, watched
        return calls(trace, campaign.folder)


@contextmanager
def shop(root: Path, *, pictured: bool = False) -> Iterator[Shop]:
    """Open as long as the block lasts."""
    schemas = {MODEL: read_schema(f"models/{MODEL}.json")}
    app = Sandbox(schemas, root / "store", speed=_SPEED, credits=Decimal(10**7), prices=bundled_prices())
    with serving(app) as url:
        yield Shop(root, url, pictured=pictured)


class Campaign(Bench):
    """Named like its folder; its prompts too, so that its tasks are known in the charge log."""

    def __init__(self, folder: Path, url: str, store: Path) -> None:
        super().__init__(folder, url)
        self._store = store
        self.name = folder.name
        self.pictures: set[str] = set()
        self.write({job: self._prompt(job) for job in JOBS}, campaign=self.name)

    def take_pictures(self) -> None:
        """From now on the jobs have pictures of their own: two share one."""
        (self.folder / "images").mkdir()
        path = self.folder / "jobs.yaml"
        document = json.loads(path.read_text())
        for job, name in zip(JOBS, ("cup", "cup", "jug"), strict=True):
            data = make_content("image/png", f"{self.name} {name}").data
            (self.folder / f"images/{name}.png").write_bytes(data)
            self.pictures.add(hashlib.sha256(data).hexdigest())
            document["jobs"][job]["input"]["image_url"] = f"images/{name}.png"
        path.write_text(json.dumps(document))

    def buy(self, *before: str) -> Ran:
        """`kiejobs run`, with `before` in front of the command."""
        return self.after(before, "run", "jobs.yaml", "--yes", *_WORDS, *_RATE)

    def after(self, before: Sequence[str], *words: str) -> Ran:
        bench = _Prefixed(self.folder, self.url, before)
        return ended(bench.start(*words, PYTHONHASHSEED="0"))

    def finish(self) -> bool:
        """The same command again, and `collect`, until nothing more is to do; whether that came."""
        for _ in range(_TRIES):
            code = self.buy().code
            if code == 0 or (code == 4 and self.do("collect", *_WORDS).code in {0, 4}):
                return True
        return False

    def files(self) -> dict[str, str]:
        """SHA-256 of what lies under a final name."""
        outputs = self.folder / "outputs"
        return {
            path.relative_to(outputs).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in outputs.rglob("*")
            if path.is_file() and path.suffix != ".part"
        }

    def books(self, early: dict[str, str] | None = None) -> Books:
        """What is so now. `early` are the files of an earlier moment, which must have been whole too."""
        charged, known, doubts = self._charged(), self.known_tasks(), self._doubts()
        requests = {json.dumps(task.input, sort_keys=True) for task in charged}
        of_doubts = [task for task in charged if self._job_of(task) in doubts]
        unknown = [task for task in charged if task.task_id not in known]
        files, recorded = self.files(), self._recorded()
        return Books(
            charged=len(charged),
            bought_twice=len(charged) - len(requests),
            lost=len([task for task in unknown if task not in of_doubts]),
            in_doubt=len(doubts),
            in_doubt_charged=len(of_doubts),
            unfinished=len(JOBS) - len(doubts) - len(recorded),
            torn=sum(files.get(path) != digest for path, digest in recorded.items())
            + sum(recorded.get(path) != digest for path, digest in (early or {}).items()),
            uploaded_again=self._uploaded_again(),
        )

    def _uploaded_again(self) -> int:
        """Uploads beyond one for each content, by the stand-in's own log."""
        log = self._store / "uploads.jsonl"
        lines = map(json.loads, log.read_text().splitlines() if log.exists() else ())
        ours = [line["sha256"] for line in lines if line["sha256"] in self.pictures]
        return len(ours) - len(set(ours))

    def _charged(self) -> list[Task]:
        prompts = {self._prompt(job) for job in JOBS}
        return [task for task in read_charges(self._store) if task.input["prompt"] in prompts]

    def _doubts(self) -> set[str]:
        document: Any = self.do("status", "--format", "json").json
        return {_job(attempt["address"]) for attempt in document["in_doubt"]}

    def _recorded(self) -> dict[str, str]:
        """SHA-256 by path, as the manifests have it."""
        jobs = (job for manifest in self.manifests() for job in manifest["jobs"].values())
        return {file["path"]: file["sha256"] for job in jobs for file in job["files"]}

    def _prompt(self, job: str) -> str:
        return f"{self.name}, shot {job}"

    def _job_of(self, task: Task) -> str:
        return str(task.input["prompt"]).rpartition(" ")[2]


class _Prefixed(Bench):
    """Commands with other words in front of them."""

    def __init__(self, folder: Path, url: str, before: Sequence[str]) -> None:
        super().__init__(folder, url)
        self._before = before

    def command(self, *words: str) -> list[str]:
        return [*self._before, *super().command(*words)]


def _job(address: str) -> str:
    """`c7/a[duration=5]` -> `a`."""
    return address.partition("/")[2].partition("[")[0].partition("#")[0]
