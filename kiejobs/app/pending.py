"""What is to be followed: tasks at the API, and results that are not home.

In: a workspace, its ledger, a test of attempts. Out: lines as a plan has them, those that expire first
ahead. Touches: the output folder, by reading.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.core.ledger.records import State
from kiejobs.core.ledger.retention import submitted_at
from kiejobs.core.plan.plan import Action, Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Attempt, Ledger


def lines_to_follow(
    space: Workspace,
    ledger: Ledger,
    campaign: str | None,
    takes: Callable[[Attempt], bool] = lambda _: True,
) -> list[Change]:
    """What is at the API, or done there and not whole here; what was made first is fetched first."""
    attempts = filter(takes, of_campaign(ledger, campaign))
    lines = (_line(space, attempt) for attempt in sorted(attempts, key=submitted_at))
    return [line for line in lines if line is not None]


def doubts(ledger: Ledger, campaign: str | None) -> list[Change]:
    """What is in doubt and keeps an address from being bought."""
    return [
        _change(attempt, Action.HOLD, "?", "in_doubt")
        for attempt in ledger.current()
        if attempt.state is State.IN_DOUBT and _is_of(attempt, campaign)
    ]


def of_campaign(ledger: Ledger, campaign: str | None) -> Iterator[Attempt]:
    """All attempts of one campaign, or of all."""
    return (attempt for attempt in ledger.attempts() if _is_of(attempt, campaign))


def _is_of(attempt: Attempt, campaign: str | None) -> bool:
    return campaign is None or attempt.address.startswith(f"{campaign}/")


def _line(space: Workspace, attempt: Attempt) -> Change | None:
    if attempt.is_open:
        return _change(attempt, Action.RESUME, "~", "in_flight")
    if attempt.state is not State.SUCCEEDED:
        return None
    collected = "collected" in attempt.times
    damage = space.condition(attempt) if collected else "file_missing"
    return None if damage is None else _change(attempt, Action.COLLECT, "v", damage)


def _change(attempt: Attempt, action: Action, sign: str, reason: str) -> Change:
    return Change(
        address=attempt.address,
        action=action,
        sign=sign,
        reason=reason,
        fingerprint=attempt.reserved.fingerprint,
        take=attempt.reserved.take,
        model=attempt.reserved.model,
        credits=Decimal(0),
        attempt=attempt,
    )
