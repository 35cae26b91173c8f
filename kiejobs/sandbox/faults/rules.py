"""Scripted faults: which request or task is hit by which.

In: rules, and requests as they come. Out: an `Effect` for each of them. Touches nothing.

Chance is a hash of the seed and the request's number, so that a script plays the same every time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kiejobs.sandbox.faults.fate import HEALTHY, TaskOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.faults.effects import ResponseFault

KINDS = ("create", "poll", "download", "upload", "credit")


@dataclass(frozen=True, slots=True)
class When:
    """Which requests of a kind a rule hits: those for which all of these hold.

    `match` are glob patterns for fields of the task's input. The others count the requests that
    match, from 1 and from the start of the sandbox.
    """

    nth: frozenset[int] = frozenset()
    every: int | None = None
    chance: float | None = None
    match: Mapping[str, str] = field(default_factory=dict)

    def matches(self, fields: Mapping[str, Json]) -> bool:
        return all(
            fnmatchcase(str(fields.get(name, "")), pattern) for name, pattern in self.match.items()
        )

    def counts(self, number: int, luck: float) -> bool:
        """`luck` is drawn from 0 up to 1."""
        return (
            (not self.nth or number in self.nth)
            and (self.every is None or number % self.every == 0)
            and (self.chance is None or luck < self.chance)
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """What is done: to the answer, and to the task that a create makes (fields of its Fate)."""

    twist: ResponseFault | None = None
    fate: Mapping[str, Json] = field(default_factory=dict)

    def beneath(self, first: Effect) -> Effect:
        """Both, where what came first has precedence."""
        return Effect(first.twist or self.twist, {**self.fate, **first.fate})

    @property
    def destiny(self) -> TaskOutcome:
        return replace(HEALTHY, **self.fate)


@dataclass(frozen=True, slots=True)
class FaultRule:
    """`on` one of KINDS; `times` caps how often the rule fires."""

    on: str
    effect: Effect
    when: When = When()
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """A script. All rules that fire work together; of two that want the same, the first wins."""

    rules: tuple[FaultRule, ...] = ()
    seed: int = 0


NO_FAULTS = Faults()


class FaultScript:
    """A script being played: it counts."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._seen: Counter[int] = Counter()
        self._fired: Counter[int] = Counter()

    def draw(self, kind: str, fields: Mapping[str, Json]) -> Effect:
        """What befalls the next request of `kind`, about a task with these input fields."""
        effect = Effect()
        for index, rule in enumerate(self._faults.rules):
            if rule.on == kind and rule.when.matches(fields) and self._fires(index, rule):
                effect = rule.effect.beneath(effect)
        return effect

    def _fires(self, index: int, rule: FaultRule) -> bool:
        if rule.times is not None and self._fired[index] >= rule.times:
            return False
        self._seen[index] += 1
        number = self._seen[index]
        fires = rule.when.counts(number, _luck(self._faults.seed, index, number))
        self._fired[index] += fires
        return fires


def _luck(*parts: int) -> float:
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
