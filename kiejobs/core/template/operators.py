"""What `+ - * / // % **` and `~` do in a template, sized before they are done.

In: the meter and the operands. Out: a number, a text or a list; TemplateProblem where it makes no
sense or too much. Touches nothing.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any, Final

from jinja2.runtime import Undefined

from kiejobs.core.template.errors import fail, kind
from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.template.meter import Meter

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
OPERATORS: Final = frozenset(_ARITHMETIC)
_MAX_BITS: Final = 64
_LONGEST_NUMBER: Final = 350  # what "%f" makes of the largest float
# What follows a `%`: at most three digits of width and of precision, no `*`, nothing that shows the
# insides of a value.
_DIRECTIVE = re.compile(r"%(?:%|(?:\([^()%]*\))?[-#0 +]*\d{0,3}(?:\.\d{0,3})?[diouxXeEfFgGcs])")


def calculate(meter: Meter, sign: str, left: Any, right: Any) -> Any:
    """`left sign right`. Raises TemplateProblem, and ZeroDivisionError."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        if sign == "**":
            _check_power(left, right)
        return _real(meter, _ARITHMETIC[sign](left, right))
    if sign == "+":
        return _add(meter, left, right)
    if sign == "*":
        return _repeat(meter, left, right)
    if sign == "%" and isinstance(left, str):
        return percent(meter, left, right)
    raise _no_sense(sign, left, right)


def percent(meter: Meter, pattern: str, values: Any) -> str:
    """`pattern % values`, for texts and numbers."""
    given: tuple[Any, ...] = values if isinstance(values, tuple) else (values,)
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if _is_scalar(value)}
        given = tuple(values.values())
    for value in given:
        if isinstance(value, Undefined):
            fail(value)
        if not _is_scalar(value):
            raise TemplateProblem(f"`%` can't put {kind(value)} into a text")
    longest = max((len(value) for value in given if isinstance(value, str)), default=0)
    meter.room(len(pattern) + _directives(pattern) * (longest + _LONGEST_NUMBER))
    text: str = pattern % values
    return text


def _directives(pattern: str) -> int:
    """How many there are; each of a size that can be foreseen."""
    count = 0
    at = pattern.find("%")
    while at >= 0:
        found = _DIRECTIVE.match(pattern, at)
        if found is None:
            hint = "write `%%` for a percent sign, and widths below 1000"
            raise TemplateProblem(f"`{pattern[at : at + 12]}` is no format", hint)
        count += 1
        at = pattern.find("%", found.end())
    return count


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _check_power(base: float, exponent: float) -> None:
    # Only whole numbers grow without end; a float that is too large is an OverflowError.
    if not isinstance(base, int) or not isinstance(exponent, int) or base.bit_length() < 2:
        return
    if base.bit_length() * exponent > 2 * _MAX_BITS:
        raise TemplateProblem("a calculation's result is too large")


def _real(meter: Meter, result: Any) -> Any:
    if isinstance(result, complex):
        raise TemplateProblem("a calculation has no real result")
    return meter.number(result)


def _add(meter: Meter, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        meter.room(len(left) + len(right))
        return left + right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        result = [*left, *right]
        meter.weigh(result)
        return result
    raise _no_sense("+", left, right)


def _repeat(meter: Meter, left: Any, right: Any) -> Any:
    if isinstance(left, int):
        left, right = right, left
    if isinstance(right, int) and isinstance(left, str | list | tuple):
        length = len(left) * max(right, 0)
        meter.room(length)
        if isinstance(left, str):
            return left * right
        result = list(left) * right
        meter.weigh(result)
        return result
    raise _no_sense("*", left, right)


def _no_sense(sign: str, left: Any, right: Any) -> TemplateProblem:
    hint = "`~` joins anything as text" if sign == "+" else None
    message = f"`{sign}` makes no sense between {kind(left)} and {kind(right)}"
    return TemplateProblem(message, hint)
