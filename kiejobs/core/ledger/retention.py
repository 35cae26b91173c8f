"""How long the vendor keeps a result.

In: attempts. Out: moments. Touches nothing.

The vendor's docs say that media is kept for 14 days; older pages of theirs say 24 hours [contract:
documented, both]. We may hear late of a task's end, and of the task itself where its create was in
doubt, so both are counted from the reservation: it can't have ended before that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiejobs.core.ledger.ledger import Attempt

KEPT = timedelta(days=14)
SAFE = timedelta(hours=24)

_NEVER = datetime.max.replace(tzinfo=UTC)


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
