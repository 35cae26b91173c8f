"""Problems as a SARIF 2.1.0 log, which code scanning and editors show at their places.

In: diagnostics of several files, the lines of those files, what files are called from the repository's
root. Out: a JSON-ready document. Touches nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

import kiejobs
from kiejobs.core.diagnostics import Place, Severity
from kiejobs.reports.diagnostics.codes import MEANINGS, WARNINGS
from kiejobs.reports.diagnostics.marks import end_of_mark, said_lines, source_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Json
    from kiejobs.reports.diagnostics.marks import CheckedFile

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "SRCROOT"
_FINGERPRINT = "kiejobs/v1"


def sarif_document(
    looked: Iterable[CheckedFile], below_root: Callable[[str], str | None]
) -> dict[str, Json]:
    """One run over all files. Every code is a rule, whether something broke it or not."""
    found = [(at, problem) for at in looked for problem in at.problems]
    codes = sorted({*MEANINGS, *(problem.code for _, problem in found)})
    results = _Results(codes, below_root)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(codes)},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {
                    _ROOT: {"description": {"text": "The root of the repository."}}
                },
                "results": [results.of(problem, at) for at, problem in found],
            }
        ],
    }


def _driver(codes: Sequence[str]) -> dict[str, Json]:
    return {
        "name": "kiejobs",
        "semanticVersion": kiejobs.__version__,
        "rules": [_rule(code) for code in codes],
    }


def _rule(code: str) -> dict[str, Json]:
    meaning = MEANINGS.get(code, code)
    return {
        "id": code,
        "shortDescription": {"text": meaning},
        "fullDescription": {"text": meaning},
        "help": {"text": meaning},
        "defaultConfiguration": {"level": "warning" if code in WARNINGS else "error"},
    }


class _Results:
    def __init__(self, codes: Sequence[str], below_root: Callable[[str], str | None]) -> None:
        self._rules = {code: number for number, code in enumerate(codes)}
        self._below_root = below_root
        self._seen: Counter[str] = Counter()

    def of(self, problem: Diagnostic, at: CheckedFile) -> dict[str, Json]:
        place = problem.place or Place(at.file, 1, 1)  # code scanning wants one
        result: dict[str, Json] = {
            "ruleId": problem.code,
            "ruleIndex": self._rules[problem.code],
            "level": "error" if problem.severity is Severity.ERROR else "warning",
            "message": {"text": _unlinked("\n".join(said_lines(problem)))},
            "locations": [self._location(place, at)],
            "partialFingerprints": {_FINGERPRINT: self._fingerprint(problem, place, at)},
        }
        if problem.also:
            result["relatedLocations"] = [
                {"id": number, **self._location(other, at)}
                for number, other in enumerate(problem.also, 1)
            ]
        return result

    def _location(self, place: Place, at: CheckedFile) -> dict[str, Json]:
        region = {"startLine": place.line, "startColumn": place.column}
        end = end_of_mark(place, at.lines)
        if end is not None:
            region["endColumn"] = end
        return {"physicalLocation": {"artifactLocation": self._artifact(place), "region": region}}

    def _artifact(self, place: Place) -> dict[str, Json]:
        """Outside of the repository only the name as it was typed is known to everybody."""
        path = self._below_root(place.file)
        if path is None:
            return {"uri": _reference(place.file)}
        return {"uri": _reference(path), "uriBaseId": _ROOT}

    def _fingerprint(self, problem: Diagnostic, place: Place, at: CheckedFile) -> str:
        """The same wherever the line moves to; equal ones in a file are numbered."""
        line = source_line(place, at.lines) or ""
        name = self._below_root(place.file) or place.file
        parts = f"{problem.code}\x00{name}\x00{line.strip()}"
        digest = hashlib.sha256(parts.encode(errors="surrogatepass")).hexdigest()[:32]
        self._seen[digest] += 1
        return f"{digest}:{self._seen[digest]}"


def _reference(path: str) -> str:
    """A relative reference: a colon in its first part would make that a scheme, so it is encoded."""
    return quote(path, safe="/", errors="surrogatepass")


def _unlinked(text: str) -> str:
    """SARIF takes `[text](target)` for a link in any message."""
    return text.replace("](", "] (")
