"""What was charged against what was planned, for each model.

In: attempts. Out: a `PriceDrift` for each model whose jobs were charged otherwise. Touches nothing.

Only what succeeded is compared, and only where both sides are known: a failed job is charged nothing,
and the API does not always say.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from kiejobs.core.ledger.records import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kiejobs.core.ledger.ledger import Attempt

_NOTHING = Decimal("0.01")
"""Credits come back as floats: less than this apart is no drift."""

_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class PriceDrift:
    """Of `compared` jobs of a model `jobs` were charged otherwise than planned; the sums are theirs."""

    model: str
    jobs: int
    compared: int
    planned: Decimal
    charged: Decimal

    @property
    def percent(self) -> Decimal | None:
        """To a tenth; None where nothing was planned to be paid."""
        if not self.planned:
            return None
        share = (self.charged - self.planned) * 100 / self.planned
        return share.quantize(_TENTH, ROUND_HALF_UP)


def price_drifts(attempts: Iterable[Attempt]) -> tuple[PriceDrift, ...]:
    """By model, in the order of the first attempts."""
    compared = Counter[str]()
    apart: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for attempt in attempts:
        model, planned, charged = attempt.reserved.model, attempt.reserved.credits, attempt.charged
        if attempt.state is State.SUCCEEDED and planned is not None and charged is not None:
            compared[model] += 1
            if abs(charged - planned) >= _NOTHING:
                apart[model].append((planned, charged))
    drifts = []
    for model in filter(apart.__contains__, compared):
        planned, charged = (sum(side, Decimal(0)) for side in zip(*apart[model], strict=True))
        drifts.append(PriceDrift(model, len(apart[model]), compared[model], planned, charged))
    return tuple(drifts)


def latest_price_drifts(attempts: Iterable[Attempt]) -> tuple[PriceDrift, ...]:
    """Of each model's latest run only: what was corrected since then is not told for ever."""
    by_run: dict[str, dict[str, list[Attempt]]] = defaultdict(lambda: defaultdict(list))
    for attempt in attempts:
        if attempt.state is State.SUCCEEDED:
            by_run[attempt.reserved.model][attempt.run_id].append(attempt)
    return price_drifts(attempt for runs in by_run.values() for attempt in runs[max(runs)])
