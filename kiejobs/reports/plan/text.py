"""The plan as a table for people, or as a document in a stream.

In: changes, one by one; the totals once all were seen. Out: lines of text, or pieces of the document of
schemas/plan.schema.json. Touches nothing, and keeps no change: a plan may have 100,000 lines.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kiejobs.core.money import money
from kiejobs.core.plan.plan import Action
from kiejobs.reports.diff.fields import diff_lines
from kiejobs.reports.documents import FORMAT_VERSION, diff_document, json_text, money_or_null
from kiejobs.reports.plan.notes import needs_a_look, price_entry, prices_words
from kiejobs.reports.terminal import (
    REHEARSED,
    Paint,
    credits_text,
    pad,
    plural,
    price_text,
    sanitize,
    shortened,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.plan.plan import Change, FieldChange, PlanTotals
    from kiejobs.core.prices.age import AgedPrice

_REASON = 16  # columns: as wide as `no_longer_wanted`
_CREDITS = 7
_DETAIL = 120


class PlanText:
    """The table: `header`, then `line` for each change, then `footer`.

    `width_of_addresses` in columns, since nothing is known about the lines to come. Credits stand only
    in lines that spend. `flag` is added to commands that are shown, e.g. ` --sandbox`; a `rehearsal` says
    that it is one. `prices` are those that it reckons with.
    """

    def __init__(
        self,
        color: bool,  # noqa: FBT001 - as the other texts take it
        width_of_addresses: int,
        usd_per_credit: Decimal | None = None,
        flag: str = "",
        *,
        rehearsal: bool = False,
        prices: Sequence[AgedPrice] = (),
    ) -> None:
        self._prices = prices
        self._paint = Paint(color)
        self._width = max(width_of_addresses, len("address"))
        self._usd = usd_per_credit
        self._flag = flag
        self._rehearsal = rehearsal
        self._held: Counter[str] = Counter()

    def header(self) -> str:
        line = f"     {pad('address', self._width)}  {pad('reason', _REASON)}  "
        return self._paint.bold(f"{line}{pad('credits', _CREDITS, right=True)}")

    def line(self, change: Change, diff: Sequence[FieldChange] = ()) -> str:
        """One change; below it what differs, and more words on the reason."""
        if change.action is Action.HOLD:
            self._held[change.reason] += 1
        reason, _, source = change.reason.partition(" ")
        first = (
            f"  {self._paint.sign(change.sign)}  {pad(sanitize(change.address), self._width)}  "
            f"{pad(sanitize(reason), _REASON)}  {self._credits(change)}"
        ).rstrip()
        below = [*diff_lines(diff, self._paint), *self._detail(change, source)]
        return "\n".join([first, *(f"       {line}" for line in below)])

    def footer(
        self, totals: PlanTotals, *, campaign: str, budget_left: Decimal | None = None
    ) -> str:
        """The sums in words, what to beware of, and the digest that names what would be bought."""
        counts = "; ".join(self._counts(totals)) or "no jobs"
        buys = totals.actions[Action.SUBMIT] > 0
        headline = f"{sanitize(campaign)}: {counts}{self._and_so(buys=buys)}"
        warnings = self._warnings(totals, budget_left)
        digest = [self._paint.dim(f"digest: {totals.digest}")] if buys else []
        prices = self._price_line() if buys else []
        return "\n".join(["", self._paint.bold(headline), *prices, *warnings, *digest])

    def _price_line(self) -> list[str]:
        if not self._prices:
            return []
        line = f"prices: {prices_words(self._prices)}"
        return [self._paint.loud(line) if needs_a_look(self._prices) else self._paint.dim(line)]

    def _and_so(self, *, buys: bool) -> str:
        if buys:
            return REHEARSED if self._rehearsal else ""
        return f". Nothing to buy{' in this rehearsal' if self._rehearsal else ''}."

    def _credits(self, change: Change) -> str:
        if not change.spends:
            return ""
        text = pad(credits_text(change.credits), _CREDITS, right=True)
        return self._paint.loud(text) if change.credits is None else text

    def _detail(self, change: Change, source: str) -> list[str]:
        words = ", ".join(filter(None, (source and f"from {source}", change.detail)))
        return [self._paint.dim(shortened(sanitize(words), _DETAIL))] if words else []

    def _counts(self, totals: PlanTotals) -> Iterator[str]:
        count = totals.actions
        if count[Action.SUBMIT]:
            yield self._to_buy(totals)
        told = (
            (count[Action.RESUME], "in flight"),
            (count[Action.COLLECT], "to collect"),
            (count[Action.ADOPT], "moved"),
            (count[Action.KEEP], "done"),
            (self._held["failed"], "failed"),
            (self._held["result_gone"], "gone at the vendor"),
            (self._held["in_flight"], "being submitted by another run"),
            (totals.in_doubt, "in doubt"),
            (count[Action.ORPHAN], "no longer wanted"),
        )
        yield from (f"{number:,} {words}" for number, words in told if number)

    def _to_buy(self, totals: PlanTotals) -> str:
        submits = totals.actions[Action.SUBMIT]
        if totals.unpriced == submits:
            return f"{submits:,} to buy, at an unknown price"
        more = f" and {totals.unpriced:,} at an unknown price" if totals.unpriced else ""
        known = submits - totals.unpriced
        return f"{known:,} to buy for {price_text(totals.credits, self._usd)}{more}"

    def _warnings(self, totals: PlanTotals, budget_left: Decimal | None) -> Iterator[str]:
        if totals.unpriced:
            consequence = "each costs the vendor's price of the day"
            if budget_left is not None:
                consequence = "no budget can hold that, so a run stops before it"
            jobs = plural(totals.unpriced, "job")
            yield self._paint.loud(f"PRICE UNKNOWN for {jobs}, left out of the sum: {consequence}")
        if budget_left is not None and totals.credits > budget_left:
            left = credits_text(budget_left)
            yield self._paint.loud(
                f"OVER BUDGET: {left} left; a run stops buying when it is used up"
            )
        if totals.in_doubt:
            yield f"In doubt: nothing is bought there until ruled on; `kiejobs status{self._flag}` tells how."
        if self._held["failed"]:
            yield "Failed: held, and not bought again without `--retry failed`."
        if self._held["result_gone"]:
            yield "Gone: made and paid for, but the vendor has it no more; `--retry gone` buys it again."


class PlanJson:
    """The document, keys sorted, one change a line: `header`, `line` for each change, `footer`.

    `prices` are those that it reckons with; `more` is what a plan file has besides.
    """

    def __init__(
        self,
        campaign: str,
        prices: Sequence[AgedPrice] = (),
        more: Mapping[str, Json] | None = None,
    ) -> None:
        self._campaign = campaign
        self._prices = prices
        self._more = more or {}
        self._comma = ""

    def header(self) -> str:
        return f'{json_text({"campaign": self._campaign}, None)[:-1]}, "changes": ['

    def line(self, change: Change, diff: Sequence[FieldChange] | None) -> str:
        comma, self._comma = self._comma, ","
        return f"{comma}\n{json_text(_change(change, diff), None)}"

    def footer(self, totals: PlanTotals) -> str:
        rest = {
            **self._more,
            "digest": totals.digest,
            "format_version": FORMAT_VERSION,
            "prices": [price_entry(one) for one in self._prices],
            "totals": _totals(totals),
        }
        return f"\n], {json_text({key: rest[key] for key in sorted(rest)}, None)[1:]}\n"


def _change(change: Change, diff: Sequence[FieldChange] | None) -> dict[str, Json]:
    return {
        "action": change.action.value,
        "address": change.address,
        "credits": money_or_null(change.credits),
        "detail": change.detail,
        "diff": None if diff is None else diff_document(diff),
        "fingerprint": change.fingerprint,
        "model": change.model,
        "reason": change.reason,
        "take": change.take,
    }


def _totals(totals: PlanTotals) -> dict[str, Json]:
    return {
        "actions": {str(action): count for action, count in totals.actions.items()},
        "credits": money(totals.credits),
        "unpriced": totals.unpriced,
        "in_doubt": totals.in_doubt,
    }
