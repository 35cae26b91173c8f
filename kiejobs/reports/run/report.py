"""A run's report for people.

In: a `RunView`. Out: text. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.reports.run.next_steps import step_lines
from kiejobs.reports.run.view import JobStatus, steps_after
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
    from collections.abc import Iterator, Sequence

    from kiejobs.reports.run.view import JobView, RunView

_STATE = 13  # columns: as wide as `not submitted`
_CREDITS = 7
_LONGEST = 160


def report_text(view: RunView, *, color: bool = False) -> str:
    """Every job with its task and its file or error; the totals; what to do next; where it all is."""
    paint = Paint(color)
    lines = [paint.bold(_title(view)), "", *_table(view.jobs, paint), ""]
    lines += [paint.bold(view.summary), *view.bought_summary]
    steps, places = list(step_lines(steps_after(view), paint)), list(_places(view))
    gap = [""] if steps and places else []
    return "\n".join([*lines, *steps, *gap, *places])


def _title(view: RunView) -> str:
    campaign = view.manifest["campaign"]
    of = f" of {sanitize(campaign)}" if campaign else ""
    mark = REHEARSED if view.rehearsal else ""
    return f"run {sanitize(view.manifest['run_id'])}{of}{mark}"


def _table(jobs: Sequence[JobView], paint: Paint) -> Iterator[str]:
    if not jobs:
        yield "  no jobs"
        return
    wide = max(len("address"), *(width(sanitize(job.address)) for job in jobs))
    yield paint.bold(f"  {pad('state', _STATE)}  {pad('address', wide)}  credits (planned)")
    for job in jobs:
        state = state_words(job.status)
        padding = " " * (_STATE - len(state))
        address = pad(sanitize(job.address), wide)
        yield f"  {paint.state(state)}{padding}  {address}  {_credits(job)}".rstrip()
        yield from (f"{' ' * (_STATE + 4)}{paint.dim(line)}" for line in _below(job))


def _credits(job: JobView) -> str:
    """What was charged; in parentheses what it was to cost, where nothing is known to be charged."""
    if job.charged is not None:
        return pad(credits_text(job.charged), _CREDITS, right=True)
    if job.status in {JobStatus.UNSENT, JobStatus.REJECTED, JobStatus.LOST}:
        return ""
    return pad(f"({credits_text(job.planned)})", _CREDITS + 1, right=True)


def _below(job: JobView) -> Iterator[str]:
    """The task, and what came of it."""
    came = [file["path"] for file in job.job["files"]]
    came += [text for text in (job.error, job.note) if text]
    words = [job.job["task_id"] or "", *came[:1]]
    for text in ("  ".join(filter(None, words)), *came[1:]):
        if text:
            yield shortened(sanitize(text), _LONGEST)


def _places(view: RunView) -> Iterator[str]:
    """Where the videos are, and what to keep."""
    files = any(job.job["files"] for job in view.jobs)
    parts = [f"files in {sanitize(view.outputs)}"] if files and view.outputs is not None else []
    parts += [f"the record is {sanitize(view.record)}"] if view.record is not None else []
    if parts:
        yield "; ".join(parts)
