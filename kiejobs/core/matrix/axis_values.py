"""Values of an axis that come from data: rows of a table, a range of numbers, names of files.

In: a table, what a job file says of a range, names. Out: `DataValues`, which know what each is called in
an address, and which of them an entry means; or what is wrong with a range. Touches nothing.

Data is data: none of these values is rendered as a template, whatever it looks like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, Final

from kiejobs.core.address import label
from kiejobs.core.matrix.include_exclude import equals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from typing import Self

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.table.table import Table

MOST_DIGITS: Final = 12
"""Of a number of a range, before the point, and behind it; what a JSON number keeps exactly."""

_SHORT_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,12})?")


@dataclass(frozen=True, eq=False)
class DataValues:
    """Values by position, which never enters a name; `names` are what an entry calls them."""

    values: tuple[Json, ...]
    names: tuple[Json, ...]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, position: int, /) -> Json:
        return self.values[position]

    def __iter__(self) -> Iterator[Json]:
        return iter(self.values)

    def typed(self, read: Callable[[Json], Json]) -> Self:
        """The same values, each as `read` makes it."""
        return replace(self, values=tuple(map(read, self.values)))

    def label(self, position: int) -> str:
        """What the value is called in an address."""
        return self.labels[position]

    def name(self, position: int) -> Json:
        return self.names[position]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        return tuple(label(name) or "?" for name in self.names)

    def positions(self, wanted: Json) -> AbstractSet[int]:
        """Where the values stand that an exclude or include entry means by `wanted`."""
        found = self._by_name.get(wanted) if isinstance(wanted, str) else None
        return frozenset() if found is None else {found}

    def label_of(self, given: Json) -> str | None:
        """What a value that an include entry gives to this axis is called; None where nothing names it."""
        return label(given)

    def clashes(self, given: Json) -> bool:
        """Has what an include entry gives the name of one of these values, without being it?"""
        return not self.positions(given) and self.label_of(given) in self.labels

    def cell(self, position: int, column: str | None) -> Place | None:
        """Where in a data file the value stands, or what a mapping has under `column`."""
        del position, column
        return None

    @cached_property
    def _by_name(self) -> Mapping[str, int]:
        return {name: position for position, name in enumerate(self.names)}


def file_names(names: list[str]) -> DataValues:
    """Files below the job file's folder. Each is called as it is named."""
    return DataValues(tuple(names), tuple(names))


# --- tables ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TableRows(DataValues):
    """The rows of a table, or what each has in `column`. Their keys name them."""

    table: Table
    column: str | None = None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.table.numbers)

    def positions(self, wanted: Json) -> AbstractSet[int]:
        """A plain value means the row with that key, a mapping all rows that equal what it names."""
        if isinstance(wanted, dict):
            same = _has_texts if self.table.is_text else equals
            rows = enumerate(self.table.rows)
            return {number for number, row in rows if same(row.values, wanted)}
        number = self.table.numbers.get(label(wanted) or "")
        return frozenset() if number is None else {number}

    def label_of(self, given: Json) -> str | None:
        return label(given.get(self.table.key)) if isinstance(given, dict) else label(given)

    def clashes(self, given: Json) -> bool:
        if not isinstance(given, dict):
            return False
        number = self.table.numbers.get(self.label_of(given) or "")
        return number is not None and number not in self.positions(given)

    def cell(self, position: int, column: str | None) -> Place | None:
        return self.table.place(self.table.rows[position], column or self.column)


def table_rows(table: Table, column: str | None) -> TableRows:
    """The rows as mappings, or with `column` what each has there, which may be nothing."""
    rows = [row.values for row in table.rows]
    values = tuple(row if column is None else row.get(column) for row in rows)
    return TableRows(values, tuple(row[table.key] for row in rows), table, column)


def _has_texts(row: Json, wanted: Json) -> bool:
    """As `equals`, where all that a table holds is text: its `5` is what a job file calls 5."""
    return all(
        key in row and not isinstance(leaf, dict) and label(row[key]) == label(leaf)
        for key, leaf in wanted.items()
    )


# --- ranges: `range: {from: 1, to: 10, step: 2}`, or `range: [1, 10]` ---------------------------------


class BadRange(Exception):
    """`message` goes on after the name of the axis."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NumberRange(DataValues):
    """Numbers: an entry may write one as text, and with zeros at its end."""

    def positions(self, wanted: Json) -> AbstractSet[int]:
        if isinstance(wanted, bool) or not _SHORT_NUMBER.fullmatch(str(wanted)):
            return frozenset()
        found = self._by_number.get(Decimal(str(wanted)))
        return frozenset() if found is None else {found}

    def clashes(self, given: Json) -> bool:
        del given
        return False

    @cached_property
    def _by_number(self) -> Mapping[Decimal, int]:
        return {Decimal(str(number)): position for position, number in enumerate(self.names)}


def read_range(written: Json, most: int) -> NumberRange:
    """Both ends count. At most one number more than `most`. Raises BadRange.

    Numbers are decimals, so that a step of 0.1 never ends at 0.30000000000000004.
    """
    given = _by_name(written)
    first, last = _number(given["from"]), _number(given["to"])
    step = _number(given.get("step", 1))
    if not step:
        raise BadRange("has a step of 0", "drop it, or say how far one number is from the next")
    if (last - first) * step < 0:
        turned = f"write `step: {-step.normalize():f}`, or the smaller number first"
        raise BadRange(
            f"leads from {first} to {last}, which a step of {step} never reaches", turned
        )
    size = min(int((last - first) // step), most) + 1
    values = tuple(_json_number(first + position * step) for position in range(size))
    return NumberRange(values, values)


def _json_number(number: Decimal) -> Json:
    return int(number) if number == int(number) else float(number)


def _by_name(written: Json) -> Mapping[str, Json]:
    if isinstance(written, dict):
        return written
    return dict(zip(("from", "to", "step"), written, strict=False))


def _number(written: Json) -> Decimal:
    try:
        number = Decimal(str(written))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise BadRange(f"has `{str(written)[:40]}` for a number", "write one like 5 or 0.25")
    if not _is_short(number):
        hint = f"at most {MOST_DIGITS} digits before the point, and behind it"
        raise BadRange(f"has a number that is too long: {str(written)[:40]}", hint)
    return number


def _is_short(number: Decimal) -> bool:
    """Told by its exponent first: written out, `1e999999` has a million digits."""
    if not number:
        return True
    if not -MOST_DIGITS <= number.adjusted() < MOST_DIGITS:
        return False
    exponent = number.normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -MOST_DIGITS
