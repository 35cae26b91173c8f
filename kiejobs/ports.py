"""The protocols between the runner and the world.

In: nothing. Out: what the runner asks of an API, a journal, an artifact store and a clock, and the
values that they answer with. Each outcome of a create call is its own type, so that whoever handles
one must say what it does with each (design: section 7, what createTask's answer means).
Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from kiejobs.core.events import Event
    from kiejobs.core.types import FileRecord, Json, LocalFile

# --- what a create call came to ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The API took it and named the task. Paid."""

    task_id: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request left: DNS, connect, TLS, pool. Safe to send again after a wait."""

    message: str


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """429 or 455: refused before it entered the queue. Everyone pauses, then it may go again."""

    code: str
    message: str
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Refused:
    """401, 403: the key is no good. Stop spending, keep collecting."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NoMoney:
    """402, 433, or a 500 that speaks of credits. Stop spending, keep collecting."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """404, 422, 505, or a 500 with a validation text: this request will never be taken."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Sent, answer unknown. Never sent again by itself."""

    message: str
    code: str | None = None


CreateOutcome: TypeAlias = Accepted | NotSent | NotAccepted | Refused | NoMoney | Rejected | InDoubt

# --- what an upload came to -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The file's content can be fetched at `url`, by anybody, for a day."""

    url: str


@dataclass(frozen=True, slots=True)
class NotUploaded:
    """No verdict this time: no connection, 429, 5xx, an unreadable answer. Free, so it goes again."""

    message: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file that can't be sent: it's another one by now, can't be read, or the host won't have it."""

    message: str


UploadOutcome: TypeAlias = Uploaded | NotUploaded | Refused | Unusable

# --- what a poll came to -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StillRunning:
    """Not at its end. `api_state` is the API's word; `note` is set when that word is unknown."""

    api_state: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """At its end, with where the results are. `charged` in credits, None where not said.

    `found` is the result itself where it is no file but a JSON value: a transcript, an id. `stills` are
    pictures beside the results, by what they are called: the last frame of a video, say.
    """

    urls: tuple[str, ...]
    charged: Decimal | None
    found: Json = None
    stills: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """At its end without a result. `charged` is usually 0."""

    code: str | None
    message: str
    charged: Decimal | None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No verdict this time: transport error, 429, 5xx, or a task not known (yet)."""

    message: str
    code: str | None = None


PollOutcome: TypeAlias = StillRunning | Succeeded | Failed | Unanswered


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What recordInfo says was sent, for checking a task against a reservation.

    `model` and `input` are decoded from `param` (whose `input` is itself JSON text, mostly).
    `attempt_id` is what the query of its callback URL carries, where it had one of ours.
    """

    task_id: str
    model: str | None
    input: Mapping[str, Json] | None
    api_state: str
    attempt_id: str | None = None


# --- what collecting came to ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Collected:
    """The file is whole under its final name."""

    file: FileRecord


@dataclass(frozen=True, slots=True)
class NotCollected:
    """It is not. `gone` when the URL was refused for good (asking the API again may help)."""

    message: str
    gone: bool = False


CollectOutcome: TypeAlias = Collected | NotCollected

# --- what a callback says ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """A callback that passed its checks: a hint that a task is over, never the truth.

    `attempt_id` from the query of the URL that was called, `task_id` from the body. `signed` when its
    HMAC was checked.
    """

    attempt_id: str
    task_id: str
    signed: bool


# --- the protocols -------------------------------------------------------------------------------


class GenerationApi(Protocol):
    """The jobs API. One attempt per call; no method retries or raises for what the net does."""

    @property
    def origin(self) -> str:
        """Scheme, host and port that purchases are made from; names whose tasks these are."""

    async def create(
        self, body: Mapping[str, Json], reserve: Callable[[], Awaitable[None]]
    ) -> CreateOutcome:
        """Connect, await `reserve`, then write the request: once.

        If `reserve` raises, nothing was written and its exception goes through.
        """

    async def poll(self, task_id: str) -> PollOutcome: ...

    async def record(self, task_id: str) -> TaskRecord | Unanswered: ...

    async def download_url(self, url: str) -> str | Unanswered:
        """Another URL of a result that the API made itself, good for 20 minutes."""

    async def balance(self) -> Decimal | Unanswered:
        """Credits left on the account."""


class Uploads(Protocol):
    """Where local files are made reachable for the API. Free, and harmless to repeat."""

    async def upload(self, file: LocalFile) -> UploadOutcome:
        """Send the file's content, once. `Uploaded` only where it is the very content of `file`."""


class Journal(Protocol):
    """The append-only record of this run. Every append is durable before it returns."""

    @property
    def run_id(self) -> str: ...

    def append(self, *events: Event) -> str:
        """Write, sync, and tell the time given; JournalProblem if that failed."""


class Artifacts(Protocol):
    """Where produced files are brought home to."""

    async def collect(self, url: str, path: str, *, key: str, media_type: str) -> CollectOutcome:
        """Bring `url` to `path` below the output folder, whole or not at all.

        `key` names what the bytes belong to (the task id), so that a partial file is only ever
        resumed with its own bytes. `media_type` is what the spec promises, e.g. `video/mp4`.
        """

    async def keep(self, data: bytes, path: str, *, key: str, media_type: str) -> CollectOutcome:
        """Put a result that the API gave in its answer to `path`, as `collect` does with files."""

    def condition(self, files: Sequence[FileRecord], collected_at: str) -> str | None:
        """None when all are whole; else `file_missing` or `file_damaged`."""

    def mark(self, files: Sequence[FileRecord], collected_at: str) -> None:
        """Remember that these files were whole at that time, so that they needn't be re-read."""


class Callbacks(Protocol):
    """Where the API's callbacks come in."""

    async def next(self) -> Claim:
        """The next callback that passed its checks; waits for one, however long that takes.

        One that comes again, word for word, is not told again.
        """


class Clock(Protocol):
    """Time as the runner knows it; a rehearsal's runs faster."""

    def now(self) -> datetime:
        """Wall time in UTC."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    async def sleep(self, seconds: float) -> None: ...


class Progress(Protocol):
    """Who is told what is happening, as it happens. Never raises, never blocks."""

    def job(self, address: str, state: str, note: str | None = None) -> None: ...

    def note(self, message: str) -> None: ...


@dataclass(frozen=True, slots=True)
class World:
    """All that the runner touches, handed over in one piece. `uploads`: for jobs with local files."""

    api: GenerationApi
    journal: Journal
    artifacts: Artifacts
    clock: Clock
    progress: Progress
    callbacks: Callbacks | None = None
    uploads: Uploads | None = None
