"""Text that is not what a person sees: dropped behind a `#` or as an anchor, printed otherwise, never rendered.

In: a Document and parts of it. Out: warnings, errors. Touches nothing.
A `#` with a blank behind it is meant as a comment, unless it leaves no value at all; `#cozy` hardly is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic, Severity
from kiejobs.core.document.nodes import leaves, texts_in
from kiejobs.core.document.tree import misprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Document, Json, Spot

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_RENDERED = (
    "templates are rendered in `input`, `output`, `callBackUrl`, and on an axis that only fills a field"
)
_MARK = re.compile(r"(?<!\S)#")
_QUOTE = "put the entire text in quotes"


def lost_text(document: Document, parts: Iterable[tuple[Json, Spot]]) -> Iterator[Diagnostic]:
    """A warning for each value in `parts`, which have their spots, that lacks text which is shown there."""
    marks = [
        (number, found.start() + 1)
        for number, line in enumerate(document.lines, 1)
        if "#" in line
        for found in _MARK.finditer(line)
    ]
    if not marks and not document.idle_anchors:
        return
    for part in parts:
        for value, spot in leaves(*part):
            if spot in document.idle_anchors:
                message = (
                    f"`&{document.idle_anchors[spot]}` names an anchor, which nothing uses; it is not text"
                )
                hint = f"{_QUOTE} where it belongs to it, or drop it"
                yield Diagnostic("lost-text", message, document.at(spot), hint, Severity.WARNING)
            at = bisect_right(marks, spot)
            if at < len(marks) and (words := _dropped(document.lines, value, spot, marks[at])):
                yield _comment(value, words, document.at(marks[at]))


def misprints(document: Document, parts: Iterable[tuple[Json, Spot]]) -> Iterator[Diagnostic]:
    """An error for each number in `parts` that would be printed otherwise than it is written."""
    for part in parts if document.numbers else ():
        for value, spot in leaves(*part):
            bad = misprint(document.numbers[spot], value) if spot in document.numbers else None
            if bad is not None:
                yield Diagnostic(bad.code, bad.message, document.at(spot), bad.hint)


def unrendered(what: str, value: Json, place: Place | None) -> Iterator[Diagnostic]:
    """Braces would be bought."""
    found = (_TEMPLATE.search(text) for text in texts_in(value) if "{" in text)
    shown = next((one[0] for one in found if one is not None), None)
    if shown is not None:
        message = f"{what} holds a template, which nothing renders: `{shown[:60]}`"
        hint = f"{_RENDERED}; put it there, or write its value here"
        yield Diagnostic("unrendered-template", message, place, hint)


def _dropped(lines: Sequence[str], value: Json, spot: Spot, mark: Spot) -> str:
    """The text behind the `#` at `mark`, where that ends the value at `spot`; empty where it doesn't."""
    first, last = spot[0] - 1, mark[0] - 1
    if last - first > str(value).count(" ") + str(value).count("\n") + 1:
        return ""
    between = [*lines[first:last], lines[last][: mark[1] - 1]]
    between[0] = between[0][spot[1] - 1 :]
    before, dropped = " ".join(between).rstrip(), lines[last][mark[1] - 1 :]
    shown = before.split()
    if value is None:
        return dropped if first == last and shown in ([], [":"]) else ""
    # Within brackets a comma ends the value; anywhere else it belongs to it.
    is_text, between_commas = isinstance(value, str), before.removesuffix(",").split()
    is_whole = value.split() in (shown, between_commas) if is_text else len(shown) == 1
    return dropped if is_whole and shown and not dropped[1:2].isspace() and dropped.strip("#") else ""


def _comment(value: Json, dropped: str, place: Place) -> Diagnostic:
    shown = f"`{dropped[:40].strip()}`"
    message = f"{shown} is a comment to YAML, and no part of the text"
    hint = f"{_QUOTE} where this belongs to it; where it is a comment, write a blank behind the `#`"
    if value is None:
        message = f"there is no value here: {shown} is a comment to YAML"
        hint = f"{_QUOTE} where this is the value"
    return Diagnostic("lost-text", message, place, hint, Severity.WARNING)
