"""The tests that prompts may use: `{% if seed is even %}`.

In: the environment, a value, what it is held against. Out: True or False. Touches nothing.

Left out of jinja2's are those about identity (`sameas`, not the same each time) and about functions.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from jinja2.runtime import Undefined

from kiejobs.core.template.errors import fail, kind
from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.template.environment import PromptEnvironment as Env


def _compared(compare: Callable[[Any, Any], Any]) -> Callable[..., bool]:
    """A test of two values, paid for by their size."""

    def test(env: Env, value: Any, other: Any) -> bool:
        env.meter.examine(value)
        env.meter.examine(other)
        return bool(compare(value, other))

    return test


def _equal(value: Any, other: Any) -> bool:
    """`==`; a number equals the text that it is written as.

    Fields want `"10"` where people write 10, and a comparison that is silently never true would be
    paid for.
    """
    if _is_number(value) and isinstance(other, str):
        return _as_written(value) == other.strip()
    if _is_number(other) and isinstance(value, str):
        return _as_written(other) == value.strip()
    return bool(value == other)


def _unequal(value: Any, other: Any) -> bool:
    return not _equal(value, other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_written(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _of_type(*types: type, but: type | tuple[type, ...] = ()) -> Callable[..., bool]:
    def test(_env: Env, value: Any) -> bool:
        return isinstance(value, types) and not isinstance(value, but)

    return test


def _same(wanted: bool | None) -> Callable[..., bool]:  # noqa: FBT001 - it is the value, no switch
    def test(_env: Env, value: Any) -> bool:
        return value is wanted

    return test


def _defined(_env: Env, value: Any) -> bool:
    return not isinstance(value, Undefined)


def _undefined(_env: Env, value: Any) -> bool:
    return isinstance(value, Undefined)


def _divisible(_env: Env, value: Any, by: Any) -> bool:
    if isinstance(value, Undefined):
        fail(value)
    # "%" between texts is formatting, so only numbers get to it.
    if not isinstance(value, int | float) or not isinstance(by, int | float):
        raise TemplateProblem(f"{kind(value)} can't be divided by {kind(by)}")
    return value % by == 0


def _even(env: Env, value: Any) -> bool:
    return _divisible(env, value, 2)


def _odd(env: Env, value: Any) -> bool:
    return not _divisible(env, value, 2)


def _lower(env: Env, value: Any) -> bool:
    return env.text(value).islower()


def _upper(env: Env, value: Any) -> bool:
    return env.text(value).isupper()


def _within(value: Any, holder: Any) -> bool:
    if isinstance(holder, list | tuple):
        return any(_equal(value, item) for item in holder)
    return value in holder


TESTS: dict[str, Callable[..., bool]] = {
    "boolean": _of_type(bool),
    "defined": _defined,
    "divisibleby": _divisible,
    "even": _even,
    "false": _same(False),  # noqa: FBT003 - it is the value, no switch
    "float": _of_type(float),
    "in": _compared(_within),
    "integer": _of_type(int, but=bool),
    "iterable": _of_type(str, list, tuple, dict, range),
    "lower": _lower,
    "mapping": _of_type(dict),
    "none": _same(None),
    "number": _of_type(int, float),
    "odd": _odd,
    "sequence": _of_type(str, list, tuple, dict, range),
    "string": _of_type(str),
    "true": _same(True),  # noqa: FBT003 - it is the value, no switch
    "undefined": _undefined,
    "upper": _upper,
}
"""By the name that a template uses; each takes the environment first."""

_COMPARISONS = {
    _equal: ("==", "eq", "equalto"),
    _unequal: ("!=", "ne"),
    operator.gt: (">", "gt", "greaterthan"),
    operator.ge: (">=", "ge"),
    operator.lt: ("<", "lt", "lessthan"),
    operator.le: ("<=", "le"),
}
for _compare, _names in _COMPARISONS.items():
    TESTS |= dict.fromkeys(_names, _compared(_compare))
