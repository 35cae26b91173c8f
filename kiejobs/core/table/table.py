"""A data table: rows that are mappings, each named by its key.

In: a `Source`, the name of the key's column. Out: a `Table`, and what is wrong with it. Touches nothing.

A row's number is never its name: rows may come in any order, and move. Rows are read when they are asked
for; of a table of a million rows only their places and the hashes of their keys are kept.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Protocol

from kiejobs.core.address import label
from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.decode import MAX_BYTES as MAX_TREE
from kiejobs.core.document.nodes import plain_json
from kiejobs.core.document.wording import kind_of, suggest
from kiejobs.core.table.csv import CsvRecords
from kiejobs.core.table.jsonl import JsonRecords, json_records, jsonl_records
from kiejobs.core.table.text import (
    MAX_BYTES,
    SYNTAX,
    BadRow,
    Lines,
    Spans,
    beginning,
    text_problem,
)
from kiejobs.core.table.yaml import YamlRecords, yaml_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kiejobs.core.document.nodes import Json, Source, Spot

KEY = "table-key"
MOST_TOLD: Final = 100
"""Problems of one table; what is wrong with the next row is the same again."""

_KEPT_ROWS = 64


class TableRecords(Protocol):
    """Rows as one of the formats has them."""

    @property
    def columns(self) -> tuple[str, ...]: ...
    def __len__(self) -> int: ...
    def row(self, number: int) -> dict[str, Json]: ...
    def spot(self, number: int, column: str | None = None, offset: int = 0) -> Spot: ...
    def heading_slips(self) -> Iterator[BadRow]: ...
    def heading_spot(self, slip: BadRow) -> Spot: ...


@dataclass(frozen=True)
class Table:
    """Rows by number, numbers by key. `is_text`: its cells have no types, as in CSV."""

    name: str
    records: TableRecords
    key: str
    hashes: array[int]
    order: array[int]
    is_text: bool
    lines: Sequence[str]

    def __len__(self) -> int:
        return len(self.hashes)

    def row(self, number: int) -> dict[str, Json]:
        """One row's cells by their columns."""
        known = self._rows.get(number)
        if known is None:
            if len(self._rows) >= _KEPT_ROWS:
                self._rows.clear()
            known = self._rows[number] = plain_json(self.records.row(number))
        return known

    def label(self, number: int) -> str:
        """What a row is called in an address."""
        return label(self.row(number)[self.key]) or "?"

    def find(self, named: str) -> int | None:
        """The number of the row that is called so."""
        wanted = hash(named)
        at = bisect_left(self.order, wanted, key=self.hashes.__getitem__)
        while at < len(self.order) and self.hashes[self.order[at]] == wanted:
            if self.label(self.order[at]) == named:
                return self.order[at]
            at += 1
        return None

    def place(self, number: int, column: str | None = None) -> Place:
        return Place(self.name, *self.records.spot(number, column))

    @cached_property
    def _rows(self) -> dict[int, dict[str, Json]]:
        return {}


def most_bytes(name: str) -> int | None:
    """How large a table of this name may be; None where its ending is not known."""
    return {"csv": MAX_BYTES, "tsv": MAX_BYTES, "jsonl": MAX_BYTES, "ndjson": MAX_BYTES}.get(
        ending(name), MAX_TREE if ending(name) in {"json", "yaml", "yml"} else None
    )


def ending(name: str) -> str:
    return name.rpartition(".")[2].lower()


def read_table(
    source: Source, key: str, most: int, asked: Place
) -> tuple[Table | None, list[Diagnostic]]:
    """The table, if all of it can be used. `asked` is where the job file names its key.

    It may have one row more than `most`: it is read no further.
    """
    odd = text_problem(source)
    lines: Sequence[str] = Lines(source.data)
    if odd is not None:
        return None, [odd]
    try:
        records, problems = _records(source, most)
    except BadRow as slip:
        spans = Spans(source.data)
        spans.add(beginning(source.data), len(source.data), 1)
        return None, [_told(slip, source.name, spans.spot(0, slip.offset))]
    if records is None:
        return None, problems
    if isinstance(records, YamlRecords):
        lines = records.lines
    checked = _Checked(source.name, records, key, asked)
    problems += checked.problems()
    if problems:
        return None, problems
    is_text = isinstance(records, CsvRecords)
    order = checked.order
    return Table(source.name, records, key, checked.hashes, order, is_text, lines), []


def _records(source: Source, most: int) -> tuple[TableRecords | None, list[Diagnostic]]:
    kind = ending(source.name)
    if kind in {"yaml", "yml"}:
        return yaml_records(source)
    read: dict[str, Callable[[], CsvRecords | JsonRecords]] = {
        "csv": lambda: CsvRecords(source.data, ",", most),
        "tsv": lambda: CsvRecords(source.data, "\t", most),
        "json": lambda: json_records(source.data, most),
    }
    return read.get(kind, lambda: jsonl_records(source.data, most))(), []


def _told(slip: BadRow, name: str, spot: Spot, code: str = SYNTAX) -> Diagnostic:
    return Diagnostic(code, slip.message, Place(name, *spot), slip.hint)


class _Checked:
    """Every row read once: is it a row, has it a key, has no other the same?"""

    def __init__(self, name: str, records: TableRecords, key: str, asked: Place) -> None:
        self._name = name
        self._asked = asked
        self._records = records
        self._key = key
        self._bad: set[int] = set()
        self.hashes = array("q")
        self.order = array("I")

    def problems(self) -> list[Diagnostic]:
        found = list(self._heading()) or list(islice(self._unreadable(), MOST_TOLD))
        if len(self.hashes) < len(self._records):
            return found  # a hundred rows are wrong; their keys are not looked at
        self.order = array("I", sorted(range(len(self.hashes)), key=self.hashes.__getitem__))
        return found + list(islice(self._twice(), MOST_TOLD - len(found)))

    def _heading(self) -> Iterator[Diagnostic]:
        records = self._records
        if not len(records):
            hint = f"a table has a column `{self._key}`, and a row for each value"
            yield Diagnostic(SYNTAX, "the table has no rows", Place(self._name, 1, 1), hint)
            return
        columns = records.columns
        slips = list(islice(records.heading_slips(), MOST_TOLD))
        for slip in slips:
            yield _told(slip, self._name, records.heading_spot(slip))
        if columns and not slips and self._key not in columns:
            hint = (
                _otherwise_told_apart(columns)
                or suggest(self._key, columns)
                or f"its columns: {', '.join(columns[:20])}"
            )
            message = f"the table has no column `{self._key}`, which is to be its key"
            yield Diagnostic(KEY, message, Place(self._name, 1, 1), hint, also=(self._asked,))

    def _unreadable(self) -> Iterator[Diagnostic]:
        """Fills `hashes`, and `_bad` with the rows that have no key."""
        for number in range(len(self._records)):
            try:
                self.hashes.append(hash(self._key_of(self._records.row(number))))
            except BadRow as slip:
                self._bad.add(number)
                has_key = isinstance(slip, _BadKey)
                column = self._key if has_key else None
                spot = self._records.spot(number, column, slip.offset)
                yield _told(slip, self._name, spot, KEY if has_key else SYNTAX)
                self.hashes.append(0)

    def _key_of(self, row: dict[str, Json]) -> str:
        hint = f"each row needs a `{self._key}` of its own: it stands in the address"
        if self._key not in row:
            raise _BadKey(f"the row has no `{self._key}`, which is the key", hint)
        value = row[self._key]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _BadKey(f"the key `{self._key}` is {kind_of(value)}", "write text or a number")
        if isinstance(value, str) and not value.strip():
            if not any(map(str.strip, map(str, row.values()))):
                hint = "delete this row: all its cells are empty"
            raise _BadKey(f"the key `{self._key}` is empty", hint)
        return label(plain_json(value)) or "?"

    def _twice(self) -> Iterator[Diagnostic]:
        for first, number in sorted(self._equal_hashes(), key=itemgetter(1)):
            one, other = (plain_json(self._records.row(at)[self._key]) for at in (first, number))
            if label(one) == label(other):
                place = Place(self._name, *self._records.spot(number, self._key))
                also = (Place(self._name, *self._records.spot(first, self._key)),)
                message = f"two rows have the key `{label(other)}`"
                yield Diagnostic(KEY, message, place, "rename one of them", also=also)

    def _equal_hashes(self) -> Iterator[tuple[int, int]]:
        """Pairs of rows whose keys are probably the same."""
        first = None
        for number in self.order:
            if number in self._bad:
                continue
            if first is not None and self.hashes[number] == self.hashes[first]:
                yield first, number
            else:
                first = number


def _otherwise_told_apart(columns: Sequence[str]) -> str | None:
    """What to do where one column holds what looks like several."""
    if len(columns) > 1:
        return None
    if "\t" in columns[0]:
        return "its columns seem to be told apart by tabs: name it .tsv"
    if "," in columns[0]:
        return "its columns seem to be told apart by `,`: name it .csv"
    if ";" in columns[0]:
        return "its columns seem to be told apart by `;`: save it with commas, or tabs as .tsv"
    return None


class _BadKey(BadRow):
    """A key that names nothing."""
