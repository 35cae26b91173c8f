"""A plan as data, as a table for people, and as a document; and fields that differ, wherever they are shown.

In: a plan's changes with what differs, its totals, what is left of a budget. Out: `PlanView`, which
Markdown renders as well; text; the document of schemas/plan.schema.json. Touches nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import starmap
from math import prod
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from kiejobs.core.ledger.records import State
from kiejobs.core.money import credits_text, money, money_or_null, price_text
from kiejobs.core.plan.plan import Action
from kiejobs.core.prices.table import OLD_AFTER
from kiejobs.reports.documents import FORMAT_VERSION, diff_document, json_rows, json_text
from kiejobs.reports.terminal import REHEARSED, Detail, Paint, few, pad, plural, sanitize, shortened, width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

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


@dataclass(slots=True)
class BuySum:
    """What some jobs would cost together; `unpriced` of them are left out of the credits."""

    jobs: int = 0
    credits: Decimal = Decimal(0)
    unpriced: int = 0


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
        """How many rows have an action for a reason; what was moved from different addresses for different ones."""
        return Counter([(row.change.action, row.change.reason) for row in self.rows])

    @cached_property
    def by_job(self) -> dict[str, BuySum]:
        """What would be bought, by the job's name; of several campaigns after theirs."""
        return self._by("job")

    @cached_property
    def by_model(self) -> dict[str, BuySum]:
        return self._by("model")

    def _by(self, what: str) -> dict[str, BuySum]:
        found: dict[str, BuySum] = {}
        for (job, model, credits_), count in self._bought.items():
            one = found.setdefault(job if what == "job" else model, BuySum())
            one.jobs += count
            one.credits += (credits_ or 0) * count
            one.unpriced += count if credits_ is None else 0
        return found

    @cached_property
    def _bought(self) -> Counter[tuple[str, str, Decimal | None]]:
        """How many of a job's name, a model and a price; what two files want is bought once."""
        changes = [row.change for row in self.rows if row.change.action is Action.SUBMIT]
        if len(changes) > self.submits:
            changes = list({(one.fingerprint, one.take): one for one in reversed(changes)}.values())
        counts = Counter([(one.address.partition("[")[0], one.model, one.credits) for one in changes])
        found: Counter[tuple[str, str, Decimal | None]] = Counter()
        for (name, model, credits_), count in counts.items():
            found[_upto(name, "[").removeprefix(f"{self.campaign}/"), model, credits_] += count
        return found

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
            left = price_text(self.budget_left, self.usd_per_credit)
            message = f": {left} left; a run stops at the first job that does not fit"
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
        """How many jobs are in several files, in words; empty where there are none."""
        count = sum(view.submits for view in self.views) - self.whole.submits
        jobs = plural(count, "job is", "jobs are")
        return f"{jobs} in more than one file; each is bought once" if count else ""


# --- text -----------------------------------------------------------------------------------------

_REASON = 16  # columns: as wide as `no_longer_wanted`
_CREDITS = 7
_DETAIL = 120
_FEW = 24  # lines that are shown one by one
_ALIKE = 3  # of more than these one line is made
_MOST = 200  # blocks of a page
_GUARD = 400


def plan_text(
    view: PlanView, *, color: bool = False, detail: Detail = Detail.PAGE, wide: int | None = None
) -> str:
    """A line for each change, the sums, what to beware of, and the digest that names what would be bought.

    Credits are only in lines that spend. The same edit of several jobs is shown once; where there are many lines,
    those of a job that are alike are one, with what varies below it. `wide` is columns, None without end.
    """
    paint = Paint(color)
    if detail in {Detail.LINE, Detail.SUMMARY}:
        return "\n".join(_sums(view, paint, detail))
    blocks, is_folded = _blocks(view.rows, detail)
    size = max(len("address"), view.address_width), _REASON
    if wide is not None or is_folded:
        size = _sizes(blocks, wide)
    head = f"     {pad('address', size[0])}  {pad('reason', size[1])}  "
    lines = [paint.bold(f"{head}{pad('credits', _CREDITS, right=True)}")]
    for block in blocks[: _MOST if is_folded else None]:
        lines += _block(block, size, paint, may_break=wide is not None)
    if is_folded:
        more = sum(len(rows) for rows, _ in blocks[_MOST:])
        lines += [f"     … and {plural(more, 'more job')}"] if more else []
        lines.append(paint.dim(f"     {plural(len(view.rows), 'job')}; --full lists each"))
    return "\n".join([*lines, "", *_sums(view, paint)])


def plans_text(
    plans: PlansView, *, color: bool = False, detail: Detail = Detail.PAGE, wide: int | None = None
) -> str:
    """Each plan, then one total; the last digest names what would be bought of all files."""
    texts = [plan_text(view, color=color, detail=detail, wide=wide) for view in plans.views]
    gap = "\n" if detail is Detail.LINE else "\n\n"
    return gap.join([*texts, plans_sum(plans, color=color, detail=detail)])


def plans_sum(plans: PlansView, *, color: bool = False, detail: Detail = Detail.PAGE) -> str:
    shared = [plans.shared] if plans.shared and detail is not Detail.LINE else []
    return "\n".join([*_sums(plans.whole, Paint(color), detail), *shared])


_Block: TypeAlias = "tuple[Sequence[PlanRow], str]"
"""Rows that are shown together: as one line under a name, or without one each, with what differs once."""


def _blocks(rows: Sequence[PlanRow], detail: Detail) -> tuple[Sequence[_Block], bool]:
    """In the order of their first rows; is any folded, or are there more than a page has?"""
    if len(rows) < 2:
        return [(rows, "")] if rows else [], False
    if detail is Detail.FULL:
        return [([row], "") for row in rows], False
    if len(rows) <= _FEW:
        return _alike(rows, None), False
    blocks = _alike(rows, "[")
    if len(blocks) > 2 * _FEW:
        blocks = _alike(rows, "/")
    return blocks, len(blocks) > _MOST or any(name for _, name in blocks)


def _alike(rows: Sequence[PlanRow], until: str | None) -> Sequence[_Block]:
    """By what they do and why: the same edits, whatever their job, and up to a sign of their addresses, if one is given."""
    edits, found = None, dict[tuple[object, ...], list[PlanRow]]()
    for at, row in enumerate(rows):
        change, edit = row.change, None
        where: object = at if until is None else change.address.partition(until)[0]
        if row.diff:
            if edits is None:
                from kiejobs.reports.diff import SameEdits  # noqa: PLC0415 - behind a difference

                edits = SameEdits()
            where, edit = "", edits.key(row.diff)
        kind = where, change.sign, change.reason, change.detail, row.model, change.credits is None, edit
        if kind in found:
            found[kind].append(row)
        else:
            found[kind] = [row]
    groups: dict[tuple[object, ...], list[PlanRow]] = {}
    for (where, sign, reason, *more), alike in found.items():  # takes and sources are no difference
        name = where if until is None else _upto(str(where), until)
        groups.setdefault((name, sign, _upto(str(reason), until or "["), *more), []).extend(alike)
    return [(alike, _fold(kind[0], alike, until)) for kind, alike in groups.items()]


def _fold(where: object, alike: Sequence[PlanRow], until: str | None) -> str:
    """What rows that are one line are called; empty where each has its own."""
    if until is None or len(alike) <= _ALIKE:
        return ""
    names = [str(where)] if where else list({_upto(row.change.address, until) for row in alike})
    name = names[0] if len(names) == 1 else _upto(alike[0].change.address, "/")
    return f"{name} ({plural(len(alike), 'job')})"


def _upto(address: str, sign: str) -> str:
    """Without axes and take, or the campaign alone."""
    return address.partition(sign)[0].partition("#")[0]


def _sizes(blocks: Sequence[_Block], wide: int | None) -> tuple[int, int]:
    """Columns for addresses and reasons, as wide as what is shown, where that fits."""
    shown = [
        (name or row.change.address, row.reason)
        for rows, name in blocks
        for row in (rows[:1] if name else rows)
    ]
    most = max([len("address"), *(width(sanitize(address)) for address, _ in shown)])
    rest = 5 + 2 + 2 + _CREDITS
    if wide is None or most + _REASON + rest <= wide:
        return most, _REASON
    reasons = max([len("reason"), *(len(reason) for _, reason in shown)])
    return max(min(most, wide - rest - reasons), len("address")), reasons


def _block(block: _Block, size: tuple[int, int], paint: Paint, *, may_break: bool) -> Iterator[str]:
    """Its lines, with more words on the reason; below them what differs."""
    rows, name = block
    for row in rows[:1] if name else rows:
        change, address = row.change, sanitize(name or row.change.address)
        price = _sum(rows) if name else change.credits
        sign, ending = _around(change.sign, row.reason, price, change.spends, paint, size[1])
        if may_break and width(address) > size[0]:
            yield f"{sign}{address}"
            sign, address = "     ", ""
        yield f"{sign}{pad(address, size[0])}{ending}"
        if row.remark and len(rows) > 1 and not name:
            yield f"       {paint.dim(shortened(sanitize(row.remark), _DETAIL))}"
    if name:
        yield from (f"       {paint.dim(line)}" for line in _varying(rows))
    if rows[0].diff:
        from kiejobs.reports.diff import diff_lines  # noqa: PLC0415 - behind a difference

        yield from (f"       {line}" for line in diff_lines(rows[0].diff, paint))
        if len(rows) > 1:
            yield f"       {paint.dim('the same change in ' + plural(len(rows), 'job'))}"
    if rows[0].remark and len(rows) == 1:
        yield f"       {paint.dim(shortened(sanitize(rows[0].remark), _DETAIL))}"


def _varying(rows: Sequence[PlanRow]) -> Iterator[str]:
    """What rows that are shown as one have, and what they cost each."""
    halves = [row.change.address.partition("[") for row in rows]
    names = {half[0]: None for half in halves}
    axes = ",".join([half[2].rpartition("]")[0] for half in halves])
    pairs = dict.fromkeys(axes.split(","))  # once, not by row
    values: dict[str, dict[str, None]] = {"job": {_upto(name, "[").partition("/")[2]: None for name in names}}
    for pair in filter(None, pairs):
        axis, _, value = pair.partition("=")
        values.setdefault(axis, {})[value] = None
    values["take"] = {str(take): None for take in {row.change.take: None for row in rows}}
    several = {name: list(found) for name, found in values.items() if len(found) > 1}
    if several:
        most = prod(map(len, several.values()))
        part = "" if most == len(rows) or "job" in several else f"; {len(rows):,} of {most:,} combinations"
        yield sanitize("; ".join(f"{name} {_span(found)}" for name, found in several.items()) + part)
    prices = [row.change.credits for row in rows if row.change.spends]
    known = sorted({price for price in prices if price is not None})
    if known:
        span = " to ".join(map(credits_text, dict.fromkeys((known[0], known[-1]))))
        yield f"{span} credits each"
    if remark := rows[0].remark:
        yield shortened(sanitize(remark), _DETAIL)


def _span(values: Sequence[str]) -> str:
    """`5, 10`; `1 to 250`; `pour, steam, cup and 6 more`."""
    if len(values) <= _NAMED + 1:
        return ", ".join(values)
    numbers = [int(value) for value in values if value.isdecimal() and value.isascii()]
    if len(numbers) == len(values) == max(numbers) - min(numbers) + 1:
        return f"{min(numbers)} to {max(numbers)}"
    return few(values, _NAMED)


def _sum(rows: Sequence[PlanRow]) -> Decimal | None:
    """None where no price is known."""
    known = [row.change.credits for row in rows if row.change.credits is not None]
    return sum(known, Decimal(0)) if known else None


@lru_cache(maxsize=1_000)  # thousands of rows begin with the same sign and end in the same words
def _around(
    sign: str,
    reason: str,
    credits_: Decimal | None,
    spends: bool,  # noqa: FBT001
    paint: Paint,
    columns: int,
) -> tuple[str, str]:
    known = pad(credits_text(credits_), _CREDITS, right=True) if spends else ""
    shown = paint.loud(known) if spends and credits_ is None else known
    words = f"{pad(sanitize(reason), columns)}  {shown}".rstrip()
    return f"  {paint.status(sign)}  ", f"  {words}"


def _sums(view: PlanView, paint: Paint, detail: Detail = Detail.PAGE) -> Iterator[str]:
    """Of a line only what needs attention, then the line."""
    is_line, needs_look = detail is Detail.LINE, needs_a_look(view.prices)
    headline = paint.bold(f"{sanitize(view.campaign)}: {_outcome(view)}")
    if not is_line:
        yield headline
        for what, sums in (("job", view.by_job), ("model", view.by_model)) if view.submits > 1 else ():
            if len(sums) > 1:
                first = sorted(sums.items(), key=lambda item: -item[1].credits)
                yield f"  credits by {what}: {few([_bought(*item) for item in first], _MANY, '; ')}"
    if view.submits and view.prices and (needs_look or not is_line):
        line = f"prices: {prices_words(view.prices)}"
        yield paint.loud(line) if needs_look else paint.dim(line)
    for line in view.guards:
        yield paint.loud(f"CHANGED SINCE {sanitize(view.base or '')}: {shortened(sanitize(line), _GUARD)}")
    for one in view.notices:
        how = f"; `{one.command}` shows how" if one.command else ""
        yield (
            paint.loud(one.title.upper() + one.message) if one.is_loud else f"{one.title}{one.message}{how}."
        )
    if is_line:
        yield headline
    elif view.submits:
        yield paint.dim(f"digest: {view.totals.digest}")
    if view.own_schemas and not is_line:
        yield f"schemas of this project: {schemas_words(view.own_schemas, sanitize)}"


def _bought(name: str, sum_: BuySum) -> str:
    """`pour 160 (4 jobs)`, as part of a line that names the unit."""
    known = credits_text(None if sum_.jobs == sum_.unpriced else sum_.credits)
    more = f", {sum_.unpriced:,} unpriced" if 0 < sum_.unpriced < sum_.jobs else ""
    return f"{sanitize(name)} {known} ({plural(sum_.jobs, 'job')}{more})"


def _outcome(view: PlanView) -> str:
    if not view.submits:
        counts = "; ".join(view.counts) or "no jobs"
        return f"{counts}. Nothing to buy{' in this rehearsal' if view.rehearsal else ''}."
    priced = view.submits - view.totals.unpriced
    buys = f"{plural(priced or view.submits, 'job')} to buy {'for' if priced else 'at'}"
    counts = "; ".join([f"{buys} {view.price}", *view.counts])
    return f"{counts}{REHEARSED if view.rehearsal else ''}"


# --- prices and schemas ---------------------------------------------------------------------------

BUNDLED = "bundled"
"""What the table that comes with kiejobs is called."""

_NAMED = 3  # models, in a line
_MANY = 10  # schemas


def prices_words(aged: Sequence[AgedPrice]) -> str:
    """`bundled, 2026-10`; each table once, then what ran out, what is old and what has none."""
    dates: dict[str, list[str]] = {}
    old, over, missing = [], [], []
    for one in aged:
        if one.price is None:
            missing.append(sanitize(one.model))
            continue
        dates.setdefault(one.price.file or BUNDLED, []).append(one.price.date)
        if one.ended:
            over.append(f"{sanitize(one.model)} ({one.price.until})")
        elif one.old:
            old.append(f"{sanitize(one.model)} ({one.price.date})")
    words = []
    for file, known in dates.items():
        span = " to ".join(dict.fromkeys((min(known), max(known))))
        words.append(f"{sanitize(file)}, {sanitize(span)}")
    words += [f"ran out, price since then unknown: {few(over, _NAMED)}"] if over else []
    words += [f"older than {OLD_AFTER} days: {few(old, _NAMED)}"] if old else []
    return "; ".join([*words, *([f"none for {few(missing, _NAMED)}"] if missing else [])])


def needs_a_look(aged: Sequence[AgedPrice]) -> bool:
    """Is a price old, over, or not known?"""
    return any(one.old or one.ended or one.price is None for one in aged)


def schemas_words(own: Mapping[str, bool], name: Callable[[str], str]) -> str:
    """The models that follow a schema of the project's own: whoever approves a plan should know."""
    marks = {True: " (in place of the bundled one)", False: ""}
    names = [f"{name(model)}{marks[instead]}" for model, instead in sorted(own.items())]
    return few(names, _MANY)


# --- the document ---------------------------------------------------------------------------------


def plan_json(view: PlanView, more: Mapping[str, Json] | None = None) -> str:
    """The document, keys sorted, one change a line. `more` is what a plan file has besides."""
    document = {
        **(more or {}),
        "campaign": view.campaign,
        "changes": [_change(row) for row in view.rows],
        "prices": [price_entry(one) for one in view.prices],
        **_sums_document(view),
    }
    return json_rows(dict(sorted(document.items())), "changes")


def plans_json(plans: PlansView) -> str:
    """Each file's document, then what they come to together; no digest over all where a file has no plan."""
    whole = plans.whole
    credits_, usd, actions = whole.totals.credits, whole.usd_per_credit, whole.totals.actions
    more: dict[str, Json] = {
        "jobs": sum(actions.values()) - actions[Action.ORPHAN],
        "usd": None if usd is None else money(credits_ * usd),
    }
    sums = _sums_document(whole)
    sums |= {"totals": {**sums["totals"], **more}, "digest": None if plans.refused else sums["digest"]}
    each = ",".join(map(plan_json, plans.views))
    return f'{{"plans": [\n{each}], {json_text(dict(sorted(sums.items())), None)[1:]}\n'


def _sums_document(view: PlanView) -> dict[str, Json]:
    totals = view.totals
    return {
        "digest": totals.digest,
        "format_version": FORMAT_VERSION,
        **({"base": view.base, "guards": list(view.guards)} if view.base is not None else {}),
        "terms": asdict(totals.terms),
        "totals": {
            "actions": {str(action): count for action, count in totals.actions.items()},
            "credits": money(totals.credits),
            "unpriced": totals.unpriced,
            "in_doubt": totals.in_doubt,
            "by_job": list(starmap(_entry, view.by_job.items())),
            "by_model": list(starmap(_entry, view.by_model.items())),
        },
    }


def _entry(name: str, sum_: BuySum) -> dict[str, Json]:
    return {"name": name, "submits": sum_.jobs, "credits": money(sum_.credits), "unpriced": sum_.unpriced}


def price_entry(one: AgedPrice) -> dict[str, Json]:
    """For a document. `file` is null for the bundled table; only a price with a last day has `ended` and `until`."""
    stated = {key: getattr(one.price, key, None) for key in ("date", "file", "note", "source")}
    stated |= {"model": one.model, "old": one.old}
    if one.price is not None and one.price.until is not None:
        stated |= {"ended": one.ended, "until": one.price.until}
    return dict(sorted(stated.items()))


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
