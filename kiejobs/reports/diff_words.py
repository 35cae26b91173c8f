"""Fields that differ, on one line each: `prompt: "…slow pour" -> "…fast pour"`.

In: the fields' values before and now. Out: cleaned, coloured lines. Touches nothing. Long texts are
cut around the first place where they differ, since prompts run to 10,000 characters.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kiejobs.reports.screen import clean, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kiejobs.core.plan import FieldChange
    from kiejobs.core.types import Json
    from kiejobs.reports.paint import Paint

_COLUMNS = 56  # for one value
_LEAD = 16  # characters that both have in common, shown before the difference


def diff_lines(diff: Iterable[FieldChange], paint: Paint) -> list[str]:
    """One line for each field, not indented."""
    return [_line(change, paint) for change in diff]


def _line(change: FieldChange, paint: Paint) -> str:
    was, now = _both(change.was, change.now)
    return f"{clean(change.field)}: {paint.bad(was)} -> {paint.good(now)}"


def _both(was: Json, now: Json) -> tuple[str, str]:
    if not (isinstance(was, str) and isinstance(now, str)):
        return _one(was), _one(now)
    start = _common(was, now) - _LEAD
    if start <= 0 or max(len(was), len(now)) <= _COLUMNS // 2:
        return _one(was), _one(now)
    return _one(was, start), _one(now, start)


def _common(was: str, now: str) -> int:
    """How many characters both begin with."""
    for at, (one, other) in enumerate(zip(was, now, strict=False)):
        if one != other:
            return at
    return min(len(was), len(now))


def _one(value: Json, start: int = 0) -> str:
    if value is None:
        return "(absent)"
    if not isinstance(value, str):
        return shortened(clean(json.dumps(value, ensure_ascii=False)), _COLUMNS)
    # As JSON, so that a line break or a blank at the end can be seen.
    shown = clean(json.dumps(value[start : start + _COLUMNS + 1], ensure_ascii=False)[1:-1])
    return f'"{"…" if start else ""}{shortened(shown, _COLUMNS)}"'
