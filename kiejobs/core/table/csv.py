"""CSV and TSV as RFC 4180 has them: cells in quotes may hold delimiters, line breaks and `""`.

In: a table's text. Out: `Contents`. Touches how long a cell may be for the standard library's reader.

That one reads the cells, as strictly as it can; where they begin is found again for the one row that a
problem is about. Strict, since a table that is read otherwise than it was meant buys the wrong thing: a
quote in the middle of a cell and a row with a cell too many are mistakes. Blank lines are none.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.nodes import plain_json
from kiejobs.core.table.text import MAX_ROW, Contents, Row, collected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.table.text import Text

MAX_COLUMNS: Final = 1_000
csv.field_size_limit(MAX_ROW)

_HELD = 'a cell that holds a delimiter needs quotes around it: "calm, then wild"'
_QUOTE = 'put the whole cell in quotes, and write a quote in it twice: "5"" wide"'
_QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')


class _Record(NamedTuple):
    cells: list[str]
    start: int


def read_csv(text: Text, delimiter: str) -> Contents:
    """The rows below the header."""
    records = _records(text, delimiter)
    header = next(records, None)
    columns = header.cells if isinstance(header, _Record) else []

    def place(row: Row, column: str | None) -> Place:
        if column not in columns:
            return text.place(row.start)
        starts, _ = _split(text, row.start, delimiter)
        return text.place(starts[columns.index(column)])

    if not isinstance(header, _Record):
        return Contents([], [] if header is None else [header], place)
    rows, problems = collected(_rows(text, delimiter, columns, records), place)
    heading = tuple(_heading_problems(text, delimiter, header)) if rows or problems else ()
    return Contents(rows, problems, place, tuple(columns), heading)


def _records(text: Text, delimiter: str) -> Iterator[_Record | Diagnostic]:
    stream = io.StringIO(text.text, newline="\n")
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    while True:
        start, broken = stream.tell(), False
        try:
            cells = next(reader, None)
        except csv.Error:
            cells, broken = [], True
        problem = _problem(text, start, stream.tell(), delimiter, broken=broken)
        if problem is not None:
            _skip_row(stream, start)
            yield problem
        elif cells:
            yield _Record(cells, start)
        elif cells is None:
            return


def _skip_row(stream: io.StringIO, start: int) -> None:
    """To the end of the line by which each quote of a broken row has a partner."""
    stream.seek(start)
    quotes = 0
    while line := stream.readline():
        quotes += line.count('"')
        if quotes % 2 == 0 or stream.tell() - start > MAX_ROW:
            return


def _rows(
    text: Text, delimiter: str, columns: list[str], records: Iterator[_Record | Diagnostic]
) -> Iterator[Row | Diagnostic]:
    """Each record as a mapping, where it has as many cells as there are columns."""
    for each in records:
        if isinstance(each, Diagnostic):
            yield each
        elif len(each.cells) == len(columns):
            yield Row(plain_json(dict(zip(columns, each.cells, strict=True))), each.start)
        else:
            few = len(each.cells) < len(columns)
            message = f"the row has {len(each.cells)} cells, and the header {len(columns)}"
            hint = "an empty cell needs its delimiter, too" if few else _HELD
            at = each.start if few else _split(text, each.start, delimiter)[0][len(columns)]
            yield text.problem(at, message, hint)


def _heading_problems(text: Text, delimiter: str, header: _Record) -> Iterator[Diagnostic]:
    """What is wrong with the names of the columns."""
    columns, starts = header.cells, _split(text, header.start, delimiter)[0]
    if len(columns) > MAX_COLUMNS:
        yield text.problem(starts[MAX_COLUMNS], f"more than {MAX_COLUMNS:,} columns")
        return
    if columns[0].startswith("sep=") and not "".join(columns[1:]):
        hint = "delete the line, and save the table with commas, or with tabs as .tsv"
        yield text.problem(header.start, "`sep=` is a note to Excel, and no header", hint)
        return
    for number, (column, at) in enumerate(zip(columns, starts, strict=True)):
        if not column.strip():
            yield text.problem(at, f"column {number + 1} has no name", "name it, or delete it")
        elif column != column.strip():
            message = f"the column's name has blanks around it: `{column}`"
            yield text.problem(at, message, "delete the blanks: they belong to the name")
        elif column in columns[:number]:
            yield text.problem(at, f"two columns have the name `{column}`", "rename one")


# --- one row again -----------------------------------------------------------------------------------


def _problem(
    text: Text, start: int, end: int, delimiter: str, *, broken: bool
) -> Diagnostic | None:
    """What keeps a row from being cells; the standard library's reader lets some of it pass."""
    if end - start > MAX_ROW:
        message = f"the row is longer than {MAX_ROW:,} characters"
        return text.problem(start, message, "is there a quote that is never closed?")
    if text.text.find('"', start, end) >= 0:
        problem = _split(text, start, delimiter)[1]
        if problem is not None:
            return problem
    if broken:
        hint = "save the table with the line breaks of Windows or Unix"
        return text.problem(text.text.find("\r", start), "a line ends in CR alone", hint)
    return None


def _split(text: Text, at: int, delimiter: str) -> tuple[list[int], Diagnostic | None]:
    """Where each cell of the row begins, up to the first mistake with quotes."""
    bare = re.compile(rf"[^{delimiter}\n]*+")
    starts: list[int] = []
    while True:
        starts.append(at)
        quoted = text.text.startswith('"', at)
        found = (_QUOTED if quoted else bare).match(text.text, at)
        if found is None:
            hint = "close it, or write it twice"
            return starts, text.problem(at, "this quote is never closed", hint)
        if not quoted and '"' in found[0]:
            at += found[0].index('"')
            return starts, text.problem(at, "a quote in the middle of a cell", _QUOTE)
        at = found.end()
        if text.text[at : at + 1] in {"", "\r", "\n"}:
            return starts, None
        if text.text[at] != delimiter:
            return starts, text.problem(at, "text behind a closing quote", _QUOTE)
        at += 1
