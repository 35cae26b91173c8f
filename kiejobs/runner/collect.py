"""The files of a task that succeeded, downloaded.

In: tasks and their results. Out: files, `collected` and `gone` events, notes. Touches: API, artifacts, journal,
clock. A URL may have expired: then the task is asked for again, since the API may sign another one, and then
the API's download-url call is tried. Only where both don't help, and the result is old enough to have been
thrown away, is it recorded as gone; and even that is overruled by a later try that works.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.ledger import SAFE
from kiejobs.core.ledger.records import FileRecord, State
from kiejobs.core.plan.plan import Action
from kiejobs.runner.limits import jittered

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    import anyio

    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.plan.plan import Change
    from kiejobs.runner.limits import Settings, World

JSON = "application/json"  # of models whose result is a value in the API's own answer
_TRIES = 4
_PICTURES = {"png", "jpg", "jpeg", "webp"}


@dataclass(slots=True)
class Collector:
    """Downloads any number of tasks' files, `downloads` at once. `notes`: what did not work, by address."""

    _world: World
    _settings: Settings
    _media_type: Callable[[str], str]
    _notes: dict[str, str]
    _downloads: anyio.Semaphore

    async def collect(self, task: FollowedTask, result: outcomes.TaskSucceeded) -> None:
        """All files of the task, or a note why not. Raises JournalProblem."""
        files: list[FileRecord] = []
        for number in range(1, max(1, len(result.urls)) + 1):
            outcome = await self._one(task, number, result)
            if isinstance(outcome, outcomes.NotCollected):
                self._not_collected(task, outcome)
                return
            files.append(outcome)
        for name, url in result.stills:
            files += await self._still(task, name, url)
        at = self._world.journal.append(e.Collected(task.attempt_id, tuple(files)))
        self._world.artifacts.mark(files, at)
        self._world.progress.job(task.address, "collected")

    async def _one(
        self, task: FollowedTask, number: int, result: outcomes.TaskSucceeded
    ) -> outcomes.CollectOutcome:
        if result.urls:
            path = task.output if number == 1 else _numbered(task.output, number)
            kind = self._media_type(task.model)
            return await self._download(task, number, result.urls[number - 1], path, kind)
        if result.found is None or self._media_type(task.model) != JSON:
            return outcomes.NotCollected("the API says it succeeded, but names no file")
        data = json.dumps(result.found, ensure_ascii=False, indent=2).encode("utf-8", "replace")
        return await self._world.artifacts.keep(
            data + b"\n", task.output, key=task.task_id, media_type=JSON
        )

    async def _still(self, task: FollowedTask, name: str, url: str) -> list[FileRecord]:
        """A picture next to the result. One that does not come is noted and keeps nothing else back."""
        path = _still_path(task.output, name, url)
        outcome = await self._download(task, None, url, path, "image/png")
        if isinstance(outcome, FileRecord):
            return [outcome]
        self._notes[task.address] = f"collected without its {name}: {outcome.message}"
        return []

    def _not_collected(self, task: FollowedTask, outcome: outcomes.NotCollected) -> None:
        made = datetime.fromisoformat(task.submitted) if task.submitted else None
        if outcome.gone and made and self._world.clock.now() - made >= SAFE:  # else a passing fault
            self._world.journal.append(e.Gone(task.attempt_id, outcome.message))
            gone = f"bought and made, but gone at the vendor: {outcome.message}"
            self._notes[task.address] = gone
            self._world.progress.job(task.address, "gone", outcome.message)
        else:
            self._notes[task.address] = f"bought, but not collected: {outcome.message}"
            self._world.progress.job(task.address, "not collected", outcome.message)

    async def _download(
        self, task: FollowedTask, number: int | None, url: str, path: str, media_type: str
    ) -> outcomes.CollectOutcome:
        """`number` among the task's results; None for what comes with them."""
        outcome: outcomes.CollectOutcome = outcomes.NotCollected("not tried")
        refused = 0
        for attempt in range(_TRIES):
            if attempt:
                first = self._settings.first_poll
                await self._world.clock.sleep(jittered(first * 2 ** (attempt - 1)))
            async with self._downloads:
                self._world.progress.job(task.address, "downloading")
                outcome = await self._world.artifacts.collect(
                    url, path, key=task.task_id, media_type=media_type
                )
            if isinstance(outcome, FileRecord):
                return outcome
            if outcome.gone and attempt < _TRIES - 1:
                refused += 1
                url = await self._another(task, number, url, refused)
        return outcome

    async def _another(self, task: FollowedTask, number: int | None, url: str, refused: int) -> str:
        """Another URL of the same result, by turns from recordInfo and from the download-url call."""
        if refused % 2 and number is not None:
            outcome = await self._world.api.poll(task.task_id)
            if isinstance(outcome, outcomes.TaskSucceeded) and len(outcome.urls) >= number:
                return outcome.urls[number - 1]
            return url
        made = await self._world.api.download_url(url)
        return url if isinstance(made, outcomes.Unanswered) else made


def _still_path(path: str, name: str, url: str) -> str:
    """`a.mp4` -> `a-last-frame.png`."""
    ending = url.partition("?")[0].rpartition(".")[2].lower()
    stem, dot, _ = path.rpartition(".")
    return f"{stem if dot else path}-{name}.{ending if ending in _PICTURES else 'png'}"


def _numbered(path: str, number: int) -> str:
    """`a.mp4` -> `a-2.mp4`, for a task with several files."""
    stem, dot, extension = path.rpartition(".")
    return f"{stem}-{number}.{extension}" if dot else f"{path}-{number}"


# --- what is followed and collected --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FollowedTask:
    """A submission to follow. `settled` when it is known to have succeeded and only files are due.

    `known_urls` are from the journal, without signatures. `planned` is what this run's budget holds for it.
    `submitted` is UTC text, never later than the task was made.
    """

    address: str
    attempt_id: str
    task_id: str
    model: str
    output: str
    planned: Decimal | None
    submitted: str | None = None
    known_urls: tuple[str, ...] = ()
    running_recorded: bool = False
    settled: bool = False


def task_of_change(change: Change) -> FollowedTask | None:
    """What there is to follow in a line of the plan: a task at the API, or files to download."""
    wanted = change.then if change.action is Action.ADOPT else change.action
    if wanted not in {Action.RESUME, Action.COLLECT} or change.attempt is None:
        return None
    return task_of_attempt(change.attempt, change.address)


def task_of_attempt(attempt: Attempt, address: str | None = None) -> FollowedTask | None:
    """An attempt of an earlier run or of another process; None where it has no task."""
    if attempt.task_id is None:
        return None
    return FollowedTask(
        address=address or attempt.address,
        attempt_id=attempt.attempt_id,
        task_id=attempt.task_id,
        model=attempt.reserved.model,
        output=attempt.output,
        planned=None,  # not taken from this run's budget, so nothing goes back to it
        submitted=attempt.times.get("reserved"),
        known_urls=attempt.urls,
        running_recorded=attempt.state is State.RUNNING,
        settled=attempt.state is State.SUCCEEDED,
    )
