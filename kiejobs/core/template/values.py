"""The values of templates: how one is printed, what it is called, and the value that isn't there.

In: any value that a template can hold. Out: its text, its name for people, or an error that says why
there is none. Touches nothing.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Final, NoReturn

from jinja2 import UndefinedError
from jinja2.environment import TemplateModule
from jinja2.runtime import LoopContext, StrictUndefined, Undefined
from jinja2.utils import Namespace, missing

from kiejobs.core.template.renderer import TemplateProblem

MAX_NUMBER: Final = 2**63
"""Beyond it a whole number is no more than a way to burn time."""


class NotDefined(UndefinedError):
    """An undefined value was used.

    `name` was looked up in `holder`, jinja2's `missing` for a name on its own. `told` is there where
    more is known than that.
    """

    def __init__(self, holder: Any, name: Any, told: str | None, message: str) -> None:
        super().__init__(told or message)
        self.holder = holder
        self.name = name
        self.told = told


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
    """Raises the error that `value` stands for."""
    value._fail_with_undefined_error()  # noqa: SLF001 - jinja2's way to do it from outside


def text(value: Any) -> str:
    """What `{{ value }}` prints. Raises TemplateProblem for what is no text, number or boolean."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(number(value))
    if isinstance(value, Undefined):
        # `{{ x if y }}` without an else is jinja2's lenient undefined, and prints nothing.
        return "" if type(value) is Undefined else fail(value)
    raise TemplateProblem(f"{kind(value)} can't be printed", _way_out(value))


def number(value: Any) -> Any:
    """`value`, if it can be printed and passed on. Only numbers are looked at."""
    if isinstance(value, complex):
        raise TemplateProblem("a calculation has no real result")
    if isinstance(value, float) and not math.isfinite(value):
        raise TemplateProblem("a calculation has no finite result")
    if isinstance(value, int) and not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise TemplateProblem("a calculation's result is too large")
    return value


def _way_out(value: Any) -> str:
    if value is None:
        return "give it a value, or write `| default('…', true)`"
    if isinstance(value, dict):
        return "name one of its keys, or write `| tojson`"
    if isinstance(value, list | tuple | range):
        return "write `| join(', ')`"
    return "call it: write `()` behind its name"


def kind(value: Any) -> str:
    """What a person would call this value."""
    for types, word in _KINDS:
        if isinstance(value, types):
            return word
    return "null" if value is None else "a function"


_KINDS: tuple[tuple[Any, str], ...] = (
    (Undefined, "an undefined value"),
    (bool, "a boolean"),
    ((int, float), "a number"),
    (str, "a text"),
    (dict, "a mapping"),
    ((list, tuple, range), "a list"),
    (LoopContext, "`loop`"),
    (Namespace, "a namespace"),
    (TemplateModule, "an imported template"),
)
