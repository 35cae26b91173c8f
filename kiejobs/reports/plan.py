"""A plan as data, as a table for people, and as a document; and fields that differ, wherever they are shown.

In: a plan's changes with what differs, its totals, what is left of a budget. Out: `PlanView`, which
Markdown renders as well; text; the document of schemas/plan.schema.json. Touches nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING, NamedTuple

from kiejobs.core.ledger.records import State
from kiejobs.core.money import money
from kiejobs.core.plan.plan import Action
from kiejobs.core.prices.table import OLD_AFTER
from kiejobs.reports.documents import FORMAT_VERSION, diff_document, json_rows, money_or_null
from kiejobs.reports.terminal import (
    REHEARSED,
    Paint,
    credits_text,
    pad,
    plural,
    price_text,
    sanitize,
    shortened,
    shortened_left,
    width,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from kiejobs.core.diagnostics import Diagnostic, KiejobsError
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.plan.plan import Change, FieldChange, PlanTotals
    from kiejobs.core.prices.table import AgedPrice
    from kiejobs.reports.picks import Decision


class PlanRow(NamedTuple):
    """One change; `diff` are the fields that differ from what was bought, None where that is no matter.

    `model` where a template says it, so that neither the job file nor the address need show it.
    """

    change: Change
    diff: Sequence[FieldChange] | None = None
    model: str | None = None

    @property
    def reason(self) -> str:
        return self.change.reason.partition(" ")[0]

    @property
    def remark(self) -> str:
        """More words on the reason, not cleaned; may be empty."""
        if self.change.detail is None and self.model is None and " " not in self.change.reason:
            return ""
        source, model = self.change.reason.partition(" ")[2], self.model and f"by {self.model}"
        return ", ".join(filter(None, (model, source and f"from {source}", self.change.detail)))


@dataclass(frozen=True, slots=True)
class Notice:
    """What to beware of. `message` goes on behind the title, without a full stop.

    `is_loud` where it is about money; `command` shows what to do.
    """

    title: str
    message: str
    is_loud: bool = False
    command: str | None = None


@dataclass(frozen=True)
class PlanView:
    """`file` is the job file's name below the repository's root.

    `flag` is added to commands that are shown, e.g. ` --sandbox`. `prices` are those that it reckons with,
    `own_schemas` the models that follow a schema of the project's own, each with whether it replaces a
    bundled one; for `broken` rules of a policy a run would buy nothing. `guards`: what guards the spending and is
    not as it was at `base`. `choice`: what people decided on, where that is shown. `address_width` is that of the job
    file's widest address, so that the table of a selection is laid out like that of all.
    """

    campaign: str
    rows: Sequence[PlanRow]
    totals: PlanTotals
    file: str = ""
    budget_left: Decimal | None = None
    usd_per_credit: Decimal | None = None
    prices: Sequence[AgedPrice] = ()
    own_schemas: Mapping[str, bool] = field(default_factory=dict)
    broken: Sequence[Diagnostic] = ()
    base: str | None = None
    guards: Sequence[str] = ()
    flag: str = ""
    rehearsal: bool = False
    address_width: int = 0
    choice: Sequence[Decision] = ()

    @property
    def submits(self) -> int:
        """How many jobs would be bought."""
        return self.totals.actions[Action.SUBMIT]

    @property
    def price(self) -> str:
        """What they cost together, in words."""
        totals = self.totals
        if totals.unpriced == self.submits:
            return price_text(None)
        more = f" and {totals.unpriced:,} at an unknown price" if totals.unpriced else ""
        return f"{price_text(totals.credits, self.usd_per_credit)}{more}"

    @cached_property
    def reasons(self) -> Counter[tuple[Action, str]]:
        """How many rows have an action for a reason."""
        return Counter((row.change.action, row.reason) for row in self.rows)

    @property
    def counts(self) -> list[str]:
        """All but what would be bought: `1 in flight`, `2 done`; nothing that is nought."""
        count = self.totals.actions
        counted = (
            (count[Action.RESUME], "in flight"),
            (count[Action.COLLECT], "to collect"),
            (count[Action.ADOPT], "moved"),
            (count[Action.KEEP], "done"),
            (self.reasons[Action.HOLD, "failed"], "failed"),
            (self.reasons[Action.HOLD, "result_gone"], "gone at the vendor"),
            (self.reasons[Action.HOLD, "in_flight"], "being submitted by another run"),
            (self.totals.in_doubt, "in doubt"),
            (count[Action.ORPHAN], "no longer wanted"),
        )
        return [f"{number:,} {words}" for number, words in counted if number]

    @property
    def is_over_budget(self) -> bool:
        """Would a run stop before it has bought all? No budget can hold what has no price."""
        left, totals = self.budget_left, self.totals
        return left is not None and (totals.credits > left or totals.unpriced > 0)

    @property
    def notices(self) -> Iterator[Notice]:
        if unpriced := self.totals.unpriced:
            consequence = "each costs the vendor's price of the day"
            if self.budget_left is not None:
                consequence = "no budget can hold that, so a run stops before it"
            jobs = plural(unpriced, "job")
            message = f" for {jobs}, left out of the sum: {consequence}"
            yield Notice("Price unknown", message, is_loud=True)
        if self.budget_left is not None and self.totals.credits > self.budget_left:
            left = credits_text(self.budget_left)
            message = f": {left} left; a run stops buying when it is used up"
            yield Notice("Over budget", message, is_loud=True)
        if self.totals.in_doubt:
            message = ": not bought again until resolved"
            yield Notice("In doubt", message, command=f"kiejobs status{self.flag}")
        if self.reasons[Action.HOLD, "failed"]:
            yield Notice("Failed", ": held, and not bought again without `--retry failed`")
        if self.reasons[Action.HOLD, "result_gone"]:
            again = "`--retry gone` buys it again"
            yield Notice("Gone", f": made and paid for, but the vendor no longer has it; {again}")

    @property
    def doubts(self) -> list[Attempt]:
        attempts = [row.change.attempt for row in self.rows]
        return [one for one in attempts if one is not None and one.state is State.IN_DOUBT]


@dataclass(frozen=True)
class PlansView:
    """Several files' plans: what they come to together, and which files have none, and why.

    `whole` has every purchase once, also where two files want it. `storyboard` is the URL of a gallery of them.
    """

    views: Sequence[PlanView]
    whole: PlanView
    refused: Sequence[tuple[str, KiejobsError]] = ()
    storyboard: str | None = None

    @property
    def shared(self) -> str:
        """How many jobs several files want, in words; empty where there are none."""
        count = sum(view.submits for view in self.views) - self.whole.submits
        return f"{plural(count, 'job')} that more than one of them wants, bought once" if count else ""


# --- text -----------------------------------------------------------------------------------------

_REASON = 16  # columns: as wide as `no_longer_wanted`
_CREDITS = 7
_DETAIL = 120
_GUARD = 400


def plan_text(view: PlanView, *, color: bool = False) -> str:
    """A line for each change, the sums, what to beware of, and the digest that names what would be bought.

    Credits are only in lines that spend.
    """
    paint = Paint(color)
    wide = max(len("address"), view.address_width)
    head = f"     {pad('address', wide)}  {pad('reason', _REASON)}  "
    lines = [paint.bold(f"{head}{pad('credits', _CREDITS, right=True)}")]
    for row in view.rows:
        lines += _row(row, wide, paint)
    return "\n".join([*lines, "", *_sums(view, paint)])


def plans_text(plans: PlansView, *, color: bool = False) -> str:
    """Each plan, then one total; the last digest names what would be bought of all files."""
    texts = [plan_text(view, color=color) for view in plans.views]
    return "\n\n".join([*texts, plans_sum(plans, color=color)])


def plans_sum(plans: PlansView, *, color: bool = False) -> str:
    shared = [f"with {plans.shared}"] if plans.shared else []
    return "\n".join([*_sums(plans.whole, Paint(color)), *shared])


def _row(row: PlanRow, wide: int, paint: Paint) -> Iterator[str]:
    """One change; below it what differs, and more words on the reason."""
    change = row.change
    spends = change.spends
    sign, ending = _around(change.sign, row.reason, change.credits if spends else None, spends, paint)
    yield f"{sign}{pad(sanitize(change.address), wide)}{ending}"
    if row.diff:
        yield from (f"       {line}" for line in diff_lines(row.diff, paint))
    if row.remark:
        yield f"       {paint.dim(shortened(sanitize(row.remark), _DETAIL))}"


@lru_cache(maxsize=1_000)  # thousands of rows begin with the same sign and end in the same words
def _around(
    sign: str,
    reason: str,
    credits_: Decimal | None,
    spends: bool,  # noqa: FBT001
    paint: Paint,
) -> tuple[str, str]:
    """What precedes and follows an address."""
    known = pad(credits_text(credits_), _CREDITS, right=True) if spends else ""
    shown = paint.loud(known) if spends and credits_ is None else known
    words = f"{pad(sanitize(reason), _REASON)}  {shown}".rstrip()
    return f"  {paint.status(sign)}  ", f"  {words}"


def _sums(view: PlanView, paint: Paint) -> Iterator[str]:
    yield paint.bold(f"{sanitize(view.campaign)}: {_outcome(view)}")
    if view.submits and view.prices:
        line = f"prices: {prices_words(view.prices)}"
        yield paint.loud(line) if needs_a_look(view.prices) else paint.dim(line)
    for line in view.guards:
        yield paint.loud(f"CHANGED SINCE {sanitize(view.base or '')}: {shortened(sanitize(line), _GUARD)}")
    for one in view.notices:
        how = f"; `{one.command}` shows how" if one.command else ""
        if one.is_loud:
            yield paint.loud(f"{one.title.upper()}{one.message}")
        else:
            yield f"{one.title}{one.message}{how}."
    if view.submits:
        yield paint.dim(f"digest: {view.totals.digest}")
    if view.own_schemas:
        yield f"schemas of this project: {schemas_words(view.own_schemas, sanitize)}"


def _outcome(view: PlanView) -> str:
    if not view.submits:
        counts = "; ".join(view.counts) or "no jobs"
        return f"{counts}. Nothing to buy{' in this rehearsal' if view.rehearsal else ''}."
    priced = view.submits - view.totals.unpriced
    buys = f"{priced:,} to buy for" if priced else f"{view.submits:,} to buy, at"
    counts = "; ".join([f"{buys} {view.price}", *view.counts])
    return f"{counts}{REHEARSED if view.rehearsal else ''}"


# --- prices and schemas ---------------------------------------------------------------------------

BUNDLED = "bundled"
"""What the table that comes with kiejobs is called."""

_NAMED = 3  # models, in a line
_MANY = 10  # schemas


def prices_words(aged: Sequence[AgedPrice]) -> str:
    """`bundled, 2026-10`; each table once, then what is old and what has none."""
    dates: dict[str, list[str]] = {}
    old, missing = [], []
    for one in aged:
        if one.price is None:
            missing.append(sanitize(one.model))
            continue
        dates.setdefault(one.price.file or BUNDLED, []).append(one.price.date)
        if one.old:
            old.append(f"{sanitize(one.model)} ({one.price.date})")
    words = []
    for file, known in dates.items():
        span = " to ".join(dict.fromkeys((min(known), max(known))))
        words.append(f"{sanitize(file)}, {sanitize(span)}")
    words += [f"older than {OLD_AFTER} days: {_some(old, _NAMED)}"] if old else []
    return "; ".join([*words, *([f"none for {_some(missing, _NAMED)}"] if missing else [])])


def needs_a_look(aged: Sequence[AgedPrice]) -> bool:
    """Is a price old, or not known?"""
    return any(one.old or one.price is None for one in aged)


def schemas_words(own: Mapping[str, bool], name: Callable[[str], str]) -> str:
    """The models that follow a schema of the project's own: whoever approves a plan should know."""
    marks = {True: " (in place of the bundled one)", False: ""}
    names = [f"{name(model)}{marks[instead]}" for model, instead in sorted(own.items())]
    return _some(names, _MANY)


def _some(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


# --- the document ---------------------------------------------------------------------------------


def plan_json(view: PlanView, more: Mapping[str, Json] | None = None) -> str:
    """The document, keys sorted, one change a line. `more` is what a plan file has besides."""
    totals = view.totals
    document = {
        **(more or {}),
        "campaign": view.campaign,
        "changes": [_change(row) for row in view.rows],
        "digest": totals.digest,
        "format_version": FORMAT_VERSION,
        **({"base": view.base, "guards": list(view.guards)} if view.base is not None else {}),
        "prices": [price_entry(one) for one in view.prices],
        "terms": asdict(totals.terms),
        "totals": {
            "actions": {str(action): count for action, count in totals.actions.items()},
            "credits": money(totals.credits),
            "unpriced": totals.unpriced,
            "in_doubt": totals.in_doubt,
        },
    }
    return json_rows(dict(sorted(document.items())), "changes")


def price_entry(one: AgedPrice) -> dict[str, Json]:
    """For a document: every key is always there. `file` is null for the bundled table."""
    stated = {key: getattr(one.price, key, None) for key in ("date", "file", "note", "source")}
    return dict(sorted({**stated, "model": one.model, "old": one.old}.items()))


def _change(row: PlanRow) -> dict[str, Json]:
    change = row.change
    return {
        "action": change.action.value,
        "address": change.address,
        "callback_url": None if change.job is None else change.job.callback_url,
        "credits": money_or_null(change.credits),
        "detail": change.detail,
        "diff": None if row.diff is None else diff_document(row.diff),
        "fingerprint": change.fingerprint,
        "model": change.model,
        "reason": change.reason,
        "take": change.take,
    }


# --- fields that differ -----------------------------------------------------------------------------

# On one line each: `prompt: "…slow pour" -> "…fast pour"`. Long texts are cut around the first place where they
# differ, since prompts run to 10,000 characters.

_REF = re.compile(r"sha256:[0-9a-f]{64}")
_HASH = len("sha256:") + 12
_COLUMNS = 56  # for one value
_LEAD = 16  # of them for what both have in common before the difference


def diff_lines(diff: Iterable[FieldChange], paint: Paint) -> list[str]:
    """One line for each field, not indented."""
    lines = []
    for change in diff:
        was, now = both_words(change)
        lines.append(f"{sanitize(change.field)}: {paint.bad(was)} -> {paint.good(now)}")
    return lines


def both_words(change: FieldChange) -> tuple[str, str]:
    """Each on one line; texts as JSON has them, long ones cut around where they differ."""
    was, now = (with_paths(value, change.files or {}) for value in (change.was, change.now))
    if not (isinstance(was, str) and isinstance(now, str)):
        return _json(was), _json(now)
    whole = (_spelled(was), _spelled(now))
    if max(map(width, whole)) <= _COLUMNS:
        return f'"{whole[0]}"', f'"{whole[1]}"'
    at = common(was, now)
    return _excerpt(was, at), _excerpt(now, at)


def with_paths(value: Json, files: Mapping[str, str]) -> Json:
    """A request's value with the path of each local file next to the beginning of its hash.

    `files`: paths by reference; without one only the hash.
    """
    if isinstance(value, str) and _REF.fullmatch(value):
        short = value[:_HASH]
        return f"{files[value]} ({short})" if value in files else short
    if isinstance(value, list):
        return [with_paths(item, files) for item in value]
    if isinstance(value, dict):
        return {key: with_paths(item, files) for key, item in value.items()}
    return value


def common(was: Sequence[str], now: Sequence[str]) -> int:
    """How many characters, or words, both begin with."""
    return sum(takewhile(bool, map(eq, was, now)))


def _excerpt(text: str, at: int) -> str:
    before = ("…" if at > _LEAD else "") + _spelled(text[max(at - _LEAD, 0) : at])
    behind = _spelled(text[at : at + _COLUMNS])
    return f'"{shortened_left(before, _LEAD)}{shortened(behind, _COLUMNS - _LEAD)}"'


def _json(value: Json) -> str:
    if value is None:
        return "(absent)"
    return shortened(sanitize(json.dumps(value, ensure_ascii=False)), _COLUMNS)


def _spelled(text: str) -> str:
    """As JSON has it, so that a line break or a blank at the end can be seen."""
    return sanitize(json.dumps(text, ensure_ascii=False)[1:-1])
