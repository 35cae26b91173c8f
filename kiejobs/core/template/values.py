"""How values become text, lists and nothing: the rules that printing, filters and loops share.

In: any value that a template can hold. Out: its text, its items, or a `TemplateProblem` that says why
it has none. Touches nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from jinja2.runtime import StrictUndefined, Undefined
from jinja2.utils import missing, pass_context

from kiejobs.core.template.errors import NotDefined, fail, kind
from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kiejobs.core.template.meter import Meter

Value = TypeVar("Value")
WALKABLE = (list, tuple, range, str, dict)


class NoValue(StrictUndefined):
    """jinja2's strict undefined, whose error remembers what was looked up, and where."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: Any = None, exc: Any = None
    ) -> None:
        del exc
        raising: Any = partial(NotDefined, obj, name, hint)
        super().__init__(hint, obj, name, raising)


class Values:
    """What the environment knows about values. `meter` pays."""

    meter: Meter

    # --- as text ---------------------------------------------------------------------------------

    @pass_context  # so that jinja2 prints nothing at compile time, where nothing is counted
    def show(self, _context: Any, value: Any) -> str:
        """What `{{ value }}` prints."""
        return value if isinstance(value, str) else self.text(value)

    def text(self, value: Any) -> str:
        """The text of a text, number or boolean. Raises TemplateProblem for anything else."""
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(self.meter.number(value))
        if isinstance(value, Undefined):
            # `{{ x if y }}` without an else is jinja2's lenient undefined, and prints nothing.
            return "" if type(value) is Undefined else fail(value)
        raise TemplateProblem(f"{kind(value)} can't be printed", _way_out(value))

    def concat(self, parts: Iterable[str]) -> str:
        """Join what was printed, and stop as soon as it is too much."""
        printed = []
        room = self.meter.size
        for part in parts:
            printed.append(part)
            room -= len(part)
            if room < 0:
                break
        self.meter.room(self.meter.size - room)
        return "".join(printed)

    # --- as items --------------------------------------------------------------------------------

    def iterable(self, value: Value) -> Value:
        """`value`, if it can be walked."""
        if not isinstance(value, WALKABLE):
            if isinstance(value, Undefined):
                fail(value)
            raise TemplateProblem(f"{kind(value)} is no list")
        return value

    def items(self, value: Any) -> list[Any]:
        """The items of a list, keys of a mapping, characters of a text; paid for."""
        walked: Any = self.iterable(value)
        self.meter.spend(len(walked) // 10)
        return list(walked)

    def bounded(self, value: Value) -> Value:
        """What a filter or method made, if it is not too large."""
        if isinstance(value, str):
            self.meter.room(len(value))
        elif isinstance(value, int | float):
            self.meter.number(value)
        else:
            self.meter.weigh(value)
        return value

    # --- guards, planted by core/template_tree.py -------------------------------------------------

    def built(self, value: Value) -> Value:
        """Around a list, tuple or mapping that is written in a template."""
        self.meter.weigh(value)
        return value

    def compared(self, value: Value) -> Value:
        """Around each side of `==`, `<`, `in`."""
        self.meter.examine(value)
        return value

    def joined(self, values: list[Any]) -> str:
        """In the place of `a ~ b ~ c`."""
        return self.concat(map(self.text, values))

    def sliced(self, value: Value) -> Value:
        """Around what is sliced."""
        if isinstance(value, dict):
            raise TemplateProblem("a mapping can't be sliced")
        self.meter.examine(self.iterable(value))
        return value

    def spread(self, value: Value) -> Value:
        """Around `*args` and `**kwargs` of a call."""
        self.meter.examine(self.iterable(value))
        return value


def _way_out(value: Any) -> str:
    if value is None:
        return "give it a value, or write `| default('…', true)`"
    if isinstance(value, dict):
        return "name one of its keys, or write `| tojson`"
    if isinstance(value, list | tuple | range):
        return "write `| join(', ')`"
    return "call it: write `()` behind its name"
