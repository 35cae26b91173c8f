"""A paid task followed to its end, and its files downloaded.

In: tasks. Out: events, files, notes on what did not work. Touches: API, journal, artifacts and clock. Transport
errors and "not known" right after a create are waited out, only the API's own success or failure ends a task,
and the end of our patience means `running`. A callback wakes a poll; while they arrive, polling is a safety net.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.records import Failure
from kiejobs.core.urls import bare
from kiejobs.runner.collect import Collector, FollowedTask
from kiejobs.runner.limits import StopReason, jittered, ladder

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.runner.limits import Budget, Settings, World

_REFUSED_KEY = {"401", "403"}
_REFUSALS_BEFORE_LEAVING = 3
_ASKS_FOR_AN_OLD_TASK = 3
_LEAST_SILENCE = 60.0  # seconds without a connection before a task is left for later
_SILENT_STEPS = 100  # or so many first steps of the polling ladder: five minutes by default
_MISSES = 3  # tasks in a row that were over before their callback came


@dataclass(slots=True)
class _Watch:
    """One task while it is followed. Times in seconds of the clock."""

    task: FollowedTask
    started: float
    connected: float
    running_recorded: bool
    bell: anyio.Event = field(default_factory=anyio.Event)
    woken: float | None = None
    unanswered: int = 0
    refusals: int = 0


@dataclass
class Follower:
    """Follows any number of tasks at once. `succeeded` are the addresses of tasks that ended well here."""

    _world: World
    _settings: Settings
    _spending: Budget
    _media_type: Callable[[str], str]
    _watches: dict[str, _Watch] = field(default_factory=dict)
    _heard: bool = False
    _missed: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    succeeded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        downloads = anyio.Semaphore(self._settings.downloads)
        self._collector = Collector(
            self._world, self._settings, self._media_type, self.notes, downloads
        )

    async def follow(self, task: FollowedTask) -> None:
        """To its end. One that is followed already is only asked about now."""
        if task.attempt_id in self._watches:
            self.ring(task.attempt_id)
            return
        now = self._world.clock.monotonic()
        watch = _Watch(task, now, now, task.running_recorded)
        self._watches[task.attempt_id] = watch
        try:
            outcome = await self._settle(watch)
            if outcome is not None:
                await self._collector.collect(task, outcome)
        except JournalProblem as problem:
            # What it came to can be asked for again; the task's id is on record already.
            self._spending.stop(StopReason.JOURNAL, problem.message)
            self.notes[task.address] = problem.message
        finally:
            del self._watches[task.attempt_id]

    def following(self, attempt_id: str) -> FollowedTask | None:
        watch = self._watches.get(attempt_id)
        return None if watch is None else watch.task

    @property
    def is_busy(self) -> bool:
        return bool(self._watches)

    def ring(self, attempt_id: str) -> None:
        """A callback says that it is over: ask now."""
        self._watches[attempt_id].bell.set()

    def called(self) -> None:
        """A callback has arrived, for whichever task."""
        self._missed = 0
        if not self._heard:
            self._heard = True
            self._world.progress.note("callbacks arrive: polling is only a safety net now")

    async def _settle(self, watch: _Watch) -> outcomes.TaskSucceeded | None:
        """The result once the task succeeded; None where there is none to fetch (yet)."""
        task = watch.task
        while True:
            outcome = await self._world.api.poll(task.task_id)
            if isinstance(outcome, outcomes.TaskSucceeded | outcomes.TaskFailed):
                if self._heard and watch.woken is None:
                    self._miss()
                return self._record_end(task, outcome)
            if isinstance(outcome, outcomes.StillRunning):
                self._running(watch, outcome)
            else:
                self._unanswered(watch, outcome)
                few = watch.unanswered < _ASKS_FOR_AN_OLD_TASK
                if task.settled and (not few or self._settings.once):
                    return outcomes.TaskSucceeded(task.known_urls, None)
            if self._is_enough(watch):
                return None
            await self._rest(watch)

    def _miss(self) -> None:
        """A poll found a task over that no callback had reported."""
        self._missed += 1
        if self._missed >= _MISSES:
            self._heard = False
            self._world.progress.note("callbacks have stopped: polling as usual")

    def _running(self, watch: _Watch, outcome: outcomes.StillRunning) -> None:
        watch.connected = self._world.clock.monotonic()
        if not watch.running_recorded:
            self._world.journal.append(e.Running(watch.task.attempt_id, outcome.api_state))
            watch.running_recorded = True
        self._world.progress.job(watch.task.address, "running", outcome.note)

    def _unanswered(self, watch: _Watch, outcome: outcomes.Unanswered) -> None:
        self._world.progress.job(watch.task.address, "waiting", outcome.message)
        watch.unanswered += 1
        watch.refusals = watch.refusals + 1 if outcome.code in _REFUSED_KEY else 0
        if outcome.code is not None:
            watch.connected = self._world.clock.monotonic()

    def _is_enough(self, watch: _Watch) -> bool:
        """Our patience ends; the task goes on at the API and stays `running` here."""
        now = self._world.clock.monotonic()
        waited, silence = now - watch.started, now - watch.connected
        if self._settings.once:
            why = None
        elif watch.refusals >= _REFUSALS_BEFORE_LEAVING:
            why = "the API refuses our key"
            self._spending.stop(StopReason.KEY, why)
        elif silence >= max(_LEAST_SILENCE, _SILENT_STEPS * self._settings.first_poll):
            why = f"the API could not be reached for {silence:.0f} s; collect it later"
        elif waited >= self._settings.wait:
            why = f"still running after {waited:.0f} s; collect it later"
        else:
            return False
        if why is not None:
            self.notes[watch.task.address] = why
        self._world.progress.job(watch.task.address, "running", why)
        return True

    async def _rest(self, watch: _Watch) -> None:
        """Until the next poll, or until a callback rings: then quickly for a while, since the record may lag."""
        first, now = self._settings.first_poll, self._world.clock.monotonic()
        step = ladder(first, now - watch.started)
        if watch.woken is not None and now - watch.woken < 10 * first:
            step = first
        elif self._heard:
            step = max(step, self._settings.safety_net)
        seconds = jittered(step)
        if self._world.callbacks is None:
            await self._world.clock.sleep(seconds)
            return
        async with anyio.create_task_group() as group:

            async def wait_for_the_bell() -> None:
                await watch.bell.wait()
                group.cancel_scope.cancel()

            group.start_soon(wait_for_the_bell)
            await self._world.clock.sleep(seconds)
            group.cancel_scope.cancel()
        if watch.bell.is_set():
            watch.bell = anyio.Event()
            watch.woken = self._world.clock.monotonic()

    def _record_end(
        self, task: FollowedTask, outcome: outcomes.TaskSucceeded | outcomes.TaskFailed
    ) -> outcomes.TaskSucceeded | None:
        if isinstance(outcome, outcomes.TaskFailed):
            self._failed(task, outcome)
            return None
        if not task.settled:
            urls = tuple(map(bare, outcome.urls))
            self._world.journal.append(e.Succeeded(task.attempt_id, outcome.charged, urls))
            if task.planned is not None and outcome.charged is not None:
                self._spending.give_back(task.planned - outcome.charged)
        self.succeeded.add(task.address)
        self._world.progress.job(task.address, "succeeded")
        return outcome

    def _failed(self, task: FollowedTask, outcome: outcomes.TaskFailed) -> None:
        failure = Failure("failed", outcome.code, outcome.message)
        self._world.journal.append(e.Failed(task.attempt_id, failure, outcome.charged))
        if task.planned is not None:
            self._spending.give_back(task.planned - (outcome.charged or 0))
        self._spending.failed(f"{task.address}: {outcome.message}")
        self._world.progress.job(task.address, "failed", outcome.message)
