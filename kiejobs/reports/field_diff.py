"""Fields that differ, on one line each: `prompt: "…slow pour" -> "…fast pour"`.

In: the fields' values before and now. Out: cleaned, coloured lines. Touches nothing. Long texts are
cut around the first place where they differ, since prompts run to 10,000 characters.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from kiejobs.reports.terminal import sanitize, shortened, shortened_left, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.plan.plan import FieldChange
    from kiejobs.reports.terminal import Paint

_REF = re.compile(r"sha256:[0-9a-f]{64}")
_SHORT = len("sha256:") + 12
_COLUMNS = 56  # for one value
_LEAD = 16  # of them for what both have in common before the difference


def diff_lines(diff: Iterable[FieldChange], paint: Paint) -> list[str]:
    """One line for each field, not indented."""
    lines = []
    for change in diff:
        was, now = both_words(change)
        lines.append(f"{sanitize(change.field)}: {paint.bad(was)} -> {paint.good(now)}")
    return lines


def both_words(change: FieldChange) -> tuple[str, str]:
    """Each on one line; texts as JSON has them, long ones cut around where they differ."""
    was, now = (with_paths(value, change.files or {}) for value in (change.was, change.now))
    if not (isinstance(was, str) and isinstance(now, str)):
        return _one(was), _one(now)
    whole = (_spelled(was), _spelled(now))
    if max(map(width, whole)) <= _COLUMNS:
        return f'"{whole[0]}"', f'"{whole[1]}"'
    at = common(was, now)
    return _around(was, at), _around(now, at)


def with_paths(value: Json, files: Mapping[str, str]) -> Json:
    """A request's value with the path of each local file beside the beginning of its hash.

    `files`: paths by reference; without one the hash stands alone.
    """
    if isinstance(value, str) and _REF.fullmatch(value):
        short = value[:_SHORT]
        return f"{files[value]} ({short})" if value in files else short
    if isinstance(value, list):
        return [with_paths(item, files) for item in value]
    if isinstance(value, dict):
        return {key: with_paths(item, files) for key, item in value.items()}
    return value


def common(was: Sequence[str], now: Sequence[str]) -> int:
    """How many characters, or words, both begin with."""
    for at, (one, other) in enumerate(zip(was, now, strict=False)):
        if one != other:
            return at
    return min(len(was), len(now))


def _around(text: str, at: int) -> str:
    before = ("…" if at > _LEAD else "") + _spelled(text[max(at - _LEAD, 0) : at])
    behind = _spelled(text[at : at + _COLUMNS])
    return f'"{shortened_left(before, _LEAD)}{shortened(behind, _COLUMNS - _LEAD)}"'


def _one(value: Json) -> str:
    if value is None:
        return "(absent)"
    return shortened(sanitize(json.dumps(value, ensure_ascii=False)), _COLUMNS)


def _spelled(text: str) -> str:
    """As JSON has it, so that a line break or a blank at the end can be seen."""
    return sanitize(json.dumps(text, ensure_ascii=False)[1:-1])
