"""A run's report for CI servers, in the JUnit XML that they all read.

In: a `RunView`. Out: an XML document as text: a suite for the campaign, a case for each job. Failed and
rejected are failures, what may cost or has cost without a result is an error, the rest that is not
done is skipped. Touches nothing.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from kiejobs.reports.run.next_steps import drift_words
from kiejobs.reports.run.view import JobStatus
from kiejobs.reports.terminal import sanitize, state_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.reports.run.view import JobView, RunView

# What XML 1.0 can't hold in any spelling (its chapter 2.2) and `clean` lets through.
_FORBIDDEN = re.compile("[\ufffe\uffff]")

_KINDS = {
    JobStatus.FAILED: "failure",
    JobStatus.REJECTED: "failure",
    JobStatus.IN_DOUBT: "error",
    JobStatus.NOT_COLLECTED: "error",
    JobStatus.GONE: "error",
    JobStatus.RUNNING: "skipped",
    JobStatus.SUBMITTED: "skipped",
    JobStatus.RESERVED: "skipped",
    JobStatus.UNSENT: "skipped",
    JobStatus.LOST: "skipped",
}


def report_junit(view: RunView) -> str:
    """`<testsuites><testsuite><testcase>`, with the task's id and the files in `system-out`."""
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", _suite(view))
    properties = ET.SubElement(suite, "properties")
    for name in ("run_id", "created_with"):
        value = _xml(str(view.manifest[name]))
        ET.SubElement(properties, "property", {"name": name, "value": value})
    for drift in view.price_drifts:
        value = _xml(drift_words(drift))
        ET.SubElement(properties, "property", {"name": "price_drift", "value": value})
    for job in view.jobs:
        _case(suite, job)
    ET.indent(suites)
    text = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(view: RunView) -> dict[str, str]:
    kinds = [_KINDS.get(job.status) for job in view.jobs]
    started = min((at for job in view.jobs if (at := job.job["times"]["reserved"])), default=None)
    attributes = {
        "name": _xml(view.manifest["campaign"] or view.manifest["run_id"]),
        "tests": str(len(kinds)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": f"{sum(_seconds(job.job['times']) for job in view.jobs):.3f}",
    }
    if started is not None:
        attributes["timestamp"] = _xml(started.partition(".")[0].removesuffix("Z"))
    return attributes


def _case(suite: ET.Element, job: JobView) -> None:
    campaign, _, _ = job.address.partition("/")
    attributes = {
        "classname": _xml(campaign),
        "name": _xml(job.address),
        "time": f"{_seconds(job.job['times']):.3f}",
    }
    case = ET.SubElement(suite, "testcase", attributes)
    kind = _KINDS.get(job.status)
    if kind is not None:
        text = job.error or job.note or state_words(job.status)
        message = _xml(text.replace("\n", " "))
        attributes = {"message": message}
        if kind != "skipped":
            attributes["type"] = job.status.value
        ET.SubElement(case, kind, attributes).text = message
    task = job.job["task_id"]
    lines = [f"task {task}"] if task else []
    lines += [f"file {file['path']}" for file in job.job["files"]]
    if lines:
        ET.SubElement(case, "system-out").text = _xml("\n".join(lines))


def _seconds(times: Mapping[str, Json]) -> float:
    """From the reservation to the end; 0 where there is none yet."""
    if times["reserved"] is None or times["settled"] is None:
        return 0.0
    took = datetime.fromisoformat(times["settled"]) - datetime.fromisoformat(times["reserved"])
    return max(took.total_seconds(), 0.0)


def _xml(text: str) -> str:
    """Spelled out as on a terminal, since logs of CI servers end up on one; line breaks stay."""
    return "\n".join(_FORBIDDEN.sub("\ufffd", sanitize(line)) for line in text.split("\n"))
