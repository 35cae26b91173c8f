"""What was approved, held against what would be bought now.

In: a digest or a plan file's rows; the plan's lines as they are now. Out: yes or no; differences. Touches nothing.

The digest is over what would be bought: request, take, price and callback address of each line, in no order,
and over its terms: the budget, the callback address of the rest, the model schemas. After a partial
failure it still holds for what is left together with what the last runs have bought of it, and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.plan.plan import NO_TERMS, Action, PricedRow, Terms, digest_of, row_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.plan.plan import Change


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference. `kind`: added, gone, request, price, callback; budget, model of the terms."""

    kind: str
    address: str
    was: str | None
    now: str | None


def rows_of_document(changes: Iterable[Mapping[str, Json]]) -> list[PricedRow]:
    """The purchases in a plan's document. Raises KeyError where it is none."""
    return [
        PricedRow(
            change["address"],
            change["fingerprint"],
            change["take"],
            change["credits"],
            change.get("callback_url"),
        )
        for change in changes
        if change["action"] == Action.SUBMIT
    ]


def terms_of_document(document: Mapping[str, Json]) -> Terms:
    return Terms(**document.get("terms", {}))


def is_approved(changes: Sequence[Change], digest: str, terms: Terms = NO_TERMS) -> bool:
    """Is what would be bought the approved set, or what the runs since have left of it?"""
    rows = [row_of(change) for change in changes if change.spends]
    if not rows or digest_of(rows, terms) == digest:
        return True
    return any(digest_of([*rows, *bought], terms) == digest for bought in _since_each_run(changes))


def drift(approved: Sequence[PricedRow], now: Sequence[PricedRow]) -> Iterator[Drift]:
    was, is_ = ({row.address: row for row in rows} for rows in (approved, now))
    for address in sorted({*was, *is_}):
        before, after = was.get(address), is_.get(address)
        if before is None or after is None:
            prices = (None if row is None else row.price for row in (before, after))
            yield Drift("added" if before is None else "gone", address, *prices)
            continue
        if (before.fingerprint, before.take) != (after.fingerprint, after.take):
            yield Drift("request", address, before.fingerprint, after.fingerprint)
        if before.price != after.price:
            yield Drift("price", address, before.price, after.price)
        if before.callback_url != after.callback_url:
            yield Drift("callback", address, before.callback_url, after.callback_url)


def terms_drift(approved: Terms, now: Terms) -> Iterator[Drift]:
    """What differs in the terms; a model that isn't bought from any more is no matter."""
    if approved.budget != now.budget:
        yield Drift("budget", "the job file's budget", approved.budget, now.budget)
    if approved.callback_url != now.callback_url:
        yield Drift(
            "callback", "jobs without an address of their own", approved.callback_url, now.callback_url
        )
    for model, digest in sorted(now.models.items()):
        if approved.models.get(model) != digest:
            yield Drift("model", model, approved.models.get(model), digest)


def _since_each_run(changes: Sequence[Change]) -> Iterator[list[PricedRow]]:
    """What was bought of this plan's lines since a run began, for each run, the latest first."""
    known = [
        (change.attempt.run_id, row_of(change))
        for change in changes
        if change.attempt is not None and not change.spends and change.action is not Action.ORPHAN
    ]
    for since in sorted({run for run, _ in known}, reverse=True):
        yield [row for run, row in known if run >= since]
