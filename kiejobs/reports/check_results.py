"""What the checks of results found: `kiejobs check`, and what a run's reports say of it.

In: `CheckResult`s by address and take. Out: text; the document of schemas/documents/check.schema.json; JUnit XML.
Touches nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kiejobs.core.checks import FAILED, OK, SKIPPED, WARNING
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.terminal import Paint, pad, plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.checks import CheckResult
    from kiejobs.core.document.nodes import Json

    Found = Mapping[tuple[str, int], Sequence[CheckResult]]

_NAME = 19  # columns: as wide as `first_frame_matches`
_SHOWN = (OK, FAILED, WARNING, SKIPPED)


def check_text(found: Found, *, color: bool = False) -> str:
    """Each result on a line, or with a line for each of its checks; then how many there are of each verdict."""
    paint = Paint(color)
    lines = []
    for (address, _), results in found.items():
        if all(one.verdict == OK for one in results):
            seen = ", ".join(f"{one.name} {one.measured}" if one.measured else one.name for one in results)
            if results:
                lines.append(f"{_verdict(results[0], paint)}  {sanitize(address)}  {paint.dim(seen)}")
            continue
        lines.append(paint.bold(sanitize(address)))
        lines += [
            f"  {_verdict(one, paint)}  {pad(one.name, _NAME)}  {_detail(one)}".rstrip() for one in results
        ]
    return "\n".join([*lines, *([""] if lines else []), paint.bold(summary(found.values()))])


def _verdict(one: CheckResult, paint: Paint) -> str:
    word = pad(one.verdict, 7)
    return {OK: paint.good, FAILED: paint.error, WARNING: paint.loud, SKIPPED: paint.dim}[one.verdict](word)


def _detail(one: CheckResult) -> str:
    if one.why is not None:
        return sanitize(one.why)
    expected = f" (expected {one.expected})" if one.expected and one.expected != one.measured else ""
    return sanitize(f"{one.measured or ''}{expected}".strip())


def summary(found: Iterable[Sequence[CheckResult]]) -> str:
    """`16 checks of 8 results: 15 ok, 1 failed`."""
    several = list(found)
    counts = Counter(one.verdict for results in several for one in results)
    verdicts = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in _SHOWN if counts[verdict])
    checks = f"{plural(sum(counts.values()), 'check')} of {plural(len(several), 'result')}"
    return f"{checks}: {verdicts}" if verdicts else "No result has checks."


def bad_lines(results: Iterable[CheckResult]) -> Iterator[str]:
    """Those that failed, or warn, below their job in a report."""
    for one in results:
        if one.verdict in (FAILED, WARNING):
            yield f"check {one.name} {'failed' if one.verdict == FAILED else 'warns'}: {one.why}"


def check_document(found: Found) -> dict[str, Json]:
    entries = [
        {"address": address, "take": take, "checks": [one._asdict() for one in results]}
        for (address, take), results in found.items()
    ]
    every = [one.verdict for results in found.values() for one in results]
    totals = {verdict: every.count(verdict) for verdict in _SHOWN}
    return {"format_version": FORMAT_VERSION, "ok": not totals[FAILED], "totals": totals, "results": entries}


def check_junit(found: Found) -> str:
    """A case for each check of each result: warnings are passed, with their words in `system-out`."""
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - slow to import, and few want it

    from kiejobs.reports.junit import junit_text, xml_text  # noqa: PLC0415 - as above

    suites = ET.Element("testsuites")
    every = [(address, one) for (address, _), results in found.items() for one in results]
    verdicts = [one.verdict for _, one in every]
    counts = {
        "tests": len(every),
        "failures": verdicts.count(FAILED),
        "errors": 0,
        "skipped": verdicts.count(SKIPPED),
    }
    attributes = {name: str(count) for name, count in counts.items()}
    suite = ET.SubElement(suites, "testsuite", {"name": "checks", **attributes, "time": "0.000"})
    for address, one in every:
        case = ET.SubElement(
            suite, "testcase", {"classname": xml_text(address), "name": one.name, "time": "0.000"}
        )
        message = xml_text(one.why or "")
        if one.verdict == FAILED:
            ET.SubElement(case, "failure", {"message": message, "type": "check"}).text = message
        elif one.verdict == SKIPPED:
            ET.SubElement(case, "skipped", {"message": message})
        elif one.verdict == WARNING:
            ET.SubElement(case, "system-out").text = message
    return junit_text(suites)
