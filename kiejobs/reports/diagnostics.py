"""Problems in files: as a compiler reports them, as SARIF 2.1.0, as GitHub's workflow commands.

In: diagnostics, the lines of their files. Out: text with a caret below the source line; the documents of
schemas/documents/validate.schema.json and of code scanning; lines for GitHub's runner. Touches nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import kiejobs
from kiejobs.core.diagnostics import Place, Severity
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.terminal import Paint, plural, sanitize, shortened, shortened_left, width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic, Problems
    from kiejobs.core.document.nodes import Json

_FIRST = 3  # warnings that a plan shows
_WHOLE = 100  # columns up to which a source line is shown in full
_MARGIN = 8  # columns before a source line
_FAR = 2 * _WHOLE
_LONGEST = 500  # columns of a message, which may quote what a stranger wrote


def diagnostics_text(
    problems: Iterable[Diagnostic],
    lines: Mapping[str, Sequence[str]],
    *,
    color: bool = False,
    wide: int | None = None,
) -> str:
    """All problems, a blank line apart, then how many there are. `lines` by file name; `wide` is columns of source lines."""
    paint = Paint(color)
    listed = list(problems)
    most = min(wide or _WHOLE + _MARGIN, _WHOLE + _MARGIN) - _MARGIN
    blocks = ["\n".join(_block(problem, lines, paint, most)) for problem in listed]
    return "\n\n".join([*blocks, _sum(listed, paint)])


def warnings_text(problems: Iterable[Diagnostic], file: str, *, color: bool = False) -> str:
    """One line for each of the first; `validate` shows them in full."""
    paint, listed = Paint(color), list(problems)
    lines = [
        f"{paint.warning(f'warning[{one.code}]')} {sanitize(str(one.place or file))}: "
        f"{shortened(sanitize(one.message), _WHOLE)}"
        for one in listed[:_FIRST]
    ]
    more = f"{len(listed) - _FIRST:,} more; " if len(listed) > _FIRST else ""
    return "\n".join([*lines, f"  {more}`kiejobs validate {sanitize(file)}` shows what to do"])


def diagnostics_document(file: str, jobs: int | None, problems: Iterable[Diagnostic]) -> dict[str, Json]:
    """`jobs` is how many the file makes, None where it is unknown."""
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


def _block(problem: Diagnostic, lines: Mapping[str, Sequence[str]], paint: Paint, most: int) -> Iterator[str]:
    place = problem.place
    color = paint.error if problem.severity is Severity.ERROR else paint.warning
    label = color(f"{problem.severity}[{sanitize(problem.code)}]")
    where = "" if place is None else f" {sanitize(str(place))}"
    yield f"{label}{where}: {paint.bold(shortened(sanitize(problem.message), _LONGEST))}"
    margin = " " * (len(str(place.line)) if place else 1)
    if place is not None and (line := source_line(place, lines)) is not None:
        before, behind = _around(line, place.column - 1, most)
        bar = paint.gutter("|")
        yield f"{margin} {bar}"
        yield f"{paint.gutter(str(place.line))} {bar} {before}{behind}".rstrip()
        yield f"{margin} {bar} {' ' * width(before)}{color('^')}"
    for kind, text in remarks(problem):
        yield f"{margin} {paint.gutter('=')} {paint.bold(kind)}: {sanitize(text)}"


def _around(line: str, at: int, most: int) -> tuple[str, str]:
    """The source line up to the caret and from there on, cut to that many columns."""
    # What lies far off is never looked at: a line may be a megabyte long.
    parts = line[max(at - _FAR, 0) : at], line[at : at + _FAR]
    before, behind = (sanitize(part.replace("\t", "    ")) for part in parts)
    if width(before) + width(behind) > most:
        before = shortened_left(before, most // 2)
    return before, shortened(behind, most - width(before))


def _sum(problems: Sequence[Diagnostic], paint: Paint) -> str:
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = len(problems) - errors
    parts = [paint.error(plural(errors, "error"))] if errors else []
    parts += [paint.warning(plural(warnings, "warning"))] if warnings else []
    return ", ".join(parts) or "no problems"


def problem_document(problem: Diagnostic) -> dict[str, Json]:
    place = problem.place
    return {
        "code": problem.code,
        "severity": problem.severity.value,
        "message": problem.message,
        "hint": problem.hint,
        **(place._asdict() if place else dict.fromkeys(("file", "line", "column"))),
        "count": problem.count,
        "example": problem.example,
        "also": [place._asdict() for place in problem.also],
    }


# --- SARIF ------------------------------------------------------------------------------------------

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "SRCROOT"
_FINGERPRINT = "kiejobs/v1"


def sarif_document(
    looked: Iterable[CheckedFile],
    below_root: Callable[[str], str | None],
    meanings: Mapping[str, Mapping[str, str]],
) -> dict[str, Json]:
    """One run over all files. Every code is a rule, whether something broke it or not.

    `meanings` are those of schemas/diagnostics.json: the `level` and the `meaning` of each code.
    """
    found = [(at, problem) for at in looked for problem in at.problems]
    codes = sorted({*meanings, *(problem.code for _, problem in found)})
    seen: Counter[str] = Counter()
    driver = {
        "name": "kiejobs",
        "semanticVersion": kiejobs.__version__,
        "rules": [_rule(code, meanings.get(code, {})) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "results": [
            {
                "ruleId": problem.code,
                "ruleIndex": codes.index(problem.code),
                **_result(problem, at, below_root, seen),
            }
            for at, problem in found
        ],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, known: Mapping[str, str]) -> dict[str, Json]:
    meaning = {"text": known.get("meaning", code)}
    return {
        "id": code,
        **dict.fromkeys(("shortDescription", "fullDescription", "help"), meaning),
        "defaultConfiguration": {"level": known.get("level", "error")},
    }


def _result(
    problem: Diagnostic, at: CheckedFile, below_root: Callable[[str], str | None], seen: Counter[str]
) -> dict[str, Json]:
    """`seen` counts equal fingerprints: they are the same wherever the line moves to."""
    place = problem.place or Place(at.file, 1, 1)  # code scanning wants one
    line = (source_line(place, at.problems.lines) or "").strip()
    parts = f"{problem.code}\x00{below_root(place.file) or place.file}\x00{line}"
    digest = hashlib.sha256(parts.encode(errors="surrogatepass")).hexdigest()[:32]
    seen[digest] += 1
    also = [
        {"id": number, **_location(other, at, below_root)} for number, other in enumerate(problem.also, 1)
    ]
    return {
        "level": problem.severity.value,
        # SARIF takes `[text](target)` for a link in any message.
        "message": {"text": "\n".join(message_lines(problem)).replace("](", "] (")},
        "locations": [_location(place, at, below_root)],
        "partialFingerprints": {_FINGERPRINT: f"{digest}:{seen[digest]}"},
        **({"relatedLocations": also} if also else {}),
    }


def _location(place: Place, at: CheckedFile, below_root: Callable[[str], str | None]) -> dict[str, Json]:
    """Outside of the repository only the name as it was typed is known to everybody."""
    path = below_root(place.file)
    # A colon in the first part of a relative reference would make that a scheme.
    uri = quote(place.file if path is None else path, safe="/", errors="surrogatepass")
    base = {} if path is None else {"uriBaseId": _ROOT}
    region = {"startLine": place.line, "startColumn": place.column}
    if (end := end_of_mark(place, at.problems.lines)) is not None:
        region["endColumn"] = end
    return {"physicalLocation": {"artifactLocation": {"uri": uri, **base}, "region": region}}


# --- GitHub's workflow commands -------------------------------------------------------------------

_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_DATA = str.maketrans(_DATA)
_IN_PROPERTY = str.maketrans({**_DATA, ":": "%3A", ",": "%2C"})


def github_words(looked: CheckedFile, below_root: Callable[[str], str | None]) -> str:
    """`::error file=...,line=...,col=...,endColumn=...,title=CODE::message`, a line for each problem.

    The job file's own name is used where a problem has no place. The escapes are those of GitHub's
    toolkit: `%`, CR and LF in the message, `:` and `,` in properties too.
    """
    return "".join(f"{_command(each, looked, below_root)}\n" for each in looked.problems)


def _command(problem: Diagnostic, at: CheckedFile, below_root: Callable[[str], str | None]) -> str:
    place = problem.place
    name = place.file if place else at.file
    properties: dict[str, str | int] = {"file": below_root(name) or name}
    if place is not None:
        properties |= {"line": place.line, "col": place.column}
        end = end_of_mark(place, at.problems.lines)
        if end is not None:
            properties["endColumn"] = end - 1  # the last one that is marked
    properties["title"] = problem.code
    listed = ",".join(
        f"{key}={sanitize(str(value)).translate(_IN_PROPERTY)}" for key, value in properties.items()
    )
    message = "\n".join(message_lines(problem)).translate(_IN_DATA)
    return f"::{problem.severity} {listed}::{message}"


# --- marks in the source --------------------------------------------------------------------------

_WORD = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,:\[\]{}\"']+")
_MARK = 1000  # characters that are looked at for the end of a mark


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A job file that was looked at, its name as it was typed; how many jobs it makes, if it is valid."""

    file: str
    jobs: int | None
    problems: Problems


def source_line(place: Place, lines: Mapping[str, Sequence[str]]) -> str | None:
    """The line of a problem, where it is known."""
    of_file = lines.get(place.file, ())
    return of_file[place.line - 1] if 1 <= place.line <= len(of_file) else None


def end_of_mark(place: Place, lines: Mapping[str, Sequence[str]]) -> int | None:
    """The column behind the word or the quoted text at `place`; None where there is nothing to mark."""
    line = source_line(place, lines)
    start = place.column - 1
    if line is None or not line[start : start + 1].strip():
        return None
    word = _WORD.match(line, start, start + _MARK)
    return word.end() + 1 if word else place.column + 1


def message_lines(problem: Diagnostic) -> Iterator[str]:
    """What is wrong, then what to do and where else to look, each on one harmless line."""
    yield shortened(sanitize(problem.message), _LONGEST)
    for kind, text in remarks(problem):
        yield f"{kind}: {shortened(sanitize(text), _LONGEST)}"
