"""One job entry made ready for multiplying: its spec, its rows, its fields and their templates.

In: a JobEntry, its Spec, the workshop that renders. Out: a `CompiledJob` that turns a row into an input, an
output path and a callback URL. Touches nothing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.address import axes_text, label
from kiejobs.core.document.nodes import YamlMap, YamlSeq
from kiejobs.core.expand.field_template import FieldTemplate, RowProblem, RowProblemFound
from kiejobs.core.jobfile.axes import Axis, Entry
from kiejobs.core.matrix.axis_values import DataValues
from kiejobs.core.matrix.matrix import Rows
from kiejobs.core.matrix.zip_axes import zip_groups
from kiejobs.core.models.spec import coerce
from kiejobs.core.template.renderer import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json, Spot
    from kiejobs.core.expand.field_template import RenderCache
    from kiejobs.core.jobfile.jobfile import JobEntry
    from kiejobs.core.matrix.matrix import Row, ValueRef
    from kiejobs.core.models.spec import Spec
    from kiejobs.core.models.validator import RequestChecker
    from kiejobs.core.template.renderer import Reads


Labels: TypeAlias = tuple[tuple[str, str], ...]
"""A row's axes as (name, label), sorted by name."""


class CompiledJob:
    """What is needed to turn each row of one job entry into jobs."""

    def __init__(
        self,
        entry: JobEntry,
        checker: RequestChecker,
        workshop: RenderCache,
        shared: Mapping[str, Json],
    ) -> None:
        """`shared` is what every template may read, beside `job` and `matrix`."""
        self.entry = entry
        self.spec: Spec = checker.spec
        self.checker = checker
        self._include = [self._typed_entry(item) for item in entry.include]
        self.rows = self._typed_rows()
        self._shared = {**shared, "job": entry.name}
        self._workshop = workshop
        self._fields = {
            name: FieldTemplate(value, entry.input.value_spots[name], name, workshop)
            for name, value in entry.input.items()
        }
        self._labels: dict[tuple[str, ValueRef], str] = {}
        self._from_axes: dict[tuple[str, ValueRef], FieldTemplate] = {}
        self._output = self._optional(entry.output, entry.output_spot, "output", always=True)
        self._callback = self._optional(entry.callback_url, entry.callback_spot, "callBackUrl")

    # --- the matrix ------------------------------------------------------------------------------

    def typed(self, name: str, value: Json) -> Json:
        """A value of an axis in the type that the field of that name wants: `5` and `"5"` are one."""
        field = self.spec.fields.get(name)
        return value if field is None else coerce(field, value)

    def _typed_rows(self) -> Rows:
        axes = [self._typed_axis(axis) for axis in self.entry.axes]
        exclude = [self._typed_entry(entry) for entry in self.entry.exclude]
        return Rows(axes, exclude, self._include, zip_groups(self.entry))

    def _typed_axis(self, axis: Axis) -> Axis:
        read = partial(self.typed, axis.name)
        if isinstance(axis.values, DataValues):
            is_field = axis.name in self.spec.fields
            return replace(axis, values=axis.values.typed(read)) if is_field else axis
        return replace(axis, values=tuple(map(read, axis.values)))

    def _typed_entry(self, entry: Entry) -> Entry:
        values = {name: self.typed(name, value) for name, value in entry.values.items()}
        return Entry(values, entry.spot, entry.key_spots)

    def labels(self, row: Row) -> Labels:
        """What the row is called in its address; a value without a name shows as `?`."""
        return tuple(
            (name, self._label(name, row.marks[name])) for name in self._names if name in row.marks
        )

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self.rows.names)

    def _label(self, name: str, mark: ValueRef) -> str:
        axis, position = mark
        data = self._data(axis)
        if data is not None:
            return data.label(position)
        known = self._labels.get((name, mark))
        if known is None:
            known = self._labels[name, mark] = self.label_of(name, mark) or "?"
        return known

    def label_of(self, name: str, mark: ValueRef) -> str | None:
        """What names a value in an address, if anything does."""
        value = self.rows.value(name, mark)
        axis = self.rows.axis(name)
        if mark[0] < 0 and axis is not None and isinstance(axis.values, DataValues):
            return axis.values.label_of(value)
        return label(value)

    def _data(self, axis: int) -> DataValues | None:
        """The values of an axis, by its number, that come from data."""
        values = self.rows.axes[axis].values if axis >= 0 else None
        return values if isinstance(values, DataValues) else None

    # --- one row ---------------------------------------------------------------------------------

    def input_of(self, row: Row, slip: Callable[[RowProblem], None]) -> dict[str, Json]:
        """The input as written for this row, before coercion; slips are handed over, not raised."""
        context = self._context(row)
        made: dict[str, Json] = {}
        for name, written in self._fields.items():
            try:
                made[name] = written.render(row, context)
            except RowProblemFound as found:
                slip(found.slip)
        for name in row.marks:
            if name in self.spec.fields:
                try:
                    self._fill(made, name, row, context)
                except RowProblemFound as found:
                    slip(found.slip)
        return made

    def _fill(self, made: dict[str, Json], name: str, row: Row, context: Mapping[str, Any]) -> None:
        """An axis named like an input field fills that field, as if its value were written there."""
        filled = self._from_axis(name, row, context)
        if name in made and self.typed(name, made[name]) != self.typed(name, filled):
            message = f"`{name}` is filled by the axis of that name and also set in `input`"
            hint = f"remove one of them; for a single value write `matrix: {{{name}: [value]}}`"
            spot = self.entry.input.value_spots[name]
            raise RowProblemFound(RowProblem("field-set-twice", message, spot, hint))
        made[name] = filled

    def _from_axis(self, name: str, row: Row, context: Mapping[str, Any]) -> Json:
        """Listed values may hold templates. What comes from data is data, and never rendered."""
        mark = row.marks[name]
        if self._data(mark[0]) is not None:
            return row.values[name]
        written = self._from_axes.get((name, mark))
        if written is None:
            spot = self._spots.get((name, mark), self.entry.spot)
            written = FieldTemplate(row.values[name], spot, f"matrix.{name}", self._workshop)
            self._from_axes[name, mark] = written
        return written.render(row, context)

    def output_of(self, row: Row, labels: Labels, take: int, address: str) -> str | None:
        """The rendered `output`, not yet checked; None where the job file has none. Raises SlipFound."""
        if self._output is None:
            return None
        more = {"take": take, "axes": axes_text(labels), "address": address}
        return str(self._output.render(row, {**self._context(row), **more}))

    def callback_of(self, row: Row) -> str | None:
        """The rendered `callBackUrl`, if there is one. Raises SlipFound."""
        if self._callback is None:
            return None
        return str(self._callback.render(row, self._context(row)))

    def template_slips(self) -> Iterator[RowProblem]:
        """What no row needs to be known for: templates that can't be compiled."""
        for written in (*self._fields.values(), self._output, self._callback):
            if written is not None:
                try:
                    written.check()
                except RowProblemFound as found:
                    yield found.slip

    @property
    def reads(self) -> Reads:
        """What its templates may read, as far as its rows were walked."""
        ends = [end for end in (self._output, self._callback) if end is not None]
        found = NOTHING
        for written in (*self._fields.values(), *self._from_axes.values(), *ends):
            found |= written.reads
        return found

    # --- places ----------------------------------------------------------------------------------

    def spot_of(self, name: str, row: Row, *, key: bool = False) -> Spot:
        """Where the value of an input field was written, for this row; its key with `key`."""
        return self.spot_if_written(name, row, key=key) or self.entry.spot

    def spot_if_written(self, name: str, row: Row, *, key: bool = False) -> Spot | None:
        """None where the job file is silent, so that a default is sent, or nothing."""
        written = self.entry.input
        if name in written:
            return (written.key_spots if key else written.value_spots)[name]
        mark = row.marks.get(name)
        if mark is not None and self._data(mark[0]) is not None:
            return self.rows.axes[mark[0]].spots[0]
        return self._spots.get((name, mark))

    def spot_within(self, path: Sequence[str | int], row: Row) -> Spot:
        """Where a value inside of an input field was written, as near as is known."""
        spot, node = self.spot_of(str(path[0]), row), self.entry.input.get(str(path[0]))
        for step in path[1:]:
            if isinstance(node, YamlMap) and step in node:
                spot, node = node.value_spots[str(step)], node[str(step)]
            elif isinstance(node, YamlSeq) and isinstance(step, int):
                spot, node = node.item_spots[step], node[step]
            else:
                break
        return spot

    def cell_of(self, name: str, row: Row) -> Place | None:
        """Where in a data file the value of an input field was written, if it was written there."""
        column = None
        axis = name
        if name in self._fields:
            axis, column = self._fields[name].cell or ("", None)
        mark = row.marks.get(axis, (-1, 0))
        data = self._data(mark[0])
        return None if data is None else data.cell(mark[1], column)

    @cached_property
    def _spots(self) -> dict[tuple[str, ValueRef | None], Spot]:
        """Where each value that is listed in the matrix stood."""
        spots: dict[tuple[str, ValueRef | None], Spot] = {
            (name, (~number, 0)): entry.key_spots[name]
            for number, entry in enumerate(self._include)
            for name in entry.values
        }
        for number, axis in enumerate(self.rows.axes):
            for position, spot in enumerate(axis.spots if self._data(number) is None else ()):
                spots[axis.name, (number, position)] = spot
        return spots

    def _context(self, row: Row) -> dict[str, Any]:
        """What templates read. They see an axis value as it was written: 10, not the field's "10"."""
        matrix = {name: self._as_read(name, mark, row) for name, mark in row.marks.items()}
        return {**self._shared, "matrix": matrix}

    def _as_read(self, name: str, mark: ValueRef, row: Row) -> Json:
        if self._data(mark[0]) is not None:
            return self.entry.axes[mark[0]].values[mark[1]]
        return self._as_written.get((name, mark), row.values[name])

    @cached_property
    def _as_written(self) -> dict[tuple[str, ValueRef], Json]:
        """The numbers that became texts, by the text that stands in rows; 5.0 counts as 5."""
        pairs: list[tuple[str, ValueRef, Json, Json]] = []
        for number, (typed, entry) in enumerate(
            zip(self._include, self.entry.include, strict=True)
        ):
            pairs += [
                (name, (~number, 0), typed.values[name], value)
                for name, value in entry.values.items()
            ]
        for number, (made, axis) in enumerate(zip(self.rows.axes, self.entry.axes, strict=True)):
            if not isinstance(axis.values, DataValues):
                both = zip(made.values, axis.values, strict=True)
                pairs += [(axis.name, (number, at), *pair) for at, pair in enumerate(both)]
        return {
            (name, mark): int(value) if isinstance(value, float) else value
            for name, mark, typed, value in pairs
            if isinstance(typed, str) and isinstance(value, int | float)
            if not isinstance(value, float) or value.is_integer()
        }

    def _optional(
        self, text: str | None, spot: Spot, name: str, *, always: bool = False
    ) -> FieldTemplate | None:
        if text is None:
            return None
        return FieldTemplate(text, spot, name, self._workshop, always=always)
