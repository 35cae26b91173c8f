"""Is this task what we sent? The check behind `resolve --task`.

In: an attempt, and what the API says was sent for a task. Out: the first difference in words, or None.
Touches nothing.

A local file stands in the reservation by its content; the API says the address that it was given. The
two are the same where that address is on record as an upload of that content.

The API fills defaults in and turns some numeric texts into numbers (observed), so fields that we did
not send are passed over and `"6"` is taken for 6. Every field that we did send must be there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kiejobs.core.ledger.uploads import Uploads, stood_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt


def mismatch(
    attempt: Attempt,
    model: str | None,
    sent: Mapping[str, Json] | None,
    sent_attempt: str | None = None,
    *,
    uploads: Uploads,
) -> str | None:
    """None where the task is the attempt's.

    `sent_attempt` is the attempt id that the task's callback URL carries, where it has one: it tells
    two takes of one request apart. `uploads` are those on record (a ledger's).
    """
    reserved = attempt.reserved
    if sent_attempt is not None and sent_attempt != attempt.attempt_id:
        return "it was made by another create of ours"
    if model != reserved.model:
        return f"its model is {model}, ours {reserved.model}"
    if sent is None:
        return "the API does not say what was sent"
    for name, value in reserved.input.items():
        if name not in sent:
            return f"it has no `{name}`"
        if not _is_same(value, sent[name], uploads):
            return f"its `{name}` differs from what was sent"
    return None


def _is_same(ours: Json, theirs: Json, uploads: Uploads) -> bool:
    if _normal(ours) == _normal(theirs):
        return True
    if isinstance(ours, str) and isinstance(theirs, str):
        return stood_for(ours, theirs, uploads)
    if isinstance(ours, list) and isinstance(theirs, list):
        pairs = zip(ours, theirs, strict=False)
        return len(ours) == len(theirs) and all(_is_same(*pair, uploads) for pair in pairs)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(
            _is_same(value, theirs[name], uploads) for name, value in ours.items()
        )
    return False


def _normal(value: Json) -> Json:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
