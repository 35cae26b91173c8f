"""The bytes of a data file: whether they are text, where its rows lie, what its lines are.

In: a `Source`. Out: a `Diagnostic` for what is no text, `Spans` of rows, `Lines` for excerpts. Touches
nothing. A table of a million rows is never split into a million texts: a row is two offsets.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

from kiejobs.core.diagnostics import Diagnostic, Place

if TYPE_CHECKING:
    from kiejobs.core.document.nodes import Source, Spot

SYNTAX = "table-syntax"
MAX_BYTES = 256 * 2**20
"""Of a CSV, TSV or JSONL file, which is held as it is: its rows are read from it when they are asked for."""

MAX_ROW = 2**20
"""Bytes of one row; the longest prompt that the API takes has 10,000 characters."""

_BOM = b"\xef\xbb\xbf"
_STEP = 2**20
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
# As in YAML: what nobody can see, and the line breaks that only some programs take for one.
_UNSEEN = re.compile(rb"\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbf[\xbe\xbf]")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class BadRow(Exception):
    """One row can't be read. `offset`: how many characters into it the mistake is."""

    def __init__(self, message: str, hint: str | None = None, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.offset = offset


def text_problem(source: Source) -> Diagnostic | None:
    """What keeps the bytes from being read as text, if anything does."""
    data = source.data
    if data.startswith(_UTF16) or data[1:200:2].count(0) > 3:
        hint = "save it as UTF-8 (in Excel: Save as, CSV UTF-8)"
        return Diagnostic(SYNTAX, "the file looks like UTF-16", Place(source.name, 1, 1), hint)
    for start in range(0, len(data), _STEP):
        step = data[start : start + _STEP]
        if step.isascii() and len(step.translate(None, _CONTROLS)) == len(step):
            continue
        found = _odd_byte(data, start, start + _STEP)
        if found is not None:
            at, message, hint = found
            return Diagnostic(SYNTAX, message, Place(source.name, *_spot(data, at)), hint)
    return None


def beginning(data: bytes) -> int:
    """Where the text begins: behind the byte order mark, if there is one."""
    return len(_BOM) if data.startswith(_BOM) else 0


class Spans:
    """Where each row of a file lies: from which byte to which, and in which line it begins."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts = array("I")
        self._ends = array("I")
        self._lines = array("I")

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, start: int, end: int, line: int) -> None:
        self._starts.append(start)
        self._ends.append(end)
        self._lines.append(line)

    def bounds(self, number: int) -> tuple[int, int]:
        return self._starts[number], self._ends[number]

    def text(self, number: int) -> str:
        return self._data[self._starts[number] : self._ends[number]].decode()

    def before(self, number: int) -> int:
        """How many characters of the file stand before a row."""
        return len(self._data[beginning(self._data) : self._starts[number]].decode())

    def spot(self, number: int, offset: int = 0) -> Spot:
        """The line and column that lie `offset` characters into a row."""
        before = self.text(number)[:offset]
        line = self._lines[number] + before.count("\n")
        if "\n" in before:
            return line, len(before) - before.rindex("\n")
        start = self._starts[number]
        margin = max(self._data.rfind(b"\n", 0, start) + 1, beginning(self._data))
        return line, len(self._data[margin:start].decode()) + offset + 1


class Lines(Sequence[str]):
    """A file's lines, found when one is first asked for: only problems quote them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        if isinstance(number, slice):
            return [self[at] for at in range(*number.indices(len(self)))]
        start = self._starts[number]
        end = self._data.find(b"\n", start)
        line = self._data[start : end if end >= 0 else len(self._data)]
        return line.decode("utf-8", "replace").rstrip("\r")

    @cached_property
    def _starts(self) -> array[int]:
        starts = array("I", [beginning(self._data)])
        at = self._data.find(b"\n")
        while at >= 0:
            starts.append(at + 1)
            at = self._data.find(b"\n", at + 1)
        return starts


# --- what is no text -------------------------------------------------------------------------------


def _odd_byte(data: bytes, start: int, end: int) -> tuple[int, str, str] | None:
    """The first byte in a part of the file that is not UTF-8, or that nobody can see."""
    while start and start < len(data) and data[start] & 0xC0 == 0x80 and end - start < _STEP + 3:
        start -= 1  # a character that began before this part
    while end < len(data) and data[end] & 0xC0 == 0x80 and end - start < _STEP + 6:
        end += 1
    part = data[start:end]
    try:
        part.decode()
    except UnicodeDecodeError as error:
        at = start + error.start
        return at, f"byte 0x{data[at]:02x} is not UTF-8", "save the file as UTF-8"
    found = _CONTROL.search(part) or _UNSEEN.search(part)
    if found is None:
        return None
    char = ord(found[0].decode())
    message = f"an invisible character, U+{char:04X}, is not allowed here"
    return start + found.start(), message, "delete it"


def _spot(data: bytes, at: int) -> Spot:
    margin = max(data.rfind(b"\n", 0, at) + 1, beginning(data))
    return data.count(b"\n", 0, at) + 1, len(data[margin:at].decode("utf-8", "replace")) + 1
