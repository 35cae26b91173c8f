"""JSONL, a mapping in each line, and JSON, a list of mappings.

In: a file's bytes. Out: its rows, each read when it is asked for. Touches nothing.

As strict as our YAML: a key twice, a number that JSON can't hold and one that not every reader keeps
exactly are mistakes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from kiejobs.core.document.scalars import BadScalar
from kiejobs.core.document.scalars import plain as scalar
from kiejobs.core.table.text import MAX_ROW, BadRow, Spans, beginning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.document.nodes import Json, Spot

MAX_DEPTH: Final = 64
_BLANK = re.compile(r"[ \t\r\n]*")
_BLANK_LINES = re.compile(rb"[ \t\r\n]*\n")
"""Passed over at once: a file may hold nothing else, a hundred megabytes of it."""

_KEY = re.compile(r'[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*')


class JsonRecords:
    """Rows that are JSON mappings, wherever in a file they lie."""

    columns: tuple[str, ...] = ()
    """Each row has its own."""

    def __init__(self, spans: Spans) -> None:
        self.spans = spans

    def __len__(self) -> int:
        return len(self.spans)

    def row(self, number: int) -> dict[str, Json]:
        """Raises RowSlip."""
        text = self.spans.text(number)
        found = _read(text)
        if not isinstance(found, dict):
            raise BadRow("a row is a mapping", 'like {"id": "dawn", "mood": "calm"}')
        return found

    def spot(self, number: int, column: str | None = None, offset: int = 0) -> Spot:
        """Where a row begins, or the value of its key `column`."""
        if column is not None:
            offset = _offset_of(self.spans.text(number), column)
        return self.spans.spot(number, offset)

    def heading_slips(self) -> Iterator[BadRow]:
        return iter(())

    def heading_spot(self, slip: BadRow) -> Spot:
        return 1, slip.offset + 1


def jsonl_records(data: bytes, most: int) -> JsonRecords:
    """A row in each line that is not blank, until there are more than `most`."""
    spans = Spans(data)
    at, line = beginning(data), 1
    while at < len(data) and len(spans) <= most:
        if data[at] in b" \t\r\n" and (blank := _BLANK_LINES.match(data, at)):
            at, line = blank.end(), line + data.count(b"\n", at, blank.end())
            continue
        stop = data.find(b"\n", at)
        stop = stop if stop >= 0 else len(data)
        if data[at:stop].strip():
            spans.add(at, stop, line)
        at, line = stop + 1, line + 1
    return JsonRecords(spans)


def json_records(data: bytes, most: int) -> JsonRecords:
    """The items of one list. Raises RowSlip, counted from the beginning, where it is none."""
    text = data[beginning(data) :].decode()
    spans = Spans(data)
    for start, end in _items(text, most):
        spans.add(start, end, 0)
    return JsonRecords(_in_bytes(data, text, spans))


def _items(text: str, most: int) -> Iterator[tuple[int, int]]:
    """Where each item of the list lies, in characters."""
    at = _after_blanks(text, 0)
    if text[at : at + 1] != "[":
        hint = 'like [{"id": "dawn"}, {"id": "dusk"}]; one mapping a line is a .jsonl file'
        raise BadRow("a table is a list of mappings", hint, at)
    at = _after_blanks(text, at + 1)
    count = 0
    if text[at : at + 1] == "]":
        _nothing_follows(text, at + 1)
        return
    while True:
        end = _item_end(text, at)
        yield at, end
        count += 1
        at = _after_blanks(text, end)
        if count > most:
            return
        if text[at : at + 1] == "]":
            _nothing_follows(text, at + 1)
            return
        if text[at : at + 1] != ",":
            raise BadRow("a comma or a `]` is missing", None, at)
        at = _after_blanks(text, at + 1)


def _item_end(text: str, at: int) -> int:
    try:
        end = _PLAIN.raw_decode(text, at)[1]
    except json.JSONDecodeError as error:
        raise _no_json(error) from error
    except (RecursionError, ValueError) as error:
        raise BadRow(f"nested more than {MAX_DEPTH} levels deep", None, at) from error
    return end


def _nothing_follows(text: str, at: int) -> None:
    at = _after_blanks(text, at)
    if at < len(text):
        raise BadRow("text behind the list's end", "a table is one list", at)


def _after_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _in_bytes(data: bytes, text: str, spans: Spans) -> Spans:
    """Spans in characters made into spans in bytes, with their lines."""
    made = Spans(data)
    at, place, line = 0, beginning(data), 1
    for number in range(len(spans)):
        start, end = spans.bounds(number)
        between, row = text[at:start], text[start:end]
        place += len(between.encode())
        line += between.count("\n")
        size = len(row.encode())
        made.add(place, place + size, line)
        at, place, line = end, place + size, line + row.count("\n")
    return made


# --- one row ---------------------------------------------------------------------------------------


def _read(text: str) -> Json:
    if len(text) > MAX_ROW:
        raise BadRow(f"the row is longer than {MAX_ROW:,} characters")
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise BadRow(f"nested more than {MAX_DEPTH} levels deep")
    try:
        found = _STRICT.decode(text)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise _no_json(error) from error
    except UnicodeEncodeError as error:
        raise BadRow(
            "half a surrogate pair is no character", "write the character itself"
        ) from error
    except BadScalar as error:
        raise BadRow(error.message, error.hint) from error
    except RecursionError as error:
        raise BadRow(f"nested more than {MAX_DEPTH} levels deep") from error
    return found


def _depth(text: str) -> int:
    """The deepest nesting; brackets within texts are taken for some, so that it may be told too deep."""
    depth = deepest = 0
    for char in re.findall(r"[][{}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        depth += 1 if char in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_json(error: json.JSONDecodeError) -> BadRow:
    message = error.msg[:1].lower() + error.msg[1:].replace(
        " enclosed in double quotes", " in quotes"
    )
    return BadRow(f"this is not JSON: {message}", None, error.pos)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise BadRow(f"the key `{twice[:80]}` is here twice", "keep one of the two")
    return made


def _constant(text: str) -> Any:
    raise BadRow(f"JSON has no number `{text}`", "put it in quotes if it is meant as text")


_PLAIN = json.JSONDecoder(parse_int=len, parse_float=len)
_STRICT = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=scalar, parse_float=scalar, parse_constant=_constant
)


def _offset_of(text: str, column: str) -> int:
    """How many characters into a row's text the value of a key begins; 0 where there is no such key."""
    at = text.index("{") + 1
    while (found := _KEY.match(text, at)) is not None:
        if json.loads(found[1]) == column:
            return found.end()
        at = _after_blanks(text, _PLAIN.raw_decode(text, found.end())[1])
        at += text[at : at + 1] == ","
    return 0
