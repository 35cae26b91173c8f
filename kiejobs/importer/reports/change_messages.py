"""A difference between two schemas of a model, in words.

In: a `ModelChange`. Out: one clause that goes on after the field's name. Touches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kiejobs.importer.schema.changes import ABSENT
from kiejobs.reports.models.field import kind_words, size_words, value_words, values_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.document.nodes import Json
    from kiejobs.importer.schema.changes import ModelChange

_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "multipleOf": "in steps of {}",
    "pattern": "like {}",
    "max_bytes": "files of at most {}",
}


_READS_OTHERWISE = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null")


def change_words(change: ModelChange) -> str:
    """`takes 4k too`, `at most 500 characters, was 1,000`."""
    tell = _TELLING.get(change.kind, _other)
    return tell(change)


def _exact(value: Json) -> str:
    """With quotes where text would read as a number: "5" and 5 are two."""
    told = value_words(value)
    is_text = isinstance(value, str) and _READS_OTHERWISE.fullmatch(value)
    return f'"{told}"' if is_text else told


def _field(change: ModelChange) -> str:
    if change.now is ABSENT:
        return "is gone"
    if "default" in change.now:
        return f"is new; {_exact(change.now['default'])} is sent where a job file leaves it out"
    return "is new, and needed" if change.now["required"] else "is new"


def _required(change: ModelChange) -> str:
    return "is needed now" if change.now else "can be left out now"


def _default(change: ModelChange) -> str:
    if change.now is ABSENT:
        return f"has no default any more, was {_exact(change.was)}"
    before = "has a default now" if change.was is ABSENT else "has another default"
    was = "" if change.was is ABSENT else f", was {_exact(change.was)}"
    return f"{before}: {_exact(change.now)}{was}"


def _type(change: ModelChange) -> str:
    was, now = (
        "anything" if kind is ABSENT else kind_words(kind) for kind in (change.was, change.now)
    )
    return f"is {now} now, was {was}"


def _values(change: ModelChange) -> str:
    if change.now is ABSENT:
        return f"takes no {values_words(change.was)} any more"
    return f"takes {values_words(change.now)} too"


def _enum(change: ModelChange) -> str:
    if change.now is ABSENT:
        return f"takes anything now, was one of {values_words(change.was)}"
    return f"takes only {values_words(change.now)} now"


def _file_types(change: ModelChange) -> str:
    if change.now is ABSENT:
        return f"takes no {values_words(change.was)} files any more"
    return f"takes {values_words(change.now)} files too"


def _media_types(change: ModelChange) -> str:
    if change.now is ABSENT:
        return f"takes files of any type now, was {values_words(change.was)}"
    return f"takes only {values_words(change.now)} files now"


def _closed(change: ModelChange) -> str:
    return (
        "takes no keys of other names now" if change.breaking else "takes keys of other names now"
    )


def _format(change: ModelChange) -> str:
    return "must be a URL now" if change.now is not ABSENT else "need not be a URL any more"


def _unique(change: ModelChange) -> str:
    return "must not hold anything twice now" if change.now is True else "may hold things twice now"


def _deprecated(change: ModelChange) -> str:
    return "is deprecated now" if change.now is True else "is not deprecated any more"


def _choices(_: ModelChange) -> str:
    return "may have other forms than before"


def _output(change: ModelChange) -> str:
    was, now = (
        "nothing known" if one is ABSENT else value_words(one) for one in (change.was, change.now)
    )
    what = "files of type" if change.kind == "media_type" else "files named"
    return f"gives {what} {now} now, was {was}"


def _other(change: ModelChange) -> str:
    """Limits, with both numbers."""
    words = _LIMITS.get(change.kind, f"{change.kind} {{}}")
    if change.now is ABSENT:
        return f"without a limit now, was {words.format(_amount(change.kind, change.was))}"
    was = "without a limit" if change.was is ABSENT else _amount(change.kind, change.was)
    return f"{words.format(_amount(change.kind, change.now))} now, was {was}"


def _amount(kind: str, value: Json) -> str:
    if kind == "max_bytes":
        return size_words(value)
    return f"{value:,}" if isinstance(value, int) else value_words(value)


_TELLING: dict[str, Callable[[ModelChange], str]] = {
    "field": _field,
    "required": _required,
    "default": _default,
    "type": _type,
    "values": _values,
    "enum": _enum,
    "file_types": _file_types,
    "media_types": _media_types,
    "unevaluatedProperties": _closed,
    "format": _format,
    "uniqueItems": _unique,
    "deprecated": _deprecated,
    "choices": _choices,
    "media_type": _output,
    "extension": _output,
}
