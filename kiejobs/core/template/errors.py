"""What is raised when a template goes wrong, and what its values are called.

In: messages and values. Out: `TemplateProblem`, `NotDefined`, and words. Touches nothing.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final, NoReturn

from jinja2 import UndefinedError
from jinja2.environment import TemplateModule
from jinja2.runtime import LoopContext, Undefined
from jinja2.utils import Namespace

from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Iterable

TOO_DEEP: Final = "the template is nested too deeply"
_MOST_NAMES: Final = 500


class TooMuch(TemplateProblem):
    """A rendering went over its bounds; another one of the same template would too."""


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


def fail(value: Undefined) -> NoReturn:
    """Raises the error that `value` stands for."""
    value._fail_with_undefined_error()  # noqa: SLF001 - jinja2's way to do it from outside


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


def did_you_mean(name: str, known: Iterable[Any]) -> str | None:
    """The nearest of `known`, of which only the first hundreds are looked at."""
    names = [str(other) for other, _ in zip(known, range(_MOST_NAMES), strict=False)]
    near = difflib.get_close_matches(name[:80], names, 1)
    return near[0] if near else None
