"""A run's report as Markdown, for a comment or a step's summary.

In: a `RunView`. Out: one document that fits into a comment. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.reports.markdown import LimitedText, cell, code, fenced, marker, table
from kiejobs.reports.run.next_steps import step_lines
from kiejobs.reports.run.view import JobStatus, steps_after
from kiejobs.reports.terminal import REHEARSED, Paint, credits_text, shortened, state_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.reports.run.view import JobView, RunView

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
        *_table(view),
        *_steps(view),
        f"Run {code(view.manifest['run_id'])}",
    ]
    return "\n\n".join(parts) + "\n"


def _table(view: RunView) -> Iterator[str]:
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
