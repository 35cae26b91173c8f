"""The one place where a create call is made.

In: a job. Out: its task at the API, or word that there is none. Touches: the API, the journal.

reserved -> POST -> outcome is one shielded section: neither Ctrl-C nor a failing sibling may come
between the intention and the record of what became of it. Local files are uploaded before it begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import anyio

from kiejobs.core.diagnostics import Held, JournalProblem, TooSoon
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.records import Failure
from kiejobs.core.urls import bare
from kiejobs.runner.claims import ClaimedAhead, reservation_of
from kiejobs.runner.follow import FollowedTask
from kiejobs.runner.limits import StopReason, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.job import Job
    from kiejobs.core.ledger.events import Uploads
    from kiejobs.runner.limits import Budget, Permit, RateLimiter, RetryingJournal, Settings, World
    from kiejobs.runner.upload import Uploader

_SLACK = 1.0  # seconds
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
    """Buys one job at a time for each caller.

    `unready`: whose files can't be sent, and why; `held`: what another run has reserved. `ahead`: None where a
    reservation is made as its request is written.
    """

    _world: World
    _journal: RetryingJournal
    _settings: Settings
    _spending: Budget
    _pace: RateLimiter
    _uploads: Uploads
    _in_flight: dict[str, anyio.Event] = field(default_factory=dict)
    doubts: dict[str, float] = field(default_factory=dict)
    unready: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    ahead: ClaimedAhead | None = None

    def __post_init__(self) -> None:
        self._places = anyio.Semaphore(self._settings.creates)
        if self._world.claims is not None:
            self.ahead = ClaimedAhead(self._world.claims, self._journal, self._spending)

    async def answered(self, attempt_id: str) -> None:
        """Until what the API made of this attempt is on record, where it is being sent from here."""
        event = self._in_flight.get(attempt_id)
        if event is not None:
            await event.wait()

    async def submit(self, job: Job) -> FollowedTask | Literal["settled"] | None:
        """A task to follow; "settled" when the job went no further; None when nothing was bought.

        What was surely not taken (no connection, 429, 455) goes again after a pause, each time with a
        reservation of its own where the last one is on record. What is in doubt never does.
        """
        reserved = None
        while (ready := await self._uploader.bring(job) if job.files else "ready") is not None:
            if isinstance(ready, outcomes.Unusable):
                if self.ahead is not None:
                    await self.ahead.drop(job, reserved)
                return self._not_ready(job, ready)
            async with self._places:
                urls = self._uploader.urls(job) if job.files else {}
                if urls is None:
                    continue  # it waited so long that they have expired
                reserved = reserved or await self._reservation(job)
                outcome = await self._in_its_turn(job, reserved, urls)
            if not isinstance(outcome, outcomes.NotSent | TooSoon | None):
                reserved = None  # on record, with what became of it
            if isinstance(outcome, FollowedTask):
                return outcome
            if isinstance(outcome, outcomes.CreateRejected | outcomes.CreateInDoubt | Held):
                return self._settled(job, outcome)
            if not self._goes_again(job, outcome):
                break
        if self.ahead is not None:
            await self.ahead.drop(job, reserved)
        self._world.progress.job(job.address, "not submitted", self._spending.why)
        return None

    def _settled(self, job: Job, outcome: outcomes.CreateOutcome | Held) -> Literal["settled"]:
        if isinstance(outcome, Held):
            self.held[job.address] = outcome.message
            self._world.progress.job(job.address, "not submitted", outcome.message)
        return "settled"

    def _goes_again(self, job: Job, outcome: outcomes.CreateOutcome | Held | TooSoon | None) -> bool:
        """After a pause, where it was surely not taken; else spending has stopped."""
        match outcome:
            case outcomes.NotSent(message=message):
                self._unreachable(job, message)
            case outcomes.CreateNotAccepted(code=code, retry_after=retry_after):
                pause = self._pace.refused(retry_after)
                waited = self._pace.refused_for()
                if waited + pause > self._settings.wait + _SLACK:
                    since = f" for {waited:.0f} s" if waited >= 1 else ""
                    why = f"the API answered {code}{since}, and --wait ends before the next try, {pause:.0f} s from now"
                    self._spending.stop(StopReason.BUSY, why)
                    return False
                self._world.progress.note(f"the API answered {code}; all wait {pause:.0f} s", minor=True)
            case TooSoon(seconds=seconds):
                self._pace.pause(seconds)
            case _:
                return False
        return True

    @cached_property
    def _uploader(self) -> Uploader:
        from kiejobs.runner.upload import Uploader  # noqa: PLC0415 - only jobs with files need it

        return Uploader(self._world, self._settings, self._spending, self._uploads)

    async def _reservation(self, job: Job) -> e.Reserved | Held | None:
        return reservation_of(job) if self.ahead is None else await self.ahead.reservation(job)

    async def _in_its_turn(
        self, job: Job, reserved: e.Reserved | Held | None, urls: Mapping[str, str]
    ) -> FollowedTask | outcomes.CreateOutcome | Held | TooSoon | None:
        if not isinstance(reserved, e.Reserved):
            return reserved
        slot = await self._pace.slot(self._spending.has_stopped)
        if slot is None:
            return None
        with anyio.CancelScope(shield=True):
            outcome = await self._once(job, reserved, slot, urls)
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
        self._world.progress.job(job.address, "retrying", f"no connection: {message}")
        if missing >= self._settings.give_up:
            why = f"the API could not be reached for {missing:.0f} s: {message}"
            self._spending.stop(StopReason.UNREACHABLE, why)

    async def _once(
        self, job: Job, reservation: e.Reserved, slot: Permit, urls: Mapping[str, str]
    ) -> FollowedTask | outcomes.CreateOutcome | Held | TooSoon | None:
        """One reservation, one POST, one outcome on record."""
        self._in_flight[reservation.attempt_id] = anyio.Event()

        async def reserve() -> None:
            if self.ahead is None:
                self._reserve_now(job, reservation)
            elif not self.ahead.require_valid():
                raise _NotNow
            self._pace.written(slot)
            self._world.progress.job(job.address, "reserved")

        try:
            body = _body(job, reservation.attempt_id, urls)
            outcome = await self._world.api.create(body, reserve)
            if isinstance(outcome, outcomes.NotSent):
                return outcome
            self._pace.answered(accepted=isinstance(outcome, outcomes.Accepted))
            recorded = await self._record(job, reservation, outcome)
        except _NotNow:
            return None
        except (Held, TooSoon) as not_ours:
            return not_ours
        finally:
            self._in_flight.pop(reservation.attempt_id).set()
        if self.ahead is not None:
            await self.ahead.answered()
        return recorded

    def _reserve_now(self, job: Job, reservation: e.Reserved) -> None:
        """Raises _NotNow, Held, TooSoon: then nothing is on record."""
        if not self._spending.take(job.credits):
            raise _NotNow
        try:
            self._journal.append(reservation)
        except JournalProblem as problem:
            self._spending.give_back(job.credits)
            if isinstance(problem, Held | TooSoon):
                raise
            self._spending.stop(reason_of(problem), problem.message)
            raise _NotNow from problem

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
            self._journal.append(event, *_unused(reservation, outcome))
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
            f"PAID BUT NOT RECORDED: {job.address} is task {task_id}. When the ledger takes writes "
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
            case outcomes.Refused(by_edge=by_edge, why=why):
                self._spending.stop(StopReason.EDGE if by_edge else StopReason.KEY, why)
            case outcomes.NoMoney(code=code, message=message):
                reason = StopReason.KEY_LIMIT if code == "433" else StopReason.CREDITS
                self._spending.stop(reason, f"{code}: {message}")
        self._spending.understood()
        self._spending.give_back(job.credits)


def _unused(reservation: e.Reserved, outcome: outcomes.Answered) -> list[e.Event]:
    """What came of an answer, on record with the doubt."""
    if not isinstance(outcome, outcomes.CreateInDoubt) or outcome.answer is None:
        return []
    return [e.UnusedAnswer(reservation.attempt_id, "create", outcome.answer, outcome.task_id)]


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
