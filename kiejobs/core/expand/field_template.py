"""A value as written in a job file, with templates anywhere inside, rendered row by row.

In: a value, its spot, a template compiler. Out: the value for a row, or `RowProblemFound`. Touches nothing.

A value is rendered once for each distinct tuple of the axes that it reads, which is worth a factor of
six on a usual matrix. What is remembered is bounded for the whole job file, by characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kiejobs.core.document.nodes import plain_json, trimmed
from kiejobs.core.template.renderer import NOTHING, TemplateProblem, is_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json, Spot
    from kiejobs.core.matrix.matrix import Row
    from kiejobs.core.template.template import Template, Templates

_MOST_REMEMBERED = 2_000_000
"""Characters; the rendered prompts of a thousand scenes."""

_EACH = 100  # what a text takes in memory, were it empty
_CELL = re.compile(r"\{\{-?\s*matrix\.(\w+)(?:\.(\w+)|\[\s*['\"]([^'\"\\]+)['\"]\s*\])?\s*-?\}\}")


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A problem of one row, before it has a place in the file: told once for all rows it hits.

    `inside` are lines of templates that the text at `spot` pulls in, by their names; the last one is to
    blame. `also` are the places of whatever else has to do with it.
    `cell` is where in a data file the value stands, if `spot` only points there.
    """

    code: str
    message: str
    spot: Spot
    hint: str | None = None
    inside: tuple[tuple[str, int], ...] = ()
    also: tuple[Spot, ...] = ()
    cell: Place | None = None


class RowProblemFound(Exception):
    """Carries a slip out of a nested value."""

    def __init__(self, slip: RowProblem) -> None:
        super().__init__(slip.message)
        self.slip = slip


class RenderCache:
    """What all values of a job file share: the compiler, and what was rendered lately."""

    def __init__(self, templates: Templates) -> None:
        self.templates = templates
        self._rendered: dict[tuple[object, ...], Json] = {}
        self._characters = 0

    def remembered(self, key: tuple[object, ...]) -> Json:
        """What was rendered under this key, or None, which no template ever renders to."""
        return self._rendered.get(key)

    def remember(self, key: tuple[object, ...], value: Json) -> None:
        self._characters += sum(map(len, texts(value))) + _EACH
        if self._characters > _MOST_REMEMBERED:
            self._rendered.clear()
            self._characters = 0
        self._rendered[key] = value


class FieldTemplate:
    """A value as written, possibly with templates inside, and the spot to blame.

    With `always` it is rendered anew each time, since it reads more than axes. Compiled templates
    stay with the compiler, which keeps only so many; here is but their text. `reads` is what they may
    read, once they were checked.
    """

    def __init__(
        self, value: Json, spot: Spot, name: str, workshop: RenderCache, *, always: bool = False
    ) -> None:
        self._value = plain_json(value)
        self._spot = spot
        self._name = name
        self._workshop = workshop
        self._always = always
        self._is_fixed = not any(map(is_template, texts(self._value)))
        self.reads = NOTHING
        self._axes: tuple[str, ...] | None = None
        self._checked = False
        self._slip: RowProblem | None = None

    @cached_property
    def cell(self) -> tuple[str, str | None] | None:
        """The axis and the column that this is, where it is nothing but `{{ matrix.AXIS.COLUMN }}`."""
        found = _CELL.fullmatch(self._value.strip()) if isinstance(self._value, str) else None
        return None if found is None else (found[1], found[2] or found[3])

    def check(self) -> None:
        """Compile every template in it, once. Raises RowProblemFound."""
        if not self._checked:
            self._checked = True
            try:
                for text in self._templates():
                    self.reads |= self._compile(text).reads
                axes = self.reads.axes
                self._axes = None if axes is None else tuple(sorted(axes))
            except RowProblemFound as found:
                self._slip = found.slip
        if self._slip is not None:
            raise RowProblemFound(self._slip)

    def render(self, row: Row, context: Mapping[str, Any]) -> Json:
        """The value for one row. Raises RowProblemFound."""
        if self._is_fixed:
            return self._value
        self.check()
        if self._axes is None or self._always:
            return self._render(self._value, context)
        key = (id(self), *(row.marks.get(axis) for axis in self._axes))
        value = self._workshop.remembered(key)
        if value is None:
            value = self._render(self._value, context)
            self._workshop.remember(key, value)
        return value

    def _render(self, value: Json, context: Mapping[str, Any]) -> Json:
        if isinstance(value, dict):
            return {key: self._render(item, context) for key, item in value.items()}
        if isinstance(value, list):
            return [self._render(item, context) for item in value]
        if not isinstance(value, str) or not is_template(value):
            return value
        template = self._compile(value)
        with _blaming(self._name, self._spot):
            return trimmed(template.render(context))

    def _templates(self) -> Iterator[str]:
        return filter(is_template, texts(self._value))

    def _compile(self, text: str) -> Template:
        with _blaming(self._name, self._spot):
            return self._workshop.templates.compile(text)


class _blaming:  # noqa: N801 - reads as a phrase: `with _blaming(...)`
    """Turns a template's problem into a slip at the place in the YAML."""

    def __init__(self, name: str, spot: Spot) -> None:
        self._name = name
        self._spot = spot

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        if isinstance(problem, TemplateProblem):
            raise RowProblemFound(self._slip(problem)) from problem

    def _slip(self, problem: TemplateProblem) -> RowProblem:
        if problem.name:
            lines = (*problem.users, (problem.name, problem.lineno or 1))
            inside = tuple((name, line) for name, line in lines if name is not None)
            return RowProblem("template", problem.message, self._spot, problem.hint, inside)
        where = f"`{self._name}`"
        if problem.lineno and problem.lineno > 1:
            where += f", its line {problem.lineno}"
        return RowProblem("template", f"{problem.message} (in {where})", self._spot, problem.hint)


def texts(value: Json) -> Iterator[str]:
    """Every text in a value, at any depth; keys are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
