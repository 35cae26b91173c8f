"""What purchases cost: planned, charged, held. Attempts in, exact sums out; touches nothing.

Each attempt counts once. What it has charged, what it holds while it is at the API, and what its doubts hold add up to
`Attempt.committed`, so that all groups together are the ledger's own total.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from kiejobs.core.ledger.records import State

if TYPE_CHECKING:
    from kiejobs.core.ledger.ledger import Attempt

_NOTHING = Decimal(0)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Cost:
    """Credits, and what there is for them.

    `planned`: as the plans had it, of what was or may have been paid. `charged`: of what has ended; at the planned price
    for those `unstated` ones of which the API does not say it. `held`: at the API. `doubted`: in doubt, or for a second
    task of one create. `results`: what was made; `picks`: of these, chosen. `to_buy`: what a run would add now, and `unpriced`
    how many jobs of that have no known price.
    """

    planned: Decimal = _NOTHING
    charged: Decimal = _NOTHING
    held: Decimal = _NOTHING
    doubted: Decimal = _NOTHING
    to_buy: Decimal = _NOTHING
    results: int = 0
    picks: int = 0
    unstated: int = 0
    unpriced: int = 0

    def __add__(self, other: Cost) -> Cost:
        names = self.__slots__
        return Cost(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def committed(self) -> Decimal:
        """Spent or held: as much of a budget is gone."""
        return self.charged + self.held + self.doubted

    @property
    def per_result(self) -> Decimal | None:
        """Charged credits for one result, to a hundredth; None without any."""
        return _each(self.charged, self.results)

    @property
    def per_pick(self) -> Decimal | None:
        """All charged credits for one picked result: what was tried for it counts."""
        return _each(self.charged, self.picks)


def cost_of(attempt: Attempt, *, picked: bool = False) -> Cost:
    """`picked`: its result was chosen, and this is the attempt that counts for it."""
    planned = attempt.reserved.credits or _NOTHING
    doubted = len(attempt.other_task_ids) * planned
    own = attempt.committed - doubted
    state = attempt.state
    if state is State.IN_DOUBT:
        cost = Cost(planned=planned, doubted=own)
    elif state in {State.SUCCEEDED, State.FAILED}:
        unstated = state is State.SUCCEEDED and attempt.charged is None
        cost = Cost(planned=planned, charged=own, unstated=int(unstated))
    elif own:
        cost = Cost(planned=planned, held=own)
    else:
        cost = Cost()
    made = state is State.SUCCEEDED
    return replace(cost, doubted=cost.doubted + doubted, results=int(made), picks=int(made and picked))


def _each(credits_: Decimal, count: int) -> Decimal | None:
    return (credits_ / count).quantize(_CENT, ROUND_HALF_UP) if count else None
