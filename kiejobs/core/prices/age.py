"""How old the prices are that a plan reckons with.

In: a table of prices, models, today's date. Out: one `AgedPrice` a model. Touches nothing: the date comes
from whoever has a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.prices.table import day_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from kiejobs.core.prices.table import ModelPrice, PriceTable

OLD_AFTER = 90
"""Days after which a price should be looked at again."""


@dataclass(frozen=True, slots=True)
class AgedPrice:
    """What is known of one model's price; `price` is None where there is none. `days` from its date on."""

    model: str
    price: ModelPrice | None
    days: int = 0

    @property
    def old(self) -> bool:
        return self.days > OLD_AFTER


def aged_prices(table: PriceTable, models: Iterable[str], today: date) -> tuple[AgedPrice, ...]:
    """In the order of the models. A date that is still to come is no age."""
    return tuple(_aged(model, table.of(model), today) for model in models)


def _aged(model: str, price: ModelPrice | None, today: date) -> AgedPrice:
    if price is None:
        return AgedPrice(model, None)
    return AgedPrice(model, price, max((today - day_of(price.date)).days, 0))
