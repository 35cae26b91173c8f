"""A paid task followed to its end, and its files downloaded.

In: tasks. Out: events, files, notes on what did not work. Touches: API, journal, artifacts and clock. Transport
errors and "not known" right after a create are waited out, only the API's own success or failure ends a task,
and the end of our patience means `running`. A callback wakes a poll; while they arrive, polling is a safety net.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import anyio

from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.ledger import SAFE
from kiejobs.core.ledger.records import Failure, FileRecord, State, sibling_path
from kiejobs.core.plan.plan import Action
from kiejobs.core.urls import bare
from kiejobs.runner.limits import StopReason, jittered, ladder

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.ledger.ledger import Attempt, Ledger
    from kiejobs.core.plan.plan import Change
    from kiejobs.runner.limits import Budget, Settings, World

_REFUSED_KEY = {"401", "403"}
_REFUSED_BY_EDGE = {"401", "402", "403", "404", "405", "407", "451"}
_REFUSALS_BEFORE_LEAVING = 3
_ASKS_FOR_AN_OLD_TASK = 3
_LEAST_SILENCE = 60.0  # seconds without a connection before a task is left for later
_SILENT_STEPS = 100  # or that many first steps of the polling ladder: five minutes by default
_MISSES = 3  # tasks in a row that were over before their callback came
JSON = "application/json"  # of models whose result is a value in the API's own answer
_TRIES = 4
_LEAST_FOR_A_FILE = 30.0  # seconds for all tries together, however short `--wait` is
_LONGEST_ANSWER = 2_000  # characters of a value that are kept on record
_NOTHING = Decimal(0)
_PICTURES = {"png", "jpg", "jpeg", "webp"}


@dataclass(slots=True)
class _Watch:
    """One task while it is followed. Times in seconds of the clock; `price` is held for it, as the API named it last."""

    task: FollowedTask
    started: float
    connected: float
    word: str | None
    answer: str | None
    price: Decimal
    note: str | None = None
    bell: anyio.Event = field(default_factory=anyio.Event)
    woken: float | None = None
    unanswered: int = 0
    refusals: int = 0
    refusal: outcomes.Unanswered | None = None


@dataclass
class Follower:
    """Follows any number of tasks at once, and downloads their files.

    `notes`: what did not work, by address; `succeeded`: the addresses of tasks that ended well here; `left`: the
    attempts that our patience ended with. `ledger`, as it was read last, says whose file has the name of a result.
    """

    _world: World
    _settings: Settings
    _spending: Budget
    _media_type: Callable[[str], str]
    ledger: Ledger | None = None
    _watches: dict[str, _Watch] = field(default_factory=dict)
    _heard: bool = False
    _missed: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    succeeded: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._downloads = anyio.Semaphore(self._settings.downloads)

    async def follow(self, task: FollowedTask) -> None:
        """To its end. One that is followed already is only asked about now."""
        if task.attempt_id in self._watches:
            self.ring(task.attempt_id)
            return
        now = self._world.clock.monotonic()
        watch = _Watch(task, now, now, task.api_state, task.answer, task.planned or task.held or _NOTHING)
        self._watches[task.attempt_id] = watch
        try:
            outcome = await self._settle(watch)
            if outcome is not None:
                await self._collect(task, outcome)
        except JournalProblem as problem:
            # Its outcome can be asked for again; the task's id is on record already.
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
            self._world.progress.note("callbacks arrive: polling is only a safety net now", minor=True)

    async def _settle(self, watch: _Watch) -> outcomes.TaskSucceeded | None:
        """The result once the task succeeded; None where there is none to fetch (yet)."""
        task = watch.task
        while True:
            outcome = await self._world.api.poll(task.task_id)
            if isinstance(outcome, outcomes.TaskSucceeded | outcomes.TaskFailed):
                if self._heard and watch.woken is None:
                    self._miss()
                return self._record_end(watch, outcome)
            if isinstance(outcome, outcomes.StillRunning):
                self._running(watch, outcome)
            else:
                self._unanswered(watch, outcome)
                few = watch.unanswered < _ASKS_FOR_AN_OLD_TASK
                if task.settled and (not few or self._settings.once):
                    return outcomes.TaskSucceeded(task.known_urls, None, None, task.missing)
            if self._is_enough(watch):
                return None
            await self._rest(watch)

    def _miss(self) -> None:
        """A poll found a task over that no callback had reported."""
        self._missed += 1
        if self._missed >= _MISSES:
            self._heard = False
            self._world.progress.note("callbacks have stopped: polling as usual", minor=True)

    def _running(self, watch: _Watch, outcome: outcomes.StillRunning) -> None:
        watch.connected = self._world.clock.monotonic()
        attempt_id, word, answer = watch.task.attempt_id, outcome.api_state, outcome.answer
        if watch.word is None or (outcome.note and word != watch.word):  # of known words the first is enough
            self._world.journal.append(e.Running(attempt_id, word))
            watch.word = word
        if answer is not None and answer != watch.answer:
            self._world.journal.append(e.UnusedAnswer(attempt_id, "result", answer, None))
            watch.answer = answer
        if outcome.price is not None and outcome.price != watch.price:
            self._world.journal.append(e.Priced(attempt_id, outcome.price))
            self._costs(watch, outcome.price)
        watch.note = outcome.note if answer is None else f"{outcome.note}: {answer}"
        # Only a word that has a note is not one of the API's own three.
        self._world.progress.job(watch.task.address, "running" if outcome.note else word, watch.note)

    def _costs(self, watch: _Watch, price: Decimal) -> None:
        """It costs that. What an earlier run took from its own budget does not come back into this one's."""
        if watch.task.planned is not None or price > watch.price:
            self._spending.give_back(watch.price - price)
        watch.price = price

    def _unanswered(self, watch: _Watch, outcome: outcomes.Unanswered) -> None:
        self._world.progress.job(watch.task.address, "retrying", outcome.message)
        watch.unanswered += 1
        is_refusal = outcome.code in (_REFUSED_BY_EDGE if outcome.by_edge else _REFUSED_KEY)
        watch.refusals = watch.refusals + 1 if is_refusal else 0
        watch.refusal = outcome
        if outcome.code is not None:
            said = f"the API says {outcome.code}: {outcome.message}"
            watch.note = outcome.message if outcome.by_edge else said
            watch.connected = self._world.clock.monotonic()

    def _is_enough(self, watch: _Watch) -> bool:
        """Our patience ends; the task goes on at the API and stays `running` here."""
        now = self._world.clock.monotonic()
        waited, silence = now - watch.started, now - watch.connected
        said = f" ({watch.note})" if watch.note else ""
        if self._settings.once:
            why = watch.note
        elif watch.refusals >= _REFUSALS_BEFORE_LEAVING:
            why = self._refused(watch.refusal)
        elif silence >= max(_LEAST_SILENCE, _SILENT_STEPS * self._settings.first_poll):
            why = f"the API could not be reached for {silence:.0f} s; collect it later"
        elif waited >= self._settings.wait:
            why = f"still running after {waited:.0f} s{said}; collect it later"
        else:
            return False
        if why is not None:
            self.notes[watch.task.address] = why
        self.left.add(watch.task.attempt_id)
        self._world.progress.job(watch.task.address, "running", why)
        return True

    def _refused(self, last: outcomes.Unanswered | None) -> str:
        if last is not None and last.by_edge:
            self._spending.stop(StopReason.EDGE, last.message)
            return f"asking for it was refused: {last.message}"
        why = "the API refuses our key"
        self._spending.stop(StopReason.KEY, why)
        return why

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
        self, watch: _Watch, outcome: outcomes.TaskSucceeded | outcomes.TaskFailed
    ) -> outcomes.TaskSucceeded | None:
        task = watch.task
        if isinstance(outcome, outcomes.TaskFailed):
            self._failed(watch, outcome)
            return None
        if outcome.inside and self._media_type(task.model) != JSON:
            outcome = replace(outcome, urls=outcome.inside)
        if not task.settled:
            urls = tuple(map(bare, outcome.urls))
            self._world.journal.append(
                e.Succeeded(task.attempt_id, outcome.charged, urls), *self._value(task, outcome)
            )
            if outcome.charged is not None and outcome.charged != watch.price:
                self._costs(watch, outcome.charged)
        self.succeeded.add(task.address)
        self._world.progress.job(task.address, "succeeded", charged=outcome.charged)
        return outcome

    def _value(self, task: FollowedTask, outcome: outcomes.TaskSucceeded) -> list[e.Event]:
        """A value where files were promised is on record, too, and shown."""
        if outcome.found is None or self._media_type(task.model) == JSON:
            return []
        text = json.dumps(outcome.found)[:_LONGEST_ANSWER]
        what = "names its file in an odd place" if outcome.urls else "is no file, but a value"
        self._world.progress.job(task.address, "succeeded", f"its result {what}: {text}")
        return [e.UnusedAnswer(task.attempt_id, "result", text, None)]

    def _failed(self, watch: _Watch, outcome: outcomes.TaskFailed) -> None:
        task = watch.task
        failure = Failure("failed", outcome.code, outcome.message)
        self._world.journal.append(e.Failed(task.attempt_id, failure, outcome.charged))
        charged = outcome.charged or _NOTHING
        self._costs(watch, charged)
        self._spending.failed(f"{task.address}: {outcome.message}")
        self._world.progress.job(task.address, "failed", outcome.message, charged=charged)

    # --- the files of a task that succeeded ------------------------------------------------------------
    #
    # A URL may have expired: then the task is asked for again, since the API may sign another one, and then the
    # API's download-url call is tried. Only where both don't help, and the result is old enough to have been
    # thrown away, is it recorded as gone; and even that is overruled by a later try that works.

    async def _collect(self, task: FollowedTask, result: outcomes.TaskSucceeded) -> None:
        """All files of the task, or a note why not. Raises JournalProblem."""
        files = self._kept(task) if task.missing else []
        for number in () if files else range(1, max(1, len(result.urls)) + 1):
            outcome = await self._one(task, number, result)
            if isinstance(outcome, outcomes.NotCollected):
                self._not_collected(task, outcome)
                return
            files.append(outcome)
        missing = []
        for name, url in (dict(task.missing) | dict(result.stills)).items():
            still = await self._still(task, name, url)
            if isinstance(still, FileRecord):
                files = [*(file for file in files if file.path != still.path), still]
            elif still is not None:
                missing.append(still)
        at = self._world.journal.append(e.Collected(task.attempt_id, tuple(files)), *missing)
        self._world.artifacts.mark(files, at)
        note = self.notes.get(task.address) if missing else None
        self._world.progress.job(task.address, "not collected" if missing else "collected", note)

    def _kept(self, task: FollowedTask) -> list[FileRecord]:
        """Its files where only a picture is missing: their addresses may have expired meanwhile."""
        files, at = task.kept
        return list(files) if self._world.artifacts.condition(files, at) is None else []

    async def _one(
        self, task: FollowedTask, number: int, result: outcomes.TaskSucceeded
    ) -> outcomes.CollectOutcome:
        if result.urls:
            path = task.output if number == 1 else _numbered(task.output, number)
            kind = self._media_type(task.model)
            return await self._download(task, number, result.urls[number - 1], path, kind)
        if result.found is None:
            return outcomes.NotCollected("the API says it succeeded, but names no file")
        promised, path = self._media_type(task.model), task.output
        if promised != JSON:
            path = _as_json(path)
            text = json.dumps(result.found)[:_LONGEST_ANSWER]
            self.notes[task.address] = f"{promised} was promised, and no file came, but a value: {text}"
        data = json.dumps(result.found, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace")
        return await self._world.artifacts.keep(
            data + b"\n", path, key=task.task_id, media_type=JSON, **self._make_room(task, path)
        )

    async def _still(self, task: FollowedTask, name: str, url: str) -> FileRecord | e.StillMissing | None:
        """A picture next to the result. One that does not come keeps nothing else back, and is asked for again.

        None where the vendor has it no more.
        """
        path = _still_path(task.output, name, url)
        outcome = await self._download(task, None, url, path, "image/png")
        if isinstance(outcome, FileRecord):
            return outcome
        self.notes[task.address] = f"collected without its {name}: {outcome.message}"
        if self._is_gone(task, outcome):
            return None
        return e.StillMissing(task.attempt_id, name, bare(url), outcome.message)

    def _is_gone(self, task: FollowedTask, outcome: outcomes.NotCollected) -> bool:
        """Refused, and old enough to have been thrown away: else it is a passing fault."""
        made = datetime.fromisoformat(task.submitted) if task.submitted else None
        return outcome.gone and made is not None and self._world.clock.now() - made >= SAFE

    def _not_collected(self, task: FollowedTask, outcome: outcomes.NotCollected) -> None:
        if self._is_gone(task, outcome):
            self._world.journal.append(e.Gone(task.attempt_id, outcome.message))
            gone = f"bought and made, but gone at the vendor: {outcome.message}"
            self.notes[task.address] = gone
            self._world.progress.job(task.address, "gone", outcome.message)
        else:
            self.notes[task.address] = f"bought, but not collected: {outcome.message}"
            self._world.progress.job(task.address, "not collected", outcome.message)

    async def _download(
        self, task: FollowedTask, number: int | None, url: str, path: str, media_type: str
    ) -> outcomes.CollectOutcome:
        """`number` among the task's results; None for what comes with them."""
        outcome: outcomes.CollectOutcome = outcomes.NotCollected("not tried")
        left = max(self._settings.wait, _LEAST_FOR_A_FILE)
        refused, room = 0, self._make_room(task, path)
        for attempt in range(_TRIES):
            if attempt:
                first = self._settings.first_poll
                await self._world.clock.sleep(jittered(first * 2 ** (attempt - 1)))
            async with self._downloads:
                self._world.progress.job(task.address, "downloading")
                begun = anyio.current_time()
                late = outcomes.NotCollected("it did not arrive in time; `kiejobs collect` goes on with it")
                outcome = late
                with anyio.move_on_after(left):
                    outcome = await self._world.artifacts.collect(
                        url, path, key=task.task_id, media_type=media_type, **room
                    )
                left -= anyio.current_time() - begun
            if isinstance(outcome, FileRecord) or outcome is late:
                return outcome
            if outcome.gone and attempt < _TRIES - 1:
                refused += 1
                url = await self._another(task, number, url, refused)
        return outcome

    def _make_room(self, task: FollowedTask, path: str) -> dict[str, str]:
        """The name belongs to the newest purchase of its address: the file that has it gets another one, on record.

        Both names lead to it until the new file takes the first one. Answers with what may be written over.
        """
        found = self.ledger and self.ledger.holder(path, task.address, task.attempt_id)
        if not found:
            return {}
        attempt, file = found
        moved = self._world.artifacts.set_aside(file, sibling_path(path, attempt.reserved.fingerprint))
        if moved is None:
            return {}
        files = tuple(moved if one is file else one for one in attempt.files)
        at = self._world.journal.append(e.Collected(attempt.attempt_id, files), *attempt.missing)
        self._world.artifacts.mark(files, at)
        return {"replaces": file.sha256}

    async def _another(self, task: FollowedTask, number: int | None, url: str, refused: int) -> str:
        """Another URL of the same result, by turns from recordInfo and from the download-url call."""
        if refused % 2 and number is not None:
            outcome = await self._world.api.poll(task.task_id)
            if isinstance(outcome, outcomes.TaskSucceeded) and len(outcome.urls) >= number:
                return outcome.urls[number - 1]
            return url
        made = await self._world.api.download_url(url)
        if not isinstance(made, outcomes.Unanswered):
            return made
        self._world.progress.job(task.address, "retrying", f"no new URL of its result: {made.message}")
        return url


def _still_path(path: str, name: str, url: str) -> str:
    """`a.mp4` -> `a-last-frame.png`."""
    ending = url.partition("?")[0].rpartition(".")[2].lower()
    stem, dot, _ = path.rpartition(".")
    return f"{stem if dot else path}-{name}.{ending if ending in _PICTURES else 'png'}"


def _as_json(path: str) -> str:
    """`a.mp4` -> `a.json`, for a value where a file was promised."""
    stem, dot, _ = path.rpartition(".")
    return f"{stem if dot else path}.json"


def _numbered(path: str, number: int) -> str:
    """`a.mp4` -> `a-2.mp4`, for a task with several files."""
    stem, dot, extension = path.rpartition(".")
    return f"{stem}-{number}.{extension}" if dot else f"{path}-{number}"


# --- what is followed and collected --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FollowedTask:
    """A submission to follow. `settled` when it is known to have succeeded and only files are due.

    `known_urls` are from the journal, without signatures. `planned` is what this run's budget holds for it, `held`
    what the ledger holds for it since an earlier run.
    `submitted` is UTC text, never later than the task was made. `api_state` and `answer` are on record already.
    `missing` are pictures without which its files were collected, `kept` those files and when that was.
    """

    address: str
    attempt_id: str
    task_id: str
    model: str
    output: str
    planned: Decimal | None
    submitted: str | None = None
    known_urls: tuple[str, ...] = ()
    settled: bool = False
    api_state: str | None = None
    answer: str | None = None
    missing: tuple[tuple[str, str], ...] = ()
    kept: tuple[tuple[FileRecord, ...], str] = ((), "")
    held: Decimal | None = None


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
        held=attempt.reserved.credits if attempt.priced is None else attempt.priced,
        submitted=attempt.times.get("reserved"),
        known_urls=attempt.urls,
        settled=attempt.state is State.SUCCEEDED,
        api_state=attempt.api_state,
        answer=None if attempt.unused is None else attempt.unused.answer,
        missing=tuple((one.name, one.url) for one in attempt.missing),
        kept=(attempt.files, attempt.times["collected"]) if attempt.missing else ((), ""),
    )
