"""The plan as Markdown, for a comment on a pull request.

In: changes, one by one; the totals once all were seen. Out: one document that fits into a comment.
Touches nothing, and keeps no more lines than it shows: a plan may have 100,000.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action
from kiejobs.reports.diff.fields import both_words
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
from kiejobs.reports.plan.notes import breaches_text, needs_a_look, prices_words
from kiejobs.reports.run.next_steps import doubt_steps
from kiejobs.reports.terminal import (
    REHEARSED,
    credits_text,
    plural,
    price_text,
    sanitize,
    shortened,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.plan.plan import Change, FieldChange, PlanTotals
    from kiejobs.core.prices.age import AgedPrice

_ROWS = 28_000  # characters for the table
_DIFFS = 16_000  # for what differs
_DOUBTS = 5_000  # for what is in doubt
_BROKEN = 4_000  # for rules of a policy
_DOUBTED = 10  # jobs of it
_ADDRESS = 160
_DETAIL = 120
_PRICES = 400


class PlanMarkdown:
    """`add` each change, then ask for the `text`. What is done already is counted and not listed.

    `file` is the job file's name below the repository's root, for the marker in the first line. `flag`
    is added to commands that are shown. `prices` are those that it reckons with.
    """

    def __init__(
        self,
        campaign: str,
        file: str,
        usd_per_credit: Decimal | None = None,
        flag: str = "",
        *,
        rehearsal: bool = False,
        prices: Sequence[AgedPrice] = (),
    ) -> None:
        self._prices = prices
        self._campaign = campaign
        self._file = file
        self._usd = usd_per_credit
        self._flag = sanitize(flag)
        self._rehearsal = rehearsal
        self._reasons: Counter[str] = Counter()
        self._rows = LimitedText(_ROWS)
        self._diffs = LimitedText(_DIFFS)
        self._doubts: list[Attempt] = []

    def add(self, change: Change, diff: Sequence[FieldChange] = ()) -> None:
        reason, _, source = change.reason.partition(" ")
        self._reasons[reason if change.action is not Action.RESUME else "resumed"] += 1
        attempt = change.attempt
        if attempt is not None and attempt.state is State.IN_DOUBT and len(self._doubts) < _DOUBTED:
            self._doubts.append(attempt)
        if change.action is not Action.KEEP:
            self._rows.add(_row(change, reason, source))
        if diff:
            self._diffs.add("\n".join(_diff_lines(change, diff)))

    def text(
        self,
        totals: PlanTotals,
        budget_left: Decimal | None = None,
        broken: Sequence[Diagnostic] = (),
    ) -> str:
        """`broken` are rules of a policy, for which a run would buy nothing."""
        mark = REHEARSED if self._rehearsal else ""
        parts = [
            (
                f"{marker('plan', self._campaign, self._file)}\n"
                f"### kiejobs plan: {code(self._campaign)}{mark}"
            ),
            f"**{'; '.join(self._counts(totals))}**",
            " ".join([self._jobs(totals), *self._price_line(totals)]),
            "\n".join(f"- {line}" for line in self._warnings(totals, budget_left)),
            *_broken(broken),
            *self._table(),
            *self._differences(),
            *self._in_doubt(totals),
            f"Digest: `{totals.digest}`" if totals.actions[Action.SUBMIT] else "",
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _counts(self, totals: PlanTotals) -> Iterator[str]:
        """`+12 jobs, 384 credits ($1.92)`, then everything else that is not nought."""
        count, reasons = totals.actions, self._reasons
        submits = count[Action.SUBMIT]
        yield f"+{plural(submits, 'job')}, {self._price(totals)}" if submits else "Nothing to buy"
        told = (
            (count[Action.KEEP], "unchanged"),
            (count[Action.RESUME], "in flight"),
            (count[Action.COLLECT], "to collect"),
            (count[Action.ADOPT], "moved"),
            (reasons["failed"], "failed"),
            (reasons["result_gone"], "gone at the vendor"),
            (reasons["in_flight"], "being submitted by another run"),
            (totals.in_doubt, "in doubt"),
            (count[Action.ORPHAN], "no longer wanted"),
        )
        yield from (f"{number:,} {words}" for number, words in told if number)

    def _price(self, totals: PlanTotals) -> str:
        if totals.unpriced == totals.actions[Action.SUBMIT]:
            return price_text(None)
        more = f" and {totals.unpriced:,} at an unknown price" if totals.unpriced else ""
        return f"{price_text(totals.credits, self._usd)}{more}"

    def _price_line(self, totals: PlanTotals) -> Iterator[str]:
        if self._prices and totals.actions[Action.SUBMIT]:
            mark = "\u26a0\ufe0f " if needs_a_look(self._prices) else ""
            yield f"{mark}Prices: {code(prices_words(self._prices), _PRICES)}."

    def _jobs(self, totals: PlanTotals) -> str:
        """What became of the number of jobs, against what earlier runs know."""
        orphans = totals.actions[Action.ORPHAN]
        wanted = sum(totals.actions.values()) - orphans
        known = wanted - self._reasons["new"] + orphans
        if not known:
            return f"{plural(wanted, 'job')}, none of them known from an earlier run."
        edits = (
            (self._reasons["new"], "new"),
            (self._reasons["input_changed"], "changed"),
            (totals.actions[Action.ADOPT], "moved"),
            (orphans, "no longer wanted"),
        )
        told = ", ".join(f"{number:,} {words}" for number, words in edits if number)
        return f"{plural(wanted, 'job')} now, {known:,} before: {told or 'the same'}."

    def _warnings(self, totals: PlanTotals, budget_left: Decimal | None) -> Iterator[str]:
        if budget_left is not None and totals.credits > budget_left:
            left = credits_text(budget_left)
            yield f"\u26a0\ufe0f **Over budget**: {left} left; a run stops buying when it is used up."
        if totals.unpriced:
            consequence = "each costs the vendor's price of the day"
            if budget_left is not None:
                consequence = "no budget can hold that, so a run stops before it"
            jobs = plural(totals.unpriced, "job")
            yield f"\u26a0\ufe0f **Price unknown** for {jobs}, left out of the sum: {consequence}."
        if totals.in_doubt:
            yield "\u26a0\ufe0f **In doubt**: nothing is bought there until somebody rules on it, see below."
        if self._reasons["failed"]:
            yield "**Failed**: held, and not bought again without `--retry failed`."
        if self._reasons["result_gone"]:
            yield "**Gone**: the vendor has the result no more; `--retry gone` buys it again."

    def _table(self) -> Iterator[str]:
        if self._rows.kept or self._rows.cut:
            head = (" ", "job", "reason", "credits")
            yield table(head, "| :-: | :-- | :-- | --: |", self._rows, "line")

    def _differences(self) -> Iterator[str]:
        if not self._diffs.kept and not self._diffs.cut:
            return
        jobs = len(self._diffs.kept) + self._diffs.cut
        text = fenced(self._diffs.kept, "diff") + left_out(self._diffs, "job")
        yield (
            text
            if text.count("\n") <= LONG
            else folded(f"What differs in {plural(jobs, 'job')}", text)
        )

    def _in_doubt(self, totals: PlanTotals) -> Iterator[str]:
        if not self._doubts:
            return
        room = LimitedText(_DOUBTS)
        for step in doubt_steps(self._doubts, self._flag):
            heading = shortened(f"# {sanitize(step.address or '')}: {step.message}", _ADDRESS * 2)
            room.add("\n".join([heading, *step.commands]))
        more = totals.in_doubt - len(room.kept)
        status = code(f"kiejobs status{self._flag}")
        rest = f"\n\n*{more:,} more in doubt: {status} tells of all.*" if more > 0 else ""
        yield (
            "In doubt: look for the request in the vendor's task log. `--task` with the id that you "
            f"find there, `--lost` where nothing was made.\n\n{fenced(room.kept, 'sh')}{rest}"
        )


def _broken(breaches: Sequence[Diagnostic]) -> Iterator[str]:
    if breaches:
        room = LimitedText(_BROKEN)
        for line in breaches_text(breaches).split("\n"):
            room.add(shortened(line, _ADDRESS * 2))
        told = fenced(room.kept, "text") + left_out(room, "rule")
        yield f"\u26d4 **Policy**: a run would refuse this plan and buy nothing.\n\n{told}"


def _row(change: Change, reason: str, source: str) -> str:
    said = ", ".join(filter(None, (source and f"from {source}", change.detail)))
    why = f"{reason}<br>{cell(said, _DETAIL)}" if said else reason
    price = credits_text(change.credits) if change.spends else ""
    return f"| {change.sign} | {cell(change.address, _ADDRESS)} | {why} | {price} |"


def _diff_lines(change: Change, diff: Sequence[FieldChange]) -> Iterator[str]:
    yield f"@@ {shortened(sanitize(change.address), _ADDRESS)} @@"
    for field in diff:
        name = shortened(sanitize(field.field), _DETAIL)
        was, now = both_words(field)
        yield f"- {name}: {was}"
        yield f"+ {name}: {now}"
