"""Where prices are from and how old they are, in one line, or as data.

In: `AgedPrice`s. Out: words; the entries of a document. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.prices.age import OLD_AFTER
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.prices.age import AgedPrice

BUNDLED = "bundled"
"""What the table that comes with kiejobs is called."""

_NAMED = 3  # models, in a line


def prices_words(aged: Sequence[AgedPrice]) -> str:
    """`bundled, 2026-10`; each table once, then what is old and what has none."""
    return "; ".join([*_tables(aged), *_old(aged), *_missing(aged)])


def needs_a_look(aged: Sequence[AgedPrice]) -> bool:
    """Is a price old, or not known?"""
    return any(one.old or one.price is None for one in aged)


def price_entry(one: AgedPrice) -> dict[str, Json]:
    """For a document: every key is always there. `file` is null for the bundled table."""
    price = one.price
    return {
        "date": price and price.date,
        "file": price and price.file,
        "model": one.model,
        "note": price and price.note,
        "old": one.old,
        "source": price and price.source,
    }


def _tables(aged: Sequence[AgedPrice]) -> Iterator[str]:
    dates: dict[str, list[str]] = {}
    for one in aged:
        if one.price is not None:
            dates.setdefault(one.price.file or BUNDLED, []).append(one.price.date)
    for file, known in dates.items():
        first, last = min(known), max(known)
        told = first if first == last else f"{first} to {last}"
        yield f"{sanitize(file)}, {sanitize(told)}"


def _old(aged: Sequence[AgedPrice]) -> Iterator[str]:
    old = [f"{sanitize(one.model)} ({one.price.date})" for one in aged if one.old and one.price]
    if old:
        yield f"older than {OLD_AFTER} days: {_some(old)}"


def _missing(aged: Sequence[AgedPrice]) -> Iterator[str]:
    missing = [sanitize(one.model) for one in aged if one.price is None]
    if missing:
        yield f"none for {_some(missing)}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
