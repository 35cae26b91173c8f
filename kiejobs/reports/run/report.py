"""A run's report for people, and as a document.

In: a `RunView`. Out: text; the document of schemas/documents/report.schema.json. Touches nothing.
"""

from __future__ import annotations

from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING

from kiejobs.core.money import money
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.run.next_steps import drift_entry, step_lines, steps_after
from kiejobs.reports.run.view import JobStatus, price_of
from kiejobs.reports.terminal import (
    REHEARSED,
    Paint,
    credits_text,
    pad,
    sanitize,
    shortened,
    state_words,
    width,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.document.nodes import Json
    from kiejobs.reports.run.view import JobView, RunView, Step


_STATE = 13  # columns: as wide as `not submitted`
_CREDITS = 7
_LONGEST = 160


def report_text(view: RunView, *, color: bool = False) -> str:
    """Every job with its task and its file or error; the totals; what to do next; where it all is."""
    paint = Paint(color)
    of = f" of {sanitize(campaign)}" if (campaign := view.manifest["campaign"]) else ""
    title = f"run {sanitize(view.manifest['run_id'])}{of}{REHEARSED if view.rehearsal else ''}"
    lines = [paint.bold(title), "", *_table(view, paint), ""]
    lines += [paint.bold(view.summary), *view.bought_summary]
    steps = [] if view.is_complete else list(step_lines(steps_after(view), paint))
    places = _places(view)
    gap = [""] if steps and places else []
    return "\n".join([*lines, *steps, *gap, *places])


def _table(view: RunView, paint: Paint) -> Iterator[str]:
    if not view.jobs:
        yield "  no jobs"
        return
    wide = max(map(width, ["address", *map(sanitize, view.manifest["jobs"])]))
    yield paint.bold(f"  {pad('state', _STATE)}  {pad('address', wide)}  credits (planned)")
    for job in view.jobs:
        state = state_words(job.status)
        padding = " " * (_STATE - len(state))
        address = pad(sanitize(job.address), wide)
        yield f"  {paint.status(state)}{padding}  {address}  {_credits(job)}".rstrip()
        for line in _below(job):
            yield f"{' ' * (_STATE + 4)}{paint.dim(line)}"


def _credits(job: JobView) -> str:
    """What was charged; in parentheses what it was to cost, where nothing is known to be charged."""
    if job.charged is not None:
        return pad(credits_text(job.charged), _CREDITS, right=True)
    if job.status in {JobStatus.UNSENT, JobStatus.REJECTED, JobStatus.LOST}:
        return ""
    return pad(f"({credits_text(job.planned)})", _CREDITS + 1, right=True)


def _below(job: JobView) -> Iterator[str]:
    """The task, and what came of it."""
    paths = map(itemgetter("path"), job.job["files"])
    came = list(filter(None, [*paths, job.error, job.note]))
    words = [job.job["task_id"] or "", *came[:1]]
    for text in ("  ".join(filter(None, words)), *came[1:]):
        if text:
            yield shortened(sanitize(text), _LONGEST)


def _places(view: RunView) -> list[str]:
    """Where the videos are, and what to keep: one line, or none."""
    parts = []
    if view.outputs is not None and any(map(itemgetter("files"), view.manifest["jobs"].values())):
        parts.append(f"files in {sanitize(view.outputs)}")
    if view.record is not None:
        parts.append(f"the record is {sanitize(view.record)}")
    return ["; ".join(parts)] if parts else []


# --- the document ---------------------------------------------------------------------------------


def report_document(view: RunView) -> dict[str, Json]:
    stopped = view.stopped
    prices = map(price_of, view.bought)
    return {
        "format_version": FORMAT_VERSION,
        "run_id": view.manifest["run_id"],
        "campaign": view.manifest["campaign"],
        "exit_code": view.exit_code,
        "stopped": None if stopped is None else {"reason": stopped[0], "why": stopped[1]},
        "run": {
            "bought": len(view.bought),
            "credits": money(sum((one for one in prices if one is not None), Decimal(0))),
        },
        "totals": view.manifest["totals"],
        "jobs": list(map(_job, view.jobs)),
        "price_drift": list(map(drift_entry, view.price_drifts)),
        "next": list(map(_step, steps_after(view))),
    }


def _job(job: JobView) -> dict[str, Json]:
    kept = {key: value for key, value in job.job.items() if key != "input"}
    return {"address": job.address, **kept, "standing": job.status.value, "note": job.note}


def _step(step: Step) -> dict[str, Json]:
    return {
        "reason": step.reason,
        "message": step.message,
        "address": step.address,
        "commands": list(step.commands),
    }
