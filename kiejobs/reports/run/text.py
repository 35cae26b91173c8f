"""A run's report: text for people, or a document. The one for CI servers is in junit_report.py.

In: a `RunView`. Out: text; the document of schemas/documents/report.schema.json. Touches nothing.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
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
    plural,
    price_text,
    sanitize,
    shortened,
    state_words,
    width,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.reports.run.view import JobView, RunView

_STATE = 13  # columns: as wide as `not submitted`
_CREDITS = 7
_LONGEST = 160
_HELD = frozenset({JobStatus.RUNNING, JobStatus.SUBMITTED, JobStatus.RESERVED})


def report_text(view: RunView, *, color: bool = False) -> str:
    """Every job with its task and its file or error; the totals; what to do next; where it all is."""
    paint = Paint(color)
    lines = [paint.bold(_title(view)), "", *_table(view.jobs, paint), ""]
    lines += [paint.bold(totals_words(view.jobs)), *bought_words(view)]
    steps, places = list(step_lines(steps_after(view), paint)), list(_places(view))
    gap = [""] if steps and places else []
    return "\n".join([*lines, *steps, *gap, *places])


def report_document(view: RunView) -> dict[str, Json]:
    stopped = view.stopped
    bought = [price_of(attempt) for attempt in view.bought]
    return {
        "format_version": FORMAT_VERSION,
        "run_id": view.manifest["run_id"],
        "campaign": view.manifest["campaign"],
        "exit_code": view.exit_code,
        "stopped": None if stopped is None else {"reason": stopped[0], "why": stopped[1]},
        "run": {"bought": len(bought), "credits": money(_known(bought))},
        "totals": view.manifest["totals"],
        "jobs": [_job(job) for job in view.jobs],
        "price_drift": [drift_entry(drift) for drift in view.price_drifts],
        "next": [step.document() for step in steps_after(view)],
    }


def totals_words(jobs: Sequence[JobView]) -> str:
    """How many jobs stand how, and what is charged, held and in doubt."""
    counts = Counter(job.standing for job in jobs)
    parts = [f"{counts[s]:,} {state_words(s)}" for s in JobStatus if counts[s]]
    money_ = [_charged(jobs)]
    open_ = [job.planned for job in jobs if job.standing in _HELD]
    doubted = [job.planned for job in jobs if job.standing is JobStatus.IN_DOUBT]
    if open_:
        money_.append(f"{_sum(open_)} held by what is at the API")
    if doubted:
        money_.append(f"{_sum(doubted)} in doubt")
    states = ", ".join(parts) or "nothing done"
    return f"{plural(len(jobs), 'job')}: {states}; {', '.join(money_)}"


def bought_words(view: RunView) -> Iterator[str]:
    """What this run alone bought, of all that stands in its table; `collect` has nothing to say."""
    if view.manifest["command"] != "run":
        return
    bought, doubts = view.bought, view.doubts
    told = (
        f"{plural(len(bought), 'job')} for {_sum(map(price_of, bought))}" if bought else "nothing"
    )
    if doubts:
        more = f"{plural(len(doubts), 'job')} for {_sum(map(price_of, doubts))}"
        told += f"{'' if bought else ' for sure'}; in doubt: {more}"
    yield f"this run bought {told}"


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
        state = state_words(job.standing)
        padding = " " * (_STATE - len(state))
        address = pad(sanitize(job.address), wide)
        yield f"  {paint.state(state)}{padding}  {address}  {_credits(job)}".rstrip()
        yield from (f"{' ' * (_STATE + 4)}{paint.dim(line)}" for line in _below(job))


def _credits(job: JobView) -> str:
    """What was charged; in parentheses what it was to cost, where nothing is known to be charged."""
    if job.charged is not None:
        return pad(credits_text(job.charged), _CREDITS, right=True)
    if job.standing in {JobStatus.UNSENT, JobStatus.REJECTED, JobStatus.LOST}:
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


def _charged(jobs: Sequence[JobView]) -> str:
    """What the API said that it charged; it does not always say."""
    said = sum((job.charged or Decimal(0) for job in jobs), Decimal(0))
    unsaid = [job.planned for job in jobs if job.settled_well and job.charged is None]
    if not unsaid:
        return f"{price_text(said)} charged"
    planned = f"{_sum(unsaid)} planned, the API did not say what it charged"
    return f"{price_text(said)} charged, {planned}" if said else planned


def _places(view: RunView) -> Iterator[str]:
    """Where the videos are, and what to keep."""
    files = any(job.job["files"] for job in view.jobs)
    parts = [f"files in {sanitize(view.outputs)}"] if files and view.outputs is not None else []
    parts += [f"the record is {sanitize(view.record)}"] if view.record is not None else []
    if parts:
        yield "; ".join(parts)


def _sum(prices: Iterable[Decimal | None]) -> str:
    """Prices of which some may be unknown, in words."""
    every = list(prices)
    if every and all(price is None for price in every):
        return price_text(None)
    return price_text(_known(every)) + (" or more" if None in every else "")


def _known(prices: Iterable[Decimal | None]) -> Decimal:
    return sum((price for price in prices if price is not None), Decimal(0))


def _job(job: JobView) -> dict[str, Json]:
    kept = {key: value for key, value in job.job.items() if key != "input"}
    return {"address": job.address, **kept, "standing": job.standing.value, "note": job.note}
