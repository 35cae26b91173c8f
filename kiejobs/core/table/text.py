"""A data file's text, in which every character has a place, and what a format makes of it.

In: a `Source`. Out: a `Text`, and a `Diagnostic` where it is none; `Contents`. Touches nothing.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from kiejobs.core.diagnostics import Diagnostic, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kiejobs.core.document.nodes import Json, Source

SYNTAX = "table-syntax"
MAX_BYTES: Final = 16 * 2**20
MAX_ROWS: Final = 100_000
"""It takes half a day to submit as many jobs."""

MAX_ROW: Final = 2**20
"""Characters of one row; the longest prompt that the API takes has 10,000."""

MOST_REPORTED: Final = 100
"""Problems of one table; what is wrong with the next row is the same again."""

# What nobody can see, as in YAML; and what stands for bytes that are not UTF-8.
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\udc80-\udcff]")


@dataclass(frozen=True)
class Text:
    """A file's text without byte order mark. Line breaks are LF: git may change them with a checkout."""

    name: str
    text: str

    def place(self, at: int) -> Place:
        """The line and column behind which `at` characters stand."""
        line = bisect_right(self._line_starts, at)
        return Place(self.name, line, at - self._line_starts[line - 1] + 1)

    def problem(self, at: int, message: str, hint: str | None = None) -> Diagnostic:
        return Diagnostic(SYNTAX, message, self.place(at), hint)

    @cached_property
    def _line_starts(self) -> array[int]:
        return array("I", [0, *(found.end() for found in re.finditer("\n", self.text))])


class Row(NamedTuple):
    """`start` is where it begins: a character of the text, or an item of a YAML list."""

    values: dict[str, Json]
    start: int


@dataclass(frozen=True, slots=True)
class Contents:
    """Rows, and what is wrong with some of them; `place` is that of a row, or of its value of a column.

    `columns` are there in CSV only, and `heading` is what is wrong with their names.
    """

    rows: list[Row]
    problems: list[Diagnostic]
    place: Callable[[Row, str | None], Place]
    columns: tuple[str, ...] = ()
    heading: tuple[Diagnostic, ...] = ()


def decoded(source: Source) -> tuple[Text, Diagnostic | None]:
    """The text, and what keeps the bytes from being one."""
    data = source.data
    whole = data.decode(errors="surrogateescape").removeprefix("\ufeff").replace("\r\n", "\n")
    text = Text(source.name, whole)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[1:200:2].count(0) > 3:
        hint = "save it as UTF-8 (in Excel: Save as, CSV UTF-8)"
        return text, text.problem(0, "the file looks like UTF-16", hint)
    odd = _ODD.search(whole)
    if odd is None:
        return text, None
    if odd[0] >= "\udc80" and odd[0] <= "\udcff":
        message = f"byte 0x{ord(odd[0]) - 0xDC00:02x} is not UTF-8"
        return text, text.problem(odd.start(), message, "save the file as UTF-8")
    message = f"an invisible character, U+{ord(odd[0]):04X}, is not allowed here"
    return text, text.problem(odd.start(), message, "delete it")


def lines_of(source: Source) -> list[str]:
    """For excerpts: the lines, whatever the bytes are."""
    text = source.data.decode(errors="replace").removeprefix("\ufeff")
    return text.replace("\r\n", "\n").split("\n")


def collected(
    found: Iterable[Row | Diagnostic], place: Callable[[Row, str | None], Place]
) -> tuple[list[Row], list[Diagnostic]]:
    """Rows and problems apart; nothing is read behind one of them too many."""
    rows: list[Row] = []
    problems: list[Diagnostic] = []
    for each in found:
        if isinstance(each, Diagnostic):
            problems.append(each)
            if len(problems) == MOST_REPORTED:
                break
        elif len(rows) == MAX_ROWS:
            message = f"the table has more than {MAX_ROWS:,} rows"
            hint = "split it into several tables, for several job files"
            problems.append(Diagnostic(SYNTAX, message, place(each, None), hint))
            break
        else:
            rows.append(each)
    return rows, problems
