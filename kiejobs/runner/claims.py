"""Reservations that others must see before anything is sent, for homes that publish their claims ahead.

In: the jobs of a run in their order; the home's `Claims`. Out: a reservation for each job, on record and published.
Touches: the journal and the home, through their ports; the budget.

Never more than one window is claimed and not answered: that is what a lost machine may leave in doubt. While jobs
of one half are sent the other half is claimed, so that publishing, which takes about a second, keeps nobody waiting.
"""

from __future__ import annotations

import secrets
from collections import deque
from typing import TYPE_CHECKING

import anyio

from kiejobs.core.diagnostics import Held, JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.records import Failure
from kiejobs.core.urls import bare
from kiejobs.runner.limits import StopReason, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kiejobs.core.expand.job import Job
    from kiejobs.ports import Claims
    from kiejobs.runner.limits import Budget, RetryingJournal

_NOT_SENT = Failure("not_sent", None, "given back: it was claimed, and never sent")
_LEASE_RAN_OUT = "the claim could not be renewed in time: other runs may treat its claims as expired"


def reservation_of(job: Job) -> e.Reserved:
    """An intention to buy, under an attempt id of its own."""
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


class ClaimedAhead:
    """Claims jobs in the order in which they will be sent. `serve` must be running while others ask."""

    def __init__(self, claims: Claims, journal: RetryingJournal, spending: Budget) -> None:
        self._claims = claims
        self._journal = journal
        self._spending = spending
        self._next: deque[Job] = deque()
        self._wanted: set[str] = set()
        self._granted: dict[str, e.Reserved | Held] = {}
        self._open = 0
        """Claimed, and without an outcome on record."""
        self._dropped: set[str] = set()
        self._is_closed = False
        self._serving = anyio.Lock()
        self._news = anyio.Condition()

    async def expect(self, jobs: Iterable[Job]) -> None:
        """These will be asked for, in this order."""
        async with self._news:
            for job in jobs:
                self._next.append(job)
                self._wanted.add(job.address)
            self._news.notify_all()

    async def reservation(self, job: Job) -> e.Reserved | Held | None:
        """The job's, published; who has it where it is another's; None once spending has stopped."""
        async with self._news:
            if job.address not in self._granted and job.address not in self._wanted:
                self._next.appendleft(job)  # it is sent again
                self._wanted.add(job.address)
                self._news.notify_all()
            while job.address not in self._granted and not self._spending.has_stopped():
                await self._news.wait()
            return self._granted.pop(job.address, None)

    def require_valid(self) -> bool:
        """May what was claimed be sent now? Stops spending where it may not."""
        if not self._claims.valid():
            self._spending.stop(StopReason.JOURNAL, _LEASE_RAN_OUT)
        return not self._spending.has_stopped()

    async def answered(self) -> None:
        """One of the claimed has its outcome on record."""
        async with self._news:
            self._open -= 1
            self._news.notify_all()

    async def close(self) -> None:
        """Nobody asks any more: what was granted and not sent is given back."""
        async with self._news:
            self._is_closed = True
            self._news.notify_all()
        async with self._serving:
            await self._give_back([one for one in self._granted.values() if isinstance(one, e.Reserved)])

    async def drop(self, job: Job, reserved: e.Reserved | Held | None) -> None:
        """The job is not sent: what was claimed for it, or is being claimed, is given back."""
        async with self._news:
            claimed = reserved or self._granted.pop(job.address, None)
            if claimed is None and job.address in self._wanted:
                self._dropped.add(job.address)
        if isinstance(claimed, e.Reserved):
            await self._give_back([claimed])

    async def serve(self) -> None:
        """Claim until closed."""
        async with self._serving:
            while await self._may_claim():
                await self._claim_some()

    async def _may_claim(self) -> bool:
        async with self._news:
            while not self._is_closed and not self._room():
                await self._news.wait()
            return not self._is_closed

    async def _claim_some(self) -> None:
        jobs: list[Job] = []
        if self._spending.has_stopped():
            self._next.clear()
        for _ in range(len(self._next)):  # what is dropped before it was claimed needs no claim
            job = self._next.popleft()
            if job.address in self._dropped:
                self._dropped.remove(job.address)
                self._wanted.discard(job.address)
            else:
                self._next.append(job)
        while self._next and len(jobs) < self._room(len(jobs)) and self._spending.fits(self._next[0].credits):
            jobs.append(self._next.popleft())
            self._spending.take(jobs[-1].credits)
        # It never will fit, since nothing is open: spending stops with the reason.
        if not jobs and self._next:
            self._spending.take(self._next.popleft().credits)
        granted = await self._claim(jobs)
        unwanted = self._dropped & granted.keys()
        self._dropped -= unwanted
        dropped = [granted.pop(address) for address in sorted(unwanted)]
        await self._give_back([one for one in dropped if isinstance(one, e.Reserved)])
        async with self._news:
            self._granted.update(granted)
            self._wanted.difference_update(job.address for job in jobs)
            self._news.notify_all()

    def _room(self, more: int = 0) -> int:
        """How many to claim now: half a window at least, or all that is left; `more` are claimed already.

        What doesn't fit the budget waits for what is open: that may give money back, and is bought in any case.
        """
        free = self._claims.size - self._open
        enough = free >= min(len(self._next) + more, (self._claims.size + 1) // 2)
        waits = self._open > 0 and self._next and not self._spending.fits(self._next[0].credits)
        return free if self._next and enough and not waits else 0

    async def _claim(self, jobs: Sequence[Job]) -> dict[str, e.Reserved | Held]:
        wishes = [reservation_of(job) for job in jobs]
        if not wishes or self._spending.has_stopped():
            self._give_up(jobs)
            return {}
        self._open += len(wishes)
        try:
            refused = await self._claims.claim(wishes)
        except JournalProblem as problem:
            self._spending.stop(reason_of(problem), problem.message)
            self._open -= len(wishes)
            self._give_up(jobs)
            return {}
        self._open -= len(refused)
        self._give_up([job for job, wish in zip(jobs, wishes, strict=True) if wish.attempt_id in refused])
        return {
            wish.address: Held(refused[wish.attempt_id]) if wish.attempt_id in refused else wish
            for wish in wishes
        }

    def _give_up(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            self._spending.give_back(job.credits)

    async def _give_back(self, unsent: Sequence[e.Reserved]) -> None:
        """On record, and to the budget: of these nothing was sent."""
        if not unsent:
            return
        try:
            self._journal.append(*(e.NotAccepted(one.attempt_id, _NOT_SENT) for one in unsent))
        except JournalProblem as problem:
            self._spending.stop(StopReason.JOURNAL, problem.message)
        for one in unsent:
            self._spending.give_back(one.credits)
        async with self._news:
            self._open -= len(unsent)
            self._news.notify_all()
