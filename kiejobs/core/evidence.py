"""Is this task what we sent? The check behind `resolve --task`.

In: an attempt, and what the API says was sent for a task. Out: the first difference in words, or None.
Touches nothing.

The API fills defaults in and turns some numeric texts into numbers (observed), so fields that we did
not send are passed over and `"6"` is taken for 6. Every field that we did send must be there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.ledger import Attempt
    from kiejobs.core.types import Json


def mismatch(
    attempt: Attempt,
    model: str | None,
    sent: Mapping[str, Json] | None,
    sent_attempt: str | None = None,
) -> str | None:
    """None where the task is the attempt's.

    `sent_attempt` is the attempt id that the task's callback URL carries, where it has one: it tells
    two takes of one request apart.
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
        if _normal(sent[name]) != _normal(value):
            return f"its `{name}` differs from what was sent"
    return None


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
