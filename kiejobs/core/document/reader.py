"""The YAML reader: the bytes of a job file as values that know their line and column.

In: a `Source`. Out: a `Document`, and what is wrong with the file. Touches the garbage collector's switch.
"""

from __future__ import annotations

import gc
import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.nodes import LFS_POINTER, NO_POINTER, Document, Source
from kiejobs.core.document.tree import MAX_DEPTH, Tree, bare_template, depth_problem
from kiejobs.core.document.wording import CHARACTER_ITSELF, HALF_A_PAIR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.core.document.nodes import Spot

FASTEST: type[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""libyaml where PyYAML was built with it; else the parser in Python, ten times slower."""

MAX_BYTES = 64 * 1024 * 1024
"""A job file of 100,000 written-out scenes is about 17 MB; beyond this it is no job file."""

_PAGE = "a web page", "is it a sign-in page? Sign in, and download the file again"
_OTHERS: tuple[tuple[bytes, tuple[str, str | None]], ...] = (
    (b"pk\x03\x04", ("an .xlsx workbook, or another archive", None)),
    (b"\xd0\xcf\x11\xe0", ("an .xls workbook", None)),
    (b"\x1f\x8b", ("compressed by gzip", "`gunzip` unpacks it")),
    (b"%pdf", ("a PDF", None)),
    (b"\x89png", ("a picture", None)),
    (b"\xff\xd8\xff", ("a picture", None)),
    (b"sqlite format 3", ("a database", None)),
    (b"<!doctype", _PAGE),
    (b"<html", _PAGE),
    (b"<?xml", ("XML", None)),
    (LFS_POINTER, NO_POINTER),
)
"""What is often named as if it were a text of ours: its first bytes in lower case, what it is, and what to do."""

_BOM = "\ufeff"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# What YAML forbids (1.2.2, chapter 5.1), and the three line breaks that YAML 1.2 gave up but libyaml
# still breaks at: taken silently they would change a prompt.
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)
_HALF = re.compile(
    r"(?<!\\)(?:\\\\)*(?:\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(?P<half>\\ud[89a-f][0-9a-f]{2}))",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


def read_document(
    source: Source, *, parser: type[Any] = FASTEST, exact: bool = False
) -> tuple[Document | None, list[Diagnostic]]:
    """One YAML document, None when the text can't be used at all; and all problems that can be reported at once.

    Some leave its meaning clear (a key given twice keeps its first value, a bad number stays text), so that
    the checks that follow can report theirs too. Only the events of `parser` are used, never its values. With
    `exact` numbers stay the text that they were written as, so that money never is a float.
    """
    text = decode(source)
    if isinstance(text, Diagnostic):
        return None, [text]
    tree = Tree(source.name, text, exact=exact)
    lines, was_on = text.splitlines(), gc.isenabled()
    gc.disable()  # a tree has no cycles; looking for some as it grows costs more than building it
    try:
        tree.build(iter(parser(_joined(text)).get_event, None))
    except yaml.YAMLError as error:
        tree.usable = False
        problem = _too_deep(source.name, text) or _syntax_problem(source.name, lines, error)
        if problem not in tree.problems:
            tree.problems.append(problem)
    finally:
        if was_on:
            gc.enable()
    if not tree.usable:
        return None, tree.problems
    if tree.root is None:
        hint = "`kiejobs init` writes one to start from"
        empty = Diagnostic("yaml-empty", "the file is empty", Place(source.name, 1, 1), hint)
        return None, [*tree.problems, empty]
    digest = hashlib.sha256(source.data).hexdigest()
    idle = {spot: name for name, spot in tree.idle_anchors.items()}
    return Document(source.name, tree.root, lines, digest, tree.numbers, idle), tree.problems


# --- from bytes to text --------------------------------------------------------------------------


def decode(source: Source) -> str | Diagnostic:
    """The text of `source`, or what keeps it from being read."""
    data = source.data
    if len(data) > MAX_BYTES:
        size = f"{len(data) / 2**20:.0f} MB; a job file may be {MAX_BYTES // 2**20} MB"
        place, hint = Place(source.name, 1, 1), "split it into several job files"
        return Diagnostic("yaml-size", f"the file is {size}", place, hint)
    if (other := other_kind(data)) is not None:
        message, hint = f"the file is {other[0]}, whatever it is called", "name a text in YAML or JSON"
        return Diagnostic("yaml-encoding", message, Place(source.name, 1, 1), other[1] or hint)
    try:
        text = data.decode().removeprefix(_BOM)
    except UnicodeDecodeError as error:
        until = data[: error.start + 1].decode(errors="surrogateescape")
        return _undecodable(source, until.removeprefix(_BOM))
    found = _FORBIDDEN.search(text)
    return text if found is None else _undecodable(source, text[: found.end()])


def other_kind(data: bytes) -> tuple[str, str | None] | None:
    """What the file is instead of a text of ours, by its first bytes; and what to do, where that is known."""
    head = data[:200].removeprefix(_BOM.encode()).lstrip().lower()
    return next((words for mark, words in _OTHERS if head.startswith(mark)), None)


def _joined(text: str) -> str:
    """JSON writes a character beyond U+FFFF as two escapes, which YAML's parsers don't join."""
    # Whether there are escapes at all is known in a hundredth of the time that looking for pairs takes.
    if ("\\u" not in text and "\\U" not in text) or not _PAIR.search(text):
        return text
    return _TOKENS.sub(lambda token: _PAIR.sub(_one, token[0]) if token["closed"] else token[0], text)


def _one(pair: re.Match[str]) -> str:
    high, low = int(pair[2], 16), int(pair[3], 16)
    return f"{pair[1]}\\U{0x10000 + ((high - 0xD800) << 10) + low - 0xDC00:08x}"


def _undecodable(source: Source, text: str) -> Diagnostic:
    """`text` ends with what is wrong: an invisible character, or a byte that is not UTF-8."""
    char, is_byte = ord(text[-1]), "\udc80" <= text[-1] <= "\udcff"
    lines = (text[:-1] + "|").splitlines()
    place = Place(source.name, len(lines), len(lines[-1]))
    nought = max(source.data[at:200:2].count(0) for at in (0, 1))
    if source.data.startswith(_UTF16_MARKS) or (nought > 3 and not is_byte):
        place, message = Place(source.name, 1, 1), "the file looks like UTF-16"
        hint = "save it as UTF-8 (in Windows Notepad: Save as, Encoding UTF-8)"
    elif is_byte:
        message, hint = f"byte 0x{char - 0xDC00:02x} is not UTF-8", "save the file as UTF-8"
    else:
        message = f"an invisible character, U+{char:04X}, is not allowed here"
        hint = r'delete it; where it is meant, write it as an escape in double quotes, like "\u2028"'
    return Diagnostic("yaml-encoding", message, place, hint)


# --- what the parser complains about, in words that say what to do -------------------------------

_TOKENS = re.compile(
    r""" "[^"\\]*+(?:\\[\s\S][^"\\]*+)*+(?:(?P<closed>")|\\?\Z) | '[^']*+(?:''[^']*+)*+' | (?:^|(?<=\s))\#[^\n]* | [\[{] | [\]}] """,
    re.VERBOSE | re.MULTILINE,
)
"""Texts in quotes and comments, in which brackets open nothing; and brackets. Tried one way only: each other one of
a text of 20 MB would be kept in memory. What is never closed takes the rest: else each escaped quote in it would look
for its end, again and again."""


class _Words(NamedTuple):
    """`pattern` finds the parser's own text, its context behind a bar; `opening`: show where that began."""

    pattern: str
    message: str
    hint: str
    opening: bool = False


_CLOSE = "close it, or put the text in quotes"
_QUOTE = "put the entire value in quotes"
_QUOTE_TAG = "a text that starts with `!` needs quotes"
_ALIGN = "indent it like its neighbours; a value with quotes in its middle needs quotes around it all"
_TAB = _Words("tab character", "a tab in the indentation",
              "use spaces: YAML does not take tabs for indentation")  # fmt: skip
_KNOWN = (
    _TAB,
    _Words("cannot start any token", "a value can't start with `{char}`", _QUOTE),
    _Words("mapping values are not allowed", "a second `:` in one line, or a line indented too far",
           "put a value that contains `: ` in quotes"),
    _Words("(block )?sequence entries are not allowed", "a list item is not allowed here",
           "begin the list on a line of its own; a text that starts with `- ` needs quotes"),
    _Words(r"end of stream.*\| while scanning a quoted", "this quote is never closed",
           "close it; within single quotes an apostrophe is written twice", opening=True),
    _Words("unexpected document (indicator|separator)", "this quote is never closed",
           "close it; `---` and `...` can't begin a line within quotes", opening=True),
    _Words(r"',' or '\]'", "this `[` is never closed, or a comma is missing in it", _CLOSE, opening=True),
    _Words(r"',' or '\}'", "this `{{` is never closed, or a comma is missing in it", _CLOSE, opening=True),
    _Words("could not find expected ':'", "a key without a `:`",
           "add the `:`; a text over several lines needs `>-` or `|`, and deeper indentation", opening=True),
    _Words("alphabetic or numeric character.*(alias|anchor)", "`{char}` needs a name", _QUOTE, opening=True),
    _Words("expected '-'|block collection", "this line is no item of the list around it", _ALIGN),
    _Words("expected key|expected <block end>", "this line does not fit the block around it", _ALIGN),
    _Words("node content", "a value is missing before `{char}`", "add it, or quote the text"),
    _Words("unknown escape|escape sequence|escape code|hexdecimal", "an escape that YAML does not know",
           "in double quotes write `\\\\` for a backslash, or use single quotes"),
    _Words("document start", "text after the document's end", "a job file holds one document, no `...`"),
    _Words("tag handle", "a tag that was never declared", _QUOTE_TAG),
    _Words("incompatible YAML", "this YAML version is not known", "drop the `%YAML` line"),
    _Words("(scanning|parsing) a tag|URI", "a tag that can't be read", _QUOTE_TAG),
    _Words("directive", "a line that starts with `%` is a YAML directive", "drop or quote it"),
    _Words("mapping keys are not allowed", "`?` is not allowed here", _QUOTE),
    _Words("scanning a block scalar", "`|` and `>` take the text on the lines below",
           "begin the text on the next line"),
)  # fmt: skip
_MARKED = "put the text that holds it in quotes; where it is a comment, delete it"
_NOT_COUNTED = "so the comma or bracket in it does not count"
_UP_TO_A_QUOTE = re.compile(r"""(?:^|[:\-]\s|[\[{,])\s*(?:'(?:[^']|'')*+'|"(?:[^"\\]|\\.)*+")$""")
_INNER_QUOTE = {
    "'": "write an apostrophe in it twice, '', or put the text in double quotes",
    '"': 'put the text in single quotes, or write `\\"` for each quote in it',
}
_KEY_OR_ITEM = re.compile(r"\s*(?:-\s|[^\s#].*:(?:\s|$))")
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_BARE_TEMPLATE = re.compile(r"(?:^|[:\-\[,])\s*(\{[{%])")


def _syntax_problem(name: str, lines: Sequence[str], error: yaml.YAMLError) -> Diagnostic:
    problem = getattr(error, "problem", None) or str(error)
    complaint = f"{problem} | {getattr(error, 'context', None) or ''}"
    words = next((one for one in _KNOWN if re.search(one.pattern, complaint)), None)
    if words is None:
        safe = problem.partition(" |")[0].replace("{", "{{").replace("}", "}}")
        words = _Words("", f"this is not YAML: {safe}", "put the value in quotes")
    here = _spot(getattr(error, "problem_mark", None))
    began = _spot(getattr(error, "context_mark", None)) or here
    spot = (began if words.opening else here) or (1, 1)
    line = lines[spot[0] - 1] if spot[0] <= len(lines) else ""
    char = line[spot[1] - 1] if spot[1] <= len(line) else "the end of the line"
    unquoted = _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), line)
    if (bare := _BARE_TEMPLATE.search(unquoted)) is not None:
        return bare_template(Place(name, spot[0], bare.start(1) + 1), line)
    half = next((one for one in _HALF.finditer(line) if one["half"]), None)
    if half is not None and "escape code" in complaint:
        place = Place(name, spot[0], half.start("half") + 1)
        return Diagnostic("yaml-encoding", HALF_A_PAIR, place, CHARACTER_ITSELF)
    if char == "\t":
        words = _TAB
    message, hint = words.message.format(char=char), words.hint
    if here is not None and "expected" in complaint:
        spot, message, hint = _cause(lines, spot, here) or (spot, message, hint)
    return Diagnostic("yaml-syntax", message, Place(name, *spot), hint)


def _cause(lines: Sequence[str], spot: Spot, here: Spot) -> tuple[Spot, str, str] | None:
    """What probably led to where the parser was lost: a quote within quotes, or a comment that was meant as text.

    `spot` is what is reported, the opening bracket, say; `here` is where the parser was.
    """
    line, shown = (lines[at[0] - 1] if at[0] <= len(lines) else "" for at in (here, spot))
    before, behind = line[: here[1] - 1].rstrip(), line[here[1] - 1 :]
    if _UP_TO_A_QUOTE.search(before) and before[-1] in behind:
        return here, "the quote before this ends the text", _INNER_QUOTE[before[-1]]
    if shown[spot[1] - 1 : spot[1]] in {"[", "{"}:
        marks = (_comment(lines, number) for number in range(spot[0], min(here[0], len(lines)) + 1))
        eaten, message = (
            next((one for one in marks if one and re.search(r"[,\]}]", one[1])), None),
            _NOT_COUNTED,
        )
    else:
        ends = 1 < spot[0] <= len(lines) and not _KEY_OR_ITEM.match(shown)
        eaten, message = _comment(lines, spot[0] - 1) if ends else None, "which ends the text"
    return eaten and (eaten[0], f"`{eaten[1][:40].strip()}` is a comment to YAML, {message}", _MARKED)


def _comment(lines: Sequence[str], number: int) -> tuple[Spot, str] | None:
    """That behind other text in a line, and where it begins."""
    found = (one for one in _TOKENS.finditer(lines[number - 1]) if one[0].startswith("#"))
    mark = next(found, None)
    if mark is None or not mark.string[: mark.start()].strip():
        return None
    return (number, mark.start() + 1), mark[0]


def _too_deep(name: str, text: str) -> Diagnostic | None:
    """The first bracket beyond the limit; parsers may give up before that, each in words of its own."""
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += (token[0] in {"[", "{"}) - (token[0] in {"]", "}"})
        if depth > MAX_DEPTH:
            before = text[: token.start()]
            line = before.count("\n")
            return depth_problem(Place(name, line + 1, len(before) - before.rfind("\n")))
    return None


def _spot(mark: Any) -> tuple[int, int] | None:
    return None if mark is None else (mark.line + 1, mark.column + 1)
