"""CSV and TSV as RFC 4180 has them: cells in quotes may hold delimiters, line breaks and `""`.

In: a file's bytes. Out: its rows, each read when it is asked for, and its columns. Touches nothing.

Strict, since a table that is read otherwise than it was meant buys the wrong thing: a quote in the
middle of a cell and a row with a cell too many are mistakes. Blank lines are none. A line break within
a cell is LF, whatever it was: git may change it from one checkout to the next.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kiejobs.core.table.text import MAX_ROW, BadRow, Spans, beginning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.document.nodes import Json, Spot

MAX_COLUMNS: Final = 1_000
_ENDS = b"\r\n"
_BLANK = re.compile(rb"\n++|(?:\r\n)++")
"""Lines that are passed over at once: a file may hold nothing else, a hundred megabytes of it."""

_HELD = 'a cell that holds a delimiter needs quotes around it: "calm, then wild"'
_QUOTE = 'put the whole cell in quotes, and write a quote in it twice: "5"" wide"'


class CsvRecords:
    """The rows below the header. Its `columns` are checked by `heading_slips`."""

    def __init__(self, data: bytes, delimiter: str, most: int) -> None:
        """Reads on until there are more than `most` rows."""
        self.spans = Spans(data)
        self._delimiter = delimiter
        cell = rf'(?:"([^"]*+(?:""[^"]*+)*+)"|([^"{delimiter}]*+))'
        self._cell = re.compile(rf"{cell}({delimiter}|\Z)")
        self._well_formed = re.compile(rf"(?:{cell}{delimiter})*+{cell}")
        for start, end, line in _rows(data):
            self.spans.add(start, end, line)
            if len(self.spans) > most + 1:
                break
        self.columns = tuple(self._heading()[0]) if len(self.spans) else ()

    def __len__(self) -> int:
        return max(len(self.spans) - 1, 0)

    def row(self, number: int) -> dict[str, Json]:
        """Raises RowSlip."""
        text = self.spans.text(number + 1)
        cells = self._quickly(text)
        if len(cells) != len(self.columns):
            cells, starts = _cells(text, self._delimiter)
            few = len(cells) < len(self.columns)
            message = f"the row has {len(cells)} cells, and the header {len(self.columns)}"
            hint = "an empty cell needs its delimiter, too" if few else _HELD
            raise BadRow(message, hint, 0 if few else starts[len(self.columns)])
        return dict(zip(self.columns, cells, strict=True))

    def _quickly(self, text: str) -> list[str]:
        """The cells where all is well, in a fraction of the time; `_cells` tells what isn't. Raises RowSlip."""
        if len(text) > MAX_ROW:
            return _cells(text, self._delimiter)[0]
        if '"' not in text:
            return text.split(self._delimiter)
        if not self._well_formed.fullmatch(text):
            return _cells(text, self._delimiter)[0]
        cells = []
        for quoted, bare, end in self._cell.findall(text):
            cells.append(quoted.replace('""', '"') or bare)
            if not end:  # the last one; behind it the expression finds an empty one more
                break
        return [cell.replace("\r\n", "\n") for cell in cells] if "\r" in text else cells

    def spot(self, number: int, column: str | None = None, offset: int = 0) -> Spot:
        """Where a row begins, or its cell in a column."""
        if column is not None:
            starts = _cells(self.spans.text(number + 1), self._delimiter)[1]
            offset = starts[self.columns.index(column)]
        return self.spans.spot(number + 1, offset)

    def heading_slips(self) -> Iterator[BadRow]:
        """What is wrong with the names of the columns."""
        starts = self._heading()[1]
        if len(self.columns) > MAX_COLUMNS:
            yield BadRow(f"more than {MAX_COLUMNS:,} columns", None, starts[MAX_COLUMNS])
            return
        if self.columns[0].startswith("sep=") and not "".join(self.columns[1:]):
            hint = "delete the line, and save the table with commas, or with tabs as .tsv"
            yield BadRow("`sep=` is a note to Excel, and no header", hint)
            return
        for at, (column, start) in enumerate(zip(self.columns, starts, strict=True)):
            if not column.strip():
                yield BadRow(f"column {at + 1} has no name", "name it, or delete it", start)
            elif column != column.strip():
                message = f"the column's name has blanks around it: `{column}`"
                yield BadRow(message, "delete the blanks: they belong to the name", start)
            elif column in self.columns[:at]:
                yield BadRow(f"two columns have the name `{column}`", "rename one", start)

    def heading_spot(self, slip: BadRow) -> Spot:
        return self.spans.spot(0, slip.offset)

    def _heading(self) -> tuple[list[str], list[int]]:
        """Raises RowSlip, counted from the beginning of the file."""
        try:
            return _cells(self.spans.text(0), self._delimiter)
        except BadRow as slip:
            slip.offset += self.spans.before(0)
            raise


def _rows(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(start, end, line) of every row: a line break within quotes ends none."""
    at, line = beginning(data), 1
    while at < len(data):
        if data[at] in _ENDS and (blank := _BLANK.match(data, at)):
            at, line = blank.end(), line + data.count(b"\n", at, blank.end())
            continue
        start, first, is_open = at, line, False
        while True:
            stop = data.find(b"\n", at)
            stop = stop if stop >= 0 else len(data)
            is_open ^= data.count(b'"', at, stop) % 2 == 1
            at, line = stop + 1, line + 1
            if not is_open or at >= len(data) or at - start > MAX_ROW:
                break
        end = stop - 1 if data[start:stop].endswith(b"\r") else stop
        if end > start:
            yield start, end, first


def _cells(text: str, delimiter: str) -> tuple[list[str], list[int]]:
    """The cells of one row, and where each begins. Raises RowSlip."""
    if len(text) > MAX_ROW:
        hint = "is there a quote that is never closed?"
        raise BadRow(f"the row is longer than {MAX_ROW:,} characters", hint)
    if '"' not in text:
        cells = text.split(delimiter)
        starts, at = [], 0
        for cell in cells:
            starts.append(at)
            at += len(cell) + 1
        return cells, starts
    return _quoted_cells(text, delimiter)


def _quoted_cells(text: str, delimiter: str) -> tuple[list[str], list[int]]:
    cells, starts = [], [0]
    while True:
        at = starts[-1]
        is_quoted = text[at : at + 1] == '"'
        cell, stop = _in_quotes(text, at) if is_quoted else _bare(text, at, delimiter)
        cells.append(cell)
        if stop >= len(text):
            return cells, starts
        if text[stop] != delimiter:
            raise BadRow("text behind a closing quote", _QUOTE, stop)
        starts.append(stop + 1)


def _in_quotes(text: str, at: int) -> tuple[str, int]:
    """The cell that begins with the quote at `at`, and where it ends."""
    stop = at + 1
    while True:
        stop = text.find('"', stop)
        if stop < 0:
            raise BadRow("this quote is never closed", "close it, or write it twice", at)
        if text[stop + 1 : stop + 2] != '"':
            cell = text[at + 1 : stop].replace('""', '"')
            return cell.replace("\r\n", "\n"), stop + 1
        stop += 2


def _bare(text: str, at: int, delimiter: str) -> tuple[str, int]:
    stop = text.find(delimiter, at)
    stop = stop if stop >= 0 else len(text)
    cell = text[at:stop]
    if '"' in cell:
        raise BadRow("a quote in the middle of a cell", _QUOTE, at + cell.index('"'))
    return cell, stop
