"""What a request costs, by a table of prices that is data.

In: a `PriceTable` (made by prices/file.py of a `prices.yaml`), a model and the input of a request.
Out: credits as a Decimal, or None where the table has none. No floats, nowhere. Touches nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.core.fingerprint import canonical
from kiejobs.core.money import money

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kiejobs.core.document.nodes import Json

FILE = "prices.yaml"

PER_1000_CHARACTERS = "1000 characters"
"""The one unit that is counted in the text of a field, and not written in it."""

OLD_AFTER = 90
"""Days after which a price should be looked at again."""

_COUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """Credits for requests whose fields have the values of `when`, as text (`5` and `"5"` are the same).

    `given`: fields that must be there (True) or must not (False). An empty list or text is not there.
    """

    when: Mapping[str, str]
    credits: Decimal
    given: Mapping[str, bool] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        return (*self.when, *self.given)

    def is_for(self, request_input: Mapping[str, Json]) -> bool:
        for name, wanted in self.when.items():
            if as_text(request_input.get(name)) != wanted:
                return False
        for name, there in self.given.items():
            if (request_input.get(name) not in (None, "", [], {})) is not there:
                return False
        return True

    def meets(self, other: PriceLine) -> bool:
        """Could one request be meant by both?"""
        for name in {*self.fields, *other.fields}:
            mine, theirs = self._wants(name), other._wants(name)
            if None in (mine, theirs) or mine == theirs:
                continue
            if False in (mine, theirs) or True not in (mine, theirs):
                return False
        return True

    def _wants(self, name: str) -> str | bool | None:
        """Of one field: its value, whether it must be there, None where it is no matter."""
        return self.when.get(name, self.given.get(name))


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What one model costs: credits for each `unit` (video, second, ...), by the line that fits.

    `quantity` is the field that says how many units, else it is one, or unknown where it is `unstated`; `minimum` of them
    are paid for. `date` is `YYYY-MM` or `YYYY-MM-DD`: the date of `source`; `until` is the last day of a promotion. `file`
    is the project's own table, None for ours.
    """

    model: str
    unit: str
    lines: tuple[PriceLine, ...]
    source: str
    date: str
    quantity: str | None = None
    minimum: Decimal | None = None
    usd_per_credit: Decimal | None = None
    note: str | None = None
    file: str | None = None
    until: str | None = None
    unstated: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """What `credits` looks at."""
        named = [name for line in self.lines for name in line.fields]
        return tuple(dict.fromkeys([*named, *filter(None, [self.quantity])]))

    def credits(self, request_input: Mapping[str, Json]) -> Decimal | None:
        """The credits for one request, or None where no line fits or its quantity is unknown."""
        if self.unstated:
            return None
        for line in self.lines:
            if line.is_for(request_input):
                break
        else:
            return None
        if self.quantity is None:
            return line.credits
        count = self._count(request_input.get(self.quantity))
        return None if count is None else line.credits * count

    def _count(self, value: Json) -> Decimal | None:
        if self.unit == PER_1000_CHARACTERS:
            count = Decimal(len(value)).scaleb(-3) if isinstance(value, str) else None
        else:
            text = as_text(value) or ""
            count = Decimal(text) if _COUNT.fullmatch(text) else None
        if count is None or self.minimum is None:
            return count
        return max(count, self.minimum)

    def as_data(self) -> Json:
        """All that decides what a request costs, for a digest; not where it is from."""
        usd = self.usd_per_credit
        data: dict[str, Json] = {
            "credits": [
                [dict(line.when), money(line.credits), *([dict(line.given)] if line.given else [])]
                for line in self.lines
            ],
            "usd_per_credit": None if usd is None else money(usd),
        }
        if self.quantity is not None:
            data |= {"per": self.unit, "quantity": self.quantity}
        if self.minimum is not None:
            data["minimum"] = money(self.minimum)
        if self.unstated:
            data["unstated"] = True
        return data


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices in force, by model."""

    models: Mapping[str, ModelPrice] = field(default_factory=dict)

    def of(self, model: str) -> ModelPrice | None:
        return self.models.get(model)

    def price(self, model: str, request_input: Mapping[str, Json]) -> Decimal | None:
        """Credits for one request, or None where they are not known."""
        known = self.models.get(model)
        return None if known is None else known.credits(request_input)

    def fields(self, model: str) -> tuple[str, ...]:
        """What the price of a request depends on."""
        known = self.models.get(model)
        return () if known is None else known.fields

    def over(self, lower: PriceTable) -> PriceTable:
        """Both tables; of a model that both have, this one's price counts."""
        return PriceTable({**lower.models, **self.models})

    def __iter__(self) -> Iterator[ModelPrice]:
        return iter(self.models.values())


@dataclass(frozen=True, slots=True)
class AgedPrice:
    """What is known of one model's price; `price` is None where there is none. `days` from its date on.

    `ended` where its last day is over: what it costs since then is not known.
    """

    model: str
    price: ModelPrice | None
    days: int = 0
    ended: bool = False

    @property
    def old(self) -> bool:
        return self.days > OLD_AFTER


NO_PRICES = PriceTable()


def as_text(value: Json) -> str | None:
    """A value of a request as a price table writes it; None for what it can't write."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float):
        return None
    try:
        return canonical(value).decode()
    except ValueError:  # a number that JSON can't carry; others report it
        return None


def day_of(text: str) -> date:
    """The day that a price is of; a month counts from its first. Raises ValueError."""
    return date.fromisoformat(text if len(text) > 7 else f"{text}-01")


def aged_prices(table: PriceTable, models: Iterable[str], today: date) -> tuple[AgedPrice, ...]:
    """In the order of the models. A date that is still to come is no age."""
    aged: list[AgedPrice] = []
    for model in models:
        price = table.of(model)
        days = 0 if price is None else max((today - day_of(price.date)).days, 0)
        until = None if price is None else price.until
        aged.append(AgedPrice(model, price, days, until is not None and today > day_of(until)))
    return tuple(aged)
