"""The protocols between the runner and the world.

In: nothing. Out: what commands ask of the ledger's home, and the runner of an API, an upload host, a
journal, an artifact store and a clock. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path
    from typing import Self

    from kiejobs.core.diagnostics import JournalProblem
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.job import LocalFile
    from kiejobs.core.ledger.callbacks import Claim
    from kiejobs.core.ledger.events import Event, Reserved, RunStarted
    from kiejobs.core.ledger.fold import History
    from kiejobs.core.ledger.outcomes import (
        CollectOutcome,
        CreateOutcome,
        PollOutcome,
        TaskRecord,
        Unanswered,
        UploadOutcome,
    )
    from kiejobs.core.ledger.records import FileRecord
    from kiejobs.core.plan.plan import Change

# --- the protocols -------------------------------------------------------------------------------


class GenerationApi(Protocol):
    """The jobs API. One attempt per call; no method retries or raises for what the net does."""

    @property
    def origin(self) -> str:
        """Scheme, host and port that purchases are made from; names whose tasks these are."""

    async def create(self, body: Mapping[str, Json], reserve: Callable[[], Awaitable[None]]) -> CreateOutcome:
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

    def append(self, *events: Event) -> str:
        """Write, sync, and return the time given; JournalProblem if that failed.

        For a reservation Held where another run has the purchase, TooSoon where the account's window is full.
        """


class RunJournal(Journal, Protocol):
    """A run's journal in its home. It is there from its first event on, not before."""

    @property
    def run_id(self) -> str: ...

    @property
    def header(self) -> RunStarted: ...

    @property
    def is_born(self) -> bool: ...

    def close(self) -> None: ...


class LedgerClaim(Protocol):
    """Nobody else buys from this ledger. A context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def release(self) -> None:
        """Before the end of the context: the last reservation has its answer."""


class Claims(Protocol):
    """Where a home's other buyers see a claim only once it is published: that comes before anything is sent."""

    @property
    def size(self) -> int:
        """The most jobs that may be claimed and without an outcome: what the pace sends in about 10 s."""

    async def claim(self, wishes: Sequence[Reserved]) -> Mapping[str, str]:
        """Put these on record and publish them. Raises JournalProblem where that can't be done.

        Answers with the attempt ids that were not granted, each with who has the purchase, in words. What is
        not granted, or was not published, is given back on record (`not_accepted`).
        """

    def valid(self) -> bool:
        """May what was claimed still be sent? False once others may think that its run is dead."""


Limits: TypeAlias = "Callable[[History], tuple[Decimal, str]]"
"""How many credits more than are on record may be held (negative: they are too many already), and by which limit."""


class LedgerStore(Protocol):
    """The home of the ledger: the journals of all runs, and their manifests, which are made from them.

    All methods but those of a claim raise JournalProblem where the home can't be read or written.
    """

    @property
    def name(self) -> str:
        """As people know it: the folder `runs`, say."""

    def read(self) -> History:
        """All journals as they are now. What has not changed since the last time isn't read again."""

    def check(self) -> tuple[History, Sequence[tuple[str, JournalProblem]]]:
        """Each journal on its own, so that one that is damaged hides no other: those, by place."""

    def claim(self, run_id: str, since: str) -> LedgerClaim:
        """Entering it raises JournalProblem that names the holder, where somebody else has it."""

    def require_current(self) -> Sequence[str]:
        """Raises StalePlan where others have published journals that are not here.

        Answers with what could not be found out, in words: who is offline may still buy.
        """

    def journal(self, header: RunStarted, clock: Clock) -> RunJournal:
        """A run's journal, to be written. What it writes is known to `read`."""

    def publish(self, run_id: str | None = None, *, every: bool = False) -> Sequence[str]:
        """Write the manifests that differ from their journals; the places of those that were written.

        Looked at are those of this run, of runs that could not write theirs, and of earlier runs with
        the same purchases; with `every` all of them.
        """

    def manifest(self, run_id: str) -> bytes | None:
        """As it was published last."""

    def place(self, run_id: str) -> str:
        """Where a run's journal is, for people."""

    def manifest_place(self, run_id: str) -> str:
        """Where its manifest is, or would be."""

    def document(self, run_id: str) -> str | None:
        """What shows a run: its manifest, else its journal; None where it has left nothing."""

    def unwritable(self) -> str | None:
        """Why nothing can be written here, in words; None where it can."""

    @property
    def trouble(self) -> str | None:
        """What keeps this from being what others see, in words, after it was read or published; None for nothing."""

    def owner(self, run_id: str) -> str:
        """Whose run it is, in words: `run ID`, and where it is at work as far as that is known."""

    def journals(self) -> Iterable[tuple[str, bytes]]:
        """All journals, each with its run's id, for another home; as JSON Lines, byte for byte as they were taken in."""

    def take_in(self, run_id: str, data: bytes) -> None:
        """A journal of another home. JournalProblem where there is another one of this run; `publish` publishes it."""

    def mark_moved(self, mark: bytes | None) -> None:
        """The ledger is elsewhere now, as `mark` says, and nobody can read it here; None: it is here again."""

    def limit(self, limits: Limits | None) -> None:
        """From now on a reservation raises OverLimit where it would break these, counting what others bought meanwhile."""

    def claims(self) -> Claims | None:
        """For the run that holds the claim; None where a reservation holds from its line in the journal on."""

    async def keep(self) -> None:
        """Until cancelled: renew the lease, and publish within 10 s what journals of this store have written."""

    def hurry(self) -> None:
        """Publish now what there is: this process may be about to end."""


class Outputs(Protocol):
    """The place of collected files, as far as it takes no download: a folder, or an object store.

    What can't be asked raises UsageProblem: it is not the same as a file that is missing.
    """

    @property
    def name(self) -> str:
        """As people know it: the folder's path, or the store's URL."""

    def artifacts(self, downloads: Artifacts) -> Artifacts:
        """Where results go to, by way of `downloads`, which brings them to a folder of this machine."""

    def look_ahead(self, files: Iterable[FileRecord]) -> None:
        """The condition of these will be asked for next."""

    def condition(self, files: Sequence[FileRecord], collected_at: str) -> str | None:
        """As of `Artifacts`."""

    def digest_of(self, file: FileRecord) -> str | None:
        """The SHA-256 of all bytes that are there now; None where nothing is."""

    def on_disk(self, file: FileRecord) -> AbstractContextManager[Path]:
        """The file as one of this machine, to be read while the context lasts."""

    @property
    def renames(self) -> bool:
        """Can what is there get another name? Else a new result goes next to it."""

    def occupied(self, lines: Iterable[Change]) -> Mapping[str, str]:
        """Paths of results to come where a `file`, a `folder` or `no file` (a pipe, say) is already. Raises UsageProblem."""

    def link_to(self, lines: Iterable[Change]) -> Path | None:
        """The first link that a result of what would be bought is, or is reached by."""

    def unwritable(self) -> str | None:
        """Why nothing can be put there, in words; None where it can."""

    def require(self) -> None:
        """Raises UsageProblem where nothing can be put there, which only a try shows."""


class WorkQueue(Protocol):
    """Where workers find what is due. It may be emptied, and is filled again from the ledger."""

    def fill(self, attempts: Collection[str]) -> None:
        """With those of them that are not there, or that a dead worker had begun. Raises JournalProblem."""

    async def work(
        self, follow: Callable[[str, float], Awaitable[float | None]], at_once: int, look_every: float
    ) -> None:
        """`follow` an attempt after that many seconds of waiting; it answers in how many seconds to do so again, if at all.

        Until `stop`. Raises JournalProblem where the queue is out of reach.
        """

    def stop(self) -> None:
        """What has begun is ended first."""


class Artifacts(Protocol):
    """Where produced files are downloaded to."""

    async def collect(
        self, url: str, path: str, *, key: str, media_type: str, replaces: str | None = None
    ) -> CollectOutcome:
        """Bring `url` to `path` below the output folder, complete or not at all. What is there is written over
        only where its SHA-256 is `replaces`; else the result goes next to it, as its record says.

        `key` names what the bytes belong to (the task id), so that a partial file is only ever
        resumed with its own bytes. `media_type` is what the spec promises, e.g. `video/mp4`.
        """

    def set_aside(self, file: FileRecord, path: str) -> FileRecord | None:
        """The file under another name, too, so that its own may be used; None where that can't be."""

    async def keep(
        self, data: bytes, path: str, *, key: str, media_type: str, replaces: str | None = None
    ) -> CollectOutcome:
        """Put a result that the API gave in its answer to `path`, as `collect` does with files."""

    def condition(self, files: Sequence[FileRecord], collected_at: str) -> str | None:
        """None when all are complete; else `file_missing` or `file_damaged`."""

    def mark(self, files: Sequence[FileRecord], collected_at: str) -> None:
        """Remember that these files were complete at that time, so that they needn't be re-read."""


class Callbacks(Protocol):
    """Where the API's callbacks come in."""

    async def next(self) -> Claim:
        """The next callback that passed its checks; waits for one, however long that takes.

        One that comes again, word for word, is not reported again.
        """


class Clock(Protocol):
    """Time as the runner knows it; a rehearsal's runs faster."""

    def now(self) -> datetime:
        """Wall time in UTC."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    async def sleep(self, seconds: float) -> None: ...


Moved: TypeAlias = "Callable[[str, str, int | None, int | None], None]"
"""Hears of `downloading` and `uploading`: the file's name, how many bytes of it are there (None: it is over), out of how many."""


class Progress(Protocol):
    """Receives what is happening, as it happens. Never raises, never blocks."""

    def job(
        self, address: str, state: str, note: str | None = None, *, charged: Decimal | None = None
    ) -> None:
        """`charged`: for a task that has ended, what the API says; None where that is what was planned."""

    def note(self, message: str, *, minor: bool = False) -> None:
        """`minor`: nobody has to do anything about it."""
