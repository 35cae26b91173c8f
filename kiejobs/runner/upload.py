"""Local files uploaded to where the API can fetch them, just before they are needed.

In: jobs. Out: the address that is sent for each file; `uploaded` events. Touches: upload host, journal. A content
is uploaded once: jobs that share it wait for one upload, and a recorded one is used while it is fresh. Uploads
are free: they are tried again, before anything is reserved, and never leave a doubt.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import anyio

from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.uploads import expiry, freshest, is_fresh
from kiejobs.core.urls import bare
from kiejobs.runner.limits import LONGEST_NAP, StopReason, backoff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.expand.job import Job, LocalFile
    from kiejobs.core.ledger.events import Uploads
    from kiejobs.runner.limits import Budget, Settings, World

    _Ready: TypeAlias = Literal["ready"] | outcomes.Unusable


@dataclass
class Uploader:
    """One for all jobs of a run. `known` are the uploads on record."""

    _world: World
    _settings: Settings
    _spending: Budget
    _known: Uploads
    _turns: dict[str, anyio.Lock] = field(default_factory=lambda: defaultdict(anyio.Lock))
    _urls: dict[str, tuple[str, str]] = field(default_factory=dict)
    _unusable: dict[LocalFile, outcomes.Unusable] = field(default_factory=dict)
    _under_way: int = 0
    _missing_since: float | None = None

    def __post_init__(self) -> None:
        self._places = anyio.Semaphore(self._settings.uploads)
        self._content_at = {
            known.url: (sha256, known.expires or "")
            for sha256, uploads in self._known.items()
            for known in uploads
        }

    async def bring(self, job: Job) -> _Ready | None:
        """Ready when all is on record; `Unusable` for what can't be sent; None where spending has stopped."""
        for file in job.files:
            async with self._turns[file.sha256]:
                done = await self._in_turn(file, job)
            if done != "ready":
                return done
        return "ready"

    def urls(self, job: Job) -> Mapping[str, str] | None:
        """By ref, what is sent for each of the job's files; None where one isn't fresh (any more)."""
        found = {file.ref: self._fresh(file.sha256) for file in job.files}
        urls = {ref: url for ref, url in found.items() if url is not None}
        return urls if len(urls) == len(found) else None

    async def _in_turn(self, file: LocalFile, job: Job) -> _Ready | None:
        if self._fresh(file.sha256) is not None:
            return "ready"
        if file in self._unusable:
            return self._unusable[file]
        if not self._under_way:
            self._missing_since = None  # of old: nobody has asked the host since
        self._under_way += 1
        try:
            return await self._upload(file, job)
        finally:
            self._under_way -= 1

    def _fresh(self, sha256: str) -> str | None:
        now = self._world.clock.now()
        url, expires = self._urls.get(sha256, ("", ""))
        if is_fresh(expires, now):
            return url
        known = freshest(self._known.get(sha256, ()), now)
        return None if known is None else known.url

    async def _upload(self, file: LocalFile, job: Job) -> _Ready | None:
        """Until it is uploaded, or can't be, or spending has stopped."""
        misses: list[float] = []
        while not self._spending.has_stopped():
            expires = expiry(self._world.clock.now())
            match await self._try(file, job):
                case outcomes.UploadStored(url=url):
                    self._missing_since = None
                    return "ready" if self._is_on_record(file, url, expires) else None
                case outcomes.Unusable() as unusable:
                    return self._unusable.setdefault(file, unusable)
                case outcomes.Refused(by_edge=by_edge, why=why):
                    reason = StopReason.EDGE if by_edge else StopReason.KEY
                    self._spending.stop(
                        reason, f"{'an upload:' if by_edge else 'the upload host says'} {why}"
                    )
                case outcomes.NotUploaded(message=message):
                    self._world.progress.job(job.address, "retrying", f"{file.path}: {message}")
                    misses.append(self._world.clock.monotonic())
                    if self._is_enough(misses, message):
                        why = f"{file.path} could not be uploaded: {message}"
                        return self._unusable.setdefault(file, outcomes.Unusable(why))
                    await self._rest(backoff(len(misses) - 1))
        return None

    async def _try(self, file: LocalFile, job: Job) -> outcomes.UploadOutcome | None:
        """One upload; None where spending stopped before it was done."""
        if self._world.uploads is None:
            raise LookupError(f"{job.address} has local files, and there is nothing to upload with")
        outcome: outcomes.UploadOutcome | None = None
        self._world.progress.job(job.address, "uploading")
        async with self._places, anyio.create_task_group() as group:

            async def leave_when_stopped() -> None:
                while not self._spending.has_stopped():
                    await self._world.clock.sleep(LONGEST_NAP)
                group.cancel_scope.cancel()

            group.start_soon(leave_when_stopped)
            outcome = await self._world.uploads.upload(file)
            group.cancel_scope.cancel()
        if isinstance(outcome, outcomes.UploadStored) and self._is_taken(outcome.url, file.sha256):
            return outcomes.NotUploaded("the upload host gave the address of another file")
        return outcome

    def _is_taken(self, url: str, sha256: str) -> bool:
        """Of two contents at one address the API would fetch the same for both."""
        other, expires = self._content_at.get(url, (sha256, ""))
        return other != sha256 and is_fresh(expires, self._world.clock.now())

    def _is_on_record(self, file: LocalFile, url: str, expires: str) -> bool:
        """What was uploaded is durable before anything is reserved that will name it."""
        written = bare(url)
        reusable = expires if written == url else None
        event = e.Uploaded(file.sha256, written, file.bytes, file.media_type, reusable, file.path)
        try:
            self._world.journal.append(event)
        except JournalProblem as problem:
            self._spending.stop(StopReason.JOURNAL, problem.message)
            return False
        self._urls[file.sha256] = (url, expires)
        self._content_at[url] = (file.sha256, expires)
        return True

    def _is_enough(self, misses: list[float], message: str) -> bool:
        """Our patience with one file; and with the host, where no file comes through any more."""
        if self._missing_since is None:
            self._missing_since = misses[-1]
        missing = misses[-1] - self._missing_since
        if missing >= self._settings.give_up:
            why = f"nothing could be uploaded for {missing:.0f} s: {message}"
            self._spending.stop(StopReason.UNREACHABLE, why)
            return False
        return misses[-1] - misses[0] >= self._settings.give_up

    async def _rest(self, seconds: float) -> None:
        clock = self._world.clock
        until = clock.monotonic() + seconds
        while (left := until - clock.monotonic()) > 0 and not self._spending.has_stopped():
            await clock.sleep(min(left, LONGEST_NAP))
