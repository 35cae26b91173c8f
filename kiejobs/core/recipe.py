"""One job entry made ready for multiplying: its spec, its rows, its fields and their templates.

In: a JobEntry, its Spec, the workshop that renders. Out: a `Recipe` that turns a row into an input, an
output path and a callback URL. Touches nothing.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.address import axes_text, label
from kiejobs.core.matrix import Rows
from kiejobs.core.matrix_filter import Axis, Entry
from kiejobs.core.spec import coerce
from kiejobs.core.template_reads import NOTHING
from kiejobs.core.types import YamlMap, YamlSeq
from kiejobs.core.written import Slip, SlipFound, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kiejobs.core.jobfile import JobEntry
    from kiejobs.core.matrix import Row
    from kiejobs.core.requests import RequestChecker
    from kiejobs.core.spec import Spec
    from kiejobs.core.template_reads import Reads
    from kiejobs.core.types import Json, Spot
    from kiejobs.core.written import Workshop


Labels: TypeAlias = tuple[tuple[str, str], ...]
"""A row's axes as (name, label), sorted by name."""


class Recipe:
    """What is needed to turn each row of one job entry into jobs."""

    def __init__(
        self,
        entry: JobEntry,
        checker: RequestChecker,
        workshop: Workshop,
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
            name: Written(value, entry.input.value_spots[name], name, workshop)
            for name, value in entry.input.items()
        }
        self._labels: dict[int, str] = {}
        self._from_axes: dict[tuple[str, int], Written] = {}
        self._output = self._optional(entry.output, entry.output_spot, "output", always=True)
        self._callback = self._optional(entry.callback_url, entry.callback_spot, "callBackUrl")

    # --- the matrix ------------------------------------------------------------------------------

    def typed(self, name: str, value: Json) -> Json:
        """A value of an axis in the type that the field of that name wants: `5` and `"5"` are one."""
        field = self.spec.fields.get(name)
        return value if field is None else coerce(field, value)

    def _typed_rows(self) -> Rows:
        axes = [
            Axis(
                axis.name, tuple(self.typed(axis.name, value) for value in axis.values), axis.spots
            )
            for axis in self.entry.axes
        ]
        exclude = [self._typed_entry(entry) for entry in self.entry.exclude]
        return Rows(axes, exclude, self._include)

    def _typed_entry(self, entry: Entry) -> Entry:
        values = {name: self.typed(name, value) for name, value in entry.values.items()}
        return Entry(values, entry.spot, entry.key_spots)

    def labels(self, row: Row) -> Labels:
        """What the row is called in its address; a value without a name shows as `?`."""
        return tuple(
            (name, self._label(row.values[name])) for name in self._names if name in row.values
        )

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self.rows.names)

    def _label(self, value: Json) -> str:
        # Rows share the values of the matrix, which live as long as the recipe.
        known = self._labels.get(id(value))
        if known is None:
            known = self._labels[id(value)] = label(value) or "?"
        return known

    # --- one row ---------------------------------------------------------------------------------

    def input_of(self, row: Row, slip: Callable[[Slip], None]) -> dict[str, Json]:
        """The input as written for this row, before coercion; slips are handed over, not raised."""
        context = self._context(row)
        made: dict[str, Json] = {}
        for name, written in self._fields.items():
            try:
                made[name] = written.render(row, context)
            except SlipFound as found:
                slip(found.slip)
        for name, value in row.values.items():
            if name in self.spec.fields:
                try:
                    self._fill(made, name, value, row, context)
                except SlipFound as found:
                    slip(found.slip)
        return made

    def _fill(
        self, made: dict[str, Json], name: str, value: Json, row: Row, context: Mapping[str, Any]
    ) -> None:
        """An axis named like an input field fills that field, as if its value were written there."""
        filled = self._from_axis(name, value).render(row, context)
        if name in made and self.typed(name, made[name]) != self.typed(name, filled):
            message = f"`{name}` is filled by the axis of that name and also set in `input`"
            hint = f"remove one of them; for a single value write `matrix: {{{name}: [value]}}`"
            spot = self.entry.input.value_spots[name]
            raise SlipFound(Slip("field-set-twice", message, spot, hint))
        made[name] = filled

    def _from_axis(self, name: str, value: Json) -> Written:
        written = self._from_axes.get((name, id(value)))
        if written is None:
            spot = self._spots.get((name, id(value)), self.entry.spot)
            written = Written(value, spot, f"matrix.{name}", self._workshop)
            self._from_axes[name, id(value)] = written
        return written

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

    def template_slips(self) -> Iterator[Slip]:
        """What no row needs to be known for: templates that can't be compiled."""
        for written in (*self._fields.values(), self._output, self._callback):
            if written is not None:
                try:
                    written.check()
                except SlipFound as found:
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
        return self._spots.get((name, id(row.values.get(name))))

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

    @cached_property
    def _spots(self) -> dict[tuple[str, int], Spot]:
        """Where each value of the matrix stood; the values of rows are these very objects."""
        spots = {
            (name, id(value)): entry.key_spots[name]
            for entry in self._include
            for name, value in entry.values.items()
        }
        for axis in self.rows.axes:
            for value, spot in zip(axis.values, axis.spots, strict=True):
                spots[axis.name, id(value)] = spot
        return spots

    def _context(self, row: Row) -> dict[str, Any]:
        """What templates read. They see an axis value as it was written: 10, not the field's "10"."""
        matrix = row.values
        if self._as_written:
            matrix = {
                name: self._as_written.get((name, id(value)), value)
                for name, value in matrix.items()
            }
        return {**self._shared, "matrix": matrix}

    @cached_property
    def _as_written(self) -> dict[tuple[str, int], Json]:
        """The numbers that became texts, by the text that stands in rows; 5.0 counts as 5."""
        pairs: list[tuple[str, Json, Json]] = []
        for typed, entry in zip(self._include, self.entry.include, strict=True):
            pairs += [(name, typed.values[name], value) for name, value in entry.values.items()]
        for made, axis in zip(self.rows.axes, self.entry.axes, strict=True):
            pairs += [(axis.name, *pair) for pair in zip(made.values, axis.values, strict=True)]
        return {
            (name, id(typed)): int(value) if isinstance(value, float) else value
            for name, typed, value in pairs
            if isinstance(typed, str) and isinstance(value, int | float)
            if not isinstance(value, float) or value.is_integer()
        }

    def _optional(
        self, text: str | None, spot: Spot, name: str, *, always: bool = False
    ) -> Written | None:
        if text is None:
            return None
        return Written(text, spot, name, self._workshop, always=always)
