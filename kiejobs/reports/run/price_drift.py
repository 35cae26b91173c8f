"""Charged otherwise than planned: in words with what to do, and as data.

In: `PriceDrift`s. Out: steps, sentences, entries of documents. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.money import money
from kiejobs.core.prices.table import FILE
from kiejobs.reports.terminal import credits_text, plural, price_text, sanitize

if TYPE_CHECKING:
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.price_drift import PriceDrift


def drift_words(drift: PriceDrift) -> str:
    """`a/b charged 20 credits, not 16 (+25 %), for 1 job of 4`."""
    charged, planned = price_text(drift.charged), credits_text(drift.planned)
    percent = "" if drift.percent is None else f" ({_signed(drift)} %)"
    jobs = f"{plural(drift.jobs, 'job')} of {drift.compared:,}"
    return f"{sanitize(drift.model)} charged {charged}, not {planned}{percent}, for {jobs}"


def drift_cure(drift: PriceDrift) -> str:
    """What to do about it."""
    return (
        f"{drift_words(drift)}; put what it costs now into {FILE}, so that plans and budgets hold."
    )


def drift_entry(drift: PriceDrift) -> dict[str, Json]:
    """For a document."""
    percent = drift.percent
    return {
        "model": drift.model,
        "jobs": drift.jobs,
        "compared": drift.compared,
        "planned": money(drift.planned),
        "charged": money(drift.charged),
        "percent": None if percent is None else money(percent),
    }


def _signed(drift: PriceDrift) -> str:
    text = money(drift.percent or drift.charged * 0)
    return text if text.startswith("-") else f"+{text}"
