"""A paid task, as the runner follows it.

In: lines of the plan, attempts of the ledger, submissions. Out: `FollowedTask`s. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action

if TYPE_CHECKING:
    from decimal import Decimal

    from kiejobs.core.ledger.events import Reserved
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.plan.plan import Change


@dataclass(frozen=True, slots=True)
class FollowedTask:
    """A submission to follow. `settled` when it is known to have succeeded and only files are due.

    `known_urls` are from the journal, without the signatures that they may have had. `planned` is what
    this run's budget holds for it, None where it holds nothing. `submitted` is UTC text, never later
    than the task was made.
    """

    address: str
    attempt_id: str
    task_id: str
    model: str
    output: str
    planned: Decimal | None
    submitted: str | None = None
    known_urls: tuple[str, ...] = ()
    told_running: bool = False
    settled: bool = False


def task_of_change(change: Change) -> FollowedTask | None:
    """What there is to follow in a line of the plan: a task at the API, or files to bring home."""
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
        told_running=attempt.state is State.RUNNING,
        settled=attempt.state is State.SUCCEEDED,
    )


def task_of_reservation(
    reserved: Reserved,
    task_id: str,
    planned: Decimal | None,
    submitted: str | None,
    output: str | None = None,
) -> FollowedTask:
    """What a reservation has just become. `output` where its file goes elsewhere than was reserved."""
    return FollowedTask(
        address=reserved.address,
        attempt_id=reserved.attempt_id,
        task_id=task_id,
        model=reserved.model,
        output=output or reserved.output,
        planned=planned,
        submitted=submitted,
    )
