"""A data table: rows that are mappings, each named by its key, never by its number: rows may move.

In: a `Source`, the name of the key's column. Out: a `Table`, and what is wrong with it. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from kiejobs.core.address import IS_LABEL, label
from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.lost_text import lost_text, misprints
from kiejobs.core.document.nodes import YamlMap, YamlSeq, plain_json
from kiejobs.core.document.reader import read_document
from kiejobs.core.document.wording import kind_of, suggest
from kiejobs.core.table.formats import (
    MOST_REPORTED,
    SYNTAX,
    Contents,
    Row,
    Text,
    collected,
    decoded,
    read_csv,
    read_json,
    read_jsonl,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json, Source

KEY = "table-key"

_FORMATS: Final[dict[str, Callable[[Text], Contents]]] = {
    "csv": partial(read_csv, delimiter=","),
    "tsv": partial(read_csv, delimiter="\t"),
    "jsonl": read_jsonl,
    "ndjson": read_jsonl,
    "json": read_json,
}
_YAML: Final = frozenset({"yaml", "yml"})


@dataclass(frozen=True, slots=True)
class Table:
    """`numbers` are those of rows by what they are called in an address.

    `columns` is empty where each row has its own keys. `is_text`: cells have no types, as in CSV.
    """

    key: str
    rows: list[Row]
    numbers: Mapping[str, int]
    columns: tuple[str, ...]
    is_text: bool
    place: Callable[[Row, str | None], Place]
    """Where a row begins, or has its value of a column."""


def ending(name: str) -> str:
    return name.rpartition(".")[2].lower()


def is_table(name: str) -> bool:
    """Is its ending one that tables have?"""
    return ending(name) in {*_FORMATS, *_YAML}


def read_table(source: Source, key: str, asked: Place) -> tuple[Table | None, list[Diagnostic]]:
    """The table, if all of it can be used, and what is wrong or odd. `asked` is where the job file names its key."""
    contents = _read_yaml(source) if ending(source.name) in _YAML else _read_text(source)
    problems = list(_heading_problems(source.name, contents, key, asked))
    if problems:
        return None, problems
    numbers, problems = _numbers(contents, key)
    problems = [*contents.problems, *problems][:MOST_REPORTED]
    if problems:
        return None, problems
    columns = contents.columns
    return Table(key, contents.rows, numbers, columns, bool(columns), contents.place), list(contents.warnings)


def _read_text(source: Source) -> Contents:
    text, problem = decoded(source)
    if problem is not None:
        return Contents([], [problem], lambda row, _column: text.place(row.start))
    return _FORMATS[ending(source.name)](text)


def _read_yaml(source: Source) -> Contents:
    """A list of mappings, read as job files are; problems outside of rows leave their meaning clear."""
    document, problems = read_document(source)
    items = YamlSeq() if document is None else document.root
    if document is not None and not isinstance(items, YamlSeq):
        message = f"a table is a list of mappings, not {kind_of(items)}"
        hint = "begin each row with `- id: some-name`"
        problems.append(Diagnostic(SYNTAX, message, document.place(()), hint))
        items = YamlSeq()

    def place(row: Row, column: str | None) -> Place:
        spot = items.item_spots[row.start]
        if column is not None:
            spot = items[row.start].value_spots.get(column, spot)
        return Place(source.name, *spot)

    cells = [(items, (1, 1))]
    problems += () if document is None else misprints(document, cells)
    odd = () if document is None else tuple(islice(lost_text(document, cells), MOST_REPORTED))
    rows, bad = collected(_yaml_rows(source.name, items), place)
    return Contents(rows, problems + bad, place, warnings=odd)


def _yaml_rows(name: str, items: YamlSeq) -> Iterator[Row | Diagnostic]:
    for number, item in enumerate(items):
        if isinstance(item, YamlMap):
            yield Row(plain_json(item), number)
        else:
            message = f"a row is a mapping, not {kind_of(item)}"
            place = Place(name, *items.item_spots[number])
            yield Diagnostic(SYNTAX, message, place, "like {id: dawn, mood: calm}")


# --- is there a key, and has no other row the same? --------------------------------------------------


def _heading_problems(name: str, contents: Contents, key: str, asked: Place) -> Iterator[Diagnostic]:
    columns = contents.columns
    if not contents.rows and not contents.problems:
        hint = f"a table has a column `{key}`, and a row for each value"
        yield Diagnostic(SYNTAX, "the table has no rows", Place(name, 1, 1), hint)
    elif contents.heading:
        yield from contents.heading
    elif columns and key not in columns:
        named = f"its columns: {', '.join(columns[:20])}"
        hint = _split_otherwise(columns) or suggest(key, columns) or named
        message = f"the table has no column `{key}`, which is to be its key"
        yield Diagnostic(KEY, message, Place(name, 1, 1), hint, also=(asked,))


def _split_otherwise(columns: Sequence[str]) -> str | None:
    """What to do where one column holds what looks like several."""
    ways = {
        "\t": "tabs: name it .tsv",
        ",": "`,`: name it .csv",
        "|": "`|`: save it with commas, or tabs as .tsv",
        ";": "`;`: save it with commas, or tabs as .tsv",
    }
    found = (way for sign, way in ways.items() if len(columns) == 1 and sign in columns[0])
    way = next(found, None)
    return way and f"its columns seem to be separated by {way}"


def _numbers(contents: Contents, key: str) -> tuple[dict[str, int], list[Diagnostic]]:
    """The number of each row by its label, and the rows that have none of their own."""
    numbers: dict[str, int] = {}
    names: list[Json] = [row.values.get(key) for row in contents.rows]
    if set(map(type, names)) == {str} and all(map(IS_LABEL.fullmatch, names)):
        numbers = {name: number for number, name in enumerate(names)}
    if len(numbers) == len(names):
        return numbers, []
    numbers.clear()
    nameless: list[Diagnostic] = []
    twice: list[Diagnostic] = []
    for number, row in enumerate(contents.rows):
        words = _why_nameless(row.values, key)
        named = "" if words else label(row.values[key]) or "?"
        if words:
            nameless.append(Diagnostic(KEY, words[0], contents.place(row, key), words[1]))
        elif numbers.setdefault(named, number) != number:
            also = (contents.place(contents.rows[numbers[named]], key),)
            message, hint = f"two rows have the key `{named}`", "rename one of them"
            twice.append(Diagnostic(KEY, message, contents.place(row, key), hint, also=also))
        if len(nameless) + len(twice) == MOST_REPORTED:
            break
    return numbers, nameless + twice


def _why_nameless(row: Mapping[str, Json], key: str) -> tuple[str, str] | None:
    hint = f"each row needs a `{key}` of its own: it is part of the address"
    if key not in row:
        return f"the row has no `{key}`, which is the key", hint
    value = row[key]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return f"the key `{key}` is {kind_of(value)}", "write text or a number"
    if isinstance(value, str) and not value.strip():
        if not any(map(str.strip, map(str, row.values()))):
            hint = "delete this row: all its cells are empty"
        return f"the key `{key}` is empty", hint
    return None
