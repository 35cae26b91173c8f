"""Events as the bodies of a journal's lines, and back.

In: events; decoded JSON lines. Out: JSON objects; events. The journal adapter adds what every line has
(`v`, `seq`, `prev`, `at`). Touches nothing.

Readers ignore types that they don't know: a later kiejobs may write more. An unknown version `v` is
refused by the adapter.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

from kiejobs.core.ledger.events import Event
from kiejobs.core.ledger.records import Failure, FileRecord
from kiejobs.core.money import amount, money

if TYPE_CHECKING:
    from collections.abc import Mapping

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
