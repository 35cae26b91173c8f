"""The words of a fault file: what a value has to be, and how one says that it isn't.

In: values as YAML gives them. Out: `Wanted`s, and `Slip`s where a value doesn't fit. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiejobs.sandbox.faults.effects import BODIES as _BODIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kiejobs.core.document.nodes import Json


@dataclass(frozen=True, slots=True)
class Slip:
    """One thing wrong in a fault file, at a path into it; `at_key` when the key itself is."""

    path: tuple[str | int, ...]
    message: str
    hint: str | None = None
    at_key: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a value has to be, in words and as a test."""

    words: str
    fits: Callable[[Any], bool]

    def slip(self, path: tuple[str | int, ...], value: Json) -> Iterator[Slip]:
        if not self.fits(value):
            yield Slip(path, f"`{path[-1]}` must be {self.words}")


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _one(*words: str) -> Wanted:
    return Wanted("one of " + ", ".join(words), lambda value: value in words)


_BIG = 2**53
INTEGER = Wanted("a whole number", lambda value: _whole(value, -_BIG, _BIG))
COUNT = Wanted("a whole number from 1", lambda value: _whole(value, 1, _BIG))
COUNTS = Wanted(
    "a whole number from 1, or a list of such",
    lambda value: (
        COUNT.fits(value)
        or (isinstance(value, list) and bool(value) and all(map(COUNT.fits, value)))
    ),
)
CHANCE = Wanted("a number from 0 to 1", lambda value: _number(value) and 0 <= value <= 1)
PATTERNS = Wanted(
    "a mapping of input fields to glob patterns",
    lambda value: (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(glob, str) for glob in value.values())
    ),
)
STATUS = Wanted("an HTTP status from 200 to 599", lambda value: _whole(value, 200, 599))
CODE = Wanted("a code from 200 to 599", lambda value: _whole(value, 200, 599))
BYTES = Wanted("a number of bytes from 0", lambda value: _whole(value, 0, _BIG))
RATE = Wanted("a number of bytes a second, from 1", lambda value: _whole(value, 1, _BIG))
SECONDS = Wanted("a number of seconds from 0", lambda value: _number(value) and value >= 0)
AMOUNT = Wanted("credits, from 0 to 1000000", lambda value: _number(value) and 0 <= value <= 10**6)
ASCII = Wanted(
    "printable ASCII text",
    lambda value: isinstance(value, str) and value.isascii() and value.isprintable(),
)
TEXT = Wanted("text", lambda value: isinstance(value, str))
YES = Wanted("true", lambda value: value is True)
BOOL = Wanted("true or false", lambda value: isinstance(value, bool))
MOMENT = _one("before_accept", "after_accept")
SIDE = _one("before", "after")
TASK_WORDS = ("fail", "stall", "vanish", "unknown_state")
TASK = Wanted(
    "one of " + ", ".join(TASK_WORDS) + ", or {unknown_for: SECONDS} or {takes: SECONDS}",
    lambda value: (
        value in TASK_WORDS
        if isinstance(value, str)
        else isinstance(value, dict)
        and len(value) == 1
        and all(k in ("unknown_for", "takes") and SECONDS.fits(v) for k, v in value.items())
    ),
)
CALLBACK = _one("late", "doubled", "forged", "none")
BODY = _one(*_BODIES)
NAME = Wanted("text or a number", lambda value: isinstance(value, str) or INTEGER.fits(value))
