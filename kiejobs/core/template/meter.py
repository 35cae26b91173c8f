"""How much one rendering may do: steps, seconds, and sizes looked at before the work is done.

In: what a template is about to do. Out: nothing, or a `TemplateProblem` when it is too much. Touches
nothing; the clock is handed in.

Sizes are told in weights: a character weighs 1, a value 10 more, a collection what is in it *written
out*, so that a list holding the same list twice weighs double. A step pays for a weight of 100; so
the steps of one rendering bound its memory as well as its time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, Final, TypeVar

from kiejobs.core.template.errors import TOO_DEEP, TooMuch
from kiejobs.core.template.renderer import TemplateProblem

MAX_NESTING: Final = 100
"""Levels of lists in lists; a job file has at most 64."""

MAX_NUMBER: Final = 2**63
"""Beyond it a whole number is no more than a way to burn time."""

TOGETHER: Final = 4.0
"""Seconds that all slow templates of one job file may take; there may be thousands of them."""

_SLOW: Final = 0.1
_STEP: Final = 100
_VALUE: Final = 10

Clock = Callable[[], float]
Number = TypeVar("Number", int, float)


class Meter:
    """One rendering at a time: `start` begins it."""

    __slots__ = ("_clock", "_end", "_left", "_seconds", "_slow", "_steps", "_weights", "size")

    def __init__(self, clock: Clock | None, seconds: float, steps: int, size: int) -> None:
        self.size = size
        self._clock = clock
        self._seconds = seconds
        self._steps = steps
        self._slow = 0.0
        self.start()

    def start(self) -> None:
        if self._slow > TOGETHER:
            hint = "shorten the slow ones; a prompt takes some microseconds"
            raise TooMuch(f"slow templates take longer than {TOGETHER:g} seconds together", hint)
        self._left = self._steps
        self._end = math.inf if self._clock is None else self._clock() + self._seconds
        # Keeping the value keeps its id from being given to another one.
        self._weights: dict[int, tuple[Any, int, int]] = {}

    def stop(self) -> None:
        """The rendering (or a compilation) is over. Slow ones add up for the whole job file."""
        if self._clock is not None:
            took = self._clock() - (self._end - self._seconds)
            self._slow += took if took > _SLOW else 0.0

    def spend(self, steps: int) -> bool:
        """Pay for `steps`. True, so that it can stand in a condition."""
        self._left -= steps
        if self._left < 0:
            hint = "shorten its loops; prompts need a few hundred steps"
            raise TooMuch(f"the template takes more than {self._steps:,} steps", hint)
        if self._clock is not None and self._clock() > self._end:
            raise TooMuch(f"the template takes longer than {self._seconds:g} seconds")
        return True

    def room(self, length: int) -> None:
        """Pay for a text of `length` that is about to be made."""
        if length > self.size:
            raise TemplateProblem(
                f"the template makes a text of more than {self.size:,} characters"
            )
        if length >= _STEP:
            self.spend(length // _STEP)

    def weigh(self, value: Any) -> None:
        """Pay for a value that was just made; what it holds was paid for before."""
        if not isinstance(value, str):
            self._measure(value, 0)

    def examine(self, value: Any) -> None:
        """Pay for walking all of `value`, as comparing or writing it out does."""
        weight, _ = self._measure(value, 0)
        if weight >= _STEP:
            self.spend(weight // _STEP)

    def number(self, value: Number) -> Number:
        """A number that can be printed and passed on."""
        if isinstance(value, float):
            if not math.isfinite(value):
                raise TemplateProblem("a calculation has no finite result")
        elif not -MAX_NUMBER <= value <= MAX_NUMBER:
            raise TemplateProblem("a calculation's result is too large")
        return value

    def _measure(self, value: Any, depth: int) -> tuple[int, int]:
        """The weight of `value` and how many levels it has, looking at each collection once."""
        if isinstance(value, str):
            return _VALUE + len(value), 0
        if isinstance(value, range):
            return _VALUE * (len(value) + 1), 1
        if not isinstance(value, list | tuple | dict):
            return _VALUE, 0
        known = self._weights.get(id(value))
        if known is None:
            self.spend(1 + len(value) // 10)
            known = (value, *self._sum(value, depth))
            self._weights[id(value)] = known
        return known[1], known[2]

    def _sum(self, value: Any, depth: int) -> tuple[int, int]:
        weight, levels = _VALUE, 0
        inside = chain(value.keys(), value.values()) if isinstance(value, Mapping) else value
        for item in inside:
            if depth > MAX_NESTING or levels > MAX_NESTING:
                raise TemplateProblem(TOO_DEEP, "does a loop put a list into itself?")
            more, below = self._measure(item, depth + 1)
            weight += more
            levels = max(levels, below + 1)
            if weight > self._steps * _STEP:
                raise TemplateProblem("the template makes a value that is too large")
        return weight, levels
