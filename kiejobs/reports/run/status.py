"""What was bought here, and what is open: the ledger for people, or as a document.

In: a `StatusView`. Out: text; the document of schemas/documents/status.schema.json. Touches nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kiejobs.core.ledger.manifest import job_of_attempt
from kiejobs.core.ledger.records import State
from kiejobs.core.money import money, price_text
from kiejobs.reports.documents import FORMAT_VERSION, attempt_document
from kiejobs.reports.terminal import (
    REHEARSED,
    Detail,
    Paint,
    columns,
    plural,
    quoted,
    sanitize,
    shortened,
    state_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt, PriceDrift

_MOST = 24  # of a kind, on a page
_LATELY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Expiring:
    """A result that is not home: when the vendor throws it away by its docs; already, by older pages?"""

    attempt: Attempt
    end: datetime
    may_be_gone: bool


@dataclass(frozen=True, slots=True)
class StatusView:
    """What the journals of one API come to; of one campaign, unless that is None.

    `counts` of purchases by state, `committed` credits spent or held, `runs` oldest first; `live_runs`
    is at work now. `not_collected` were made, but are not complete here; `gone` can't be downloaded any more.
    `expiring` is None where nobody asked. `callbacks` are the times of the last one of each attempt,
    oldest first, in UTC text. `price_drifts` are those of each model's latest run.
    """

    campaign: str | None
    origin: str
    counts: Mapping[str, int]
    open: Sequence[Attempt]
    in_doubt: Sequence[Attempt]
    not_collected: Sequence[Attempt]
    committed: Decimal
    runs: Sequence[str]
    now: datetime
    live_runs: Sequence[str] = ()
    conflicts: Sequence[Attempt] = ()
    gone: Sequence[Attempt] = ()
    expiring: Sequence[Expiring] | None = None
    callbacks: Sequence[str] = ()
    price_drifts: Sequence[PriceDrift] = ()


def status_text(
    view: StatusView,
    *,
    color: bool = False,
    flag: str = "",
    rehearsal: bool = False,
    detail: Detail = Detail.PAGE,
    local: bool = False,
) -> str:
    """Counts, money, then what is open. `flag` is added to commands that are shown."""
    paint, most = Paint(color, local), None if detail is Detail.FULL else _MOST
    is_line = detail is Detail.LINE
    title = [] if is_line else [paint.bold(_title(view, rehearsal=rehearsal)), *_counts(view, paint)]
    lines = [*title, *([] if is_line else _open_jobs(view, paint, flag, most))]
    if view.conflicts:
        lines += ["", *_conflicts(view, paint, flag)]
    if view.in_doubt or view.price_drifts:
        from kiejobs.reports.run.view import doubt_steps, drift_steps, step_lines  # noqa: PLC0415 - slow to import, and mostly there are none

        steps = [*doubt_steps(view.in_doubt, flag, local=local), *drift_steps(view.price_drifts)]
        lines += step_lines(steps, paint, most=most, flag=flag)
    of = f"{sanitize(view.campaign)}: " if view.campaign else ""
    last = [paint.bold(of + _sums(view) + (REHEARSED if rehearsal else ""))] if is_line else []
    return "\n".join([*(lines[1:] if is_line else lines), *last])  # the first is blank


def _open_jobs(view: StatusView, paint: Paint, flag: str, most: int | None) -> list[str]:
    """What is at the API, or made and not here, by kind, each below a blank line."""
    lines: list[str] = []
    if at_api := [one for one in view.open if not one.lacks_result]:
        words = f"download the files with `kiejobs collect{flag}`"
        lines += ["", *_tasks("At the API", words, at_api, "submitted", paint, most)]
    if at_api and _are_arriving(view):
        last = paint.moment(view.callbacks[-1])
        lines.append(f"  callbacks arrive, the last {last}: polling is only a safety net")
    if unnamed := [one for one in view.open if one.lacks_result]:
        words = f"successful, but the API named no usable result; ask again with `kiejobs collect{flag}`"
        lines += ["", *_tasks("No result", words, unnamed, "submitted", paint, most)]
    if view.not_collected:
        words = f"made, but not all files are here; download them with `kiejobs collect{flag}`"
        lines += ["", *_tasks("Not collected", words, view.not_collected, "settled", paint, most)]
    if view.expiring is not None:
        lines += ["", *_expiring(view.expiring, paint, flag)]
    if view.gone:
        words = "made and paid for, but the vendor no longer has them; `--retry gone` buys them again"
        lines += ["", *_tasks("Gone", words, view.gone, "settled", paint, most)]
    return lines


def _sums(view: StatusView) -> str:
    counts = {**view.counts, "not collected": len(view.not_collected), "gone": len(view.gone)}
    states = ", ".join(f"{count:,} {state_words(state)}" for state, count in counts.items() if count)
    return f"{states or 'nothing bought'}; {price_text(view.committed)} spent or held"


def statuses_text(
    views: Sequence[StatusView], *, text: Callable[..., str], whole: StatusView, color: bool = False
) -> str:
    """Each campaign's, then what they are together: a purchase that two of them use is counted once."""
    total = f"{plural(len(views), 'campaign')} together: {_sums(whole)}"
    return "\n\n".join([*(text(view, color=color) for view in views), Paint(color).bold(total)])


def statuses_document(views: Sequence[StatusView], whole: StatusView) -> dict[str, Json]:
    totals = {"counts": dict(whole.counts), "committed": money(whole.committed)}
    statuses = list(map(status_document, views))
    return {"format_version": FORMAT_VERSION, "statuses": statuses, "totals": totals}


def status_document(view: StatusView) -> dict[str, Json]:
    from kiejobs.reports.run.view import drift_entry  # noqa: PLC0415 - as above

    return {
        "format_version": FORMAT_VERSION,
        "campaign": view.campaign,
        "origin": view.origin,
        "counts": dict(view.counts),
        "committed": money(view.committed),
        "open": list(map(attempt_document, view.open)),
        "in_doubt": list(map(attempt_document, view.in_doubt)),
        "not_collected": list(map(attempt_document, view.not_collected)),
        "gone": list(map(attempt_document, view.gone)),
        "conflicts": [
            {"attempt": attempt_document(attempt), "claims": list(map(asdict, attempt.conflicts))}
            for attempt in view.conflicts
        ],
        "expiring": None if view.expiring is None else list(map(_expiring_document, view.expiring)),
        "callbacks": {
            "attempts": len(view.callbacks),
            "last": view.callbacks[-1] if view.callbacks else None,
            "arriving": _are_arriving(view),
        },
        "price_drift": list(map(drift_entry, view.price_drifts)),
        "runs": list(view.runs),
        "live_run": view.live_runs[0] if view.live_runs else None,
        "live_runs": list(view.live_runs),
    }


def _title(view: StatusView, *, rehearsal: bool) -> str:
    of = f"{sanitize(view.campaign)}: " if view.campaign else ""
    where = "" if rehearsal else f" at {sanitize(view.origin)}"
    end = REHEARSED if rehearsal else ""
    if not view.runs:
        return f"{of}no runs{where} yet; nothing was bought{end}"
    are = "is" if len(view.live_runs) == 1 else "are"
    at_work = f"; {sanitize(', '.join(view.live_runs))} {are} active now" if view.live_runs else ""
    last = sanitize(view.runs[-1])
    return f"{of}{plural(len(view.runs), 'run')}{where}, the latest is {last}{at_work}{end}"


def _counts(view: StatusView, paint: Paint) -> Iterator[str]:
    unnamed = sum(one.lacks_result for one in view.open)
    counts = {**view.counts, State.RUNNING: view.counts.get(State.RUNNING, 0) - unnamed, "no_result": unnamed}
    counted = ((paint.status(state_words(state)), count) for state, count in counts.items())
    rows = [(words, f"{count:,}") for words, count in counted if count]
    yield from (f"  {line}" for line in columns(rows, right=frozenset({1})))
    if rows:
        yield f"  {price_text(view.committed)} spent or held"


def _are_arriving(view: StatusView) -> bool:
    """Did one come lately?"""
    calls = view.callbacks
    return bool(calls) and view.now - datetime.fromisoformat(calls[-1]) <= _LATELY


def _expiring(expiring: Sequence[Expiring], paint: Paint, flag: str) -> Iterator[str]:
    if not expiring:
        yield "Nothing that is still to be downloaded expires within that time."
        return
    yield f"{paint.bold('Expiring')}: download them now with `kiejobs collect{flag}`"
    rows = []
    for line in expiring:
        by = paint.moment(f"{line.end:%Y-%m-%dT%H:%M:%SZ}")
        old = "may be gone already: older pages of the vendor say 24 hours"
        name, task = sanitize(line.attempt.address), sanitize(line.attempt.task_id or "")
        rows.append((name, task, f"by {by}", old if line.may_be_gone else ""))
    yield from (f"  {line}" for line in columns(rows))


def _expiring_document(line: Expiring) -> dict[str, Json]:
    end = f"{line.end:%Y-%m-%dT%H:%M:%S}.{line.end.microsecond // 1000:03d}Z"
    attempt = attempt_document(line.attempt)
    return {"attempt": attempt, "end": end, "may_be_gone": line.may_be_gone}


def _conflicts(view: StatusView, paint: Paint, flag: str) -> Iterator[str]:
    """Each claim that was not taken, and how to end it."""
    yield f"{paint.loud('Conflict')}: a claimed task was not accepted, or is recorded twice; look at it, then resolve it."
    for attempt in view.conflicts:
        yield f"  {sanitize(attempt.address)}"
        for conflict in attempt.conflicts:
            yield f"    task {sanitize(conflict.task_id)}, {paint.moment(conflict.at)}: {sanitize(conflict.why)}"
        ruling = "--lost" if attempt.task_id is None else f"--task {sanitize(attempt.task_id)}"
        if attempt.state is not State.IN_DOUBT:  # whose two ways out are shown below
            yield f"    kiejobs resolve {quoted(attempt.address)} {ruling}{flag}"


def _tasks(
    title: str, words: str, attempts: Sequence[Attempt], since: str, paint: Paint, most: int | None
) -> Iterator[str]:
    yield f"{paint.bold(title)}: {words}"
    rows = [
        (
            sanitize(a.address),
            sanitize(a.task_id or ""),
            f"since {paint.moment(a.times.get(since))}",
            _said(a),
        )
        for a in attempts[:most]
    ]
    yield from (f"  {line}" for line in columns(rows))
    if len(attempts) > len(rows):
        yield f"  and {len(attempts) - len(rows):,} more: -v lists them"


def _said(attempt: Attempt) -> str:
    """The API's word or answer, where nothing could be made of it."""
    kept = job_of_attempt(attempt)
    word = f"the API says `{kept['api_state']}`" if "api_state" in kept else ""
    answer = f"it answered: {kept['answer']['text']}" if "answer" in kept else ""
    return shortened(sanitize("; ".join(filter(None, (word, answer)))), 160)
