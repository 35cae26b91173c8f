"""Markdown that strangers' text can't get out of, made for comments on pull requests.

In: text from anywhere, our own words. Out: pieces of GitHub's Markdown. Touches nothing.

What comes from outside stands in code spans and fenced blocks only: there a forge looks for no
mentions, references, links, HTML or markers. That is stronger than escaping, since mentions are looked
for after escapes were undone. A line never begins with what a CI server takes for a command.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from kiejobs.reports.terminal import sanitize, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LIMIT = 65_536
"""Characters that GitHub takes in a comment."""

LONG = 20
"""Lines up to which a table is not folded."""

_TICKS = re.compile("`+")
_COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)
_LONGEST = 240  # columns of one code span


def code(text: str, columns: int = _LONGEST) -> str:
    """`text` as a code span, on one line. Backticks become a letter that looks like them."""
    shown = shortened(_inert(sanitize(text)), columns).replace("`", "\u02cb").strip()
    return f"`{shown}`" if shown else "`\u2423`"


def cell(text: str, columns: int = _LONGEST) -> str:
    r"""A code span for a table. `\|` is a bar there, so that nothing may stand as a backslash before it."""
    return code(text, columns).replace("\\|", "\\ |").replace("|", "\\|")


def fenced(lines: Iterable[str], language: str = "") -> str:
    """A block of lines as they are; they must be clean."""
    text = "\n".join(map(_inert, lines))
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def folded(summary: str, content: str) -> str:
    """Behind a line to click on; `summary` is ours."""
    return f"<details>\n<summary>{summary}</summary>\n\n{content}\n\n</details>"


def marker(kind: str, campaign: str | None, file: str | None) -> str:
    """A line that nobody sees: what a comment is of, so that the next one takes its place.

    `<!-- kiejobs plan: CAMPAIGN FILE -->`, the same for the same job file, percent-encoded where need
    be: nothing in it can end the comment.
    """
    names = (
        quote(name, safe="/", errors="surrogatepass").replace("--", "-%2D")
        for name in (campaign, file)
        if name
    )
    return f"<!-- kiejobs {kind}: {' '.join(names)} -->"


class LimitedText:
    """How many characters are left for something of which there may be any number."""

    def __init__(self, characters: int) -> None:
        self._left = characters
        self.kept: list[str] = []
        self.cut = 0

    def add(self, text: str) -> None:
        """Kept while it fits; the first that doesn't ends it, so that what is kept has no holes."""
        if self.cut or len(text) >= self._left:
            self.cut += 1
            return
        self._left -= len(text) + 1
        self.kept.append(text)


def table(head: Sequence[str], aligned: str, rows: LimitedText, noun: str) -> str:
    """All rows that there is room for, folded where they are many, and how many were left out.

    `aligned` is the line below the head; `noun` names a row.
    """
    lines = ["| " + " | ".join(head) + " |", aligned, *rows.kept]
    count = len(rows.kept) + rows.cut
    text = "\n".join(lines) + left_out(rows, noun)
    if count <= LONG:
        return text
    return folded(f"{count:,} {noun}s", text)


def left_out(room: LimitedText, noun: str) -> str:
    if not room.cut:
        return ""
    more = "more " if room.kept else ""
    return f"\n\n*{room.cut:,} {more}{noun}{'' if room.cut == 1 else 's'} left out: too long for a comment.*"


def _inert(text: str) -> str:
    """No command in a log (GitHub's runner takes `##[` anywhere, `::` where a line begins), no marker."""
    return _COMMAND.sub(r"\1: :", text.replace("##[", "## [").replace("<!--", "<! --"))
