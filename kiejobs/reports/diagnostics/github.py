"""Problems as GitHub's workflow commands: annotations at their lines.

In: diagnostics, the lines of their files, what files are called from the repository's root. Out: one
line each, `::error file=...,line=...,col=...,endColumn=...,title=CODE::message`. Touches nothing.

The escapes are those of GitHub's toolkit: `%`, CR and LF in the message, `:` and `,` in properties too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Severity
from kiejobs.reports.diagnostics.marks import end_of_mark, said_lines
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.reports.diagnostics.marks import CheckedFile

_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_DATA = str.maketrans(_DATA)
_IN_PROPERTY = str.maketrans({**_DATA, ":": "%3A", ",": "%2C"})


def github_words(looked: CheckedFile, below_root: Callable[[str], str | None]) -> str:
    """All annotations of a job file. Its own name stands where a problem has no place."""
    return "".join(f"{_command(each, looked, below_root)}\n" for each in looked.problems)


def _command(problem: Diagnostic, at: CheckedFile, below_root: Callable[[str], str | None]) -> str:
    place = problem.place
    name = place.file if place else at.file
    properties: dict[str, str | int] = {"file": below_root(name) or name}
    if place is not None:
        properties |= {"line": place.line, "col": place.column}
        end = end_of_mark(place, at.lines)
        if end is not None:
            properties["endColumn"] = end - 1  # the last one that is marked
    properties["title"] = problem.code
    kind = "error" if problem.severity is Severity.ERROR else "warning"
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{kind} {told}::{_data(chr(10).join(said_lines(problem)))}"


def _property(value: str | int) -> str:
    return sanitize(str(value)).translate(_IN_PROPERTY)


def _data(text: str) -> str:
    return text.translate(_IN_DATA)
