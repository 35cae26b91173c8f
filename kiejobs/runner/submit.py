"""The one place where a create call is made.

In: a job. Out: its task at the API, or word that there is none. Touches: the API, the journal.

reserved -> POST -> outcome is one shielded section: neither Ctrl-C nor a failing sibling may come
between the intention and the record of what became of it. Local files are uploaded before it begins.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import anyio

from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.records import Failure
from kiejobs.core.urls import bare
from kiejobs.runner.follow import FollowedTask
from kiejobs.runner.limits import StopReason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.job import Job
    from kiejobs.core.ledger.events import Uploads
    from kiejobs.runner.limits import Budget, Permit, RateLimiter, RetryingJournal, Settings, World
    from kiejobs.runner.upload import Uploader

_WAITS_TO_WRITE_A_TASK_ID = (0.2, 0.4, 0.8, 1.6, 0.0)  # seconds after each try
_RECORDED: dict[type, tuple[type[e.NotAccepted | e.Rejected | e.InDoubt], str]] = {
    outcomes.CreateNotAccepted: (e.NotAccepted, "not_accepted"),
    outcomes.Refused: (e.NotAccepted, "refused"),
    outcomes.NoMoney: (e.NotAccepted, "no_money"),
    outcomes.CreateRejected: (e.Rejected, "rejected"),
    outcomes.CreateInDoubt: (e.InDoubt, "in_doubt"),
}
"""By outcome: its event, and the kind of its failure."""


class _NotNow(Exception):
    """Spending has stopped between the connection and the reservation; nothing was written."""


@dataclass
class Submitter:
    """Buys one job at a time for each caller. `unready`: whose files can't be sent, and why."""

    _world: World
    _journal: RetryingJournal
    _settings: Settings
    _spending: Budget
    _pace: RateLimiter
    _uploads: Uploads
    _in_flight: dict[str, anyio.Event] = field(default_factory=dict)
    doubts: dict[str, float] = field(default_factory=dict)
    unready: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places = anyio.Semaphore(self._settings.creates)

    async def answered(self, attempt_id: str) -> None:
        """Until what the API made of this attempt is on record, where it is being sent from here."""
        event = self._in_flight.get(attempt_id)
        if event is not None:
            await event.wait()

    async def submit(self, job: Job) -> FollowedTask | Literal["settled"] | None:
        """A task to follow; "settled" when the job went no further; None when nothing was bought.

        What was surely not taken (no connection, 429, 455) goes again after a pause, each time with a
        reservation of its own. What is in doubt never does.
        """
        while (ready := await self._uploader.bring(job) if job.files else "ready") is not None:
            if isinstance(ready, outcomes.Unusable):
                return self._not_ready(job, ready)
            async with self._places:
                urls = self._uploader.urls(job) if job.files else {}
                if urls is None:
                    continue  # it waited so long that they have expired
                outcome = await self._in_its_turn(job, urls)
            match outcome:
                case FollowedTask():
                    return outcome
                case outcomes.CreateRejected() | outcomes.CreateInDoubt():
                    return "settled"
                case outcomes.NotSent(message=message):
                    self._unreachable(job, message)
                case outcomes.CreateNotAccepted(code=code, retry_after=retry_after):
                    pause = self._pace.refused(retry_after)
                    self._world.progress.note(f"the API said {code}; all wait {pause:.0f} s")
                case _:  # spending has stopped
                    break
        self._world.progress.job(job.address, "not submitted", self._spending.why)
        return None

    @cached_property
    def _uploader(self) -> Uploader:
        from kiejobs.runner.upload import Uploader  # noqa: PLC0415 - only jobs with files need it

        return Uploader(self._world, self._settings, self._spending, self._uploads)

    async def _in_its_turn(
        self, job: Job, urls: Mapping[str, str]
    ) -> FollowedTask | outcomes.CreateOutcome | None:
        slot = await self._pace.slot(self._spending.has_stopped)
        if slot is None:
            return None
        with anyio.CancelScope(shield=True):
            outcome = await self._once(job, slot, urls)
        if not slot.used:
            self._pace.give_back(slot)
        return outcome

    def _not_ready(self, job: Job, unusable: outcomes.Unusable) -> Literal["settled"]:
        """Nothing was reserved, and nothing will be with this file."""
        self.unready[job.address] = unusable.message
        self._spending.failed(f"{job.address}: {unusable.message}")
        self._world.progress.job(job.address, "not submitted", unusable.message)
        return "settled"

    def _unreachable(self, job: Job, message: str) -> None:
        missing = self._pace.missed()
        self._world.progress.job(job.address, "waiting", f"no connection: {message}")
        if missing >= self._settings.give_up:
            why = f"the API could not be reached for {missing:.0f} s: {message}"
            self._spending.stop(StopReason.UNREACHABLE, why)

    async def _once(
        self, job: Job, slot: Permit, urls: Mapping[str, str]
    ) -> FollowedTask | outcomes.CreateOutcome | None:
        """One reservation, one POST, one outcome on record."""
        reservation = _reservation(job)
        self._in_flight[reservation.attempt_id] = anyio.Event()

        async def reserve() -> None:
            if not self._spending.take(job.credits):
                raise _NotNow
            try:
                self._journal.append(reservation)
            except JournalProblem as problem:
                self._spending.give_back(job.credits)
                self._spending.stop(StopReason.JOURNAL, problem.message)
                raise _NotNow from problem
            self._pace.written(slot)
            self._world.progress.job(job.address, "reserved")

        try:
            body = _body(job, reservation.attempt_id, urls)
            outcome = await self._world.api.create(body, reserve)
            if isinstance(outcome, outcomes.NotSent):
                return outcome
            self._pace.answered(accepted=isinstance(outcome, outcomes.Accepted))
            return await self._record(job, reservation, outcome)
        except _NotNow:
            return None
        finally:
            self._in_flight.pop(reservation.attempt_id).set()

    async def _record(
        self, job: Job, reservation: e.Reserved, outcome: outcomes.Answered
    ) -> FollowedTask | outcomes.CreateOutcome:
        """The outcome, durable before anything else happens."""
        if isinstance(outcome, outcomes.Accepted):
            at = await self._write_down(job, reservation, outcome.task_id)
            self._spending.understood()
            self._world.progress.job(job.address, "submitted", outcome.task_id)
            return FollowedTask(
                job.address,
                reservation.attempt_id,
                outcome.task_id,
                job.model,
                job.output,
                planned=job.credits,
                submitted=at,
            )
        self._settle_money(job, reservation, outcome)
        record, kind = _RECORDED[type(outcome)]
        event = record(reservation.attempt_id, Failure(kind, outcome.code, outcome.message))
        try:
            self._journal.append(event)
        except JournalProblem as problem:
            self._spending.stop(StopReason.JOURNAL, problem.message)
        self._world.progress.job(job.address, event.type, outcome.message)
        return outcome

    async def _write_down(self, job: Job, reservation: e.Reserved, task_id: str) -> str | None:
        """Journal a paid task's id, and when; if the disk goes on refusing, at least say it."""
        event = e.Submitted(reservation.attempt_id, task_id)
        for wait in _WAITS_TO_WRITE_A_TASK_ID:
            try:
                return self._journal.append(event)
            except JournalProblem as problem:
                self._spending.stop(StopReason.JOURNAL, problem.message)
                await self._world.clock.sleep(wait)
        self._journal.deferred.append(event)
        self._world.progress.note(
            f"PAID BUT NOT WRITTEN DOWN: {job.address} is task {task_id}. When the disk takes writes "
            f"again: kiejobs resolve '{job.address}' --task {task_id}"
        )
        return None

    def _settle_money(self, job: Job, reservation: e.Reserved, outcome: outcomes.CreateOutcome) -> None:
        match outcome:
            case outcomes.CreateInDoubt(message=message):
                self._spending.doubted(message)
                ours = self._settings.callback_url
                if job.correlate and ours and reservation.callback_url == bare(ours):
                    self.doubts[reservation.attempt_id] = self._world.clock.monotonic()
                return
            case outcomes.CreateRejected(code=code, message=message):
                self._spending.failed(f"{job.address}: {code}: {message}")
            case outcomes.Refused(code=code, message=message):
                self._spending.stop(StopReason.KEY, f"{code}: {message}")
            case outcomes.NoMoney(code=code, message=message):
                self._spending.stop(StopReason.CREDITS, f"{code}: {message}")
        self._spending.understood()
        self._spending.give_back(job.credits)


def _reservation(job: Job) -> e.Reserved:
    return e.Reserved(
        attempt_id=secrets.token_hex(16),
        address=job.address,
        fingerprint=job.fingerprint,
        take=job.take,
        model=job.model,
        input=job.input,
        callback_url=None if job.callback_url is None else bare(job.callback_url),
        credits=job.credits,
        output=job.output,
    )


def _body(job: Job, attempt_id: str, urls: Mapping[str, str]) -> dict[str, Json]:
    """The request, its callback URL carrying the attempt's id: evidence that can end a doubt."""
    body = job.body
    if urls:
        from kiejobs.core.ledger.uploads import as_sent  # noqa: PLC0415 - only jobs with files need it

        body["input"] = as_sent(body["input"], urls)
    if job.callback_url is not None and job.correlate:
        url, mark, fragment = job.callback_url.partition("#")
        body["callBackUrl"] = f"{url}{'&' if '?' in url else '?'}attempt={attempt_id}{mark}{fragment}"
    return body
