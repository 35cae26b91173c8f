"""A run's report: text for people, a document, or JUnit.

In: a manifest's dict, notes on jobs by address, why spending stopped, how the run ended. Out: text; the
document of schemas/documents/report.schema.json; JUnit XML. Touches nothing.

`stopped` is a reason and its why, which may be empty; `exit_code` is None where the run has no end on
record.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.junit_report import junit
from kiejobs.reports.next_steps import step_lines, steps_after
from kiejobs.reports.paint import Paint, state_words
from kiejobs.reports.run_view import RunView, Standing
from kiejobs.reports.screen import clean, credits_text, pad, plural, price_text, shortened, width

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.types import Json
    from kiejobs.reports.run_view import JobView

_STATE = 13  # columns: as wide as `not submitted`
_CREDITS = 7
_LONGEST = 160


def report_text(
    manifest: Mapping[str, Json],
    notes: Mapping[str, str],
    stopped: tuple[str, str] | None,
    exit_code: int | None,
    *,
    color: bool = False,
    flag: str = "",
) -> str:
    """Every job with its task and its file or error; the totals; what to do next.

    `flag` is added to commands that are shown, e.g. ` --sandbox`.
    """
    view = RunView(manifest, notes, stopped, exit_code, flag)
    paint = Paint(color)
    jobs = view.jobs
    lines = [paint.bold(_title(view)), "", *_table(jobs, paint), "", paint.bold(_totals(jobs))]
    return "\n".join([*lines, *step_lines(steps_after(view), paint)])


def report_document(
    manifest: Mapping[str, Json],
    notes: Mapping[str, str],
    stopped: tuple[str, str] | None,
    exit_code: int | None,
    *,
    flag: str = "",
) -> dict[str, Json]:
    view = RunView(manifest, notes, stopped, exit_code, flag)
    return {
        "format_version": FORMAT_VERSION,
        "run_id": manifest["run_id"],
        "campaign": manifest["campaign"],
        "exit_code": exit_code,
        "stopped": None if stopped is None else {"reason": stopped[0], "why": stopped[1]},
        "totals": manifest["totals"],
        "jobs": [_job(job) for job in view.jobs],
        "next": [step.document() for step in steps_after(view)],
    }


def report_junit(manifest: Mapping[str, Json], notes: Mapping[str, str] | None = None) -> str:
    """A suite for the campaign, a case for each job."""
    return junit(RunView(manifest, notes or {}))


def _title(view: RunView) -> str:
    campaign = view.manifest["campaign"]
    of = f" of {clean(campaign)}" if campaign else ""
    return f"run {clean(view.manifest['run_id'])}{of}"


def _table(jobs: Sequence[JobView], paint: Paint) -> Iterator[str]:
    if not jobs:
        yield "  no jobs"
        return
    wide = max(len("address"), *(width(clean(job.address)) for job in jobs))
    yield paint.bold(f"  {pad('state', _STATE)}  {pad('address', wide)}  credits (planned)")
    for job in jobs:
        state = state_words(job.standing)
        padding = " " * (_STATE - len(state))
        address = pad(clean(job.address), wide)
        yield f"  {paint.state(state)}{padding}  {address}  {_credits(job)}".rstrip()
        yield from (f"{' ' * (_STATE + 4)}{paint.dim(line)}" for line in _below(job))


def _credits(job: JobView) -> str:
    """What was charged; in parentheses what it was to cost, where nothing is known to be charged."""
    if job.charged is not None:
        return pad(credits_text(job.charged), _CREDITS, right=True)
    if job.standing in {Standing.UNSENT, Standing.REJECTED, Standing.LOST}:
        return ""
    return pad(f"({credits_text(job.planned)})", _CREDITS + 1, right=True)


def _below(job: JobView) -> Iterator[str]:
    """The task, and what came of it."""
    came = [file["path"] for file in job.job["files"]]
    came += [text for text in (job.error, job.note) if text]
    words = [job.job["task_id"] or "", *came[:1]]
    for text in ("  ".join(filter(None, words)), *came[1:]):
        if text:
            yield shortened(clean(text), _LONGEST)


def _totals(jobs: Sequence[JobView]) -> str:
    counts = Counter(job.standing for job in jobs)
    parts = [f"{counts[s]:,} {state_words(s)}" for s in Standing if counts[s]]
    charged = sum((job.charged or Decimal(0) for job in jobs), Decimal(0))
    money = [f"{price_text(charged)} charged"]
    open_ = [job for job in jobs if job.standing is Standing.RUNNING]
    doubted = [job for job in jobs if job.standing is Standing.IN_DOUBT]
    if open_:
        money.append(f"{_planned(open_)} held by what is running")
    if doubted:
        money.append(f"{_planned(doubted)} in doubt")
    states = ", ".join(parts) or "nothing done"
    return f"{plural(len(jobs), 'job')}: {states}; {', '.join(money)}"


def _planned(jobs: Sequence[JobView]) -> str:
    if all(job.planned is None for job in jobs):
        return price_text(None)
    more = " or more" if any(job.planned is None for job in jobs) else ""
    return price_text(sum((job.planned or Decimal(0) for job in jobs), Decimal(0))) + more


def _job(job: JobView) -> dict[str, Json]:
    kept = {key: value for key, value in job.job.items() if key != "input"}
    return {"address": job.address, **kept, "standing": job.standing.value, "note": job.note}
