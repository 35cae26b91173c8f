"""What a worker does: asks about tasks that are at the API, downloads what is done, keeps its files complete.

In: a workspace whose ledger has a queue. Out: events, files, manifests. Touches: the API (asking only), the output folder,
the ledger, the queue. The job file is not needed: the ledger has all that there is to know of a purchase.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from kiejobs.app.execute import progress_on
from kiejobs.app.load import media_types
from kiejobs.app.project import opened
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.records import State
from kiejobs.runner import Budget, World
from kiejobs.runner.follow import Follower, task_of_attempt
from kiejobs.runner.limits import RetryingJournal, backoff, ladder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from kiejobs.adapters.system import Secret
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.events import Event
    from kiejobs.core.ledger.ledger import Attempt, Ledger
    from kiejobs.ports import Journal, WorkQueue
    from kiejobs.runner import Settings

_SWEEP = 10  # first steps of the polling ladder: half a minute by default
_SWEEPS_BETWEEN_CHECKS = 100
AT_ONCE = 100  # tasks: as many as the API works on


class _Seen(RetryingJournal):
    """Remembers what became of attempts here: the ledger is read again only from time to time."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.words: dict[str, str] = {}
        self.answers: dict[str, str] = {}
        self.prices: dict[str, Decimal | None] = {}
        self.over: set[str] = set()

    def append(self, *events: Event) -> str:
        at = super().append(*events)
        for event in events:
            match event:
                case e.Running(attempt_id=name, api_state=word):
                    self.words[name] = word
                case e.UnusedAnswer(attempt_id=name, answer=answer):
                    self.answers[name] = answer
                case e.Priced(attempt_id=name, credits=price):
                    self.prices[name] = price
                case e.Failed(attempt_id=name) | e.Collected(attempt_id=name) | e.Gone(attempt_id=name):
                    self.over.add(name)
        return at


class Worker:
    """`drain`: end when nothing is due any more. `left`: attempts that it was patient with for long enough."""

    def __init__(
        self, space: Workspace, queue: WorkQueue, journal: Journal, settings: Settings, *, drain: bool
    ) -> None:
        self._space = space
        self._queue = queue
        self._journal = _Seen(journal)
        self._settings = replace(settings, once=True)
        self._drain = drain
        self._due: Mapping[str, Attempt] = {}
        self._checks_in = 0
        self.left: set[str] = set()

    async def work(self, key: Secret, screen: Screen) -> None:
        """Until nothing is due, or a signal."""
        self._told_to_stop = anyio.Event()
        # It has no end that it comes closer to: what becomes of each job is its log.
        with progress_on(replace(screen, live=False, verbose=True)) as self._progress:
            async with opened(self._space, key) as (api, artifacts, _):
                world = World(api, self._journal, artifacts, self._space.clock(), self._progress)
                self._follower = Follower(world, self._settings, Budget(), media_types(self._space.root))
                async with anyio.create_task_group() as group:
                    group.start_soon(self._heed_signals, screen)
                    group.start_soon(self._sweeping)
                    await self._working()
                    group.cancel_scope.cancel()
            await anyio.to_thread.run_sync(self._space.store.publish)

    async def _heed_signals(self, screen: Screen) -> None:
        """The first ends what has begun, the second leaves at once."""
        if sys.platform == "win32":
            return
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                if self._told_to_stop.is_set():
                    screen.leave("left; other workers go on with what was begun here")
                self._told_to_stop.set()
                self._queue.stop()

    async def _working(self) -> None:
        """A database that is out of reach for a while is waited for, unless somebody waits for our end."""
        misses = 0
        while not self._told_to_stop.is_set():
            try:
                await self._queue.work(self._follow, AT_ONCE, self._settings.first_poll)
            except JournalProblem as problem:
                if self._drain:
                    raise
                self._progress.note(problem.message)
                with anyio.move_on_after(backoff(misses)):
                    await self._told_to_stop.wait()
                misses += 1
            else:
                return

    async def _sweeping(self) -> None:
        """The ledger says what is due, whatever became of the queue."""
        while True:
            try:
                await self._sweep()
            except JournalProblem as problem:
                self._progress.note(problem.message)
            if self._drain and not self._due:
                self._queue.stop()
            await anyio.sleep(self._settings.first_poll * (1 if self._drain else _SWEEP))

    async def _sweep(self) -> None:
        ledger = await self._read()
        await anyio.to_thread.run_sync(self._queue.fill, self._due)
        if self._checks_in == 0:
            await self._check(ledger)
        self._checks_in = (self._checks_in or _SWEEPS_BETWEEN_CHECKS) - 1
        await anyio.to_thread.run_sync(self._space.store.publish)

    async def _read(self) -> Ledger:
        """What is due by the ledger, and whose files have which names."""
        ledger = self._follower.ledger = await anyio.to_thread.run_sync(self._space.ledger)
        self._due = {one.attempt_id: one for one in ledger.attempts() if self._is_due(one)}
        return ledger

    def _is_due(self, attempt: Attempt) -> bool:
        name = attempt.attempt_id
        if attempt.task_id is None or attempt.gone or name in self._journal.over or name in self.left:
            return False
        is_made = attempt.state is State.SUCCEEDED and not attempt.is_collected
        return attempt.is_open or is_made

    async def _follow(self, attempt_id: str, waited: float) -> float | None:
        """Ask once, and download what is done. In how many seconds to ask again."""
        if attempt_id not in self._due:
            await self._read()
        attempt = self._due.get(attempt_id)
        if attempt is None or not self._is_due(attempt):
            return None
        await self._ask(attempt)
        if not self._is_due(attempt):
            return None
        if self._drain and waited >= self._settings.wait:
            self.left.add(attempt_id)
            return None
        return ladder(self._settings.first_poll, waited)

    async def _ask(self, attempt: Attempt) -> None:
        task = task_of_attempt(attempt)
        if task is not None:
            word = self._journal.words.get(attempt.attempt_id, task.api_state)
            answer = self._journal.answers.get(attempt.attempt_id, task.answer)
            held = self._journal.prices.get(attempt.attempt_id, task.held)
            await self._follower.follow(replace(task, api_state=word, answer=answer, held=held))

    async def _check(self, ledger: Ledger) -> None:
        """Files that are here and not as they were collected are downloaded again. What is elsewhere is not missed."""
        for attempt in ledger.attempts():
            if "collected" in attempt.times and not attempt.gone:
                condition = await anyio.to_thread.run_sync(self._space.condition, attempt)
                if condition == "file_damaged":
                    self._progress.job(attempt.address, "not collected", "its file is damaged")
                    await self._ask(attempt)
