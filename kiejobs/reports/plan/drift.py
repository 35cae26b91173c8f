"""What differs between what was approved and what would be bought now, in words.

In: differences. Out: lines of text. Touches nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.reports.paint import Paint
from kiejobs.reports.terminal import plural, price_text, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.plan.approval import Drift

_MOST = 50  # lines that are shown


def drift_text(differences: Sequence[Drift], *, color: bool = False) -> str:
    paint = Paint(color)
    count = plural(len(differences), "difference")
    return "\n".join([paint.bold(f"{count} from what was approved"), *_lines(differences)])


def _lines(differences: Sequence[Drift]) -> Iterator[str]:
    yield from (f"  {sanitize(one.address)}: {_words(one)}" for one in differences[:_MOST])
    if len(differences) > _MOST:
        yield f"  and {len(differences) - _MOST:,} more"


def _words(one: Drift) -> str:
    if one.kind == "added":
        return f"would be bought now for {_price(one.now)}, and is not in the plan"
    if one.kind == "gone":
        return f"is in the plan for {_price(one.was)}, and would not be bought now"
    if one.kind == "price":
        return f"was {_price(one.was)}, is {_price(one.now)} now"
    return f"another request: {(one.was or '')[:12]} in the plan, {(one.now or '')[:12]} now"


def _price(text: str | None) -> str:
    return price_text(None if text is None else Decimal(text))
