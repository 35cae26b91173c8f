"""Scripted faults as they are played: which request or task is hit by which.

In: rules, and requests as they come. Out: an `Effect` for each of them. Touches nothing.

Chance is a hash of the seed and the request's number, so that a script plays the same every time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from kiejobs.sandbox.asgi import WHOLE, Delivery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.asgi import Response


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What was decided for a task when it was created; the defaults are a healthy task's.

    `end`: `success`, `fail`, `stall` (none, ever) or `vanish` (unknown to recordInfo for ever).
    `unknown_for`: simulated seconds in which recordInfo doesn't know it yet. `takes`: simulated
    seconds of its life. `word`: the state between `waiting` and the end. `charge`: credits that it
    costs whatever the list says. `callback`: `once`, `late`, `doubled`, `forged` or `none`;
    `callback_by` the seconds of it.
    """

    end: str = "success"
    fail_code: str = "500"
    fail_msg: str = "Internal Error"
    unknown_for: float = 0.0
    takes: float | None = None
    word: str = "generating"
    charge: str | None = None
    callback: str = "once"
    callback_by: float = 5.0

    def as_json(self) -> dict[str, Any]:
        """Only what differs from a healthy task."""
        healthy = asdict(HEALTHY)
        return {name: value for name, value in asdict(self).items() if value != healthy[name]}


HEALTHY = TaskOutcome()


@dataclass(frozen=True, slots=True)
class ResponseFault:
    """One fault of an answer.

    `accepts`: whether the request takes effect all the same, so that a create is charged. `answer`
    is said instead of the true one, `headers` are laid over. `half`: stop in the middle of the body.
    `longer`: bytes that Content-Length promises and that never come. `keep` and `no_ranges` are for
    files: only so many bytes of it exist, ranges are not known.
    """

    name: str
    accepts: bool = True
    answer: Response | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = WHOLE
    half: bool = False
    longer: int = 0
    keep: int | None = None
    no_ranges: bool = False

    def apply(self, true: Response) -> Response:
        said = self.answer or true
        way = self.delivery
        if self.half:
            way = replace(way, stop_after=len(said.body) // 2)
        length = len(said.body) if said.length is None else said.length
        return replace(
            said,
            headers={**said.headers, **self.headers},
            task_id=true.task_id,
            length=length + self.longer,
            fault=self.name,
            delivery=way,
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """What is done: to the answer, and to the task that a create makes (fields of its TaskOutcome)."""

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
    """A rule hits requests of the kind `on` for which all its conditions hold, `times` at most.

    `match` are glob patterns for fields of the task's input. `nth`, `every` and `chance` count the
    requests that match, from 1 and from the start of the sandbox.
    """

    on: str
    effect: Effect
    nth: frozenset[int] = frozenset()
    every: int | None = None
    chance: float | None = None
    match: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None

    def matches(self, kind: str, fields: Mapping[str, Json]) -> bool:
        return kind == self.on and all(
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
            if rule.matches(kind, fields) and self._fires(index, rule):
                effect = rule.effect.beneath(effect)
        return effect

    def _fires(self, index: int, rule: FaultRule) -> bool:
        if rule.times is not None and self._fired[index] >= rule.times:
            return False
        self._seen[index] += 1
        number = self._seen[index]
        fires = rule.counts(number, _luck(self._faults.seed, index, number))
        self._fired[index] += fires
        return fires


def _luck(*parts: int) -> float:
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
