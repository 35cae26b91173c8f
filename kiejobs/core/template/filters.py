"""What prompts can do with values: jinja2's filters and tests, Python's methods and `%`, and printing.

In: values of templates. Out: their texts, tables for the environment, a `TemplateProblem` for what makes no sense.
Touches nothing.

Left out is whatever differs each time or shows Python's insides. What is changed has its reason next to it;
mostly it is that a text is never made of a list by accident, and that a boolean is `true`, as in YAML.
"""

from __future__ import annotations

import json
import sys
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final, NoReturn

from jinja2 import UndefinedError
from jinja2 import filters as jinja_filters
from jinja2 import tests as jinja_tests
from jinja2.environment import TemplateModule
from jinja2.filters import make_attrgetter
from jinja2.runtime import LoopContext, StrictUndefined, Undefined
from jinja2.utils import Namespace, missing, pass_environment

from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jinja2 import Environment

    Function = Callable[..., Any]

# --- printing ----------------------------------------------------------------------------------------

_MAX_NUMBER: Final = 2**63


def text(value: Any) -> str:
    """What `{{ value }}` prints. Raises TemplateProblem for what is no text, number or boolean."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        most = _MAX_NUMBER if isinstance(value, int) else sys.float_info.max
        if not -most <= value <= most:  # nor is NaN
            raise TemplateProblem("a number is too large, or is none")
        return str(value)
    if isinstance(value, Undefined):
        # `{{ x if y }}` without an else is jinja2's lenient undefined, and prints nothing.
        return "" if type(value) is Undefined else fail(value)
    word, way_out = _described(value)
    raise TemplateProblem(f"{word} can't be printed", way_out)


def kind(value: Any) -> str:
    """What a person would call this value."""
    return _described(value)[0]


def _described(value: Any) -> tuple[str, str]:
    """What it is called, and how to print it."""
    found = (row for types, *row in _KINDS if isinstance(value, types))
    word, *way_out = next(found, ("a function",))
    return word, way_out[0] if way_out else "call it: write `()` behind its name"


_KINDS: tuple[tuple[Any, *tuple[str, ...]], ...] = (
    (Undefined, "an undefined value"),
    (bool, "a boolean"),
    ((int, float, complex), "a number"),
    (str, "a text"),
    (type(None), "null", "give it a value, or write `| default('…', true)`"),
    (dict, "a mapping", "name one of its keys, or write `| tojson`"),
    ((list, tuple, range), "a list", "write `| join(', ')`"),
    (LoopContext, "`loop`"),
    (Namespace, "a namespace"),
    (TemplateModule, "an imported template"),
)


class NotDefined(UndefinedError):
    """An undefined value was used.

    `name` was looked up in `holder`, jinja2's `missing` for a name on its own. `given` is there where
    more is known than that.
    """

    def __init__(self, holder: Any, name: Any, given: str | None, message: str) -> None:
        super().__init__(given or message)
        self.holder = holder
        self.name = name
        self.given = given


class NoValue(StrictUndefined):
    """jinja2's strict undefined, whose error remembers what was looked up, and where."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: Any = None, exc: Any = None
    ) -> None:
        del exc
        raising: Any = partial(NotDefined, obj, name, hint)
        super().__init__(hint, obj, name, raising)


def fail(value: Undefined) -> NoReturn:
    """Raises the error that `value` holds."""
    value._fail_with_undefined_error()  # noqa: SLF001 - jinja2's way to do it from outside


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
        raise TemplateProblem(f"{kind(value)} is not a list")
    return value


def _list(made: Any) -> Any:
    """A list of what jinja2 makes as it goes: it can be counted, sliced and read twice."""
    return made if isinstance(made, str) else list(made)


def _join(environment: Environment, value: Iterable[Any], between: Any = "", attribute: Any = None) -> str:
    get = make_attrgetter(environment, attribute)
    return text(between).join([text(get(item)) for item in _walked(value)])


def _replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    return text(value).replace(text(old), text(new), -1 if count is None else count)


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    return formatted(text(value), kwargs or args)


def formatted(pattern: str, values: Any) -> str:
    """`pattern % values`, for texts and numbers."""
    given: tuple[Any, ...] = values if isinstance(values, tuple) else (values,)
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if _is_scalar(value)}
        given = ()
    for value in given:
        if not _is_scalar(_used(value)):
            raise TemplateProblem(f"`%` can't put {kind(value)} into a text")
    made: str = pattern % values
    return made


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _tojson(value: Any, indent: int | None = None) -> str:
    """Without jinja2's escapes for HTML; sorted like it, so that another order of keys buys nothing."""
    form: Any = {"ensure_ascii": False, "sort_keys": True, "allow_nan": False, "indent": indent}
    return json.dumps(_used(value), **form)


_OF_TEXT = (
    "capitalize", "center", "indent", "lower", "string", "title", "trim", "truncate", "upper",
    "urlencode", "wordwrap",
)  # fmt: skip
_OF_NUMBERS = ("abs", "float", "int", "round")
_OF_LISTS = ("count", "first", "last", "length", "list", "max", "min", "sort", "sum")
_TO_LISTS = (
    "batch", "dictsort", "items", "map", "reject", "rejectattr", "reverse", "select",
    "selectattr", "slice", "unique",
)  # fmt: skip

TEXT_FILTERS: Final[dict[str, Function]] = {
    **{name: _with(jinja_filters.FILTERS[name], text) for name in _OF_TEXT},
    **{name: _with(jinja_filters.FILTERS[name], _used) for name in _OF_NUMBERS},
    **{name: jinja_filters.FILTERS[name] for name in ("d", "default")},
    "format": _format,
    "replace": _replace,
    "tojson": _tojson,
}
LIST_FILTERS: Final[dict[str, Function]] = {
    **{name: _with(jinja_filters.FILTERS[name], _walked, _list) for name in _TO_LISTS},
    **{name: _with(jinja_filters.FILTERS[name], _walked) for name in _OF_LISTS},
    "join": pass_environment(_join),
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


def _within(value: Any, holder: Any) -> bool:
    if isinstance(holder, list | tuple):
        return any(_equal(value, item) for item in holder)
    return bool(value in holder)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_written(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _divided(value: Any) -> Any:
    """`%` between texts is formatting, so only numbers get to it."""
    if not isinstance(_used(value), int | float):
        raise TemplateProblem(f"{kind(value)} can't be divided")
    return value


_JINJA_TESTS: dict[str, Any] = dict(jinja_tests.TESTS)
_TESTS = (
    "boolean", "defined", "false", "float", "integer", "mapping", "none", "number", "sequence",
    "string", "true", "undefined", ">", "gt", "greaterthan", ">=", "ge", "<", "lt", "lessthan",
    "<=", "le",
)  # fmt: skip
TESTS: Final[dict[str, Function]] = {
    **{name: _JINJA_TESTS[name] for name in _TESTS},
    **{name: _with(_JINJA_TESTS[name], text) for name in ("lower", "upper")},
    **{name: _with(_JINJA_TESTS[name], _divided) for name in ("divisibleby", "even", "odd")},
    **dict.fromkeys(("==", "eq", "equalto"), _equal),
    **dict.fromkeys(("!=", "ne"), lambda value, other: not _equal(value, other)),
    "in": _within,
    "iterable": jinja_tests.test_sequence,  # whose answer for what is undefined is no, and no error
}

# --- methods -----------------------------------------------------------------------------------------

_TEXT_METHODS = (
    "capitalize", "casefold", "center", "count", "endswith", "find", "index", "isalnum",
    "isalpha", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper",
    "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "rjust", "rstrip",
    "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper", "zfill",
)  # fmt: skip


def method(owner: Any, name: Any) -> Function | None:
    """Python's own, but for those whose result could be printed as no list or text of a job file."""
    found = _METHODS.get(type(owner), {}).get(name)
    return None if found is None else partial(found, owner)


def _joins(between: str, parts: Iterable[Any]) -> str:
    return between.join(map(text, _walked(parts)))


_OF_TEXTS: Final[dict[str, Function]] = {name: getattr(str, name) for name in _TEXT_METHODS}
_OF_MAPPINGS: Final[dict[str, Function]] = {
    "get": dict.get,
    "items": lambda owner: list(owner.items()),
    "keys": list,
    "values": lambda owner: list(owner.values()),
}
_METHODS: Final[dict[Any, dict[str, Function]]] = {
    str: {**_OF_TEXTS, "join": _joins, "replace": _replace},
    dict: _OF_MAPPINGS,
    list: {"count": list.count, "index": list.index},
    tuple: {"count": tuple.count, "index": tuple.index},
}
MAPPING_METHODS: Final = frozenset(_OF_MAPPINGS)
"""Names behind a mapping that may mean all of it."""
