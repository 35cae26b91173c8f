"""Problems in a job file, as a compiler reports them.

In: diagnostics, and the lines of the files that they stand in. Out: text with the source line and a
caret, or the document of schemas/documents/validate.schema.json. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Severity
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.terminal import Paint, plural, sanitize, shortened, shortened_left, width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic, Place
    from kiejobs.core.document.nodes import Json

_WHOLE = 100  # columns up to which a source line is shown whole
_BEFORE = 50  # columns kept before the caret in a longer one
_FAR = 2 * _WHOLE
_LONGEST = 500  # columns of a message, which may quote what a stranger wrote


def diagnostics_text(
    problems: Iterable[Diagnostic], lines: Mapping[str, Sequence[str]], *, color: bool = False
) -> str:
    """All problems, a blank line apart, then how many there are. `lines` by file name."""
    paint = Paint(color)
    listed = list(problems)
    blocks = ["\n".join(_block(problem, lines, paint)) for problem in listed]
    return "\n\n".join([*blocks, _sum(listed, paint)])


def diagnostics_document(
    file: str, jobs: int | None, problems: Iterable[Diagnostic]
) -> dict[str, Json]:
    """`jobs` is how many the file makes, None where it can't be told."""
    listed = list(problems)
    return {
        "format_version": FORMAT_VERSION,
        "file": file,
        "valid": not any(problem.severity is Severity.ERROR for problem in listed),
        "jobs": jobs,
        "problems": [problem_document(problem) for problem in listed],
    }


def remarks(problem: Diagnostic) -> Iterator[tuple[str, str]]:
    """What there is to say besides the message: `help` or `note`, and the words, not cleaned."""
    if problem.hint:
        yield "help", problem.hint
    if problem.count > 1:
        example = f", e.g. {problem.example}" if problem.example else ""
        yield "note", f"hits {problem.count:,} combinations{example}"
    elif problem.example:
        yield "note", f"in {problem.example}"
    for place in problem.also:
        yield "note", f"{problem.also_words} {place}"


def _block(problem: Diagnostic, lines: Mapping[str, Sequence[str]], paint: Paint) -> Iterator[str]:
    place = problem.place
    label = _paint_of(problem, paint)(f"{problem.severity}[{sanitize(problem.code)}]")
    where = "" if place is None else f" {sanitize(str(place))}"
    yield f"{label}{where}: {paint.bold(shortened(sanitize(problem.message), _LONGEST))}"
    margin = " " * (len(str(place.line)) if place else 1)
    if place is not None:
        yield from _excerpt(place, lines.get(place.file, ()), margin, problem, paint)
    for kind, text in remarks(problem):
        yield f"{margin} {paint.gutter('=')} {paint.bold(kind)}: {sanitize(text)}"


def _excerpt(
    place: Place, lines: Sequence[str], margin: str, problem: Diagnostic, paint: Paint
) -> Iterator[str]:
    if not 1 <= place.line <= len(lines):
        return
    before, behind = _around(lines[place.line - 1], place.column - 1)
    bar = paint.gutter("|")
    yield f"{margin} {bar}"
    yield f"{paint.gutter(str(place.line))} {bar} {before}{behind}".rstrip()
    yield f"{margin} {bar} {' ' * width(before)}{_paint_of(problem, paint)('^')}"


def _around(line: str, at: int) -> tuple[str, str]:
    """The source line up to the caret and from there on, cut where it is long."""
    # What lies far off is never looked at: a line may be a megabyte long.
    before, behind = _shown(line[max(at - _FAR, 0) : at]), _shown(line[at : at + _FAR])
    if width(before) + width(behind) > _WHOLE:
        before = shortened_left(before, _BEFORE)
    return before, shortened(behind, _WHOLE - width(before))


def _shown(text: str) -> str:
    return sanitize(text.replace("\t", "    "))


def _sum(problems: Sequence[Diagnostic], paint: Paint) -> str:
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = len(problems) - errors
    parts = []
    if errors or not warnings:
        text = plural(errors, "error") if errors else "no problems"
        parts.append(paint.error(text) if errors else text)
    if warnings:
        parts.append(paint.warning(plural(warnings, "warning")))
    return ", ".join(parts)


def _paint_of(problem: Diagnostic, paint: Paint) -> Callable[[str], str]:
    return paint.error if problem.severity is Severity.ERROR else paint.warning


def problem_document(problem: Diagnostic) -> dict[str, Json]:
    place = problem.place
    return {
        "code": problem.code,
        "severity": problem.severity.value,
        "message": problem.message,
        "hint": problem.hint,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "count": problem.count,
        "example": problem.example,
        "also": [{"file": at.file, "line": at.line, "column": at.column} for at in problem.also],
    }
