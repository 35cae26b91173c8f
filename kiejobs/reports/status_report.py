"""What was bought here, and what is open: the ledger for people, or as a document.

In: a `StatusView`. Out: text; the document of
schemas/documents/status.schema.json. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.money import money
from kiejobs.reports.documents import FORMAT_VERSION, attempt_document
from kiejobs.reports.next_steps import doubt_steps, step_lines
from kiejobs.reports.paint import Paint, state_words
from kiejobs.reports.screen import REHEARSED, clean, columns, moment, plural, price_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from kiejobs.core.ledger import Attempt
    from kiejobs.core.types import Json


@dataclass(frozen=True, slots=True)
class StatusView:
    """What the journals of one API come to; of one campaign, unless that is None.

    `counts` of purchases by state, `committed` credits spent or held, `runs` oldest first; `live_run`
    is at work now. `not_collected` were made, but are not here whole.
    """

    campaign: str | None
    origin: str
    counts: Mapping[str, int]
    open: Sequence[Attempt]
    in_doubt: Sequence[Attempt]
    not_collected: Sequence[Attempt]
    committed: Decimal
    runs: Sequence[str]
    live_run: str | None = None


def status_text(
    view: StatusView, *, color: bool = False, flag: str = "", rehearsal: bool = False
) -> str:
    """Counts, money, then what is open. `flag` is added to commands that are shown."""
    paint = Paint(color)
    title = _title(view) + (REHEARSED if rehearsal else "")
    lines = [paint.bold(title), *_counts(view, paint)]
    if view.open:
        lines += ["", *_open(view, paint, flag)]
    if view.not_collected:
        lines += ["", *_not_collected(view, paint, flag)]
    return "\n".join([*lines, *step_lines(doubt_steps(view.in_doubt, flag), paint)])


def status_document(view: StatusView) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "campaign": view.campaign,
        "origin": view.origin,
        "counts": dict(view.counts),
        "committed": money(view.committed),
        "open": [attempt_document(attempt) for attempt in view.open],
        "in_doubt": [attempt_document(attempt) for attempt in view.in_doubt],
        "not_collected": [attempt_document(attempt) for attempt in view.not_collected],
        "runs": list(view.runs),
        "live_run": view.live_run,
    }


def _title(view: StatusView) -> str:
    of = f"{clean(view.campaign)}: " if view.campaign else ""
    where = f" at {clean(view.origin)}"
    if not view.runs:
        return f"{of}no runs yet{where}: nothing was bought"
    at_work = f"; {clean(view.live_run)} is at work now" if view.live_run else ""
    return f"{of}{plural(len(view.runs), 'run')}{where}, the last {clean(view.runs[-1])}{at_work}"


def _counts(view: StatusView, paint: Paint) -> Iterator[str]:
    counted = [(state, count) for state, count in view.counts.items() if count]
    rows = [(paint.state(state_words(state)), f"{count:,}") for state, count in counted]
    yield from (f"  {line}" for line in columns(rows, right=frozenset({1})))
    if counted:
        yield f"  {price_text(view.committed)} spent or held"


def _open(view: StatusView, paint: Paint, flag: str) -> Iterator[str]:
    yield f"{paint.bold('At the API')}: bring the files home with `kiejobs collect{flag}`"
    yield from _tasks(view.open, "submitted")


def _not_collected(view: StatusView, paint: Paint, flag: str) -> Iterator[str]:
    title = paint.bold("Not collected")
    yield f"{title}: made, but the files are not here; try `kiejobs collect{flag}`"
    yield from _tasks(view.not_collected, "settled")


def _tasks(attempts: Sequence[Attempt], since: str) -> Iterator[str]:
    rows = [
        (clean(a.address), clean(a.task_id or ""), f"since {moment(a.times.get(since))}")
        for a in attempts
    ]
    yield from (f"  {line}" for line in columns(rows))
