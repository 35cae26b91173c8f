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
from typing import TYPE_CHECKING, Any, get_args

from kiejobs.core.ledger.events import Event
from kiejobs.core.ledger.records import Failure, FileRecord
from kiejobs.core.money import amount, money

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.document.nodes import Json

EVENT_VERSION = 1

_TYPES: dict[str, Any] = {kind.type: kind for kind in get_args(Event)}


def to_json(event: Event) -> dict[str, Json]:
    """The event's own keys and its `type`; money as decimal strings."""
    body = {key: _encode(value) for key, value in asdict(event).items()}
    return {"type": event.type, **body}


def from_json(line: Mapping[str, Json]) -> Event | None:
    """The event of a decoded line; None for a type that is not known.

    Raises KeyError, TypeError or ValueError where a known type lacks its form.
    """
    kind = _TYPES.get(line["type"])
    if kind is None:
        return None
    names = [field.name for field in fields(kind)]
    event: Event = kind(**{name: _decode(name, line[name]) for name in names})
    return event


def _encode(value: Any) -> Json:
    if isinstance(value, Decimal):
        return money(value)
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return value


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
    forms = _FORMS[type(event)]
    return next((name for name, fits in forms if not fits(getattr(event, name))), None)


def _is(*types: type) -> Callable[[Any], bool]:
    """`True` is no number here, though Python says so."""
    exact = frozenset(types)
    return lambda value: type(value) in exact


def _each(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: all(map(fits, value))


def _is_amount(value: Any) -> bool:
    """None, or credits that can be written out: `1e999999999` is a gigabyte of zeros."""
    if type(value) is not Decimal:
        return value is None
    exponent = value.as_tuple().exponent
    return (
        isinstance(exponent, int) and exponent >= -_MOST_DIGITS and value.adjusted() <= _MOST_DIGITS
    )


_MOST_DIGITS = 30  # on either side of the point
_NONE = type(None)
_WRITTEN: dict[str, Callable[[Any], bool]] = {
    "bool": _is(bool),
    "int": _is(int),
    "str": _is(str),
    "str | None": _is(str, _NONE),
    "Decimal | None": _is_amount,
    "Mapping[str, Json]": _is(dict),
    "Mapping[str, Json] | None": _is(dict, _NONE),
    "tuple[str, ...]": _each(_is(str)),
    "tuple[FileRecord, ...]": _each(lambda file: bad_field(file) is None),
    "Failure": lambda failure: bad_field(failure) is None,
}
"""By the annotation as it is written; one that is not here fails when kiejobs is imported."""

_FORMS = {
    kind: [(field.name, _WRITTEN[str(field.type)]) for field in fields(kind)]
    for kind in (*get_args(Event), Failure, FileRecord)
}
