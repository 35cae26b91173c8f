"""What callbacks are good for: waking polls, and ending doubts.

In: claims. Out: bells rung; `called`, `resolved` and `conflicted` events. Touches: API (asking), journal, clock.

A claim is a hint. What it wakes is a poll; what ends a doubt is the API's own record of the request. A claim
that the record speaks against, and a second task for one attempt, is a conflict: recorded and shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import anyio

from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.records import State
from kiejobs.core.ledger.uploads import mismatch
from kiejobs.core.urls import bare
from kiejobs.runner.follow import FollowedTask, task_of_attempt
from kiejobs.runner.limits import StopReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from anyio.abc import TaskGroup

    from kiejobs.core.ledger.callbacks import Claim
    from kiejobs.core.ledger.ledger import Attempt, Ledger
    from kiejobs.runner.follow import Follower
    from kiejobs.runner.limits import Budget, Settings, World
    from kiejobs.runner.submit import Submitter

_WAITS_FOR_A_RECORD = (0, 1, 2, 4, 8, 16)  # first steps of the polling ladder before each question
_LONGEST_LOOK = 40  # first steps of the polling ladder: a little longer than those together
_LOOKS_AT_A_LIVE_RUN = 40
_SECONDS_BETWEEN_LOOKS = 3.0
_AT_ONCE = 64  # claims that are looked into


@dataclass(slots=True)
class CallbackHandler:
    """One for a run. `reread` folds all journals again, this run's among them; `guarded` sees work through."""

    _world: World
    _settings: Settings
    _spending: Budget
    _follower: Follower
    _submitter: Submitter
    _reread: Callable[[], Awaitable[Ledger]]
    _guarded: Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, None]]
    _group: TaskGroup | None = None
    _turns: dict[str, anyio.Lock] = field(default_factory=dict)
    _places: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(_AT_ONCE))
    _ended: dict[str, str] = field(default_factory=dict)
    _in_hand: set[Claim] = field(default_factory=set)
    _doubts_seen: dict[str, float] = field(default_factory=dict)
    _busy: int = 0

    async def serve(self, group: TaskGroup) -> None:
        """Take claims until cancelled. What they lead to happens in `group`."""
        self._group = group
        while self._world.callbacks is not None:
            claim = await self._world.callbacks.next()
            self._in_hand.add(claim)
            await self._places.acquire()
            group.start_soon(self._guarded, self._in_turn(claim))

    async def until_quiet(self) -> None:
        """Until nothing is followed and no doubt waits for its callback; with `stay` until interrupted."""
        if self._settings.stay:
            await self._until_stopped()
            return
        if self._may_hear_of_doubts():
            minutes = self._settings.doubt_wait / 60
            self._world.progress.note(
                f"waiting up to {minutes:.0f} min for callbacks that may end doubts; Ctrl-C goes on"
            )
        while True:
            while self._busy or self._may_hear_of_doubts():
                await self._world.clock.sleep(self._settings.first_poll)
            await self._clear()
            if not self._busy:
                return

    async def _until_stopped(self) -> None:
        clock, looked = self._world.clock, self._world.clock.monotonic()
        while self._spending.stopped not in {StopReason.INTERRUPTED, StopReason.JOURNAL}:
            await clock.sleep(self._settings.first_poll)
            idle = self._settings.until_done and not self._follower.is_busy
            if idle or clock.monotonic() - looked >= self._settings.safety_net:
                if await self._found_nothing() and self._settings.until_done:
                    await self._clear()
                    if not self._follower.is_busy:
                        return
                looked = clock.monotonic()

    async def _clear(self) -> None:
        """See the claims through that have come in: they are not reported again."""
        last, since = set(self._in_hand), self._world.clock.monotonic()
        patience = _LONGEST_LOOK * self._settings.first_poll
        while last & self._in_hand and self._world.clock.monotonic() - since < patience:
            if self._spending.stopped is StopReason.INTERRUPTED:
                return
            await self._world.clock.sleep(self._settings.first_poll)

    def _may_hear_of_doubts(self) -> bool:
        """As long as a task may take, counted from the create."""
        if self._spending.stopped is StopReason.INTERRUPTED:
            return False
        now = self._world.clock.monotonic()
        waiting = {a: at for a, at in self._submitter.doubts.items() if a not in self._ended}
        return any(now - at < self._settings.doubt_wait for at in waiting.values())

    async def _found_nothing(self) -> bool:
        """Follow what other processes have bought since: callbacks may get lost. Is all done, or left for later?"""
        is_all = not self._follower.is_busy
        try:
            ledger = await self._reread()
        except JournalProblem as problem:
            self._spending.stop(StopReason.JOURNAL, problem.message)
            return True
        self._follower.ledger = ledger
        left = self._follower.left if self._settings.until_done else ()
        for attempt in ledger.attempts():
            is_due = attempt.is_open and attempt.attempt_id not in left
            task = task_of_attempt(attempt) if is_due else None
            if task is not None and self._follower.following(task.attempt_id) is None:
                self._follow(task)
            is_all = is_all and task is None and not self._is_to_come(attempt)
        return is_all

    def _is_to_come(self, attempt: Attempt) -> bool:
        """Being bought right now; or in doubt, and its callback may still end that."""
        if attempt.state is not State.IN_DOUBT or self._settings.callback_url is None:
            return attempt.state is State.RESERVED
        if attempt.reserved.callback_url != bare(self._settings.callback_url):
            return False
        age = self._world.clock.now() - datetime.fromisoformat(attempt.times["reserved"])
        now = self._world.clock.monotonic()
        seen = self._doubts_seen.setdefault(attempt.attempt_id, now)
        return max(now - seen, age.total_seconds()) < self._settings.doubt_wait

    async def _in_turn(self, claim: Claim) -> None:
        """Two claims for one attempt are looked at one after the other."""
        turn = self._turns.setdefault(claim.attempt_id, anyio.Lock())
        try:
            async with turn:
                await self._take(claim)
        except JournalProblem as problem:
            self._spending.stop(StopReason.JOURNAL, problem.message)
        finally:
            self._in_hand.discard(claim)
            self._places.release()
            if not turn.statistics().tasks_waiting:
                self._turns.pop(claim.attempt_id, None)

    async def _take(self, claim: Claim) -> None:
        await self._submitter.answered(claim.attempt_id)
        task = self._follower.following(claim.attempt_id)
        if task is not None and task.task_id == claim.task_id:
            self._heard(claim)
            self._follower.ring(claim.attempt_id)
            return
        attempt, ledger = await self._known(claim)
        if attempt is None:
            return  # nobody's, or somebody else's; whoever called got no hint either way
        known = self._ended.get(claim.attempt_id, attempt.task_id)
        if known == claim.task_id:  # bought by another process: over already, or to be followed from here
            task = task_of_attempt(attempt)
            if attempt.is_open and task is not None and not self._settings.detach:
                self._heard(claim)
                self._follow(task)
        elif claim.task_id not in attempt.other_task_ids:
            await self._look_into(claim, attempt, known, ledger)

    async def _known(self, claim: Claim) -> tuple[Attempt | None, Ledger]:
        """The attempt as the journals have it, once another run that is sending it has its answer."""
        for _ in range(_LOOKS_AT_A_LIVE_RUN):
            ledger = self._follower.ledger = await self._reread()
            attempt = ledger.attempt(claim.attempt_id)
            if attempt is None or attempt.state is not State.RESERVED:
                break
            await self._world.clock.sleep(_SECONDS_BETWEEN_LOOKS)
        return attempt, ledger

    async def _look_into(self, claim: Claim, attempt: Attempt, known: str | None, ledger: Ledger) -> None:
        record = await self._record(claim.task_id)
        if record is None:
            lacking = f"a callback for {attempt.address} names a task that the API lacks"
            self._world.progress.note(lacking)
            return
        against = self._owner(ledger, claim) or mismatch(
            attempt, record.model, record.input, record.attempt_id, uploads=ledger.uploads
        )
        if against is not None:
            self._conflict(claim, attempt, against, may_be_paid=False)
        elif known is not None:
            why = f"a second task for one create; the first is {known}"
            self._conflict(claim, attempt, why, may_be_paid=True)
        else:
            self._end_doubt(claim, attempt, record, ledger.place_for(attempt))

    def _owner(self, ledger: Ledger, claim: Claim) -> str | None:
        """Another attempt that has this task already, in words."""
        for attempt in ledger.attempts():
            known = {attempt.task_id, self._ended.get(attempt.attempt_id), *attempt.other_task_ids}
            if attempt.attempt_id != claim.attempt_id and claim.task_id in known:
                return f"the task belongs to `{attempt.address}`"
        return None

    async def _record(self, task_id: str) -> outcomes.TaskRecord | None:
        """What the API says was sent for a task; None where it knows nothing of it, or is silent."""
        for steps in _WAITS_FOR_A_RECORD:
            await self._world.clock.sleep(steps * self._settings.first_poll)
            record = await self._world.api.record(task_id)
            if isinstance(record, outcomes.TaskRecord):
                return record
        return None

    def _end_doubt(self, claim: Claim, attempt: Attempt, record: outcomes.TaskRecord, output: str) -> None:
        """Also where a person ruled it lost meanwhile: a paid task is never lost."""
        signed = "a signed callback" if claim.signed else "a callback"
        proof = f"{signed} for this attempt; recordInfo shows the same request ({record.api_state})"
        self._world.journal.append(e.Resolved(attempt.attempt_id, "task", claim.task_id, proof))
        self._ended[attempt.attempt_id] = claim.task_id
        self._heard(claim)
        self._world.progress.job(attempt.address, "submitted", f"{claim.task_id}, by its callback")
        planned = attempt.reserved.credits if claim.attempt_id in self._submitter.doubts else None
        if not self._settings.detach:
            task = FollowedTask(
                attempt.reserved.address,
                attempt.attempt_id,
                claim.task_id,
                attempt.reserved.model,
                output,
                planned=planned,
                held=attempt.reserved.credits,
                submitted=attempt.times["reserved"],
            )
            self._follow(task)

    def _conflict(self, claim: Claim, attempt: Attempt, why: str, *, may_be_paid: bool) -> None:
        if any(conflict.task_id == claim.task_id for conflict in attempt.conflicts):
            return
        self._world.journal.append(e.Conflicted(attempt.attempt_id, claim.task_id, why, may_be_paid))
        self._world.progress.note(f"CONFLICT at {attempt.address}: task {claim.task_id}: {why}")

    def _heard(self, claim: Claim) -> None:
        self._world.journal.append(e.Called(claim.attempt_id, claim.task_id, claim.signed))
        self._follower.called()

    def _follow(self, task: FollowedTask) -> None:
        if self._group is not None:
            self._busy += 1
            self._group.start_soon(self._guarded, self._to_its_end(task))

    async def _to_its_end(self, task: FollowedTask) -> None:
        try:
            await self._follower.follow(task)
        finally:
            self._busy -= 1
