"""The mark that a home of the ledger carries once the ledger has moved away: nothing is bought by it any more.

In: where the ledger went. Out: the mark as bytes; what to say to whoever still uses the old home. Touches nothing.
"""

from __future__ import annotations

import json

from kiejobs.core.diagnostics import LedgerMoved

MOVED = "MOVED.json"
"""Its name, next to the runs."""


def mark(to: str, setting: str) -> bytes:
    """`to` names the new home, `setting` is the line of kiejobs.yaml that uses it."""
    return json.dumps({"moved_to": to, "setting": setting}, indent=2, ensure_ascii=False).encode() + b"\n"


def moved(home: str, data: bytes) -> LedgerMoved:
    """For a checkout that still uses `home`. The mark came with a branch: it is quoted, not trusted."""
    try:
        found = json.loads(data)
        to, setting = (str(found[name])[:200] for name in ("moved_to", "setting"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return LedgerMoved(f"the ledger of this project is not in {home} any more", hint="ask who moved it")
    if not (to + setting).isprintable():
        to, setting = ascii(to), ascii(setting)
    message = f"the ledger of this project is not in {home} any more: it moved to {to}"
    hint = f"update this checkout, or write `{setting}` into its kiejobs.yaml"
    return LedgerMoved(message, hint=hint, setting=setting)
