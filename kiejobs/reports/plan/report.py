"""The plan as a table for people.

In: a `PlanView`. Out: text. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.reports.diff.fields import diff_lines
from kiejobs.reports.plan.notes import needs_a_look, prices_words, schemas_words
from kiejobs.reports.terminal import (
    REHEARSED,
    Paint,
    credits_text,
    pad,
    sanitize,
    shortened,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.plan.plan import Change
    from kiejobs.reports.plan.view import Notice, PlanRow, PlanView

_REASON = 16  # columns: as wide as `no_longer_wanted`
_CREDITS = 7
_DETAIL = 120


def plan_text(view: PlanView, *, color: bool = False) -> str:
    """A line for each change, the sums, what to beware of, and the digest that names what would be bought.

    Credits stand only in lines that spend.
    """
    paint = Paint(color)
    wide = max(len("address"), view.address_width)
    head = f"     {pad('address', wide)}  {pad('reason', _REASON)}  "
    lines = [paint.bold(f"{head}{pad('credits', _CREDITS, right=True)}")]
    lines += [line for row in view.rows for line in _row(row, wide, paint)]
    return "\n".join([*lines, "", *_sums(view, paint)])


def _row(row: PlanRow, wide: int, paint: Paint) -> Iterator[str]:
    """One change; below it what differs, and more words on the reason."""
    change = row.change
    address, reason = pad(sanitize(change.address), wide), pad(sanitize(row.reason), _REASON)
    yield f"  {paint.sign(change.sign)}  {address}  {reason}  {_credits(change, paint)}".rstrip()
    yield from (f"       {line}" for line in diff_lines(row.diff or (), paint))
    if row.remark:
        yield f"       {paint.dim(shortened(sanitize(row.remark), _DETAIL))}"


def _credits(change: Change, paint: Paint) -> str:
    if not change.spends:
        return ""
    text = pad(credits_text(change.credits), _CREDITS, right=True)
    return paint.loud(text) if change.credits is None else text


def _sums(view: PlanView, paint: Paint) -> Iterator[str]:
    counts = "; ".join([*_to_buy(view), *view.counts]) or "no jobs"
    yield paint.bold(f"{sanitize(view.campaign)}: {counts}{_and_so(view)}")
    if view.submits and view.prices:
        line = f"prices: {prices_words(view.prices)}"
        yield paint.loud(line) if needs_a_look(view.prices) else paint.dim(line)
    yield from (_notice(one, paint) for one in view.notices)
    if view.submits:
        yield paint.dim(f"digest: {view.totals.digest}")
    if view.own_schemas:
        yield f"schemas of this project: {schemas_words(view.own_schemas, sanitize)}"


def _to_buy(view: PlanView) -> Iterator[str]:
    unpriced = view.totals.unpriced
    if view.submits and unpriced == view.submits:
        yield f"{view.submits:,} to buy, at {view.price}"
    elif view.submits:
        yield f"{view.submits - unpriced:,} to buy for {view.price}"


def _and_so(view: PlanView) -> str:
    if view.submits:
        return REHEARSED if view.rehearsal else ""
    return f". Nothing to buy{' in this rehearsal' if view.rehearsal else ''}."


def _notice(one: Notice, paint: Paint) -> str:
    if one.is_loud:
        return paint.loud(f"{one.title.upper()}{one.message}")
    how = f"; `{one.command}` tells how" if one.command else ""
    return f"{one.title}{one.message}{how}."
