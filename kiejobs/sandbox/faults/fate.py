"""What scripted faults have in store for a task.

In: nothing. Out: `TaskOutcome`. Touches nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What was decided for a task when it was created; the defaults are a healthy task's.

    `end`: `success`, `fail`, `stall` (none, ever) or `vanish` (unknown to recordInfo for ever).
    `unknown_for`: simulated seconds in which recordInfo doesn't know it yet. `takes`: simulated
    seconds of its life. `word`: the state between `waiting` and the end.
    `charge`: credits that it costs whatever the list says. `callback`: `once`, `late`, `doubled`, `forged` or `none`; `callback_by` the seconds of it.
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
