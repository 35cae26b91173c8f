"""An axis of numbers: `range: {from: 1, to: 10, step: 2}`, or `range: [1, 10]`.

In: what a job file says, checked for its form. Out: a `Range`, or what is wrong. Touches nothing.

Both ends count. Numbers are decimals, so that a step of 0.1 never ends at 0.30000000000000004.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from kiejobs.core.matrix.axis_values import NumberRange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json

_MOST_DIGITS: Final = 12
"""Before the point, and behind it; what a JSON number keeps exactly."""


class BadRange(Exception):
    """`message` goes on after the name of the axis."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read_range(written: Json, most: int) -> NumberRange:
    """At most one number more than `most`. Raises BadRange."""
    given = _by_name(written)
    first, last = _number(given["from"]), _number(given["to"])
    step = _number(given.get("step", 1))
    if not step:
        raise BadRange("has a step of 0", "drop it, or say how far one number is from the next")
    if (last - first) * step < 0:
        turned = f"write `step: {-step.normalize():f}`, or the smaller number first"
        raise BadRange(
            f"leads from {first} to {last}, which a step of {step} never reaches", turned
        )
    return NumberRange(first, step, min(int((last - first) // step), most) + 1)


def _by_name(written: Json) -> Mapping[str, Json]:
    if isinstance(written, dict):
        return written
    return dict(zip(("from", "to", "step"), written, strict=False))


def _number(written: Json) -> Decimal:
    try:
        number = Decimal(str(written))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise BadRange(f"has `{str(written)[:40]}` for a number", "write one like 5 or 0.25")
    if not _is_short(number):
        hint = f"at most {_MOST_DIGITS} digits before the point, and behind it"
        raise BadRange(f"has a number that is too long: {str(written)[:40]}", hint)
    return number


def _is_short(number: Decimal) -> bool:
    """Told by its exponent first: written out, `1e999999` has a million digits."""
    if not number:
        return True
    if not -_MOST_DIGITS <= number.adjusted() < _MOST_DIGITS:
        return False
    exponent = number.normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_MOST_DIGITS
