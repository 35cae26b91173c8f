"""Values of an axis that come from data: rows of a table, a range of numbers, names of files.

In: a table, bounds, names. Out: `DataValues`, which make each value when it is asked for and know what
it is called in an address. Touches nothing.

Data is data: none of these values is rendered as a template, whatever it looks like.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from copy import copy
from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.core.address import label
from kiejobs.core.matrix.include_exclude import equals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Self

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.table.table import Table

_SHORT_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,12})?")


class DataValues(ABC):
    """Values by position. A position never enters a name."""

    read: Callable[[Json], Json] | None = None
    """What makes of a value as it stands in the data what the axis has."""

    def __getitem__(self, position: int, /) -> Json:
        value = self._value(position)
        return value if self.read is None else self.read(value)

    def __iter__(self) -> Iterator[Json]:
        return map(self.__getitem__, range(len(self)))

    def typed(self, read: Callable[[Json], Json]) -> Self:
        """The same values, each as `read` makes it."""
        made = copy(self)
        made.read = read
        return made

    def label(self, position: int) -> str:
        """What the value is called in an address."""
        return label(self._value(position)) or "?"

    def name(self, position: int) -> Json:
        """What an exclude or include entry calls the value."""
        return self._value(position)

    def label_of(self, given: Json) -> str | None:
        """What a value that an include entry gives to this axis is called; None where nothing names it."""
        return label(given)

    def clashes(self, given: Json) -> bool:
        """Has what an include entry gives the name of one of these values, without being it?"""
        del given
        return False

    def cell(self, position: int, column: str | None) -> Place | None:
        """Where in a data file the value stands, or what a mapping has under `column`."""
        del position, column
        return None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def positions(self, wanted: Json) -> AbstractSet[int]:
        """Where the values stand that an exclude or include entry means by `wanted`."""

    @abstractmethod
    def _value(self, position: int) -> Json:
        """As it stands in the data."""


class TableRows(DataValues):
    """The rows of a table as mappings, or with `column` what each has there. Their keys name them."""

    def __init__(self, table: Table, column: str | None = None) -> None:
        self._table = table
        self._column = column

    def __len__(self) -> int:
        return len(self._table)

    def _value(self, position: int) -> Json:
        row = self._table.row(position)
        return row if self._column is None else row.get(self._column)

    def label(self, position: int) -> str:
        return self._table.label(position)

    def name(self, position: int) -> Json:
        return self._table.row(position)[self._table.key]

    def label_of(self, given: Json) -> str | None:
        return label(given.get(self._table.key)) if isinstance(given, dict) else label(given)

    def positions(self, wanted: Json) -> AbstractSet[int]:
        """A plain value means the row with that key, a mapping all rows that equal what it names."""
        if isinstance(wanted, dict):
            rows = map(self._table.row, range(len(self)))
            same = _has_texts if self._table.is_text else equals
            return {number for number, row in enumerate(rows) if same(row, wanted)}
        found = self._table.find(label(wanted) or "")
        return frozenset() if found is None else {found}

    def clashes(self, given: Json) -> bool:
        if not isinstance(given, dict):
            return False
        number = self._table.find(self.label_of(given) or "")
        return number is not None and number not in self.positions(given)

    def cell(self, position: int, column: str | None) -> Place | None:
        return self._table.place(position, column or self._column)


def _has_texts(row: Json, wanted: Json) -> bool:
    """As `equals`, where all that a table holds is text: its `5` is what a job file calls 5."""
    return all(
        key in row and not isinstance(leaf, dict) and label(row[key]) == label(leaf)
        for key, leaf in wanted.items()
    )


class NumberRange(DataValues):
    """`size` numbers from `first` on, exact: three steps of 0.1 are 0.3."""

    def __init__(self, first: Decimal, step: Decimal, size: int) -> None:
        self._first = first
        self._step = step
        self._size = size

    def __len__(self) -> int:
        return self._size

    def _value(self, position: int) -> Json:
        number = self._first + position * self._step
        return int(number) if number == int(number) else float(number)

    def positions(self, wanted: Json) -> AbstractSet[int]:
        text = str(wanted)
        if isinstance(wanted, bool) or not _SHORT_NUMBER.fullmatch(text):
            return frozenset()
        at, rest = divmod(Decimal(text) - self._first, self._step)
        return {int(at)} if not rest and 0 <= at < self._size else frozenset()


class FileNames(DataValues):
    """Names of files below the job file's folder, sorted. Each is called as it is named."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    def _value(self, position: int) -> Json:
        return self._names[position]

    def positions(self, wanted: Json) -> AbstractSet[int]:
        if not isinstance(wanted, str):
            return frozenset()
        at = bisect_left(self._names, wanted)
        return {at} if self._names[at : at + 1] == [wanted] else frozenset()

    def clashes(self, given: Json) -> bool:
        return not self.positions(given) and label(given) in map(label, self._names)
