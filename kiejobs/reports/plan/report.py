"""The plan as a table for people, and as Markdown for a comment on a pull request.

In: a `PlanView`. Out: text; one document that fits into a comment. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.plan.plan import Action
from kiejobs.reports.diff.fields import both_words, diff_lines
from kiejobs.reports.markdown import (
    LONG,
    LimitedText,
    cell,
    code,
    fenced,
    folded,
    left_out,
    marker,
    table,
)
from kiejobs.reports.plan.notes import breaches_text, needs_a_look, prices_words, schemas_words
from kiejobs.reports.run.next_steps import doubt_steps
from kiejobs.reports.terminal import (
    REHEARSED,
    Paint,
    credits_text,
    pad,
    plural,
    sanitize,
    shortened,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.plan.plan import Change, FieldChange
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


# --- Markdown, for a comment on a pull request ----------------------------------------------------


_ROWS = 28_000  # characters for the table
_DIFFS = 16_000  # for what differs
_DOUBTS = 5_000  # for what is in doubt
_BROKEN = 4_000  # for rules of a policy
_DOUBTED = 10  # jobs of it
_ADDRESS = 160
_PRICES = 400
_BEWARE = "\u26a0\ufe0f "


def plan_markdown(view: PlanView) -> str:
    """What a merge would buy. What is done already is counted and not listed."""
    mark = REHEARSED if view.rehearsal else ""
    buys = f"+{plural(view.submits, 'job')}, {view.price}" if view.submits else "Nothing to buy"
    parts = [
        f"{marker('plan', view.campaign, view.file)}\n### kiejobs plan: {code(view.campaign)}{mark}",
        f"**{'; '.join([buys, *view.counts])}**",
        " ".join([_jobs(view), *_prices(view)]),
        "\n".join(f"- {_notice_item(one)}" for one in view.notices),
        *_broken(view.broken),
        *_table(view),
        *_differences(view),
        *_in_doubt(view),
        f"Digest: `{view.totals.digest}`" if view.submits else "",
        *_schemas(view),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _jobs(view: PlanView) -> str:
    """What became of the number of jobs, against what earlier runs know."""
    count, new = view.totals.actions, view.reasons[Action.SUBMIT, "new"]
    orphans = count[Action.ORPHAN]
    wanted = sum(count.values()) - orphans
    known = wanted - new + orphans
    if not known:
        return f"{plural(wanted, 'job')}, none of them known from an earlier run."
    edits = (
        (new, "new"),
        (view.reasons[Action.SUBMIT, "input_changed"], "changed"),
        (count[Action.ADOPT], "moved"),
        (orphans, "no longer wanted"),
    )
    edited = ", ".join(f"{number:,} {words}" for number, words in edits if number)
    return f"{plural(wanted, 'job')} now, {known:,} before: {edited or 'the same'}."


def _prices(view: PlanView) -> Iterator[str]:
    if view.prices and view.submits:
        mark = _BEWARE if needs_a_look(view.prices) else ""
        yield f"{mark}Prices: {code(prices_words(view.prices), _PRICES)}."


def _notice_item(one: Notice) -> str:
    mark = _BEWARE if one.is_loud or one.command else ""
    where = ", see below" if one.command else ""
    return f"{mark}**{one.title}**{one.message}{where}."


def _table(view: PlanView) -> Iterator[str]:
    rows = LimitedText(_ROWS)
    for row in view.rows:
        if row.change.action is not Action.KEEP:
            rows.add(_table_row(row))
    if rows.kept or rows.cut:
        head = (" ", "job", "reason", "credits")
        yield table(head, "| :-: | :-- | :-- | --: |", rows, "line")


def _differences(view: PlanView) -> Iterator[str]:
    room = LimitedText(_DIFFS)
    for row in view.rows:
        if row.diff:
            room.add("\n".join(_diff_lines(row.change, row.diff)))
    if room.kept or room.cut:
        text = fenced(room.kept, "diff") + left_out(room, "job")
        jobs = plural(len(room.kept) + room.cut, "job")
        yield text if text.count("\n") <= LONG else folded(f"What differs in {jobs}", text)


def _in_doubt(view: PlanView) -> Iterator[str]:
    if not view.doubts:
        return
    flag = sanitize(view.flag)
    room = LimitedText(_DOUBTS)
    for step in doubt_steps(view.doubts[:_DOUBTED], flag):
        heading = shortened(f"# {sanitize(step.address or '')}: {step.message}", _ADDRESS * 2)
        room.add("\n".join([heading, *step.commands]))
    more = view.totals.in_doubt - len(room.kept)
    status = code(f"kiejobs status{flag}")
    rest = f"\n\n*{more:,} more in doubt: {status} tells of all.*" if more > 0 else ""
    yield (
        "In doubt: look for the request in the vendor's task log. `--task` with the id that you "
        f"find there, `--lost` where nothing was made.\n\n{fenced(room.kept, 'sh')}{rest}"
    )


def _schemas(view: PlanView) -> Iterator[str]:
    if view.own_schemas:
        yield f"Schemas of this project's own: {schemas_words(view.own_schemas, code)}."


def _broken(breaches: Sequence[Diagnostic]) -> Iterator[str]:
    if breaches:
        room = LimitedText(_BROKEN)
        for line in breaches_text(breaches).split("\n"):
            room.add(shortened(line, _ADDRESS * 2))
        rules = fenced(room.kept, "text") + left_out(room, "rule")
        yield f"\u26d4 **Policy**: a run would refuse this plan and buy nothing.\n\n{rules}"


def _table_row(row: PlanRow) -> str:
    change = row.change
    why = f"{row.reason}<br>{cell(row.remark, _DETAIL)}" if row.remark else row.reason
    price = credits_text(change.credits) if change.spends else ""
    return f"| {change.sign} | {cell(change.address, _ADDRESS)} | {why} | {price} |"


def _diff_lines(change: Change, diff: Sequence[FieldChange]) -> Iterator[str]:
    yield f"@@ {shortened(sanitize(change.address), _ADDRESS)} @@"
    for field in diff:
        name = shortened(sanitize(field.field), _DETAIL)
        was, now = both_words(field)
        yield f"- {name}: {was}"
        yield f"+ {name}: {now}"
