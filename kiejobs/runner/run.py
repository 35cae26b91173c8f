"""A plan carried out: submit, follow, collect.

In: changes, and the ports. Out: events in the journal, files in the artifact store, a `RunEnd`.
Touches the world through its ports only.

Invariants kept here: no request leaves before its `reserved` event is on disk; never two creates for
one reservation; reserved -> POST -> outcome is one shielded section; a job's failure is a value and
never cancels its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from kiejobs.core.plan import Action
from kiejobs.core.types import State
from kiejobs.runner.follow import Follower, Task
from kiejobs.runner.pace import Pace
from kiejobs.runner.spending import Stop
from kiejobs.runner.submit import Submitter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from kiejobs.core.plan import Change
    from kiejobs.core.types import Job
    from kiejobs.ports import World
    from kiejobs.runner.settings import Settings
    from kiejobs.runner.spending import Spending


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How it ended. `notes` holds, by address, what went wrong with collecting or following."""

    notes: Mapping[str, str]
    unsent: int


class Runner:
    """One run. `media_type` tells what a model's files are."""

    def __init__(
        self,
        world: World,
        *,
        settings: Settings,
        spending: Spending,
        media_type: Callable[[str], str],
    ) -> None:
        self._settings = settings
        self._spending = spending
        pace = Pace(world.clock, settings.rate, settings.lately)
        self._submitter = Submitter(world, settings, spending, pace)
        self._follower = Follower(world, settings, spending, media_type)
        self._unsent = 0
        self._unexpected: list[Exception] = []

    async def carry_out(
        self,
        changes: Iterable[Change],
        job_of: Callable[[int], Job],
        all_reserved: Callable[[], None],
    ) -> RunEnd:
        """Carry out what the changes ask for; everything else in them is passed over.

        Raises the first unexpected exception of any job, after all the others are done.
        """
        lines = list(changes)
        slots = anyio.Semaphore(self._settings.in_flight)
        creates = anyio.Semaphore(self._settings.creates)
        async with anyio.create_task_group() as group:
            for task in () if self._settings.detach else filter(None, map(task_of, lines)):
                group.start_soon(self._guarded, self._follower.follow(task))
            for line in lines:
                if line.spends:
                    await slots.acquire()
                    await creates.acquire()
                    group.start_soon(self._guarded, self._job(line, job_of, slots, creates))
            for _ in range(self._settings.creates):
                await creates.acquire()  # all of them: no create is under way any more
            all_reserved()
        if self._unexpected:
            raise self._unexpected[0]
        return RunEnd(dict(self._follower.notes), self._unsent)

    async def _job(
        self,
        line: Change,
        job_of: Callable[[int], Job],
        slots: anyio.Semaphore,
        creates: anyio.Semaphore,
    ) -> None:
        """One job from its line in the plan to its files."""
        try:
            try:
                task = await self._submit(line, job_of)
            finally:
                creates.release()
            if task is not None and not self._settings.detach:
                await self._follower.follow(task)
        finally:
            slots.release()

    async def _submit(self, line: Change, job_of: Callable[[int], Job]) -> Task | None:
        if self._spending.stopped is not None or line.number is None:
            self._unsent += 1
            return None
        job = job_of(line.number)
        outcome = await self._submitter.submit(job)
        if outcome is None:
            self._unsent += 1
            return None
        return outcome if isinstance(outcome, Task) else None

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """A bug in one job must not tear down the others, which may be in the middle of paying."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - raised again when all others are done
            self._spending.stop(Stop.BUG, f"{type(error).__name__}: {error}")
            self._unexpected.append(error)


def task_of(change: Change) -> Task | None:
    """What there is to follow in a line of the plan: a task at the API, or files to bring home."""
    wanted = change.then if change.action is Action.ADOPT else change.action
    attempt = change.attempt
    if wanted not in {Action.RESUME, Action.COLLECT} or attempt is None or attempt.task_id is None:
        return None
    return Task(
        address=change.address,
        attempt_id=attempt.attempt_id,
        task_id=attempt.task_id,
        model=attempt.reserved.model,
        output=attempt.reserved.output,
        planned=None,  # not taken from this run's budget, so nothing goes back to it
        known_urls=attempt.urls,
        told_running=attempt.state is State.RUNNING,
        settled=attempt.state is State.SUCCEEDED,
    )
