"""JSONL, a mapping in each line, and JSON, a list of mappings.

In: a table's text. Out: `Contents`. Touches nothing.

As strict as our YAML: a key twice, a number that JSON can't hold and one that not every reader keeps
exactly are mistakes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from kiejobs.core.document.nodes import plain_json
from kiejobs.core.document.scalars import BadScalar
from kiejobs.core.document.scalars import plain as scalar
from kiejobs.core.table.text import MAX_ROW, Contents, Row, collected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kiejobs.core.diagnostics import Diagnostic, Place
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.table.text import Text

MAX_DEPTH: Final = 64
_BLANK = re.compile(r"[ \t\r\n]*+")


class _BadJson(Exception):
    """`at`: where in the text the mistake is."""

    def __init__(self, at: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.hint = hint


def read_jsonl(text: Text) -> Contents:
    """A row in each line that is not blank."""
    return _contents(text, (_row(text, *span) for span in _lines(text.text)))


def read_json(text: Text) -> Contents:
    """The items of one list. Nothing of it is used where its brackets and commas are wrong."""
    try:
        spans = list(_items(text.text))
    except _BadJson as bad:
        return _contents(text, [text.problem(bad.at, bad.message, bad.hint)])
    return _contents(text, (_row(text, *span) for span in spans))


def _contents(text: Text, found: Iterable[Row | Diagnostic]) -> Contents:
    def place(row: Row, column: str | None) -> Place:
        return text.place(row.start if column is None else _value_at(text.text, row, column))

    return Contents(*collected(found, place), place)


# --- from which character to which rows lie ----------------------------------------------------------


def _lines(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    for line in text.split("\n"):
        if line and not line.isspace():
            yield at, at + len(line)
        at += len(line) + 1


def _items(text: str) -> Iterator[tuple[int, int]]:
    """Raises _BadJson."""
    at = _after_blanks(text, 0)
    if text[at : at + 1] != "[":
        hint = 'like [{"id": "dawn"}, {"id": "dusk"}]; one mapping a line is a .jsonl file'
        raise _BadJson(at, "a table is a list of mappings", hint)
    at = _after_blanks(text, at + 1)
    is_empty = text[at : at + 1] == "]"
    while not is_empty:
        end = _end(text, at)
        yield at, end
        at = _after_blanks(text, end)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise _BadJson(at, "a comma or a `]` is missing")
        at = _after_blanks(text, at + 1)
    at = _after_blanks(text, at + 1)
    if at < len(text):
        raise _BadJson(at, "text behind the list's end", "a table is one list")


def _end(text: str, at: int) -> int:
    try:
        return _PLAIN.raw_decode(text, at)[1]
    except (json.JSONDecodeError, RecursionError) as error:
        raise _bad(error, 0, at) from error


def _value_at(text: str, row: Row, column: str) -> int:
    """Where the value of a row's key begins; the row where there is no such key."""
    at = _after_blanks(text, text.index("{", row.start) + 1)
    while text[at] == '"':
        key, at = _PLAIN.raw_decode(text, at)
        at = _after_blanks(text, _after_blanks(text, at) + 1)
        if key == column:
            return at
        at = _after_blanks(text, _PLAIN.raw_decode(text, at)[1])
        at = at if text[at] == "}" else _after_blanks(text, at + 1)
    return row.start


def _after_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


# --- one row ---------------------------------------------------------------------------------------


def _row(text: Text, start: int, end: int) -> Row | Diagnostic:
    try:
        return Row(_mapping(text.text[start:end]), start)
    except (ValueError, RecursionError, BadScalar, _BadJson) as error:
        bad = _bad(error, start, start)
        return text.problem(bad.at, bad.message, bad.hint)


def _mapping(text: str) -> dict[str, Json]:
    """Raises what `_bad` words."""
    if len(text) > MAX_ROW:
        raise _BadJson(0, f"the row is longer than {MAX_ROW:,} characters")
    found = _STRICT.decode(text)
    if _is_deep(found):
        raise RecursionError
    if "\\u" in text:
        json.dumps(found, ensure_ascii=False).encode()
    if not isinstance(found, dict):
        raise _BadJson(0, "a row is a mapping", 'like {"id": "dawn", "mood": "calm"}')
    plain: dict[str, Json] = plain_json(found)
    return plain


def _is_deep(value: Json, levels: int = MAX_DEPTH) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list) and (
        not levels or any(_is_deep(each, levels - 1) for each in inner)
    )


def _bad(error: Exception, start: int, at: int) -> _BadJson:
    """In words; `start` is where what was decoded begins, and `at` where nothing is more exact."""
    if isinstance(error, json.JSONDecodeError):
        words = error.msg[:1].lower() + error.msg[1:]
        words = words.replace(" enclosed in double quotes", " in quotes")
        return _BadJson(start + error.pos, f"this is not JSON: {words}")
    if isinstance(error, BadScalar | _BadJson):
        return _BadJson(at, error.message, error.hint)
    if isinstance(error, UnicodeEncodeError):
        hint = "write the character itself"
        return _BadJson(at, "half a surrogate pair is no character", hint)
    return _BadJson(at, f"nested more than {MAX_DEPTH} levels deep")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _BadJson(0, f"the key `{twice[:80]}` is here twice", "keep one of the two")
    return made


def _constant(text: str) -> Any:
    raise _BadJson(0, f"JSON has no number `{text}`", "put it in quotes if it is meant as text")


_PLAIN = json.JSONDecoder(parse_int=len, parse_float=len)
_STRICT = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=scalar, parse_float=scalar, parse_constant=_constant
)
