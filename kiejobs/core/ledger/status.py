"""The status of a purchase: its state and its result in the words of `--select`, and how long it is kept.

In: attempts, the condition of their files. Out: words; moments. Touches nothing; the function handed in
looks at the disk.

The vendor's docs say that media is kept for 14 days; older pages of theirs say 24 hours [contract:
documented, both]. We may hear late of a task's end, and of the task itself where its create was in
doubt, so both are counted from the reservation: it can't have ended before that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from kiejobs.core.ledger.records import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.ledger.ledger import Attempt

NONE: Final = "none"
"""Nothing was made of it: never sent, not accepted, or ruled lost."""

STATES: Final = {**{state.value: state.value for state in State}, NONE: NONE, "new": NONE}
"""What may follow `state:`, and what is meant by it."""

RESULTS: Final = {word: word for word in ("whole", "missing", "damaged", "gone")}
"""What may follow `result:`. Only what succeeded has a result."""

KEPT = timedelta(days=14)
SAFE = timedelta(hours=24)

_NEVER = datetime.max.replace(tzinfo=UTC)


def state_of(attempt: Attempt | None) -> str:
    """The state of a purchase, `none` where there is none."""
    if attempt is None or attempt.state is None:
        return NONE
    return attempt.state.value


def result_of(attempt: Attempt | None, condition: Callable[[Attempt], str | None]) -> str | None:
    """What there is of its files: `gone` where they are not whole here and not at the vendor.

    `condition` says `file_missing`, `file_damaged`, or None for whole. None where it has no result.
    """
    if attempt is None or attempt.state is not State.SUCCEEDED:
        return None
    damage = condition(attempt) if "collected" in attempt.times else "file_missing"
    if damage is None:
        return "whole"
    return "gone" if attempt.gone is not None else damage.removeprefix("file_")


def submitted_at(attempt: Attempt) -> datetime:
    """When its task was asked for; of what has none, the end of time."""
    if attempt.task_id is None:
        return _NEVER
    return datetime.fromisoformat(attempt.times["reserved"])


def expires_at(attempt: Attempt) -> datetime | None:
    """When its result goes away at the latest, in UTC; None where there is no task."""
    at = submitted_at(attempt)
    return None if at is _NEVER else at + KEPT


def is_past_safety(attempt: Attempt, now: datetime) -> bool:
    """May it be gone by now, going by the shorter of the two terms?"""
    at = submitted_at(attempt)
    return at is not _NEVER and now >= at + SAFE
