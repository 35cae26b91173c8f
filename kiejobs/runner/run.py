"""A plan carried out: submit, follow, collect.

In: changes, and the ports. Out: events in the journal, files in the artifact store, a `RunEnd`.
Touches the world through its ports only.

Invariants kept here: no request leaves before its `reserved` event is on disk; never two creates for
one reservation; reserved -> POST -> outcome is one shielded section; a job's failure is a value and
never cancels its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio

from kiejobs.core.ledger.fold import fold
from kiejobs.core.plan.canary import canaries, job_address
from kiejobs.runner.budget import StopReason
from kiejobs.runner.collect import FollowedTask, task_of_change
from kiejobs.runner.follow import Follower
from kiejobs.runner.rate_limit import RateLimiter
from kiejobs.runner.retrying_journal import RetryingJournal
from kiejobs.runner.submit import Submitter

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Coroutine,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from anyio.abc import TaskGroup

    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.ledger.uploads import Uploads
    from kiejobs.core.plan.plan import Change
    from kiejobs.runner.budget import Budget
    from kiejobs.runner.callbacks import CallbackHandler
    from kiejobs.runner.settings import Settings, World


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How it ended. `notes` holds, by address, what went wrong with collecting or following.

    Also why a job was not sent, where that is its own fault; there are `unready` such jobs.
    """

    notes: Mapping[str, str]
    unsent: int
    unready: int = 0


_RESUMED_PER_SLOT = 10


async def _nothing_known() -> Ledger:
    return fold(())


class Runner:
    """One run. `media_type` tells what a model's files are; `reread` folds all journals anew.

    `uploads` are the local files' uploads that are on record.
    """

    def __init__(
        self,
        world: World,
        *,
        settings: Settings,
        spending: Budget,
        media_type: Callable[[str], str],
        reread: Callable[[], Awaitable[Ledger]] = _nothing_known,
        uploads: Uploads | None = None,
    ) -> None:
        self._settings = settings
        self._spending = spending
        self._journal = RetryingJournal(world.journal)
        world = replace(world, journal=self._journal)
        pace = RateLimiter(world.clock, settings.rate, settings.lately)
        self._submitter = Submitter(world, self._journal, settings, spending, pace, uploads or {})
        self._follower = Follower(world, settings, spending, media_type)
        self._callbacks = self._handler(world, spending, reread)
        self._unsent = 0
        self._unexpected: list[Exception] = []

    def _handler(
        self, world: World, spending: Budget, reread: Callable[[], Awaitable[Ledger]]
    ) -> CallbackHandler | None:
        """Who takes callbacks; nobody where none can come."""
        if world.callbacks is None:
            return None
        from kiejobs.runner.callbacks import CallbackHandler  # noqa: PLC0415 - most runs take none

        return CallbackHandler(
            world,
            self._settings,
            spending,
            self._follower,
            self._submitter,
            reread,
            self._guarded,
        )

    async def carry_out(
        self,
        changes: Iterable[Change],
        all_reserved: Callable[[], None],
    ) -> RunEnd:
        """Carry out what the changes ask for; everything else in them is passed over.

        Raises the first unexpected exception of any job, after all the others are done.
        """
        lines = list(changes)
        async with anyio.create_task_group() as listening:
            if self._callbacks is not None:
                listening.start_soon(self._callbacks.serve, listening)
            if self._settings.stay:
                listening.start_soon(self._in_waves, lines, all_reserved)
            else:
                await self._in_waves(lines, all_reserved)
            if self._callbacks is not None:
                await self._callbacks.until_quiet()
            listening.cancel_scope.cancel()
        self._journal.flush()
        if self._unexpected:
            raise self._unexpected[0]
        unready = self._submitter.unready
        return RunEnd({**self._follower.notes, **unready}, self._unsent, len(unready))

    async def _in_waves(
        self,
        lines: Sequence[Change],
        all_reserved: Callable[[], None],
    ) -> None:
        """All at once; or the canaries first, and of the rest only what they speak well of."""
        slots = anyio.Semaphore(self._settings.in_flight)
        starts = anyio.Semaphore(self._at_once)
        tasks = () if self._settings.detach else filter(None, map(task_of_change, lines))
        spending = [line for line in lines if line.spends]
        first = canaries(spending) if self._settings.canary else {}
        async with anyio.create_task_group() as group:
            group.start_soon(self._resume, tasks, group)
            if first:
                chosen = set(first.values())
                ahead = [line for line in spending if line.address in chosen]
                async with anyio.create_task_group() as canaries_:
                    await self._start(ahead, slots, starts, canaries_)
                spending = list(self._approved(spending, first))
            await self._start(spending, slots, starts, group)
            all_reserved()

    async def _resume(self, tasks: Iterable[FollowedTask], group: TaskGroup) -> None:
        """Follow what was bought before: many at once, since most are over, but not all of 100,000."""
        places = anyio.Semaphore(_RESUMED_PER_SLOT * self._settings.in_flight)

        async def follow(task: FollowedTask) -> None:
            try:
                await self._follower.follow(task)
            finally:
                places.release()

        for task in tasks:
            await places.acquire()
            group.start_soon(self._guarded, follow(task))

    async def _start(
        self,
        lines: Iterable[Change],
        slots: anyio.Semaphore,
        starts: anyio.Semaphore,
        group: TaskGroup,
    ) -> None:
        """Until none is being started any more; the tasks are followed on in `group`."""
        for line in lines:
            await slots.acquire()
            await starts.acquire()
            group.start_soon(self._guarded, self._job(line, slots, starts))
        for _ in range(self._at_once):
            await starts.acquire()
        for _ in range(self._at_once):
            starts.release()

    @property
    def _at_once(self) -> int:
        """Jobs being started: uploads have places of their own, so that they keep no create waiting."""
        return self._settings.creates + self._settings.uploads

    def _approved(self, lines: Iterable[Change], first: Mapping[str, str]) -> Iterator[Change]:
        """What is not bought yet and whose canary succeeded."""
        for line in lines:
            canary = first[job_address(line.address)]
            if line.address == canary:
                continue
            if canary in self._follower.succeeded:
                yield line
            else:
                self._unsent += 1
                self._follower.notes[line.address] = f"not bought: {canary} did not succeed"

    async def _job(
        self,
        line: Change,
        slots: anyio.Semaphore,
        starts: anyio.Semaphore,
    ) -> None:
        """One job from its line in the plan to its files."""
        try:
            try:
                task = await self._submit(line)
            finally:
                starts.release()
            if task is not None and not self._settings.detach:
                await self._follower.follow(task)
        finally:
            slots.release()

    async def _submit(self, line: Change) -> FollowedTask | None:
        if self._spending.stopped is not None or line.job is None:
            self._unsent += 1
            return None
        outcome = await self._submitter.submit(line.job)
        if outcome is None:
            self._unsent += 1
            return None
        return outcome if isinstance(outcome, FollowedTask) else None

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """A bug in one job must not tear down the others, which may be in the middle of paying."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - raised again when all others are done
            self._spending.stop(StopReason.BUG, f"{type(error).__name__}: {error}")
            self._unexpected.append(error)
