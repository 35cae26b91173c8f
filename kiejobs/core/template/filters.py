"""The filters, tests, methods and operators that prompts may use: jinja2's and Python's own, by name.

In: values of templates. Out: tables for the environment. Touches nothing.

Left out is whatever differs each time or shows Python's insides. What is changed has its reason beside
it; mostly it is that a text is never made of a list by accident, and that a boolean is `true`, as in YAML.
"""

from __future__ import annotations

import json
import operator
import re
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from jinja2 import filters as jinja_filters
from jinja2 import tests as jinja_tests
from jinja2.filters import make_attrgetter
from jinja2.runtime import Undefined
from jinja2.utils import pass_environment

from kiejobs.core.template.renderer import TemplateProblem
from kiejobs.core.template.values import fail, kind, number, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jinja2 import Environment

    Function = Callable[..., Any]

# --- filters -----------------------------------------------------------------------------------------


def _with(function: Function, before: Function, after: Function = lambda made: made) -> Function:
    """A filter or test whose value is made ready by `before`, and what it answers by `after`."""
    at = int(hasattr(function, "jinja_pass_arg"))  # whether jinja2 hands it more than the value

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return after(function(*args[:at], before(args[at]), *args[at + 1 :], **kwargs))

    return call


def _used(value: Any) -> Any:
    """Some of jinja2's filters take an undefined value for an empty one."""
    if isinstance(value, Undefined):
        fail(value)
    return value


def _walked(value: Any) -> Any:
    """Nor is null or 0 an empty list, as it is to jinja2's `map` and `select`."""
    if not isinstance(_used(value), list | tuple | range | str | dict):
        raise TemplateProblem(f"{kind(value)} is no list")
    return value


def _mapping(value: Any) -> Any:
    if not isinstance(_used(value), dict):
        raise TemplateProblem("`items` takes a mapping")
    return value


def _list(made: Any) -> Any:
    """A list of what jinja2 makes as it goes: it can be counted, sliced and read twice."""
    return made if isinstance(made, str) else list(made)


def _joined(
    environment: Environment, value: Iterable[Any], between: Any = "", attribute: Any = None
) -> str:
    get = make_attrgetter(environment, attribute)
    return text(between).join([text(get(item)) for item in _walked(value)])


def _batched(value: Any, linecount: int, fill_with: Any = None) -> list[Any]:
    # jinja2 makes of `batch(0)` an empty row and one that holds all; here it was always one each.
    return list(jinja_filters.do_batch(_walked(value), max(linecount, 1), fill_with))


def _replaced(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    return text(value).replace(text(old), text(new), -1 if count is None else count)


def _truncated(
    environment: Environment,
    value: Any,
    length: int = 255,
    killwords: bool = False,  # noqa: FBT001, FBT002 - jinja2's, positions and all
    end: str = "...",
    leeway: int = 5,
) -> str:
    # jinja2 stops with an assertion that says nothing where `length` has no room for the dots.
    length, leeway = max(length, len(end)), max(leeway, 0)
    return jinja_filters.do_truncate(environment, text(value), length, killwords, end, leeway)


def _formatted(value: Any, *args: Any, **kwargs: Any) -> str:
    return _percent(text(value), kwargs or args)


def _as_json(value: Any, indent: int | None = None) -> str:
    """Without jinja2's escapes for HTML; sorted like it, so that another order of keys buys nothing."""
    step = None if indent is None else min(indent, 8)
    return json.dumps(
        _used(value), ensure_ascii=False, sort_keys=True, allow_nan=False, indent=step
    )


_OF_TEXT = (
    "capitalize", "center", "indent", "lower", "string", "title", "trim", "upper", "urlencode",
    "wordwrap",
)  # fmt: skip
_OF_NUMBERS = ("abs", "float", "int", "round")
_OF_LISTS = ("count", "first", "last", "length", "list", "max", "min", "sort", "sum")
_TO_LISTS = (
    "map", "reject", "rejectattr", "reverse", "select", "selectattr", "slice", "unique",
)  # fmt: skip

TEXT_FILTERS: Final[dict[str, Function]] = {
    **{name: _with(jinja_filters.FILTERS[name], text) for name in _OF_TEXT},
    **{name: _with(jinja_filters.FILTERS[name], _used) for name in _OF_NUMBERS},
    **{name: jinja_filters.FILTERS[name] for name in ("d", "default")},
    "format": _formatted,
    "replace": _replaced,
    "tojson": _as_json,
    "truncate": pass_environment(_truncated),
}
LIST_FILTERS: Final[dict[str, Function]] = {
    **{name: _with(jinja_filters.FILTERS[name], _walked, _list) for name in _TO_LISTS},
    **{name: _with(jinja_filters.FILTERS[name], _walked) for name in _OF_LISTS},
    **{name: _with(jinja_filters.FILTERS[name], _mapping, list) for name in ("dictsort", "items")},
    "batch": _batched,
    "join": pass_environment(_joined),
}
FILTERS: Final = TEXT_FILTERS | LIST_FILTERS

# --- tests -------------------------------------------------------------------------------------------


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


def _within(value: Any, holder: Any) -> bool:
    if isinstance(holder, list | tuple):
        return any(_equal(value, item) for item in holder)
    return bool(value in holder)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_written(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _divisible(value: Any, by: Any) -> bool:
    # `%` between texts is formatting, so only numbers get to it.
    if not isinstance(_used(value), int | float) or not isinstance(by, int | float):
        raise TemplateProblem(f"{kind(value)} can't be divided by {kind(by)}")
    return bool(value % by == 0)


def _even(value: Any) -> bool:
    return _divisible(value, 2)


def _odd(value: Any) -> bool:
    return not _divisible(value, 2)


_JINJA_TESTS: dict[str, Any] = dict(jinja_tests.TESTS)
_TESTS = (
    "boolean", "defined", "false", "float", "integer", "mapping", "none", "number", "sequence",
    "string", "true", "undefined", ">", "gt", "greaterthan", ">=", "ge", "<", "lt", "lessthan",
    "<=", "le",
)  # fmt: skip
TESTS: Final[dict[str, Function]] = {
    **{name: _JINJA_TESTS[name] for name in _TESTS},
    **{name: _with(_JINJA_TESTS[name], text) for name in ("lower", "upper")},
    **dict.fromkeys(("==", "eq", "equalto"), _equal),
    **dict.fromkeys(("!=", "ne"), _unequal),
    "in": _within,
    "divisibleby": _divisible,
    "even": _even,
    "odd": _odd,
    "iterable": jinja_tests.test_sequence,  # whose answer for what is undefined is no, and no error
}

# --- methods -----------------------------------------------------------------------------------------

_TEXT_METHODS = (
    "capitalize", "casefold", "center", "count", "endswith", "find", "index", "isalnum",
    "isalpha", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper",
    "join", "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace",
    "rjust", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title",
    "upper", "zfill",
)  # fmt: skip
MAPPING_METHODS: Final = frozenset(("get", "items", "keys", "values"))
"""Names behind a mapping that may stand for all of it."""

_METHODS: Final[tuple[tuple[Any, frozenset[str]], ...]] = (
    (str, frozenset(_TEXT_METHODS)),
    (dict, MAPPING_METHODS),
    ((list, tuple), frozenset(("count", "index"))),
)


def method(owner: Any, name: Any) -> Function | None:
    """Python's own, but for those whose result could be printed as no list or text of a job file."""
    for types, names in _METHODS:
        if isinstance(owner, types) and name in names:
            own = _OWN_METHODS.get((types, name))
            found: Function = getattr(owner, name) if own is None else partial(own, owner)
            return found
    return None


def _joins(between: str, parts: Iterable[Any]) -> str:
    return between.join(map(text, _walked(parts)))


_OWN_METHODS: Final[dict[tuple[Any, str], Function]] = {
    (str, "join"): _joins,
    (str, "replace"): _replaced,
    (dict, "items"): lambda owner: list(owner.items()),
    (dict, "keys"): list,
    (dict, "values"): lambda owner: list(owner.values()),
}

# --- operators ---------------------------------------------------------------------------------------

_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
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
# What follows a `%`: at most three digits of width and of precision, no `*`, nothing that shows the
# insides of a value.
_DIRECTIVE = re.compile(r"%(?:%|(?:\([^()%]*\))?[-#0 +]*\d{0,3}(?:\.\d{0,3})?[diouxXeEfFgGcs])")


def calculate(sign: str, left: Any, right: Any) -> Any:
    """`left sign right`. Raises TemplateProblem, and ZeroDivisionError."""
    if sign == "%" and isinstance(left, str):
        return _percent(left, right)
    if sign == "**":
        _check_power(left, right)
    if sign in ("+", "*"):  # a list and a tuple are one thing to people
        left = list(left) if isinstance(left, tuple) else left
        right = list(right) if isinstance(right, tuple) else right
    try:
        return number(_ARITHMETIC[sign](left, right))
    except TypeError as error:
        hint = "`~` joins anything as text" if sign == "+" else None
        message = f"`{sign}` makes no sense between {kind(left)} and {kind(right)}"
        raise TemplateProblem(message, hint) from error


def _check_power(base: Any, exponent: Any) -> None:
    # Only whole numbers grow without end; a float that is too large is an OverflowError.
    if not isinstance(base, int) or not isinstance(exponent, int) or base.bit_length() < 2:
        return
    if base.bit_length() * exponent > 2 * _MAX_BITS:
        raise TemplateProblem("a calculation's result is too large")


def _percent(pattern: str, values: Any) -> str:
    """`pattern % values`, for texts and numbers."""
    given: tuple[Any, ...] = values if isinstance(values, tuple) else (values,)
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if _is_scalar(value)}
        given = ()
    for value in given:
        if not _is_scalar(_used(value)):
            raise TemplateProblem(f"`%` can't put {kind(value)} into a text")
    _check_pattern(pattern)
    made: str = pattern % values
    return made


def _check_pattern(pattern: str) -> None:
    at = pattern.find("%")
    while at >= 0:
        found = _DIRECTIVE.match(pattern, at)
        if found is None:
            hint = "write `%%` for a percent sign, and widths below 1000"
            raise TemplateProblem(f"`{pattern[at : at + 12]}` is no format", hint)
        at = pattern.find("%", found.end())


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)
