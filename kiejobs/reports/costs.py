"""What purchases cost, by whatever they are grouped by: as a table for people, a document, a table for programs.

In: `CostsView`. Out: text; the document of schemas/documents/costs.schema.json; CSV. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from kiejobs.core.money import credits_text, money, money_or_null, price_text
from kiejobs.reports.documents import FORMAT_VERSION, by_fields
from kiejobs.reports.provenance import csv_row
from kiejobs.reports.terminal import REHEARSED, Detail, Paint, columns, plural, sanitize, shortened, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.costs import Cost

BY = ("job", "campaign", "tag", "model", "month", "pick")
"""What costs can be grouped by."""

_HEAD = ("planned", "charged", "held", "in doubt", "to buy", "results", "per result", "picks", "per pick")
_NAME = 80  # columns
_KEYS = (
    "planned", "charged", "held", "in_doubt", "to_buy", "unpriced", "results", "per_result", "picks", "per_pick",
    "unstated",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be spent, by a rule of a policy or by a job file's budget. `used` is None for one run's or one job's."""

    rule: str
    file: str
    who: str
    credits: Decimal
    used: Decimal | None = None

    @property
    def left(self) -> Decimal | None:
        return None if self.used is None else max(self.credits - self.used, self.credits * 0)


@dataclass(frozen=True)
class CostsView:
    """`rows` in the order of names; `total` counts each purchase once, whereas one with two tags is in two rows.

    `since` is UTC text, empty for all. `usd_per_credit` where all models agree on one. `unplanned` are campaigns whose
    job file can't be planned, each with why: what a run would buy for them is not counted.
    """

    by: str
    rows: Mapping[str, Cost]
    total: Cost
    since: str = ""
    usd_per_credit: Decimal | None = None
    limits: Sequence[Limit] = ()
    unplanned: Mapping[str, str] = field(default_factory=dict)
    rehearsal: bool = False

    @cached_property
    def names(self) -> list[str]:
        return sorted(self.rows)


# --- text --------------------------------------------------------------------------------------------


def costs_text(
    view: CostsView, *, color: bool = False, wide: int | None = None, detail: Detail = Detail.PAGE
) -> str:
    paint = Paint(color)
    if detail is Detail.LINE or not (view.rows or view.limits):
        return "\n".join(_sums(view))
    rows = [[shortened(sanitize(name), _NAME), *_cells(view.rows[name])] for name in view.names]
    rows.append(["total", *_cells(view.total)])
    head, *cells, last = table([view.by, *_HEAD], rows, right=frozenset(range(1, len(_HEAD) + 1)), wide=wide)
    lines = [paint.bold(head), *cells, paint.bold(last), ""]
    return "\n".join([*lines, *_sums(view), *_limits(view.limits, paint)])


def _cells(cost: Cost) -> list[str]:
    to_buy = credits_text(cost.to_buy) + (f" + {cost.unpriced:,} unpriced" if cost.unpriced else "")
    sums = [credits_text(one) for one in (cost.planned, cost.charged, cost.held, cost.doubted)]
    each = ["" if one is None else credits_text(one) for one in (cost.per_result, cost.per_pick)]
    return [*sums, to_buy, f"{cost.results:,}", each[0], f"{cost.picks:,}", each[1]]


def _sums(view: CostsView) -> Iterator[str]:
    total = view.total
    mark = REHEARSED if view.rehearsal else ""
    since = f" since {sanitize(view.since)}" if view.since else ""
    yield f"{price_text(total.committed, view.usd_per_credit)} spent or held{since}{mark}"
    if total.to_buy or total.unpriced:
        more = f" and {plural(total.unpriced, 'job')} at an unknown price" if total.unpriced else ""
        yield f"{price_text(total.to_buy, view.usd_per_credit)}{more} to buy"
    if total.unstated:
        yield f"{plural(total.unstated, 'charge')} not stated by the API: counted as planned"
    for campaign, why in view.unplanned.items():
        yield f"purchases that {sanitize(campaign)} would still make are not counted: {sanitize(why)}"
    if view.by == "tag":
        yield "a purchase with several tags is in several rows; the total counts it once"


def _limits(limits: Sequence[Limit], paint: Paint) -> Iterator[str]:
    if not limits:
        return
    yield from ("", paint.bold("Limits"))
    for line in columns(_limit(one) for one in limits):
        yield f"  {line}"


def _limit(limit: Limit) -> list[str]:
    most = credits_text(limit.credits)
    rest = f"at most {most}"
    if limit.used is not None:
        rest = f"{credits_text(limit.used)} of {most}, {credits_text(limit.left)} left"
    return [limit.rule, sanitize(limit.who), rest, sanitize(limit.file)]


# --- documents ---------------------------------------------------------------------------------------


def costs_document(view: CostsView) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "by": view.by,
        "since": view.since or None,
        "rehearsal": view.rehearsal,
        "rows": [{"name": name, **_entry(view.rows[name])} for name in view.names],
        "total": {**_entry(view.total), "committed": money(view.total.committed)},
        "usd_per_credit": money_or_null(view.usd_per_credit),
        "limits": [{**by_fields(one), "left": money_or_null(one.left)} for one in view.limits],
        "unplanned": dict(view.unplanned),
    }


def costs_csv(view: CostsView) -> Iterator[str]:
    """A row for each group, no total: programs add for themselves."""
    yield csv_row([view.by, *_KEYS])
    for name in view.names:
        yield csv_row([name, *_entry(view.rows[name]).values()])


def _entry(cost: Cost) -> dict[str, Json]:
    sums = map(money, (cost.planned, cost.charged, cost.held, cost.doubted, cost.to_buy))
    each = (money_or_null(cost.per_result), money_or_null(cost.per_pick))
    values = (*sums, cost.unpriced, cost.results, each[0], cost.picks, each[1], cost.unstated)
    return dict(zip(_KEYS, values, strict=True))
