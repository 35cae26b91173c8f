"""Problems as other tools mark them in the source: how far a mark goes, what to say there.

In: diagnostics, the lines of their files. Out: columns, lines of text. Touches nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.reports.diagnostics.text import remarks
from kiejobs.reports.terminal import sanitize, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic, Place, Problems

_WORD = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,:\[\]{}\"']+")
_LONGEST = 500  # columns of a message, which may quote what a stranger wrote
_FAR = 1000  # characters that are looked at for the end of a mark


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A job file that was looked at, its name as it was typed; `lines` of all files, by name.

    `jobs` is how many it makes, None where it is not valid.
    """

    file: str
    jobs: int | None
    problems: Problems
    lines: Mapping[str, Sequence[str]]


def source_line(place: Place, lines: Mapping[str, Sequence[str]]) -> str | None:
    """The line that a problem stands in, where it is known."""
    of_file = lines.get(place.file, ())
    return of_file[place.line - 1] if 1 <= place.line <= len(of_file) else None


def end_of_mark(place: Place, lines: Mapping[str, Sequence[str]]) -> int | None:
    """The column behind the word or the quoted text at `place`; None where there is nothing to mark."""
    line = source_line(place, lines)
    start = place.column - 1
    if line is None or not line[start : start + 1].strip():
        return None
    word = _WORD.match(line, start, start + _FAR)
    return word.end() + 1 if word else place.column + 1


def said_lines(problem: Diagnostic) -> Iterator[str]:
    """What is wrong, then what to do and where else to look, each on one harmless line."""
    yield shortened(sanitize(problem.message), _LONGEST)
    for kind, text in remarks(problem):
        yield f"{kind}: {shortened(sanitize(text), _LONGEST)}"
