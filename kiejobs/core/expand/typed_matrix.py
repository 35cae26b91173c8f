"""A job's matrix in the types of its model, and all that depends on one of its values alone.

In: a JobEntry whose axes have their values, its Spec. Out: a `TypedMatrix`: its rows as `AxisValue`s by
name. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from kiejobs.core.address import label
from kiejobs.core.jobfile.jobfile import Axis, Entry
from kiejobs.core.matrix.axis_values import DataValues
from kiejobs.core.matrix.load_axes import zip_groups
from kiejobs.core.matrix.matrix import Rows
from kiejobs.core.models.spec import coerce

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json, Spot
    from kiejobs.core.jobfile.jobfile import JobEntry
    from kiejobs.core.matrix.matrix import Row, ValueRef
    from kiejobs.core.models.spec import Spec

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""A row's axes as (name, label), sorted by name."""


@dataclass(frozen=True, slots=True, eq=False)
class AxisValue:
    """One value of an axis or of an include entry; the rows that have it share it.

    `value` has the type that the field of that name wants; templates see it as `seen`. `part` is its name
    and label in an address, `?` where it is not `named`. `spot` is where the job file says it; `data` is
    what it comes from otherwise, at `position`.
    """

    value: Json
    seen: Json
    part: tuple[str, str]
    named: bool
    spot: Spot
    data: DataValues | None = None
    position: int = 0

    def cell(self, column: str | None) -> Place | None:
        """Where in a data file it stands, or what it has under `column`."""
        return None if self.data is None else self.data.cell(self.position, column)


Values: TypeAlias = "Mapping[str, AxisValue]"
"""One row: its axes, then what include entries add."""


class TypedMatrix:
    """The rows of one job entry. `rows` compare values that have their types, too: `5` and `"5"` are one."""

    def __init__(self, entry: JobEntry, spec: Spec) -> None:
        self.entry = entry
        self.spec = spec
        self._include = [self._typed_entry(item) for item in entry.include]
        axes = [self._typed_axis(axis) for axis in entry.axes]
        exclude = [self._typed_entry(item) for item in entry.exclude]
        self.rows = Rows(axes, exclude, self._include, zip_groups(entry))
        self._known: dict[str, dict[ValueRef, AxisValue]] = {}

    def __iter__(self) -> Iterator[Values]:
        return map(self.row, self.rows)

    def row(self, row: Row) -> Values:
        return {name: self.value(name, ref) for name, ref in row.refs.items()}

    def labels(self, values: Values) -> Labels:
        """What a row is called in its address."""
        return tuple(values[name].part for name in self._names if name in values)

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self.rows.names)

    def listed(self) -> Iterator[tuple[str, AxisValue]]:
        """The values that stand in the job file, with their names."""
        for number, axis in enumerate(self.rows.axes):
            if not isinstance(axis.values, DataValues):
                for position in range(len(axis.values)):
                    yield axis.name, self.value(axis.name, (number, position))
        for number, entry in enumerate(self._include):
            for name in entry.values:
                yield name, self.value(name, (~number, 0))

    def typed(self, name: str, value: Json) -> Json:
        """A value in the type that the field of that name wants."""
        field = self.spec.fields.get(name)
        return value if field is None else coerce(field, value)

    def value(self, name: str, ref: ValueRef) -> AxisValue:
        """The one that a reference stands for, under a row's `name`."""
        known = self._known.setdefault(name, {})
        made = known.get(ref)
        if made is None:
            made = known[ref] = self._of_include(name, ref) if ref[0] < 0 else self._of_axis(*ref)
        return made

    def _of_axis(self, number: int, position: int) -> AxisValue:
        axis = self.rows.axes[number]
        value, written = axis.values[position], self.entry.axes[number].values[position]
        if isinstance(axis.values, DataValues):
            named = axis.values.label(position)
            return _axis_value(
                axis.name, value, written, named, axis.spots[0], axis.values, position
            )
        spot = axis.spots[position]
        return _axis_value(axis.name, value, _seen(value, written), label(value), spot)

    def _of_include(self, name: str, ref: ValueRef) -> AxisValue:
        entry, axis = self.entry.include[~ref[0]], self.rows.axis(name)
        value = self._include[~ref[0]].values[name]
        data = axis.values if axis is not None and isinstance(axis.values, DataValues) else None
        named = label(value) if data is None else data.label_of(value)
        return _axis_value(
            name, value, _seen(value, entry.values[name]), named, entry.key_spots[name]
        )

    def _typed_axis(self, axis: Axis) -> Axis:
        if axis.name not in self.spec.fields:
            return axis

        def read(value: Json) -> Json:
            return self.typed(axis.name, value)

        if isinstance(axis.values, DataValues):
            return replace(axis, values=axis.values.typed(read))
        return replace(axis, values=tuple(map(read, axis.values)))

    def _typed_entry(self, entry: Entry) -> Entry:
        values = {name: self.typed(name, value) for name, value in entry.values.items()}
        return Entry(values, entry.spot, entry.key_spots)


def _axis_value(
    name: str,
    value: Json,
    seen: Json,
    named: str | None,
    spot: Spot,
    data: DataValues | None = None,
    position: int = 0,
) -> AxisValue:
    part = (name, named or "?")
    return AxisValue(value, seen, part, named is not None, spot, data, position)


def _seen(value: Json, written: Json) -> Json:
    """Templates see the number that was written, where it became a text: 10, not the field's "10"."""
    if not isinstance(value, str) or not isinstance(written, int | float):
        return value
    if isinstance(written, float):
        return int(written) if written.is_integer() else value  # 5.0 counts as 5
    return written
