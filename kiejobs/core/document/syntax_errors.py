"""What the YAML parser complains about, in words that say what to do.

In: an error of PyYAML (libyaml's wording or the Python parser's), with the text it is about. Out: one
`Diagnostic`. Touches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kiejobs.core.diagnostics import Diagnostic, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    import yaml

CODE = "yaml-syntax"

MAX_DEPTH = 64
"""Levels of nesting. A real job file has about 6; every later walk over the tree may recurse."""

_TOKENS = re.compile(
    r""" "(?:\\.|[^"\\])*" | '(?:[^']|'')*' | (?:^|(?<=\s))\#[^\n]* | [\[{] | [\]}] """,
    re.VERBOSE | re.MULTILINE,
)
"""Texts in quotes and comments, in which brackets open nothing; and brackets."""


class _Words(NamedTuple):
    """`pattern` finds the parser's own text, its context behind a bar.

    `opening` says that the place to show is where the construct began.
    """

    pattern: str
    message: str
    hint: str
    opening: bool = False


_NO_TAB = "use spaces: YAML does not take tabs for indentation"
_QUOTE = "put the whole value in quotes"
_ALIGN = (
    "indent it like its neighbours; a value with quotes in its middle needs quotes around it all"
)
_CLOSE = "close it, or put the text in quotes"
_QUOTE_TAG = "a text that starts with `!` needs quotes"
_DOUBLE = "in double quotes write `\\\\` for a backslash, or use single quotes"

_KNOWN = (
    _Words(r"tab character", "a tab in the indentation", _NO_TAB),
    _Words(r"cannot start any token", "a value can't start with `{char}`", _QUOTE),
    _Words(
        r"mapping values are not allowed",
        "a second `:` in one line, or a line indented too far",
        "put a value that contains `: ` in quotes",
    ),
    _Words(
        r"(block )?sequence entries are not allowed",
        "a list item can't stand here",
        "begin the list on a line of its own; a text that starts with `- ` needs quotes",
    ),
    _Words(
        r"end of stream.*\| while scanning a quoted",
        "this quote is never closed",
        "close it; within single quotes an apostrophe is written twice",
        opening=True,
    ),
    _Words(
        r"unexpected document (indicator|separator)",
        "this quote is never closed",
        "close it; `---` and `...` can't begin a line within quotes",
        opening=True,
    ),
    _Words(
        r"',' or '\]'",
        "this `[` is never closed, or a comma is missing in it",
        _CLOSE,
        opening=True,
    ),
    _Words(
        r"',' or '\}'",
        "this `{{` is never closed, or a comma is missing in it",
        _CLOSE,
        opening=True,
    ),
    _Words(
        r"could not find expected ':'",
        "a key without a `:`",
        "add the `:`; a text over several lines needs `>-` or `|`, and deeper indentation",
        opening=True,
    ),
    _Words(
        r"alphabetic or numeric character.*(alias|anchor)",
        "`{char}` needs a name",
        _QUOTE,
        opening=True,
    ),
    _Words(r"expected '-'|block collection", "this line is no item of the list around it", _ALIGN),
    _Words(
        r"expected key|expected <block end>", "this line does not fit the block around it", _ALIGN
    ),
    _Words(r"node content", "a value is missing before `{char}`", "add it, or quote the text"),
    _Words(
        r"unknown escape|escape sequence|escape code|hexdecimal",
        "an escape that YAML does not know",
        _DOUBLE,
    ),
    _Words(
        r"document start",
        "text after the document's end",
        "a job file holds one document, no `...`",
    ),
    _Words(r"tag handle", "a tag that was never declared", _QUOTE_TAG),
    _Words(r"incompatible YAML", "this YAML version is not known", "drop the `%YAML` line"),
    _Words(r"(scanning|parsing) a tag|URI", "a tag that can't be read", _QUOTE_TAG),
    _Words(r"directive", "a line that starts with `%` speaks to the parser", "drop or quote it"),
    _Words(r"mapping keys are not allowed", "`?` can't stand here", _QUOTE),
    _Words(
        r"scanning a block scalar",
        "`|` and `>` take the text on the lines below",
        "begin the text on the next line",
    ),
)
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_BARE_TEMPLATE = re.compile(r"(?:^|[:\-\[,])\s*(\{[{%])")


def syntax_problem(name: str, lines: Sequence[str], error: yaml.YAMLError) -> Diagnostic:
    """The diagnostic for what stopped the parser."""
    problem = getattr(error, "problem", None) or str(error)
    words = _find(f"{problem} | {getattr(error, 'context', None) or ''}")
    here = _spot(getattr(error, "problem_mark", None))
    began = _spot(getattr(error, "context_mark", None)) or here
    spot = (began if words.opening else here) or (1, 1)
    char = _char(lines, spot)
    unquoted = _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), _line(lines, spot))
    bare = _BARE_TEMPLATE.search(unquoted)
    if bare is not None:
        return bare_template(Place(name, spot[0], bare.start(1) + 1))
    if char == "\t":
        words = _KNOWN[0]
    return Diagnostic(CODE, words.message.format(char=char), Place(name, *spot), words.hint)


def depth_problem(place: Place) -> Diagnostic:
    message = f"nested more than {MAX_DEPTH} levels deep"
    return Diagnostic("yaml-depth", message, place, "a job file needs about six")


def too_deep(name: str, text: str) -> Diagnostic | None:
    """The first bracket beyond the limit, where a text that the parser gave up on has so many.

    Some parsers give up at a depth of their own, before they hand over a single bracket, and each says it
    in words of its own.
    """
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += (token[0] in {"[", "{"}) - (token[0] in {"]", "}"})
        if depth > MAX_DEPTH:
            before = text[: token.start()]
            line = before.count("\n")
            return depth_problem(Place(name, line + 1, len(before) - before.rfind("\n")))
    return None


def bare_template(place: Place) -> Diagnostic:
    """YAML takes `{{ x }}` for a mapping within a mapping, and says so in many ways."""
    return Diagnostic(CODE, "a template without quotes", place, 'write it as "{{ … }}"')


def _find(complaint: str) -> _Words:
    for words in _KNOWN:
        if re.search(words.pattern, complaint):
            return words
    safe = complaint.split(" |", maxsplit=1)[0].replace("{", "{{").replace("}", "}}")
    return _Words("", f"this is not YAML: {safe}", "put the value in quotes")


def _spot(mark: object) -> tuple[int, int] | None:
    if mark is None:
        return None
    return getattr(mark, "line", 0) + 1, getattr(mark, "column", 0) + 1


def _line(lines: Sequence[str], spot: tuple[int, int]) -> str:
    return lines[spot[0] - 1] if spot[0] <= len(lines) else ""


def _char(lines: Sequence[str], spot: tuple[int, int]) -> str:
    line = _line(lines, spot)
    return line[spot[1] - 1] if spot[1] <= len(line) else "the end of the line"
