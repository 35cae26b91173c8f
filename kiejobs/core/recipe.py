"""One job entry made ready for multiplying: its spec, its rows, its templates compiled.

In: a JobEntry, its Spec, a template compiler. Out: a `Recipe` that turns a row into an input, an
output path and a callback URL. A field is rendered once for each distinct tuple of the axes that it
reads, which is worth a factor of six on a usual matrix. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiejobs.core.address import label
from kiejobs.core.jobfile import plain
from kiejobs.core.matrix import Axis, Entry, Row, Rows
from kiejobs.core.spec import coerce
from kiejobs.core.template import TemplateProblem, is_template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.jobfile import JobEntry
    from kiejobs.core.requests import RequestChecker
    from kiejobs.core.spec import Spec
    from kiejobs.core.template import Template, Templates
    from kiejobs.core.types import Json, Spot

_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True)
class Slip:
    """A problem of one row, before it has a place in the file: told once for all rows it hits."""

    code: str
    message: str
    spot: Spot
    hint: str | None = None


class SlipFound(Exception):
    """Carries a slip out of a nested value."""

    def __init__(self, slip: Slip) -> None:
        super().__init__(slip.message)
        self.slip = slip


class Written:
    """A value as written, possibly with templates inside, and the spot to blame."""

    def __init__(self, value: Json, spot: Spot, templates: Templates, name: str) -> None:
        self._value = plain(value)
        self._spot = spot
        self._name = name
        self._compiled: dict[str, Template] = {}
        for text in _texts(self._value):
            if is_template(text):
                with _blaming(name, spot):
                    self._compiled[text] = templates.compile(text)
        self._reads = _union(template.axes_used for template in self._compiled.values())
        self._known: dict[tuple[int, ...], Json] = {}

    def render(self, row: Row, context: Mapping[str, Any]) -> Json:
        """The value for one row. Raises SlipFound."""
        if not self._compiled:
            return _trimmed(self._value)
        if self._reads is None:
            return self._render(self._value, context)
        # The values of axes are the same objects in every row, so their identity is a cheap key.
        key = tuple(id(row.values.get(axis)) for axis in self._reads)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._render(self._value, context)
        return self._known[key]

    def _render(self, value: Json, context: Mapping[str, Any]) -> Json:
        if isinstance(value, dict):
            return {key: self._render(item, context) for key, item in value.items()}
        if isinstance(value, list):
            return [self._render(item, context) for item in value]
        if not isinstance(value, str) or value not in self._compiled:
            return _trimmed(value)
        with _blaming(self._name, self._spot):
            return _trimmed(self._compiled[value].render(context))


class _blaming:  # noqa: N801 - reads as a phrase: `with _blaming(...)`
    """Turns a template's problem into a slip at the place in the YAML."""

    def __init__(self, name: str, spot: Spot) -> None:
        self._name = name
        self._spot = spot

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        if isinstance(problem, TemplateProblem):
            where = f"`{self._name}`"
            if problem.name:
                where += f", included template `{problem.name}`"
            if problem.lineno and problem.lineno > 1:
                where += f", its line {problem.lineno}"
            slip = Slip("template", f"{problem.message} (in {where})", self._spot, problem.hint)
            raise SlipFound(slip) from problem


class Recipe:
    """What is needed to turn each row of one job entry into jobs."""

    def __init__(
        self,
        entry: JobEntry,
        spec: Spec,
        checker: RequestChecker,
        templates: Templates,
        variables: Mapping[str, Json],
        campaign: str,
        slip: Callable[[Slip], None],
    ) -> None:
        self.entry = entry
        self.spec = spec
        self.checker = checker
        self.rows = _rows(entry, spec)
        self._shared = {"vars": variables, "campaign": campaign, "job": entry.name}
        self._templates = templates
        self._from_axes: dict[tuple[str, int], Written] = {}
        self._fields: dict[str, Written] = {}
        for name, value in entry.input.items():
            try:
                spot = entry.input.value_spots[name]
                self._fields[name] = Written(value, spot, templates, name)
            except SlipFound as found:
                slip(found.slip)
        self.output = self._single(entry.output, entry.output_spot, "output", slip)
        self.callback = self._single(entry.callback_url, entry.callback_spot, "callBackUrl", slip)

    def context(self, row: Row) -> dict[str, Any]:
        return {**self._shared, "matrix": row.values}

    def input_of(self, row: Row, context: Mapping[str, Any], slip: Callable[[Slip], None]) -> Json:
        """The input as written for this row, before coercion; slips are handed over, not raised."""
        made: dict[str, Json] = {}
        for name, written in self._fields.items():
            try:
                made[name] = written.render(row, context)
            except SlipFound as found:
                slip(found.slip)
        for name, value in row.values.items():
            if name in self.spec.fields:
                self._fill(made, name, value, row, context, slip)
        return made

    def _fill(
        self,
        made: dict[str, Json],
        name: str,
        value: Json,
        row: Row,
        context: Mapping[str, Any],
        slip: Callable[[Slip], None],
    ) -> None:
        """An axis named like an input field fills that field, as if its value were written there."""
        spot = self.axis_spot(name)
        try:
            written = self._from_axes.get((name, id(value)))
            if written is None:
                written = Written(value, spot, self._templates, f"matrix.{name}")
                self._from_axes[name, id(value)] = written
            filled = written.render(row, context)
        except SlipFound as found:
            slip(found.slip)
            return
        field = self.spec.fields[name]
        if name in made and coerce(field, made[name]) != coerce(field, filled):
            message = f"`{name}` is filled by the axis of that name and also set in `input`"
            hint = "remove one of them, or name the axis differently"
            slip(Slip("field-set-twice", message, self.entry.input.value_spots[name], hint))
            return
        made[name] = filled

    def axis_spot(self, name: str) -> Spot:
        for axis in self.rows.axes:
            if axis.name == name:
                return axis.spots[0] if axis.spots else self.entry.spot
        for entry in self.entry.include:
            if name in entry.key_spots:
                return entry.key_spots[name]
        return self.entry.spot

    def labels(self, row: Row) -> tuple[tuple[str, str], ...]:
        """The row's axes as (name, label), sorted by name; a mapping without a name shows as `?`."""
        return tuple(
            (name, label(row.values[name]) or "?")
            for name in sorted(self.rows.names)
            if name in row.values
        )

    def _single(
        self, text: str | None, spot: Spot, name: str, slip: Callable[[Slip], None]
    ) -> Written | None:
        if text is None:
            return None
        try:
            return Written(text, spot, self._templates, name)
        except SlipFound as found:
            slip(found.slip)
            return None


def _rows(entry: JobEntry, spec: Spec) -> Rows:
    """The matrix with each value in the type that its field wants, so that `5` and `"5"` are one."""
    axes = [
        Axis(axis.name, tuple(_typed(spec, axis.name, v) for v in axis.values), axis.spots)
        for axis in entry.axes
    ]
    exclude = [_typed_entry(spec, item) for item in entry.exclude]
    return Rows(axes, exclude, [_typed_entry(spec, item) for item in entry.include])


def _typed_entry(spec: Spec, entry: Entry) -> Entry:
    values = {name: _typed(spec, name, value) for name, value in entry.values.items()}
    return Entry(values, entry.spot, entry.key_spots)


def _typed(spec: Spec, name: str, value: Json) -> Json:
    field = spec.fields.get(name)
    return value if field is None else coerce(field, value)


def _texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []


def _trimmed(value: Json) -> Json:
    """Trailing line breaks never count, so that `|` and `|-` mean the same request."""
    if isinstance(value, str):
        return value.rstrip("\r\n")
    if isinstance(value, dict):
        return {key: _trimmed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_trimmed(item) for item in value]
    return value


def _union(sets: Any) -> tuple[str, ...] | None:
    union: set[str] = set()
    for names in sets:
        if names is None:
            return None
        union |= names
    return tuple(sorted(union))
