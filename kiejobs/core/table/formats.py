"""A data file's text, in which every character has a place, and its rows: CSV, TSV, JSON, JSONL.

In: a `Source`. Out: a `Text`, or a `Diagnostic`; `Contents`. Touches csv's limit of a cell's length.
Strict, since a table that is read otherwise than it was meant buys the wrong thing. In CSV (RFC 4180) a quote
in the middle of a cell and a row with a cell too many are mistakes; blank lines are none. In JSON, as in our
YAML, a key twice, a number that it can't hold and one that not every reader keeps exactly are.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.nodes import plain_json, trimmed
from kiejobs.core.document.reader import other_kind
from kiejobs.core.document.tree import BadScalar, misprint
from kiejobs.core.document.tree import plain as scalar
from kiejobs.core.document.wording import CHARACTER_ITSELF, HALF_A_PAIR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kiejobs.core.document.nodes import Json, Source

SYNTAX = "table-syntax"
MAX_BYTES: Final = 16 * 2**20
MAX_ROWS: Final = 100_000
"""It takes half a day to submit as many jobs."""

MAX_ROW: Final = 2**20
"""Characters of one row; the longest prompt that the API takes has 10,000."""

MOST_REPORTED: Final = 100
"""Problems of one table; what is wrong with the next row is the same again."""

_SAVE = "save it as UTF-8 (in Excel: Save as, CSV UTF-8)"
_PIECE = 2**12
"""Characters in which lines are counted, to find the place of something in a table of a million rows."""

# What nobody can see, as in YAML; and what replaces bytes that are not UTF-8.
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\udc80-\udcff]")


@dataclass(frozen=True)
class Text:
    """A file's text without byte order mark. Line breaks are LF: git may change them with a checkout."""

    name: str
    text: str

    def place(self, at: int) -> Place:
        """The line and column after `at` characters."""
        piece = at // _PIECE
        line = self._breaks[piece] + self.text.count("\n", piece * _PIECE, at)
        return Place(self.name, line + 1, at - self.text.rfind("\n", 0, at))

    def problem(self, at: int, message: str, hint: str | None = None) -> Diagnostic:
        return Diagnostic(SYNTAX, message, self.place(at), hint)

    @cached_property
    def _breaks(self) -> list[int]:
        """How many lines end before each piece of the text."""
        pieces = range(0, len(self.text), _PIECE)
        return [0, *accumulate(self.text.count("\n", at, at + _PIECE) for at in pieces)]


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
    warnings: tuple[Diagnostic, ...] = ()


def decoded(source: Source) -> tuple[Text, Diagnostic | None]:
    """The text, and what keeps the bytes from being one."""
    data = source.data
    whole = data.decode(errors="surrogateescape").removeprefix("\ufeff").replace("\r\n", "\n")
    whole = whole if "\n" in whole else whole.replace("\r", "\n")  # an old Mac's
    text = Text(source.name, whole)
    other = other_kind(data)
    if other is not None:
        return text, text.problem(0, f"the file is {other[0]}, whatever it is called", other[1] or _SAVE)
    if whole.lstrip()[:1] in {"[", "{"} and source.name.lower().endswith(("csv", "tsv")):
        hint = "name it .json; .jsonl where each line is a mapping"
        return text, text.problem(0, "the file is JSON, whatever it is called", hint)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[1:200:2].count(0) > 3:
        return text, text.problem(0, "the file looks like UTF-16", _SAVE)
    odd = _ODD.search(whole)
    if odd is None:
        return text, None
    if "\udc80" <= odd[0] <= "\udcff":
        message = f"byte 0x{ord(odd[0]) - 0xDC00:02x} is not UTF-8"
        return text, text.problem(odd.start(), message, "save the file as UTF-8")
    message = f"an invisible character, U+{ord(odd[0]):04X}, is not allowed here"
    return text, text.problem(odd.start(), message, "delete it")


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


# --- CSV and TSV -----------------------------------------------------------------------------------
#
# The standard library reads the cells; where they begin is found again for the row that a problem is about.

MAX_COLUMNS: Final = 1_000
csv.field_size_limit(MAX_ROW)

_Record: TypeAlias = tuple[list[str], int]  # cells, and where their row begins
_HELD = 'a cell that holds a delimiter needs quotes around it: "calm, then wild"'
_QUOTE = 'put the entire cell in quotes, and write a quote in it twice: "5"" wide"'
_QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')


def read_csv(text: Text, delimiter: str) -> Contents:
    """The rows below the header."""
    records = _records(text, delimiter)
    header = next(records, None)
    columns = header[0] if isinstance(header, tuple) else []

    def place(row: Row, column: str | None) -> Place:
        if column not in columns:
            return text.place(row.start)
        starts, _ = _split(text, row.start, delimiter)
        return text.place(starts[columns.index(column)])

    if not isinstance(header, tuple):
        return Contents([], [] if header is None else [header], place)
    rows, problems = collected(_rows(text, delimiter, columns, records), place)
    heading = tuple(_heading_problems(text, delimiter, header)) if rows or problems else ()
    return Contents(rows, problems, place, tuple(columns), heading)


def _records(text: Text, delimiter: str) -> Iterator[_Record | Diagnostic]:
    stream = io.StringIO(text.text, newline="\n")
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    has_quotes, end = '"' in text.text, 0
    while True:
        start, broken = end, False
        try:
            cells = next(reader, None)
        except csv.Error:
            cells, broken = [], True
        end, problem = stream.tell(), None
        if broken or has_quotes or end - start > MAX_ROW:
            problem = _problem(text, start, end, delimiter, broken=broken)
        if problem is not None:
            _skip_row(stream, start)
            end = stream.tell()
            yield problem
        elif cells:
            yield cells, start
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
    has_quotes = '"' in text.text  # only then a line break can be within a cell
    for each in records:
        if isinstance(each, Diagnostic):
            yield each
            continue
        cells, start = each
        if len(cells) == len(columns):
            values = map(trimmed, cells) if has_quotes else cells
            yield Row(dict(zip(columns, values, strict=True)), start)
        else:
            few = len(cells) < len(columns)
            message = f"the row has {len(cells)} cells, and the header {len(columns)}"
            hint = "an empty cell needs its delimiter, too" if few else _HELD
            at = start if few else _split(text, start, delimiter)[0][len(columns)]
            yield text.problem(at, message, hint)


def _heading_problems(text: Text, delimiter: str, header: _Record) -> Iterator[Diagnostic]:
    columns, starts = header[0], _split(text, header[1], delimiter)[0]
    if len(columns) > MAX_COLUMNS:
        yield text.problem(starts[MAX_COLUMNS], f"more than {MAX_COLUMNS:,} columns")
        return
    if columns[0].startswith("sep=") and not "".join(columns[1:]):
        hint = "delete the line, and save the table with commas, or with tabs as .tsv"
        yield text.problem(header[1], "`sep=` is a note to Excel, and no header", hint)
        return
    for number, (column, at) in enumerate(zip(columns, starts, strict=True)):
        if not column.strip():
            yield text.problem(at, f"column {number + 1} has no name", "name it, or delete it")
        elif column != column.strip():
            message = f"the column's name has blanks around it: `{column}`"
            yield text.problem(at, message, "delete the blanks: they belong to the name")
        elif column in columns[:number]:
            yield text.problem(at, f"two columns have the name `{column}`", "rename one")


def _problem(text: Text, start: int, end: int, delimiter: str, *, broken: bool) -> Diagnostic | None:
    """What keeps a row from being cells; the standard library's reader lets some of it pass."""
    if end - start > MAX_ROW:
        message = f"the row is longer than {MAX_ROW:,} characters"
        return text.problem(start, message, "is there a quote that is never closed?")
    bad = _split(text, start, delimiter)[1] if text.text.find('"', start, end) >= 0 else None
    if bad is not None or not broken:
        return bad
    hint = "save the table with the line breaks of Windows or Unix"
    return text.problem(text.text.find("\r", start), "a line ends in CR alone", hint)


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


# --- JSONL, a mapping in each line, and JSON, a list of mappings -------------------------------------

MAX_DEPTH: Final = 64
_BLANK = frozenset(" \t\r\n")
_PRINTED = re.compile(r"[^ \t\r\n]|\Z")


@dataclass(eq=False)
class _BadJson(Exception):
    """`at`: where in the text the mistake is."""

    at: int
    message: str
    hint: str | None = None


def read_jsonl(text: Text) -> Contents:
    """A row in each line that is not blank."""
    lines = re.finditer(r"[^\n]+", text.text)
    return _contents(text, (_row(text, *line.span()) for line in lines if not line[0].isspace()))


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


def _items(text: str) -> Iterator[tuple[int, int]]:
    """Raises _BadJson."""
    at = _after_blanks(text, 0)
    if text[at : at + 1] != "[":
        hint = 'like [{"id": "dawn"}, {"id": "dusk"}]; one mapping a line is a .jsonl file'
        raise _BadJson(at, "a table is a list of mappings", hint)
    at = _after_blanks(text, at + 1)
    is_empty = text[at : at + 1] == "]"
    while not is_empty:
        try:
            end = _PLAIN.raw_decode(text, at)[1]
        except (json.JSONDecodeError, RecursionError) as error:
            raise _bad(error, 0, at) from error
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
    if text[at : at + 1] not in _BLANK:
        return at
    return next(_PRINTED.finditer(text, at)).start()


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
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_deep(found):
        raise RecursionError
    if "\\u" in text:
        json.dumps(found, ensure_ascii=False).encode()
    if not isinstance(found, dict):
        hint = 'like {"id": "dawn", "mood": "calm"}; one list of them is a .json file'
        raise _BadJson(0, "a row is a mapping", hint)
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
        return _BadJson(at, HALF_A_PAIR, CHARACTER_ITSELF)
    return _BadJson(at, f"nested more than {MAX_DEPTH} levels deep")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _BadJson(0, f"duplicate key `{twice[:80]}`", "keep one of the two")
    return made


def _constant(text: str) -> Any:
    raise _BadJson(0, f"JSON has no number `{text}`", "put it in quotes if it is meant as text")


def _number(text: str) -> Any:
    """As text it would be one more number in CSV, which prints it as it is written."""
    value = scalar(text)
    bad = misprint(text, value)
    if bad is not None:
        raise bad
    return value


_PLAIN = json.JSONDecoder(parse_int=len, parse_float=len)
_STRICT = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_number, parse_float=_number, parse_constant=_constant
)
