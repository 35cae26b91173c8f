"""Does an event hold what its type says? Journals come from git, and people edit them.

In: events as read from lines. Out: the name of a field that holds something else, or None. Touches
nothing. The forms are read off the events' own annotations, so a new event is looked at as well.
"""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

from kiejobs.core.ledger.events import Event
from kiejobs.core.ledger.records import Failure, FileRecord

if TYPE_CHECKING:
    from collections.abc import Callable


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
