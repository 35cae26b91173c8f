"""Events as the bodies of a journal's lines, and back; whether an event holds what its type says.

In: events; decoded JSON lines. Out: JSON objects; events; the name of a field that holds something else.
The journal adapter adds what every line has (`v`, `seq`, `prev`, `at`). Touches nothing.

Readers ignore types that they don't know: a later kiejobs may write more. An unknown version `v` is
refused by the adapter. Journals come from git, and people edit them: the forms of fields are read off the
events' own annotations, so a new event is looked at as well.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from decimal import Decimal
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from kiejobs.core.ledger.events import Event
from kiejobs.core.ledger.records import Failure, FileRecord
from kiejobs.core.money import amount, money

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json

EVENT_VERSION = 1

_MOST_DIGITS = 30  # on either side of the point
_PLAIN: dict[str, set[type]] = {
    "bool": {bool},
    "int": {int},
    "str": {str},
    "str | None": {str, NoneType},
    "Mapping[str, Json]": {dict},
    "Mapping[str, Json] | None": {dict, NoneType},
}
"""Types by the annotation as it is written. `True` is no number here, though Python says so."""


def to_json(event: Event) -> dict[str, Json]:
    """The event's own keys and its `type`; money as decimal strings."""
    return {"type": event.type, **asdict(event, dict_factory=_encode)}


def _encode(keys: list[tuple[str, Any]]) -> dict[str, Json]:
    body: dict[str, Json] = {}
    for name, value in keys:
        if isinstance(value, Decimal):
            body[name] = money(value)
        else:
            body[name] = list(value) if isinstance(value, tuple) else value
    return body


def from_json(line: Mapping[str, Json]) -> Event | None:
    """The event of a decoded line; None for a type that is not known.

    Raises KeyError, TypeError or ValueError where a known type lacks its form.
    """
    kind = _types().get(line["type"])
    if kind is None:
        return None
    event: Event = kind(**{name: _decode(name, line[name]) for name, _ in _forms(kind)})
    return event


def _decode(name: str, value: Json) -> Any:
    if name in {"credits", "charged"}:
        return None if value is None else amount(value)
    if name == "failure":
        return Failure(**value)
    if name in {"files", "urls"} and not isinstance(value, list):
        raise TypeError(f"`{name}` is no list")
    if name == "files":
        return tuple(FileRecord(**item) for item in value)
    return tuple(value) if name == "urls" else value


def bad_field(event: Event | Failure | FileRecord) -> str | None:
    """The first field whose value is not of its type; None where all are."""
    kind: Any = type(event)
    for name, written in _forms(kind):
        if not _fits(getattr(event, name), written):
            return name
    return None


@cache
def _types() -> dict[str, Any]:
    return {kind.type: kind for kind in get_args(Event)}


@cache
def _forms(kind: Any) -> tuple[tuple[str, str], ...]:
    """The names of its fields, each with its annotation as it is written."""
    return tuple((field.name, str(field.type)) for field in fields(kind))


def _fits(value: Any, written: str) -> bool:
    plain = _PLAIN.get(written)
    if plain is not None:
        return type(value) in plain
    if written == "Decimal | None":
        return _is_amount(value)
    if written == "tuple[str, ...]":
        return all(type(item) is str for item in value)
    # One failure, or several files.
    return all(bad_field(item) is None for item in (value if type(value) is tuple else (value,)))


def _is_amount(value: Any) -> bool:
    """None, or credits that can be written out: `1e999999999` is a gigabyte of zeros."""
    if type(value) is not Decimal:
        return value is None
    exponent = value.as_tuple().exponent
    return (
        isinstance(exponent, int) and exponent >= -_MOST_DIGITS and value.adjusted() <= _MOST_DIGITS
    )
