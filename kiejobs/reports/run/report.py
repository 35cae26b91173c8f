"""A run's report for people, as a document, and in the JUnit XML that CI servers read.

In: a `RunView`. Out: text; the document of schemas/documents/report.schema.json; XML. Touches nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from kiejobs.core.ledger.manifest import totals
from kiejobs.core.ledger.records import State
from kiejobs.core.money import credits_text, money
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.junit import junit_text, xml_text
from kiejobs.reports.run.view import JobStatus, drift_entry, drift_words, price_of, step_lines, steps_after
from kiejobs.reports.terminal import (
    REHEARSED,
    Detail,
    Paint,
    pad,
    plural,
    sanitize,
    shortened,
    state_words,
    width,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.reports.run.view import JobView, RunView

_STATE = 13  # columns: as wide as `not submitted`
_CREDITS = 7
_LONGEST = 160
_FEW = 24  # jobs that are all listed
_EACH = 8  # jobs in each state, where they are more
_HEAD = "credits (planned)"


def report_text(
    view: RunView,
    *,
    color: bool = False,
    detail: Detail = Detail.PAGE,
    wide: int | None = None,
    local: bool = False,
) -> str:
    """Jobs with their tasks and their files or errors; the totals; what needs attention; where the files are.

    Of many jobs a page lists those that need attention. `wide` is columns, None without end.
    """
    paint = Paint(color, local)
    of = f" of {sanitize(campaign)}" if (campaign := view.manifest["campaign"]) else ""
    end = REHEARSED if view.rehearsal else ""
    run_id = view.manifest["run_id"]
    title = f"{f'run {sanitize(run_id)}' if run_id else 'no run'}{of}{end}"
    is_well = view.counts.keys() <= {JobStatus.SUCCEEDED}
    is_done = is_well and view.stopped is None and not view.price_drifts and not (view.checks and view.unfit)
    most, steps = None if detail is Detail.FULL else _EACH, []
    if not is_done:
        steps = list(step_lines(steps_after(view, local=local), paint, most=most, flag=view.flag))
    if detail is Detail.LINE:
        name = f"{sanitize(campaign)}: " if campaign else ""
        return "\n".join([*steps[1:], paint.bold(f"{name}{view.summary}{end}")])  # the first is blank
    tables = [] if detail is Detail.SUMMARY else ["", *_tables(view, paint, detail, wide), ""]
    lines = [paint.bold(title), *tables]
    lines += [paint.bold(view.summary), *view.choice, *view.bought_summary]
    if view.checks and any(_bad(view, job) for job in view.jobs):
        from kiejobs.reports.check_results import summary  # noqa: PLC0415 - only where there are checks

        lines.append(summary(view.checks.values()))
    places = _places(view)
    gap = [""] if steps and places else []
    return "\n".join([*lines, *steps, *gap, *places])


def reports_sum(views: Sequence[RunView], *, color: bool = False) -> str:
    """What several runs come to together; what two of them have a hand in is counted once."""
    settled = [attempt for view in views for attempt in view.settled or ()]
    whole = replace(views[0], manifest={**views[0].manifest, "jobs": _jobs_of(views)}, settled=settled)
    return Paint(color).bold(f"{plural(len(views), 'run')} together: {whole.summary}")


def _tables(view: RunView, paint: Paint, detail: Detail, wide: int | None) -> Iterator[str]:
    parts = list(_by_campaign(view))
    for number, part in enumerate(parts):
        yield from ["", *_table(part, paint, detail, wide)][not number :]
        yield from [f"  {sanitize(part.manifest['campaign'])}: {part.summary}"] if len(parts) > 1 else []


def _table(view: RunView, paint: Paint, detail: Detail, wide: int | None) -> Iterator[str]:
    if not view.jobs:
        yield "  no jobs"
        return
    listed, left = _listed(view, detail)
    longest = max(map(width, ["address", *map(sanitize, map(attrgetter("address"), listed))]))
    head, room, indent = _HEAD, longest, " " * (_STATE + 4)
    if wide is not None and _STATE + 6 + longest + len(_HEAD) > wide:
        head, indent = pad("credits", _CREDITS, right=True), " " * 4
        room = max(min(longest, wide - _STATE - 6 - _CREDITS - 1), len("address"))
    if listed:
        yield paint.bold(f"  {pad('state', _STATE)}  {pad('address', room)}  {head}")
    for job in listed:
        line, address = f"  {pad(paint.status(state_words(job.status)), _STATE)}", sanitize(job.address)
        if width(address) > room:
            yield f"{line}  {address}"
            line, address = " " * (_STATE + 2), ""
        if cells := f"  {pad(address, room)}  {_credits(job)}".rstrip():
            yield f"{line}{cells}"
        for below in (*_below(job), *(_bad(view, job) if view.checks else ())):
            yield f"{indent}{paint.dim(below)}"
    if left:
        states = ", ".join(f"{count:,} {state_words(state)}" for state, count in left.items())
        yield paint.dim(f"  {'and' if listed else 'all'} {states}: --full lists them")


def _listed(view: RunView, detail: Detail) -> tuple[list[JobView], Counter[JobStatus]]:
    """The jobs that are listed, and how many of each state are not: of many jobs some of what needs attention are."""
    left: Counter[JobStatus] = Counter()
    if detail is Detail.FULL or len(view.jobs) <= _FEW:
        return view.jobs, left
    listed, seen = [], Counter[JobStatus]()
    for job in view.jobs:
        status = job.status
        is_well = status is JobStatus.SUCCEEDED and not (view.checks and _bad(view, job))
        seen[status] += not is_well
        if is_well or seen[status] > _EACH:
            left[status] += 1
        else:
            listed.append(job)
    return listed, left


def _credits(job: JobView) -> str:
    """What was charged; in parentheses what it was to cost, where nothing is known to be charged."""
    if job.charged is not None:
        return pad(credits_text(job.charged), _CREDITS, right=True)
    if job.status in {JobStatus.UNSENT, JobStatus.REJECTED, JobStatus.LOST}:
        return ""
    return pad(f"({credits_text(job.planned)})", _CREDITS + 1, right=True)


def _below(job: JobView) -> Iterator[str]:
    paths = map(itemgetter("path"), job.job["files"])
    came = list(filter(None, [*paths, job.error, job.note or _said(job.job)]))
    words = [job.job["task_id"] or "", *came[:1]]
    for text in ("  ".join(filter(None, words)), *came[1:]):
        if text:
            yield shortened(sanitize(text), _LONGEST)
    if job.decision is not None:
        yield shortened(sanitize(job.decision.text), _LONGEST)


def _bad(view: RunView, job: JobView) -> list[str]:
    from kiejobs.reports.check_results import bad_lines  # noqa: PLC0415 - only where there are checks

    return list(bad_lines(view.checks.get(job.address, ())))


def _said(job: Mapping[str, Json]) -> str | None:
    """The API's word or answer where nothing could be made of it; a doubt's is shown with its ways out."""
    answer = job.get("answer")
    word = f"the API says `{job['api_state']}`" if "api_state" in job else None
    text = f"it answered: {answer['text']}" if answer and answer["of"] == "result" else None
    return "; ".join(filter(None, (word, text))) or None


def _places(view: RunView) -> list[str]:
    has_files = any(map(itemgetter("files"), view.manifest["jobs"].values()))
    lines = [f"files:  {sanitize(view.outputs)}"] if view.outputs and has_files else []
    return lines + ([f"record: {sanitize(view.record)}"] if view.record else [])


# --- the document ---------------------------------------------------------------------------------


def reports_document(views: Sequence[RunView]) -> dict[str, Json]:
    """Of several, with one total; of a run for several campaigns a report of each."""
    parts = [part for view in views for part in _by_campaign(view)]
    return {
        "format_version": FORMAT_VERSION,
        "reports": list(map(report_document, parts)),
        "run": _own(attempt for view in views for attempt in view.bought),
        "totals": totals(_jobs_of(views).values()),
    }


def _jobs_of(views: Iterable[RunView]) -> dict[str, Json]:
    """By address; what two runs have a hand in is there once."""
    return {address: job for view in views for address, job in view.manifest["jobs"].items()}


def _by_campaign(view: RunView) -> Iterator[RunView]:
    """The parts of a run, where it was not for one campaign."""
    if view.manifest["campaign"] is not None or not view.manifest["jobs"]:
        yield view
        return
    campaigns = {address.partition("/")[0]: None for address in view.manifest["jobs"]}
    for campaign in campaigns:
        jobs = {at: job for at, job in view.manifest["jobs"].items() if at.startswith(f"{campaign}/")}
        own = [attempt for attempt in view.settled or () if attempt.address in jobs]
        part = {"campaign": campaign, "jobs": jobs, "totals": totals(jobs.values())}
        yield replace(view, manifest={**view.manifest, **part}, settled=own)


def _own(bought: Iterable[Attempt]) -> dict[str, Json]:
    prices = list(map(price_of, bought))
    return {
        "bought": len(prices),
        "credits": money(sum((one for one in prices if one is not None), Decimal(0))),
    }


def report_in(views: Sequence[RunView], *, several: bool = False) -> dict[str, Json]:
    """One alone, or in the form of several."""
    return reports_document(views) if several or len(views) > 1 else report_document(views[0])


def report_document(view: RunView) -> dict[str, Json]:
    stopped = view.stopped
    return {
        "format_version": FORMAT_VERSION,
        "run_id": view.manifest["run_id"],
        "campaign": view.manifest["campaign"],
        "exit_code": view.exit_code,
        "stopped": None if stopped is None else {"reason": stopped[0], "why": stopped[1]},
        "run": _own(view.bought),
        "totals": view.manifest["totals"],
        "campaign_totals": None
        if view.of_campaign is None
        else {
            "credits": money(view.of_campaign),
            "states": {str(s or "none"): view.states_of_campaign.get(s, 0) for s in (None, *State)},
        },
        "jobs": [
            {**_job(job), "checks": [one._asdict() for one in view.checks.get(job.address, ())]}
            for job in view.jobs
        ],
        "price_drift": list(map(drift_entry, view.price_drifts)),
        "next": [
            {
                "reason": step.reason,
                "message": step.message,
                "address": step.address,
                "commands": list(step.commands),
            }
            for step in steps_after(view)
        ],
    }


def _job(job: JobView) -> dict[str, Json]:
    kept = {key: value for key, value in job.job.items() if key != "input"}
    pick = None
    if job.decision is not None:
        from kiejobs.reports.picks import decision_document  # noqa: PLC0415 - most jobs have none

        pick = decision_document(job.decision)
    return {"address": job.address, **kept, "standing": job.status.value, "note": job.note, "pick": pick}


# --- JUnit XML, for CI servers ----------------------------------------------------------------------

# A suite for the campaign, a case for each job. Failed and rejected are failures, what may cost or has cost
# without a result is an error, the rest that is not done is skipped.

_KINDS = {
    **dict.fromkeys(JobStatus, "skipped"),
    **dict.fromkeys((JobStatus.FAILED, JobStatus.REJECTED), "failure"),
    **dict.fromkeys((JobStatus.IN_DOUBT, JobStatus.NOT_COLLECTED, JobStatus.GONE), "error"),
    JobStatus.SUCCEEDED: None,
}


def report_junit(views: Iterable[RunView]) -> str:
    """`<testsuites><testsuite><testcase>`, with the task's id and the files in `system-out`; a suite for each run."""
    suites = ET.Element("testsuites")
    for view in views:
        _add_suite(suites, view)
    return junit_text(suites)


def _add_suite(suites: ET.Element, view: RunView) -> None:
    suite = ET.SubElement(suites, "testsuite", _suite(view))
    properties = ET.SubElement(suite, "properties")
    stated = [(name, str(value)) for name in ("run_id", "created_with") if (value := view.manifest[name])]
    stated += [("price_drift", drift_words(drift)) for drift in view.price_drifts]
    for name, value in stated:
        ET.SubElement(properties, "property", {"name": name, "value": xml_text(value)})
    for job in view.jobs:
        _case(suite, job, _bad(view, job), is_unfit=job.address in view.unfit)


def _suite(view: RunView) -> dict[str, str]:
    kinds = ["failure" if job.address in view.unfit else _KINDS[job.status] for job in view.jobs]
    started = min((at for job in view.jobs if (at := job.job["times"]["reserved"])), default=None)
    attributes = {
        "name": xml_text(view.manifest["campaign"] or view.manifest["run_id"] or "kiejobs"),
        "tests": str(len(kinds)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": f"{sum(_seconds(job.job['times']) for job in view.jobs):.3f}",
    }
    if started is not None:
        attributes["timestamp"] = xml_text(started.partition(".")[0].removesuffix("Z"))
    return attributes


def _case(suite: ET.Element, job: JobView, bad: list[str], *, is_unfit: bool) -> None:
    """`bad` are the checks that failed, or warn."""
    attributes = {
        "classname": xml_text(job.address.partition("/")[0]),
        "name": xml_text(job.address),
        "time": f"{_seconds(job.job['times']):.3f}",
    }
    case = ET.SubElement(suite, "testcase", attributes)
    kind = _KINDS[job.status]
    if is_unfit:
        message = xml_text("; ".join(bad))
        ET.SubElement(case, "failure", {"message": message, "type": "check"}).text = message
    elif kind is not None:
        text = ": ".join(filter(None, (job.error, job.advice))) or job.note or state_words(job.status)
        message = xml_text(text.replace("\n", " "))
        named = {} if kind == "skipped" else {"type": job.status.value}
        ET.SubElement(case, kind, {"message": message, **named}).text = message
    task = job.job["task_id"]
    lines = [f"task {task}"] if task else []
    lines += [f"file {file['path']}" for file in job.job["files"]] + bad
    lines += [f"choice: {job.decision.text}"] if job.decision else []
    if lines:
        ET.SubElement(case, "system-out").text = xml_text("\n".join(lines))


def _seconds(times: Mapping[str, Json]) -> float:
    """From the reservation to the end; 0 where there is none yet."""
    if times["reserved"] is None or times["settled"] is None:
        return 0.0
    took = datetime.fromisoformat(times["settled"]) - datetime.fromisoformat(times["reserved"])
    return max(took.total_seconds(), 0.0)
