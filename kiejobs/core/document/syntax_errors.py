"""What the YAML parser complains about, in words that say what to do.

In: an error of PyYAML (libyaml's wording or the Python parser's), with the text it is about. Out: one
`Diagnostic`. Touches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.tree import MAX_DEPTH, bare_template, depth_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    import yaml

_TOKENS = re.compile(
    r""" "(?:\\.|[^"\\])*" | '(?:[^']|'')*' | (?:^|(?<=\s))\#[^\n]* | [\[{] | [\]}] """,
    re.VERBOSE | re.MULTILINE,
)
"""Texts in quotes and comments, in which brackets open nothing; and brackets."""


class _Words(NamedTuple):
    """`pattern` finds the parser's own text, its context behind a bar; `opening`: show where that began."""

    pattern: str
    message: str
    hint: str
    opening: bool = False


_CLOSE = "close it, or put the text in quotes"
_QUOTE = "put the whole value in quotes"
_QUOTE_TAG = "a text that starts with `!` needs quotes"
_ALIGN = (
    "indent it like its neighbours; a value with quotes in its middle needs quotes around it all"
)
_TAB = _Words("tab character", "a tab in the indentation",
              "use spaces: YAML does not take tabs for indentation")  # fmt: skip
_KNOWN = (
    _TAB,
    _Words("cannot start any token", "a value can't start with `{char}`", _QUOTE),
    _Words("mapping values are not allowed", "a second `:` in one line, or a line indented too far",
           "put a value that contains `: ` in quotes"),
    _Words("(block )?sequence entries are not allowed", "a list item can't stand here",
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
    _Words("directive", "a line that starts with `%` speaks to the parser", "drop or quote it"),
    _Words("mapping keys are not allowed", "`?` can't stand here", _QUOTE),
    _Words("scanning a block scalar", "`|` and `>` take the text on the lines below",
           "begin the text on the next line"),
)  # fmt: skip
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
        words = _TAB
    message = words.message.format(char=char)
    return Diagnostic("yaml-syntax", message, Place(name, *spot), words.hint)


def too_deep(name: str, text: str) -> Diagnostic | None:
    """The first bracket beyond the limit; parsers may give up before that, each in words of its own."""
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += (token[0] in {"[", "{"}) - (token[0] in {"]", "}"})
        if depth > MAX_DEPTH:
            before = text[: token.start()]
            line = before.count("\n")
            return depth_problem(Place(name, line + 1, len(before) - before.rfind("\n")))
    return None


def _find(complaint: str) -> _Words:
    for words in _KNOWN:
        if re.search(words.pattern, complaint):
            return words
    safe = complaint.split(" |", maxsplit=1)[0].replace("{", "{{").replace("}", "}}")
    return _Words("", f"this is not YAML: {safe}", "put the value in quotes")


def _spot(mark: Any) -> tuple[int, int] | None:
    return None if mark is None else (mark.line + 1, mark.column + 1)


def _line(lines: Sequence[str], spot: tuple[int, int]) -> str:
    return lines[spot[0] - 1] if spot[0] <= len(lines) else ""


def _char(lines: Sequence[str], spot: tuple[int, int]) -> str:
    line = _line(lines, spot)
    return line[spot[1] - 1] if spot[1] <= len(line) else "the end of the line"
