"""A job's matrix in the types of its model, all that depends on one of its values alone, and its mistakes.

In: a JobEntry whose axes have their values, its Spec. Out: a `TypedMatrix`, and problems. Touches nothing.

The strict half of the GitHub Actions algorithm: errors, not silence, for an empty axis, a duplicate value, an
exclude that removes nothing, a key that is no axis.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeAlias

from kiejobs.core.address import axes_text, label, label_source
from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.wording import show, suggest, unseen
from kiejobs.core.fingerprint import canonical
from kiejobs.core.matrix.axis_values import AxisValues
from kiejobs.core.matrix.matrix import Rows
from kiejobs.core.models.spec import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Document, Json, Spot
    from kiejobs.core.jobfile import Axis, Entry, JobEntry
    from kiejobs.core.matrix.matrix import Row, ValueRef
    from kiejobs.core.models.spec import Spec

_MOST_VALUES_SHOWN = 12
_ENOUGH = 100
"""Problems of one matrix; what is wrong with the next is the same again."""


@dataclass(slots=True, eq=False)
class AxisValue:
    """One value of an axis or of an include entry; the rows that have it share it.

    `value` has the type that the field of that name wants; templates see it as `seen`. `part` is its name
    and label in an address, `?` where it has none, and `text` both of them. `spot` is where the job file says it; `data` is what it
    comes from otherwise, at `position`.
    """

    value: Json
    seen: Json
    part: tuple[str, str]
    text: str
    spot: Spot
    data: AxisValues | None = None
    position: int = 0

    def cell(self, column: str | None) -> Place | None:
        """Where in a data file it is, or what it has under `column`."""
        return None if self.data is None else self.data.cell(self.position, column)


Values: TypeAlias = "Mapping[str, AxisValue]"
"""One row: its axes, then what include entries add."""


class TypedMatrix:
    """The rows of one job entry. `rows` compare values that have their types, too: `5` and `"5"` are one.

    `names` are the keys that make a row's address, sorted. Where other rows of the entry are for other models, only
    those are walked and counted that are for this one, by `is_for`.
    """

    def __init__(self, entry: JobEntry, spec: Spec, is_for: Callable[[Row], bool] | None = None) -> None:
        self.entry = entry
        self.spec = spec
        self._is_for = is_for
        self._include = [self._typed_entry(item) for item in entry.include]
        exclude = [self._typed_entry(item) for item in entry.exclude]
        axes = {axis.name: self._typed_axis(axis) for axis in entry.axes}
        self.rows = Rows(axes, exclude, self._include, entry.zip_groups)
        self.names = sorted(self.rows.names)
        self._known: dict[tuple[str, ValueRef], AxisValue] = {}

    def __iter__(self) -> Iterator[Values]:
        if self._is_for is None:
            return self.rows.walk(self._value)
        return map(self.row, filter(self._is_for, self.rows))

    @cached_property
    def size(self) -> int:
        """How many rows there are to walk."""
        return len(self.rows) if self._is_for is None else sum(map(self._is_for, self.rows))

    def values_of(self, axis: str) -> Iterator[AxisValue]:
        """All that any row may have under a name."""
        for number, each in enumerate(self.entry.axes):
            if each.name == axis:
                yield from (self._value(axis, (number, at)) for at in range(len(each.values)))
        for number, entry in enumerate(self._include):
            if axis in entry.values:
                yield self._value(axis, (~number, 0))

    def row(self, row: Row) -> Values:
        return {name: self._value(name, ref) for name, ref in row.items()}

    def listed(self) -> Iterator[tuple[str, AxisValue]]:
        """The values that are written in the job file, with their names."""
        for number, axis in enumerate(self.entry.axes):
            if axis.source is None:
                for position in range(len(axis.values)):
                    yield axis.name, self._value(axis.name, (number, position))
        for number, entry in enumerate(self._include):
            for name in entry.values:
                yield name, self._value(name, (~number, 0))

    def typed(self, name: str, value: Json) -> Json:
        return typed(self.spec, name, value)

    def problems(self, document: Document, *, walk: bool) -> list[Diagnostic]:
        """What is wrong with the matrix; its rows can be walked where nothing is.

        Without `walk`, which a matrix that is far too large must not have, only what its text shows.
        """
        found = list(islice(_written(document, self), _ENOUGH))
        if walk and not found:
            walked = chain(
                _useless_excludes(document, self),
                _appended_rows(document, self),
                _nothing_left(document, self),
            )
            found = list(islice(walked, _ENOUGH))
        return found

    def _value(self, name: str, ref: ValueRef) -> AxisValue:
        """The one that a reference means, under a row's `name`."""
        known = self._known.get((name, ref))
        if known is None:
            known = self._known[name, ref] = self._made(name, self.rows.value(name, ref), *ref)
        return known

    def _made(self, name: str, value: Json, number: int, position: int) -> AxisValue:
        values, data = self.rows.axes.get(name), None
        if number < 0:
            entry = self.entry.include[~number]
            named = label(value) if values is None else values.label_of(value)
            written, spot = entry.values[name], entry.key_spots[name]
        else:
            axis, named = self.entry.axes[number], self.rows.axes[name].label(position)
            written, data = axis.values[position], None if axis.source is None else values
            spot = axis.spots[position if data is None else 0]
        part, seen = (name, named or "?"), _seen(value, written) if data is None else written
        return AxisValue(value, seen, part, axes_text((part,)), spot, data, position)

    def _typed_axis(self, axis: Axis) -> AxisValues:
        values = axis.values
        made = values if isinstance(values, AxisValues) else AxisValues(tuple(values))
        if axis.name not in self.spec.fields:
            return made
        return made.typed(lambda value: self.typed(axis.name, value))

    def _typed_entry(self, entry: Entry) -> Entry:
        values = {name: self.typed(name, value) for name, value in entry.values.items()}
        return replace(entry, values=values)


def _seen(value: Json, written: Json) -> Json:
    """Templates see the number that was written, where it became a text: 10, not the field's "10"."""
    if not isinstance(value, str) or not isinstance(written, int | float):
        return value
    if isinstance(written, float):
        return int(written) if written.is_integer() else value  # 5.0 counts as 5
    return written


# --- mistakes that the text shows ------------------------------------------------------------------


def _written(document: Document, matrix: TypedMatrix) -> Iterator[Diagnostic]:
    for axis in matrix.entry.axes:
        if axis.source is None:
            yield from _axis_problems(document, matrix, axis)
        for entry in matrix.entry.include:
            if axis.name in entry.values:
                yield from _clash(document, matrix, entry, axis.name)
    for entry in matrix.entry.exclude:
        yield from _exclude_problems(document, matrix, entry)


def _axis_problems(document: Document, matrix: TypedMatrix, axis: Axis) -> Iterator[Diagnostic]:
    job = matrix.entry.name
    first: dict[str, tuple[Json, Spot]] = {}
    for value, spot in zip(matrix.rows.axes[axis.name], axis.spots, strict=True):
        name = label(value)
        place = document.at(spot)
        if name is None:
            message = f"job `{job}`: a mapping on axis `{axis.name}` has no `id`"
            hint = "give it `id: some-name`, which names it in the address"
            yield Diagnostic("axis-value", message, place, hint)
        elif name in first:
            message, hint = _twice(axis.name, name, first[name][0], value)
            also = (document.at(first[name][1]),)
            yield Diagnostic("duplicate-value", f"job `{job}`: {message}", place, hint, also=also)
        else:
            first[name] = value, spot


def _twice(axis: str, name: str, one: Json, other: Json) -> tuple[str, str]:
    if canonical(one) == canonical(other):
        return f"axis `{axis}` has {_shown(other)} twice", "remove one of them"
    if isinstance(one, dict) or isinstance(other, dict):
        return f"two values of axis `{axis}` have the name `{name}`", "give them different `id`s"
    message = f"axis `{axis}` has {_shown(one)} and {_shown(other)}, which have the same name"
    apart = unseen(str(one), str(other))
    return f"{message}; the first has {apart}" if apart else message, "remove one of them"


def _clash(document: Document, matrix: TypedMatrix, entry: Entry, axis: str) -> Iterator[Diagnostic]:
    """An include's value may not share an axis value's name without being that value: 5 and "5"."""
    value = matrix.typed(axis, entry.values[axis])
    hint = matrix.rows.axes[axis].clash(value)
    if hint is not None:
        message = (
            f"job `{matrix.entry.name}`: include gives axis `{axis}` {_shown(value)}, "
            "which has the same name as another value of that axis"
        )
        place = document.at(entry.key_spots[axis])
        yield Diagnostic("duplicate-value", message, place, hint)


def _exclude_problems(document: Document, matrix: TypedMatrix, entry: Entry) -> Iterator[Diagnostic]:
    names = list(matrix.rows.axes)
    for key in entry.values:
        if key not in names:
            message = f"job `{matrix.entry.name}`: exclude names `{key}`, which is not an axis"
            hint = suggest(key, names) or f"its axes: {', '.join(names)}" if names else None
            place = document.at(entry.key_spots[key])
            yield Diagnostic("exclude-key", message, place, hint)


# --- mistakes that walking the rows shows ----------------------------------------------------------


def _useless_excludes(document: Document, matrix: TypedMatrix) -> Iterator[Diagnostic]:
    for number in matrix.rows.useless_excludes:
        entry = matrix.entry.exclude[number]
        hint = _why_useless(matrix, entry)
        inherited = document.root.get("defaults", {}).get("matrix", {}).get("exclude")
        if inherited is not None and entry.spot in inherited.item_spots:
            hint = f"it comes from `defaults`: {hint}; the job can drop it with `exclude: []`"
        message = f"job `{matrix.entry.name}`: this exclude removes nothing"
        yield Diagnostic("useless-exclude", message, document.at(entry.spot), hint)


def _why_useless(matrix: TypedMatrix, entry: Entry) -> str:
    for axis in matrix.entry.axes:
        name, values = axis.name, matrix.rows.axes[axis.name]
        wanted = matrix.typed(name, entry.values.get(name))
        if name not in entry.values or values.positions(wanted):
            continue
        quoted = _in_quotes(values, wanted) if axis.source is not None else None
        if quoted is not None:
            return f"axis `{name}` has no {_shown(wanted)}; for its {quoted}, write the quotes, too"
        return f"axis `{name}` has no {_shown(wanted)}, only {_some(values)}"
    return "another exclude removed the same combinations already"


def _some(values: AxisValues) -> str:
    shown = [show(values.name(at)) for at in range(min(len(values), _MOST_VALUES_SHOWN))]
    return ", ".join([*shown, "…"] if len(values) > len(shown) else shown)


def _in_quotes(values: AxisValues, wanted: Json) -> str | None:
    """The key of a table that YAML takes for this number, unless it is quoted: 007, 1e3."""
    if not isinstance(wanted, int | float):
        return None
    for name in map(values.name, range(len(values))):
        with suppress(ValueError):
            if isinstance(name, str) and float(name) == wanted:
                return show(name)
    return None


def _shown(value: Json) -> str:
    """A value short; a mapping by its name where it has one."""
    source = label_source(value)
    return show(value if source is None else source)


def _nothing_left(document: Document, matrix: TypedMatrix) -> Iterator[Diagnostic]:
    if not len(matrix.rows):
        message = f"job `{matrix.entry.name}`: its excludes leave no combination"
        place = document.at(matrix.entry.spot)
        yield Diagnostic("empty-job", message, place, "drop an exclude, or the job")


def _appended_rows(document: Document, matrix: TypedMatrix) -> Iterator[Diagnostic]:
    """Rows of include's own must have an address, each another one."""
    seen: dict[str, Spot] = {}
    for number, row in matrix.rows.appended.items():
        entry, values = matrix.entry.include[number], matrix.row(row)
        parts = {key: values[key].part for key in matrix.rows.names if key in values}
        nameless = [key for key, (_, named) in parts.items() if named == "?"]
        for key in nameless:
            message = f"job `{matrix.entry.name}`: include gives axis `{key}` no name"
            place = document.at(entry.key_spots[key])
            hint = "write a plain value, or give the mapping `id: some-name`"
            yield Diagnostic("axis-value", message, place, hint)
        name = axes_text(tuple(parts.values()))
        if name in seen and not nameless:
            message = f"job `{matrix.entry.name}`: include makes the combination `{name}` twice"
            hint = "drop one of the two entries, or make them differ in an axis"
            also = (document.at(seen[name]),)
            yield Diagnostic("duplicate-row", message, document.at(entry.spot), hint, also=also)
        seen.setdefault(name, entry.spot)
