"""Stand-ins for the runner's ports. Each passes the same suite as the real thing (test_*_contract).

A clock that moves when nobody is awake, a journal in memory, an API of a few words, artifacts that
keep bytes in a dictionary, callbacks that come when a test says so.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel

from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.events import JournalRecord, Timed
from kiejobs.core.ledger.fold import History, fold
from kiejobs.core.ledger.records import Failure, FileRecord, State, utc_text
from kiejobs.core.urls import attempt_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from kiejobs import ports
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.job import LocalFile
    from kiejobs.core.ledger.callbacks import Claim
    from kiejobs.core.ledger.events import Event, RunStarted

_TURNS = 10  # of the event loop, until whoever is awake has come to a wait
START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


class FakeClock:
    """Moves when all that are awake have had their turn: to the moment when the first sleeper wakes."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._wakes: list[float] = []
        self._stirs = 0

    def now(self) -> datetime:
        return START + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        wake = self._seconds + seconds
        self._wakes.append(wake)
        self._stirs += 1
        try:
            while self._seconds < wake:
                stirs = self._stirs
                for _ in range(_TURNS):
                    await anyio.lowlevel.checkpoint()
                # Who has just been woken or lain down counts as awake: all get their turns again.
                if stirs == self._stirs and wake == min(self._wakes):
                    self._seconds = max(self._seconds, wake)
        finally:
            self._wakes.remove(wake)
            self._stirs += 1

    def passes(self, seconds: float) -> None:
        self._seconds += seconds


class MemoryJournal:
    """A journal in a list. `fails` that many appends to come."""

    def __init__(self, header: RunStarted, clock: ports.Clock) -> None:
        self.header = header
        self._clock = clock
        self._events: list[Timed] = []
        self.fails = 0
        self.refuses: deque[JournalProblem] = deque()
        """What the next reservations meet, one after the other."""

    @property
    def run_id(self) -> str:
        return self.header.run_id

    @property
    def is_born(self) -> bool:
        return bool(self._events)

    def close(self) -> None:
        pass

    def append(self, *events: Event) -> str:
        if self.fails:
            self.fails -= 1
            raise JournalProblem("can't write: the disk is full")
        if self.refuses and any(isinstance(event, e.Reserved) for event in events):
            raise self.refuses.popleft()
        at = utc_text(self._clock.now())
        first = () if self._events else (self.header,)
        self._events += [Timed(at, event) for event in (*first, *events)]
        return at

    def record(self) -> JournalRecord:
        return JournalRecord(self.run_id, tuple(self._events))

    def types(self) -> list[str]:
        return [timed.event.type for timed in self._events]


class MemoryHome:
    """What outlives a process: journals, manifests, who holds the claim, what others have pushed."""

    def __init__(self) -> None:
        self.journals: dict[str, MemoryJournal] = {}
        self.manifests: dict[str, bytes] = {}
        self.holder: str | None = None


class MemoryStore:
    """The port `LedgerStore` as one process has it, in a home that several may share."""

    name = "memory"

    def __init__(self, home: MemoryHome) -> None:
        self._home = home
        self._history = History(())

    def read(self) -> History:
        live = {self._home.holder} - {None}
        born = (one.record() for one in self._home.journals.values() if one.is_born)
        marked = [replace(one, live=one.run_id in live) for one in born]
        records = sorted(marked, key=lambda one: one.run_id)
        self._history = self._history.updated(records, {one for one in live if one})
        return self._history

    def check(self) -> tuple[History, list[tuple[str, JournalProblem]]]:
        return self.read(), []

    def claim(self, run_id: str, since: str) -> MemoryClaim:
        del since
        return MemoryClaim(self._home, run_id)

    def require_current(self) -> list[str]:
        return []

    def journal(self, header: RunStarted, clock: ports.Clock) -> MemoryJournal:
        made = MemoryJournal(header, clock)
        self._home.journals[header.run_id] = made
        return made

    def publish(self, run_id: str | None = None, *, every: bool = False) -> list[str]:
        history = self.read()
        ids = {one.run_id for one in history.records}
        behind = ids if every else {one for one in ids if one not in self._home.manifests}
        due = history.with_stale_manifests({*behind, run_id or ""})
        made = {one.run_id: history.manifest(one) for one in due}
        changed = [name for name, data in made.items() if self._home.manifests.get(name) != data]
        self._home.manifests.update(made)
        return [self.manifest_place(name) for name in changed]

    def manifest(self, run_id: str) -> bytes | None:
        return self._home.manifests.get(run_id)

    def place(self, run_id: str) -> str:
        return f"memory:{run_id}"

    def manifest_place(self, run_id: str) -> str:
        return f"memory:{run_id}:manifest"

    def document(self, run_id: str) -> str | None:
        if run_id in self._home.manifests:
            return self.manifest_place(run_id)
        return self.place(run_id) if self.read().record(run_id) else None

    def unwritable(self) -> str | None:
        return None

    trouble = None

    def owner(self, run_id: str) -> str:
        return f"run {run_id}"

    def journals(self) -> list[tuple[str, bytes]]:
        raise NotImplementedError

    def take_in(self, run_id: str, data: bytes) -> None:
        raise NotImplementedError

    def mark_moved(self, mark: bytes | None) -> None:
        raise NotImplementedError

    def claims(self) -> None:
        """The home has one buyer at a time."""

    async def keep(self) -> None:
        """Everybody sees the home at once."""

    def hurry(self) -> None:
        """As above."""


class MemoryClaim:
    """The claim on a `MemoryHome`."""

    def __init__(self, home: MemoryHome, run_id: str) -> None:
        self._home = home
        self._run_id = run_id

    def __enter__(self) -> Self:
        if self._home.holder is not None:
            raise JournalProblem(f"memory is in use by run {self._home.holder}")
        self._home.holder = self._run_id
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        if self._home.holder == self._run_id:
            self._home.holder = None


@dataclass
class FakeApi:
    """Answers as it was told to, then with tasks that succeed at the second question.

    `watch` is called right before a request would be written, after its reservation.
    """

    creates: deque[outcomes.CreateOutcome] = field(default_factory=deque)
    polls: deque[outcomes.PollOutcome] = field(default_factory=deque)
    bodies: list[Mapping[str, Json]] = field(default_factory=list)
    watch: Callable[[], None] = lambda: None
    answer_after: float = 0.0
    clock: ports.Clock | None = None
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return "http://fake.invalid"

    async def create(
        self, body: Mapping[str, Json], reserve: Callable[[], Awaitable[None]]
    ) -> outcomes.CreateOutcome:
        outcome = self.creates.popleft() if self.creates else None
        if isinstance(outcome, outcomes.NotSent):
            return outcome
        await reserve()
        self.watch()
        self.bodies.append(body)
        if self.clock is not None:
            await self.clock.sleep(self.answer_after)
        if outcome is not None:
            return outcome
        task_id = f"{len(self.asked):032x}"
        self.asked[task_id] = 0
        return outcomes.Accepted(task_id)

    async def poll(self, task_id: str) -> outcomes.PollOutcome:
        if self.polls:
            return self.polls.popleft()
        if task_id not in self.asked:
            return outcomes.Unanswered("recordInfo is null", "422")
        self.asked[task_id] += 1
        if self.asked[task_id] == 1:
            return outcomes.StillRunning("waiting")
        return outcomes.TaskSucceeded((f"http://fake.invalid/{task_id}.mp4?sig=1",), Decimal(16))

    async def record(self, task_id: str) -> outcomes.TaskRecord | outcomes.Unanswered:
        if task_id not in self.asked:
            return outcomes.Unanswered("recordInfo is null", "422")
        body = self.bodies[int(task_id, 16)]
        query = body.get("callBackUrl", "").partition("?")[2]
        return outcomes.TaskRecord(task_id, body["model"], body["input"], "waiting", attempt_in(query))

    async def download_url(self, url: str) -> str | outcomes.Unanswered:
        if not url.startswith("http://fake.invalid/"):
            return outcomes.Unanswered("url is wrong", "422")
        return f"{url.partition('?')[0]}?fresh=1"

    async def balance(self) -> Decimal | outcomes.Unanswered:
        return Decimal("60.62")


class MemoryArtifacts:
    """Files in a dictionary. `outcomes` come first, then everything arrives."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.outcomes: deque[outcomes.CollectOutcome] = deque()
        self.urls: list[str] = []
        self.marked: list[str] = []

    async def collect(
        self, url: str, path: str, *, key: str, media_type: str, replaces: str | None = None
    ) -> outcomes.CollectOutcome:
        del replaces
        self.urls.append(url)
        if self.outcomes:
            return self.outcomes.popleft()
        data = f"{url} {key}".encode()
        self.files[path] = data
        digest = hashlib.sha256(data).hexdigest()
        return FileRecord(path, digest, len(data), media_type, url.partition("?")[0])

    def set_aside(self, file: FileRecord, path: str) -> None:
        del file, path

    async def keep(
        self, data: bytes, path: str, *, key: str, media_type: str, replaces: str | None = None
    ) -> outcomes.CollectOutcome:
        del replaces
        if self.outcomes:
            return self.outcomes.popleft()
        self.files[path] = data
        digest = hashlib.sha256(data).hexdigest()
        url = f"urn:kiejobs:task:{key}"
        return FileRecord(path, digest, len(data), media_type, url)

    def condition(self, files: Sequence[FileRecord], collected_at: str) -> str | None:
        del collected_at
        for file in files:
            data = self.files.get(file.path)
            if data is None:
                return "file_missing"
            if hashlib.sha256(data).hexdigest() != file.sha256:
                return "file_damaged"
        return None

    def mark(self, files: Sequence[FileRecord], collected_at: str) -> None:
        del collected_at
        self.marked += [file.path for file in files]


class FakeClaims:
    """A home whose claims are published: `taken` are other runs' purchases, `fails` the next publications."""

    def __init__(self, journal: MemoryJournal, size: int = 18) -> None:
        self.size = size
        self.journal = journal
        self.taken: dict[str, str] = {}
        self.fails = 0
        self.lost = False
        self.windows: list[list[str]] = []
        self.most_open = 0

    async def claim(self, wishes: Sequence[e.Reserved]) -> dict[str, str]:
        self.journal.append(*wishes)
        await anyio.lowlevel.checkpoint()
        if self.fails:
            self.fails -= 1
            self._give_back([wish.attempt_id for wish in wishes])
            raise JournalProblem("the remote refused it")
        refused = {w.attempt_id: self.taken[w.fingerprint] for w in wishes if w.fingerprint in self.taken}
        self._give_back(refused)
        self.windows.append([wish.address for wish in wishes])
        self.most_open = max(self.most_open, self._open())
        return refused

    def valid(self) -> bool:
        return not self.lost

    def _give_back(self, attempt_ids: Iterable[str]) -> None:
        failure = Failure("held", None, "another run has it")
        self.journal.append(*(e.NotAccepted(one, failure) for one in attempt_ids))

    def _open(self) -> int:
        states = [attempt.state for attempt in fold([replace(self.journal.record(), live=True)]).attempts()]
        return states.count(State.RESERVED)


class FakeUploads:
    """Answers as it was told to, then takes everything; `takes` so many seconds for each."""

    def __init__(self, *outcomes: outcomes.UploadOutcome | None, takes: float = 0.0) -> None:
        self.outcomes = deque(outcomes)
        self.asked: list[LocalFile] = []
        self.clock: ports.Clock | None = None
        self.takes = takes
        self.query = ""
        self.at_once = self.most_at_once = 0

    async def upload(self, file: LocalFile) -> outcomes.UploadOutcome:
        self.asked.append(file)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.clock is not None:
                await self.clock.sleep(self.takes)
            outcome = self.outcomes.popleft() if self.outcomes else None
            return outcome or outcomes.UploadStored(f"{url_of(file)}{self.query}")
        finally:
            self.at_once -= 1


def url_of(file: LocalFile) -> str:
    """Where it is once it was uploaded."""
    return f"http://fake.invalid/uploads/{file.sha256}"


class FakeCallbacks:
    """Tells the claims that it was given, each once, in their order; then waits for `hear`."""

    def __init__(self, *claims: Claim) -> None:
        self._claims: deque[Claim] = deque()
        self._told: set[tuple[str, str]] = set()
        self._waiting: anyio.Event | None = None
        for claim in claims:
            self.hear(claim)

    def hear(self, claim: Claim) -> None:
        name = (claim.attempt_id, claim.task_id)
        if name not in self._told:
            self._told.add(name)
            self._claims.append(claim)
            if self._waiting is not None:
                self._waiting.set()

    async def next(self) -> Claim:
        await anyio.lowlevel.checkpoint()
        while not self._claims:
            self._waiting = anyio.Event()  # only here: anyio 4.3 asks which loop runs
            await self._waiting.wait()
        return self._claims.popleft()


class Told:
    """What progress was told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str | None]] = []
        self.notes: list[str] = []

    def job(self, address: str, state: str, note: str | None = None, **_: object) -> None:
        self.lines.append((address, state, note))

    def note(self, message: str, **_: object) -> None:
        self.notes.append(message)
