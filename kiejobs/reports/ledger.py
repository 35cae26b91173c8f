"""`ledger show`: where purchases are on record, and how many.

In: a `LedgerView`. Out: text; the document of schemas/documents/ledger-show.schema.json. Touches nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.ledger.records import State
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.terminal import columns, few, plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.core.document.nodes import Json


@dataclass(frozen=True, slots=True)
class LedgerView:
    """`states` are those of all purchases, None for what was not bought; `live` are active runs, in words."""

    home: str
    runs: Sequence[str]
    states: Sequence[State | None]
    live: Sequence[str]
    campaigns: Sequence[str] = ()


def ledger_text(view: LedgerView, *, color: bool = False, flag: str = "") -> str:
    """`flag` is added to commands that are shown."""
    del color
    counts = Counter(view.states)
    bought = sum(counts[state] for state in State)
    parts = ", ".join(f"{counts[state]} {state.value.replace('_', ' ')}" for state in State if counts[state])
    rows = [
        ("ledger", sanitize(view.home)),
        ("runs", f"{len(view.runs)}, the latest is {sanitize(view.runs[-1])}" if view.runs else "none"),
        ("purchases", f"{bought}: {parts}" if bought else "none"),
        *([("campaigns", few(list(map(sanitize, view.campaigns)), 10))] if view.campaigns else []),
        *(("active", sanitize(live)) for live in view.live),
    ]
    doubts = counts[State.IN_DOUBT]
    hint = [f"\n{plural(doubts, 'job')} in doubt: `kiejobs status{flag}` shows what to do"] if doubts else []
    return "\n".join([*columns(rows), *hint])


def ledger_document(view: LedgerView) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "ledger": view.home,
        "runs": list(view.runs),
        "counts": {state.value: view.states.count(state) for state in State},
        "live": list(view.live),
    }
