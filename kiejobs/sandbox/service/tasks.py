"""A task, and where it stands: a pure function of what was charged and of the time.

In: a `Task` (as the charge log has it), a moment, the speed of time. Out: `TaskStatus`. Touches
nothing: nothing moves a task but the clock, which is why tasks outlive the process.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kiejobs.sandbox.faults.fate import TaskOutcome
from kiejobs.sandbox.service.clock import from_iso, iso

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json

_SHORTEST, _SPREAD = 40.0, 50.0  # simulated seconds; contract: "a minute or more"
_WAITING = 0.15  # the part of its life that a task waits


@dataclass(frozen=True, slots=True)
class Task:
    """An accepted create. `input` as received, `at` in epoch seconds, `credits` what it costs."""

    seq: int
    at: float
    task_id: str
    model: str
    input: Mapping[str, Json]
    callback_url: str | None
    credits: Decimal
    speed: float
    fate: TaskOutcome

    def as_json(self) -> dict[str, Json]:
        """The line of the charge log."""
        return {
            "seq": self.seq,
            "at": iso(self.at),
            "task_id": self.task_id,
            "model": self.model,
            "input": self.input,
            "callBackUrl": self.callback_url,
            "credits": str(self.credits),
            "speed": self.speed,
            "fate": self.fate.as_json(),
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Task:
        """Raises KeyError, TypeError or ValueError for what is no such line."""
        known = {field.name for field in fields(TaskOutcome)}
        fate = {name: value for name, value in line["fate"].items() if name in known}
        return cls(
            seq=line["seq"],
            at=from_iso(line["at"]),
            task_id=line["task_id"],
            model=line["model"],
            input=line["input"],
            callback_url=line["callBackUrl"],
            credits=Decimal(line["credits"]),
            speed=line["speed"],
            fate=TaskOutcome(**fate),
        )


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """Where a task stands. `ended` in epoch seconds, None while it runs."""

    known: bool
    state: str
    ended: float | None


def standing(task: Task, now: float, speed: float) -> TaskStatus:
    """Time goes at least as fast as it did where the task was made, so that no end is undone."""
    speed = max(speed, task.speed)
    lived = (now - task.at) * speed
    known = task.fate.end != "vanish" and lived >= task.fate.unknown_for
    if task.fate.end in ("success", "fail") and lived >= lifetime(task):
        return TaskStatus(known, task.fate.end, task.at + lifetime(task) / speed)
    waits = lived < lifetime(task) * _WAITING
    return TaskStatus(known, "waiting" if waits else task.fate.word, None)


def lifetime(task: Task) -> float:
    """Simulated seconds from creation to end: 40 to 90, drawn from the id."""
    if task.fate.takes is not None:
        return task.fate.takes
    drawn = int.from_bytes(hashlib.sha256(task.task_id.encode()).digest()[:2], "big")
    return _SHORTEST + _SPREAD * drawn / 0xFFFF
