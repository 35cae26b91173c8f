"""What was charged against what was planned, for each model.

In: attempts. Out: a `PriceDrift` for each model whose jobs were charged otherwise. Touches nothing.

Only what succeeded is compared, and only where both sides are known: a failed job is charged nothing,
and the API does not always say.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from kiejobs.core.ledger.records import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    pairs: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for attempt in attempts:
        planned, charged = attempt.reserved.credits, attempt.charged
        if attempt.state is State.SUCCEEDED and planned is not None and charged is not None:
            pairs[attempt.reserved.model].append((planned, charged))
    return tuple(drift for model, known in pairs.items() for drift in _drift(model, known))


def latest_price_drifts(attempts: Iterable[Attempt]) -> tuple[PriceDrift, ...]:
    """Of each model's latest run only: what was corrected since then is not told for ever."""
    by_run: dict[str, dict[str, list[Attempt]]] = defaultdict(lambda: defaultdict(list))
    for attempt in attempts:
        if attempt.state is State.SUCCEEDED:
            by_run[attempt.reserved.model][attempt.run_id].append(attempt)
    return price_drifts(attempt for runs in by_run.values() for attempt in runs[max(runs)])


def _drift(model: str, known: Sequence[tuple[Decimal, Decimal]]) -> Iterable[PriceDrift]:
    apart = [(p, c) for p, c in known if abs(c - p) >= _NOTHING]
    if apart:
        planned = sum((p for p, _ in apart), Decimal(0))
        charged = sum((c for _, c in apart), Decimal(0))
        yield PriceDrift(model, len(apart), len(known), planned, charged)
