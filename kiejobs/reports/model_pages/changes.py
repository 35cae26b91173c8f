"""One change of a model's schema in words: `takes 4k too`, `at most 500 characters now, was 1,000`.

In: a `ModelChange`. Out: words. Touches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kiejobs.core.models.changes import ABSENT
from kiejobs.reports.models import kind_words, size_words, value_words, values_words

if TYPE_CHECKING:
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.models.changes import ModelChange

_WORDS: dict[str, tuple[str, str, str]] = {
    "values": ("takes no {was} any more", "takes {now} too", ""),
    "enum": ("takes anything now, was one of {was}", "takes only {now} now", ""),
    "file_types": ("takes no {was} files any more", "takes {now} files too", ""),
    "media_types": ("takes files of any type now, was {was}", "takes only {now} files now", ""),
    "format": ("need not be a URL any more", "must be a URL now", "must be a URL now"),
    "default": (
        "has no default any more, was {was}", "has a default now: {now}",
        "has another default: {now}, was {was}",
    ),
    "type": ("is {now} now, was {was}",) * 3,
    "choices": ("may have other forms than before",) * 3,
    "media_type": ("gives files of type {now} now, was {was}",) * 3,
    "x-kiejobs-retired": ("is in the vendor's list again; retired as of {was} until now",) * 3,
    "extension": ("gives files named {now} now, was {was}",) * 3,
}  # fmt: skip
"""Where there is nothing now, where there was nothing, and where there is another value."""

_NOTHING = {"type": "anything", "media_type": "nothing known", "extension": "nothing known"}
_YES_OR_NO = {
    "required": ("is needed now", "can be left out now"),
    "uniqueItems": ("must not hold anything twice now", "may hold things twice now"),
    "deprecated": ("is deprecated now", "is not deprecated any more"),
}
_LIMITS = {
    "minLength": "at least {} characters", "maxLength": "at most {} characters",
    "minimum": "at least {}", "maximum": "at most {}",
    "exclusiveMinimum": "more than {}", "exclusiveMaximum": "less than {}",
    "minItems": "at least {} entries", "maxItems": "at most {} entries",
    "multipleOf": "in steps of {}", "pattern": "like {}", "max_bytes": "files of at most {}",
}  # fmt: skip
_READS_OTHERWISE = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null")


def change_words(change: ModelChange) -> str:
    """`takes 4k too`, `at most 500 characters, was 1,000`."""
    kept = ", by the page; kept as it is, since it names a source of its own"
    return _words(change) + (kept if change.kept else "")


def _words(change: ModelChange) -> str:
    kind, was, now = change.kind, change.was, change.now
    if kind in _YES_OR_NO:
        return _YES_OR_NO[kind][0 if now is True else 1]
    if kind == "unevaluatedProperties":
        return f"takes {'no ' if change.breaking else ''}keys of other names now"
    if kind == "field":
        return _field(now)
    if kind in _LIMITS:
        limit = _LIMITS[kind]
        gone, come = f"without a limit now, was {limit.format('{was}')}", f"{limit.format('{now}')} now, was "
        phrases = (gone, f"{come}without a limit", f"{come}{{was}}")
    else:
        phrases = _WORDS[kind]
    words = phrases[0 if now is ABSENT else 1 if was is ABSENT else 2]
    return words.format(was=_value(kind, was), now=_value(kind, now))


def _field(now: Json) -> str:
    if now is ABSENT:
        return "is gone"
    if "default" in now:
        words = _value("default", now["default"])
        return f"is new; {words} is sent where a job file leaves it out"
    return "is new, and needed" if now["required"] else "is new"


def _value(kind: str, value: Json) -> str:
    if value is ABSENT:
        return _NOTHING.get(kind, "")
    if kind in {"values", "enum", "file_types", "media_types"}:
        return values_words(value)
    if kind == "type":
        return kind_words(value)
    if kind == "max_bytes":
        return size_words(value)
    if kind == "default":  # with quotes where text would read as a number: "5" and 5 are two
        quoted = isinstance(value, str) and _READS_OTHERWISE.fullmatch(value)
        return f'"{value_words(value)}"' if quoted else value_words(value)
    return f"{value:,}" if kind in _LIMITS and isinstance(value, int) else value_words(value)
