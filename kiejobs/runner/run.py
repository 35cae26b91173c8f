"""A plan carried out: submit, follow, collect.

In: changes, and the ports. Out: events in the journal, files in the artifact store, a `RunEnd`. Touches:
the world, through its ports only. A job's failure is a value and never cancels its siblings.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio

from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.outcomes import TaskRecord
from kiejobs.core.ledger.records import State
from kiejobs.core.ledger.uploads import mismatch
from kiejobs.core.plan.plan import Action, canaries, job_address
from kiejobs.runner.follow import FollowedTask, Follower, task_of_attempt, task_of_change
from kiejobs.runner.limits import RateLimiter, RetryingJournal, StopReason
from kiejobs.runner.submit import Submitter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence

    from anyio.abc import TaskGroup

    from kiejobs.core.ledger.events import Uploads
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change
    from kiejobs.runner.callbacks import CallbackHandler
    from kiejobs.runner.limits import Budget, Settings, World


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How it ended. `notes`: by address, what went wrong; `unready` jobs were not sent for their own fault, `held`
    ones since another run has them. `against`: the purchases that hold back the rest of their job, and whether each
    has a result.
    """

    notes: Mapping[str, str]
    unsent: int
    unready: int = 0
    held: int = 0
    against: Mapping[str, bool] = field(default_factory=dict)


_RESUMED_PER_SLOT = 10
_NO_RESULT = "did not succeed"


class Runner:
    """One run. `media_type` is of a model's files; `uploads` are the local files' uploads on record.

    `reread` folds all journals again, where callbacks are taken.
    """

    def __init__(
        self,
        world: World,
        *,
        settings: Settings,
        spending: Budget,
        media_type: Callable[[str], str],
        reread: Callable[[], Awaitable[Ledger]] | None = None,
        uploads: Uploads | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._world = world
        self._uploads = uploads or {}
        self._settings = settings
        self._spending = spending
        self._journal = RetryingJournal(world.journal)
        world = replace(world, journal=self._journal)
        pace = RateLimiter(world.clock, settings.rate, settings.lately)
        self._submitter = Submitter(world, self._journal, settings, spending, pace, self._uploads)
        self._follower = Follower(world, settings, spending, media_type, ledger)
        self._callbacks: CallbackHandler | None = None
        if world.callbacks is not None and reread is not None:
            from kiejobs.runner.callbacks import CallbackHandler  # noqa: PLC0415 - most runs take none

            of_run = (world, settings, spending, self._follower, self._submitter)
            self._callbacks = CallbackHandler(*of_run, reread, self._guarded)
        self._slots = anyio.Semaphore(settings.in_flight)
        # Jobs being started: uploads have places of their own, so that they keep no create waiting.
        self._at_once = settings.creates + settings.uploads
        self._starts = anyio.Semaphore(self._at_once)
        self._unsent = 0
        self._against: dict[str, bool] = {}
        self._unexpected: list[Exception] = []

    async def carry_out(self, changes: Iterable[Change], all_reserved: Callable[[], None]) -> RunEnd:
        """Raises the first unexpected exception of any job, after all the others are done."""
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
        if self._journal.deferred:
            with suppress(JournalProblem):  # a last try; what the disk still refuses stays in doubt
                self._journal.append()
        if self._unexpected:
            raise self._unexpected[0]
        unready, held = self._submitter.unready, self._submitter.held
        notes = {**self._follower.notes, **unready, **held}
        return RunEnd(notes, self._unsent, len(unready), len(held), self._against)

    async def _in_waves(self, lines: Sequence[Change], all_reserved: Callable[[], None]) -> None:
        """All at once; or the canaries first, and of the rest only what they speak well of."""
        spending = [line for line in lines if line.spends]
        others = [line for line in lines if not line.spends]
        siblings: list[Change] = []
        if self._settings.canary:
            jobs = {job_address(line.address) for line in spending}
            siblings = [x for x in others if x.job is not None and job_address(x.address) in jobs]
            others = [x for x in others if x.job is None or job_address(x.address) not in jobs]
        async with anyio.create_task_group() as group:
            if others and not self._settings.detach:
                group.start_soon(self._resume, others, group)
            ahead = self._submitter.ahead
            if ahead is None:
                await self._buy(spending, siblings, group)
            else:
                async with anyio.create_task_group() as claiming:
                    claiming.start_soon(ahead.serve)
                    await self._buy(spending, siblings, group)
                    await ahead.close()
            all_reserved()

    async def _buy(self, lines: list[Change], siblings: Sequence[Change], group: TaskGroup) -> None:
        if self._settings.canary:
            lines = await self._after_canaries(await self._after_siblings(lines, siblings))
        await self._start(lines, group)

    async def _resume(self, lines: Iterable[Change], group: TaskGroup) -> None:
        """Follow what was bought before: many at once, since most are over, but not all of 100,000."""
        places = anyio.Semaphore(_RESUMED_PER_SLOT * self._settings.in_flight)

        async def follow(task: FollowedTask) -> None:
            try:
                await self._follower.follow(task)
            finally:
                places.release()

        for line in lines:
            task = task_of_change(line) or await self._named(line)
            if task is not None:
                await places.acquire()
                group.start_soon(self._guarded, follow(task))

    async def _named(self, line: Change) -> FollowedTask | None:
        """A doubt whose answer names a task ends where the API's record shows the very request of this attempt."""
        attempt = line.attempt
        if line.action is not Action.HOLD or line.then is not Action.RESUME or not attempt:
            return None
        task_id = attempt.named_task or ""
        record = await self._world.api.record(task_id)
        if not isinstance(record, TaskRecord) or record.attempt_id != attempt.attempt_id:
            return None
        sent = record.model, record.input, record.attempt_id
        if mismatch(attempt, *sent, uploads=self._uploads) is not None:
            return None
        proof = f"the create's answer names this task; recordInfo shows this attempt's request ({record.api_state})"
        self._journal.append(e.Resolved(attempt.attempt_id, "task", task_id, proof))
        self._world.progress.job(line.address, "submitted", f"{task_id}, by the answer to its create")
        return task_of_attempt(replace(attempt, task_id=task_id, state=State.SUBMITTED, unused=None))

    async def _after_siblings(self, lines: Sequence[Change], siblings: Sequence[Change]) -> list[Change]:
        """Without the jobs that have a purchase already which would have held them back as their canary."""
        async with anyio.create_task_group() as group:
            await self._resume(siblings, group)
        made = {line.address for line in siblings if line.attempt and line.attempt.state is State.SUCCEEDED}
        wrong = await self._wrong_with([line.address for line in siblings], made)
        by_job = {job_address(address): address for address in reversed(wrong)}
        against = {line.address: by_job.get(job_address(line.address)) for line in lines}
        return self._approved(lines, against, wrong)

    async def _after_canaries(self, lines: Sequence[Change]) -> list[Change]:
        """What is not bought yet and whose canary succeeded."""
        first = canaries(lines)
        chosen = set(first.values())
        async with anyio.create_task_group() as group:
            await self._start([x for x in lines if x.address in chosen], group)
        wrong = await self._wrong_with(list(first.values()))
        rest = [line for line in lines if line.address not in chosen]
        return self._approved(rest, {line.address: first[job_address(line.address)] for line in rest}, wrong)

    def _approved(
        self, lines: Sequence[Change], canaries: Mapping[str, str | None], wrong: Mapping[str, str]
    ) -> list[Change]:
        """Those whose canary has nothing wrong with it; the others are noted."""
        approved = []
        for line in lines:
            canary = canaries[line.address]
            if canary is None or canary not in wrong:
                approved.append(line)
            else:
                self._unsent += 1
                self._follower.notes[line.address] = f"not bought: {canary} {wrong[canary]}"
                self._against[canary] = wrong[canary] != _NO_RESULT
        return approved

    async def _wrong_with(self, addresses: Sequence[str], made: Collection[str] = ()) -> dict[str, str]:
        """By address, in this order, why the rest of its job is not bought. `made`: those that succeeded before."""
        judged = [one for one in addresses if one in made or one in self._follower.succeeded]
        failed = await self._world.judge(judged) if self._world.judge and judged else {}
        wrong = {one: f"failed its checks ({why})" for one, why in failed.items()}
        wrong |= dict.fromkeys(set(addresses).difference(judged), _NO_RESULT)
        return {one: wrong[one] for one in addresses if one in wrong}

    async def _start(self, lines: Sequence[Change], group: TaskGroup) -> None:
        """Until none is being started any more; the tasks are followed on in `group`."""
        if self._submitter.ahead is not None:
            await self._submitter.ahead.expect(line.job for line in lines if line.job is not None)
        for line in lines:
            await self._slots.acquire()
            await self._starts.acquire()
            group.start_soon(self._guarded, self._job(line))
        for _ in range(self._at_once):
            await self._starts.acquire()
        for _ in range(self._at_once):
            self._starts.release()

    async def _job(self, line: Change) -> None:
        task = None
        try:
            try:
                if not self._spending.has_stopped() and line.job is not None:
                    task = await self._submitter.submit(line.job)
                if task is None:
                    self._unsent += 1
            finally:
                self._starts.release()
            if isinstance(task, FollowedTask):
                if self._settings.detach:
                    self._world.progress.job(line.address, "detached")
                else:
                    await self._follower.follow(task)
        finally:
            self._slots.release()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """A bug in one job must not tear down the others, which may be in the middle of paying."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - raised again when all others are done
            self._spending.stop(StopReason.BUG, f"{type(error).__name__}: {error}")
            self._unexpected.append(error)
