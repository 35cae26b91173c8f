"""A run's report for people, and as Markdown for a comment or a step's summary.

In: a `RunView`. Out: text; one document that fits into a comment. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.reports.markdown import LimitedText, cell, code, fenced, marker, table
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


# --- Markdown, for a comment or a step's summary --------------------------------------------------


_ROWS = 36_000  # characters for the table
_STEPS = 12_000  # for what there is to do
_ADDRESS = 160
_CELL = 200
_LINE = 400

_SIGNS = {
    JobStatus.SUCCEEDED: "\u2705",
    JobStatus.FAILED: "\u274c",
    JobStatus.REJECTED: "\u274c",
    JobStatus.GONE: "\u274c",
    JobStatus.IN_DOUBT: "\u2753",
}
_OTHER = "\u23f3"


def report_markdown(view: RunView) -> str:
    """The totals, a line for each job (what is well comes last), what there is to do."""
    campaign = view.manifest["campaign"]
    of = f" of {code(campaign)}" if campaign else ""
    mark = REHEARSED if view.rehearsal else ""
    parts = [
        f"{marker('report', campaign, view.file)}\n### kiejobs run{of}{mark}",
        f"**{view.summary}**",
        *view.bought_summary,
        *_markdown_table(view),
        *_steps(view),
        f"Run {code(view.manifest['run_id'])}",
    ]
    return "\n\n".join(parts) + "\n"


def _markdown_table(view: RunView) -> Iterator[str]:
    jobs = sorted(view.jobs, key=lambda job: job.status is JobStatus.SUCCEEDED)
    if not jobs:
        return
    rows = LimitedText(_ROWS)
    for job in jobs:
        rows.add(_row(job))
    head = (" ", "job", "state", "credits", "task, files")
    yield table(head, "| :-: | :-- | :-- | --: | :-- |", rows, "job")


def _row(job: JobView) -> str:
    sign = _SIGNS.get(job.status, _OTHER)
    credits_ = "" if job.charged is None else credits_text(job.charged)
    came = [job.job["task_id"], *(file["path"] for file in job.job["files"]), job.error, job.note]
    cells = "<br>".join(cell(text, _CELL) for text in came if text)
    state = state_words(job.status)
    return f"| {sign} | {cell(job.address, _ADDRESS)} | {state} | {credits_} | {cells} |"


def _steps(view: RunView) -> Iterator[str]:
    lines = list(step_lines(steps_after(view), Paint(color=False)))
    room = LimitedText(_STEPS)
    for line in lines[1:]:  # the first is blank
        room.add(shortened(line, _LINE))
    if room.kept:
        more = ["", "...; `kiejobs report` tells the rest"] if room.cut else []
        yield fenced([*room.kept, *more], "text")
