"""Credits as text and back: decimals, never floats.

In: amounts, or what was written of them. Out: the other. Touches nothing.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kiejobs.core.document.nodes import Json

_CENT = Decimal("0.01")
UNPRICED: Final = "the price of the next job is not known, so no budget can hold it"
"""Why spending stopped, where no budget that is raised would help."""


@lru_cache(maxsize=1_000)  # thousands of jobs have one of a few prices
def money(value: Decimal) -> str:
    """Credits as text without an exponent and without trailing zeros: `16`, `60.62`."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money_or_null(value: Decimal | None) -> str | None:
    """The same; null where unknown."""
    return None if value is None else money(value)


def or_unknown(text: str | None) -> Decimal | None:
    """An amount that was checked before; None where it is unknown."""
    return None if text is None else Decimal(text)


def credits_text(value: Decimal | None) -> str:
    """`16`, `1,600.5`, `unknown`."""
    if value is None:
        return "unknown"
    whole, dot, rest = money(value).partition(".")
    return f"{int(whole):,}{dot}{rest}"


def price_text(value: Decimal | None, usd_per_credit: Decimal | None = None) -> str:
    """As part of a sentence: `1,600 credits ($8.00)` where the price of a credit is known."""
    if value is None:
        return "an unknown price"
    text = f"{credits_text(value)} {'credit' if value == 1 else 'credits'}"
    if usd_per_credit is None or not value:
        return text
    dollars = (value * usd_per_credit).quantize(_CENT, ROUND_HALF_UP)
    return f"{text} (${dollars:,})" if dollars else f"{text} (under $0.01)"


@lru_cache(maxsize=1024)
def amount(text: Json) -> Decimal:
    """What `money` wrote. Raises TypeError or ValueError for anything else."""
    if not isinstance(text, str):
        raise TypeError("money is no text")
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise ValueError(f"{text!r} is no amount of money")
    return value
