"""A paid task followed to its end, and its files brought home.

In: tasks. Out: events, files, notes on what did not work. Touches: the API, the journal, the artifact
store and the clock, through their ports.

Collecting is forgiving: transport errors and "not known" right after a create are waited out, only
the API's own success or failure ends a task, and the end of our patience means `running`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from kiejobs import ports
from kiejobs.core import events as e
from kiejobs.core.errors import JournalProblem
from kiejobs.core.types import Failure
from kiejobs.core.urls import bare
from kiejobs.runner.pace import ladder
from kiejobs.runner.spending import Stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from kiejobs.core.types import FileRecord
    from kiejobs.ports import World
    from kiejobs.runner.settings import Settings
    from kiejobs.runner.spending import Spending

_DOWNLOAD_TRIES = 4
_REFUSED_KEY = {"401", "403"}
_REFUSALS_BEFORE_LEAVING = 3
_ASKS_FOR_AN_OLD_TASK = 3
_LEAST_SILENCE = 60.0  # seconds without a connection before a task is left for later
_SILENT_STEPS = 100  # or so many first steps of the polling ladder: five minutes by default


@dataclass(frozen=True, slots=True)
class Task:
    """A submission to follow. `settled` when it is known to have succeeded and only files are due.

    `known_urls` are from the journal, without the signatures that they may have had.
    """

    address: str
    attempt_id: str
    task_id: str
    model: str
    output: str
    planned: Decimal | None
    known_urls: tuple[str, ...] = ()
    told_running: bool = False
    settled: bool = False


class Follower:
    """Follows any number of tasks at once; polls widely, downloads a few at a time."""

    def __init__(
        self,
        world: World,
        settings: Settings,
        spending: Spending,
        media_type: Callable[[str], str],
    ) -> None:
        self._api = world.api
        self._journal = world.journal
        self._artifacts = world.artifacts
        self._clock = world.clock
        self._progress = world.progress
        self._settings = settings
        self._spending = spending
        self._media_type = media_type
        self._downloads = anyio.Semaphore(settings.downloads)
        self.notes: dict[str, str] = {}

    async def follow(self, task: Task) -> None:
        try:
            urls = await self._settle(task)
            if urls is not None:
                await self._collect(task, urls)
        except JournalProblem as problem:
            # What it came to can be asked for again; the task's id is on record already.
            self._spending.stop(Stop.JOURNAL, problem.message)
            self._note(task, problem.message)

    async def _settle(self, task: Task) -> tuple[str, ...] | None:
        """The result's URLs once the task succeeded; None where there are none to fetch (yet)."""
        started = self._clock.monotonic()
        told, unanswered, refusals, heard = task.told_running, 0, 0, started
        while True:
            outcome = await self._api.poll(task.task_id)
            if isinstance(outcome, ports.Succeeded):
                return self._succeeded(task, outcome)
            if isinstance(outcome, ports.Failed):
                self._failed(task, outcome)
                return None
            silent = False
            if isinstance(outcome, ports.StillRunning):
                told = self._running(task, outcome, told=told)
            else:
                self._progress.job(task.address, "waiting", outcome.message)
                unanswered += 1
                refusals = refusals + 1 if outcome.code in _REFUSED_KEY else 0
                silent = outcome.code is None
                if task.settled and (unanswered >= _ASKS_FOR_AN_OLD_TASK or self._settings.once):
                    return task.known_urls
            now = self._clock.monotonic()
            heard = heard if silent else now
            waited = now - started
            if self._is_enough(task, waited, now - heard, refusals):
                return None
            await self._clock.sleep(_jittered(ladder(self._settings.first_poll, waited)))

    def _running(self, task: Task, outcome: ports.StillRunning, *, told: bool) -> bool:
        if not told:
            self._journal.append(e.Running(task.attempt_id, outcome.api_state))
        self._progress.job(task.address, "running", outcome.note)
        return True

    def _is_enough(self, task: Task, waited: float, silence: float, refusals: int) -> bool:
        """Our patience ends; the task goes on at the API and stays `running` here.

        `silence` is for how long there was no connection to the API at all, in seconds.
        """
        if self._settings.once:
            why = None
        elif refusals >= _REFUSALS_BEFORE_LEAVING:
            why = "the API refuses our key"
            self._spending.stop(Stop.KEY, why)
        elif silence >= max(_LEAST_SILENCE, _SILENT_STEPS * self._settings.first_poll):
            why = f"the API could not be reached for {silence:.0f} s; collect it later"
        elif waited >= self._settings.wait:
            why = f"still running after {waited:.0f} s; collect it later"
        else:
            return False
        if why is not None:
            self._note(task, why)
        self._progress.job(task.address, "running", why)
        return True

    def _succeeded(self, task: Task, outcome: ports.Succeeded) -> tuple[str, ...]:
        if not task.settled:
            urls = tuple(map(bare, outcome.urls))
            self._journal.append(e.Succeeded(task.attempt_id, outcome.charged, urls))
            self._give_back(task, outcome.charged)
        self._progress.job(task.address, "succeeded")
        return outcome.urls

    def _failed(self, task: Task, outcome: ports.Failed) -> None:
        failure = Failure("failed", outcome.code, outcome.message)
        self._journal.append(e.Failed(task.attempt_id, failure, outcome.charged))
        if task.planned is not None:
            charged = outcome.charged or 0
            self._spending.give_back(task.planned - charged)
        self._progress.job(task.address, "failed", outcome.message)

    def _give_back(self, task: Task, charged: Decimal | None) -> None:
        if task.planned is not None and charged is not None:
            self._spending.give_back(task.planned - charged)

    async def _collect(self, task: Task, urls: tuple[str, ...]) -> None:
        if not urls:
            self._not_collected(task, "the API says it succeeded, but names no file")
            return
        files: list[FileRecord] = []
        for number, url in enumerate(urls, start=1):
            outcome = await self._bring_home(task, number, url)
            if isinstance(outcome, ports.NotCollected):
                self._not_collected(task, outcome.message)
                return
            files.append(outcome.file)
        at = self._journal.append(e.Collected(task.attempt_id, tuple(files)))
        self._artifacts.mark(files, at)
        self._progress.job(task.address, "collected")

    def _not_collected(self, task: Task, why: str) -> None:
        self._note(task, f"bought, but not collected: {why}")
        self._progress.job(task.address, "not collected", why)

    async def _bring_home(self, task: Task, number: int, url: str) -> ports.CollectOutcome:
        path = _numbered(task.output, number)
        outcome: ports.CollectOutcome = ports.NotCollected("not tried")
        for attempt in range(_DOWNLOAD_TRIES):
            if attempt:
                await self._clock.sleep(_jittered(self._settings.first_poll * 2 ** (attempt - 1)))
            async with self._downloads:
                self._progress.job(task.address, "downloading")
                outcome = await self._artifacts.collect(
                    url, path, key=task.task_id, media_type=self._media_type(task.model)
                )
            if isinstance(outcome, ports.Collected):
                return outcome
            if outcome.gone:
                url = await self._fresh_url(task, number) or url
        return outcome

    async def _fresh_url(self, task: Task, number: int) -> str | None:
        """A URL may have expired; the API signs a new one when asked for the task again."""
        outcome = await self._api.poll(task.task_id)
        if isinstance(outcome, ports.Succeeded) and len(outcome.urls) >= number:
            return outcome.urls[number - 1]
        return None

    def _note(self, task: Task, why: str) -> None:
        self.notes[task.address] = why


def _numbered(path: str, number: int) -> str:
    """`a.mp4`, `a-2.mp4`, ... for a task with several files."""
    if number == 1:
        return path
    stem, dot, extension = path.rpartition(".")
    return f"{stem}-{number}.{extension}" if dot else f"{path}-{number}"


def _jittered(seconds: float) -> float:
    """A tenth more or less, so that a hundred tasks don't ask in the same instant."""
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
