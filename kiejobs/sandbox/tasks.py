"""Tasks, how far they are, and the logs: what a test asks afterwards, and the sandbox's own memory.

Touches: `charges.jsonl` and `requests.jsonl` in the store. Nothing moves a task but the clock, so tasks outlive
the process. A charge is synced before the reply leaves. Several processes may share a store: a lock is held for
one line, appended in one write, and what others wrote is read before each answer. A line that isn't complete
was never replied to, and is passed over.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from kiejobs.core.document.nodes import Json

_SHORTEST, _SPREAD = 40.0, 50.0  # simulated seconds; contract: "a minute or more"
_WAITING = 0.15  # the part of its life that a task with two states has the first
_ORDERS = (("waiting",), ("generating",), ("waiting", "generating"), ("waiting",))
"""States before the end: 17 of 21 recorded tasks only waited, 4 were generating at once; both is documented."""


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What was decided for a task when it was created; the defaults are a healthy task's. Simulated seconds.

    `end`: `success`, `fail`, `stall` (none, ever) or `vanish` (unknown to recordInfo for ever). `unknown_for`:
    seconds in which recordInfo doesn't know it yet. `takes`: seconds of its life. `states`: its words before the
    end, drawn with its life where there are none. `charge`: credits whatever the list says. `callback`: `once`,
    `late`, `doubled`, `forged` or `none`; `callback_by` the seconds of it.
    """

    end: str = "success"
    fail_code: str = "500"
    fail_msg: str = "Internal Error"
    unknown_for: float = 0.0
    takes: float | None = None
    states: tuple[str, ...] = ()
    charge: str | None = None
    callback: str = "once"
    callback_by: float = 5.0

    def as_json(self) -> dict[str, Json]:
        """Only what differs from a healthy task."""
        healthy = asdict(HEALTHY)
        return {name: value for name, value in asdict(self).items() if value != healthy[name]}

    @classmethod
    def from_json(cls, fate: Mapping[str, Any]) -> TaskOutcome:
        """What another version wrote and this one doesn't know is passed over."""
        known = {field.name for field in fields(cls)}
        fate = {**fate, "states": tuple(fate.get("states", ()))}
        return cls(**{name: value for name, value in fate.items() if name in known})


HEALTHY = TaskOutcome()


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
        line = {field.name: getattr(self, field.name) for field in fields(self)}
        fate = {} if self.fate == HEALTHY else self.fate.as_json()
        line |= {"at": iso(self.at), "credits": str(self.credits), "fate": fate}
        line["callBackUrl"] = line.pop("callback_url")
        return line

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Task:
        """Raises KeyError, TypeError or ValueError for what is no such line."""
        given = {
            **line,
            "at": datetime.fromisoformat(line["at"]).timestamp(),
            "credits": Decimal(line["credits"]),
            "fate": TaskOutcome.from_json(line["fate"]) if line["fate"] else HEALTHY,
        }
        return cls(callback_url=given.pop("callBackUrl"), **given)


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """How far a task is. `ended` in epoch seconds, None while it runs."""

    known: bool
    state: str
    ended: float | None


def status_of(task: Task, now: float, speed: float) -> TaskStatus:
    """Time goes at least as fast as it did where the task was made, so that no end is undone."""
    speed = max(speed, task.speed)
    lived, life = (now - task.at) * speed, lifetime(task)
    known = task.fate.end != "vanish" and lived >= task.fate.unknown_for
    if task.fate.end in ("success", "fail") and lived >= life:
        return TaskStatus(known, task.fate.end, task.at + life / speed)
    states = task.fate.states or _ORDERS[int(life * 10) % len(_ORDERS)]
    return TaskStatus(known, states[0 if lived < life * _WAITING else -1], None)


def lifetime(task: Task) -> float:
    """Simulated seconds from creation to end: 40 to 90, drawn from the id."""
    if task.fate.takes is not None:
        return task.fate.takes
    drawn = int.from_bytes(hashlib.sha256(task.task_id.encode()).digest()[:2], "big")
    return _SHORTEST + _SPREAD * drawn / 0xFFFF


def iso(moment: float) -> str:
    """Epoch seconds as `2026-11-22T09:30:00.123Z`: UTC, to the millisecond."""
    text = datetime.fromtimestamp(round(moment, 3), UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


# --- the logs --------------------------------------------------------------------------------------


class Charges:
    """All accepted tasks, in order. `total` is what they cost, nothing given back; `failing` end badly."""

    def __init__(self, store: Path) -> None:
        store.mkdir(parents=True, exist_ok=True)
        self.path = store / "charges.jsonl"
        self.tasks: dict[str, Task] = {}
        self.total = Decimal(0)
        self.failing: list[Task] = []
        self._read_to = 0
        self._torn = False
        os.close(_open(self.path))
        folder = os.open(store, os.O_RDONLY)
        os.fsync(folder)  # its name is durable, too
        os.close(folder)
        self.refresh()

    def refresh(self) -> None:
        """Take in what was appended since, by whichever process."""
        if self.path.stat().st_size <= self._read_to:
            return
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            lines, end, tail = file.read().rpartition(b"\n")
        self._torn = bool(tail)
        self._read_to += len(lines) + len(end)
        for task in filter(None, map(task_of_line, lines.split(b"\n"))):
            if task.task_id not in self.tasks:
                self.tasks[task.task_id] = task
                self.total += task.credits
                if task.fate.end == "fail":
                    self.failing.append(task)

    def append(self, make: Callable[[int], Task]) -> Task:
        """Charge for the task that `make` builds from its number; durable when this returns."""
        with _locked(self.path) as descriptor:
            self.refresh()
            task = make(len(self.tasks) + 1)
            start = "\n" if self._torn else ""
            _write(descriptor, f"{start}{json.dumps(task.as_json())}\n")
            os.fsync(descriptor)
            self.refresh()
        return task


def log_request(store: Path, line: Mapping[str, Json]) -> None:
    """Written before the answer leaves, never with a key; not synced, since nothing is bought on its word."""
    with _locked(store / "requests.jsonl") as descriptor:
        _write(descriptor, json.dumps(line) + "\n")


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """To append; never through a link, which would lead the lines elsewhere."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)


def _write(descriptor: int, text: str) -> None:
    data = text.encode()
    if os.write(descriptor, data) != len(data):
        raise OSError("the disk took only a part of a line")


def task_of_line(line: bytes) -> Task | None:
    """None for a line that isn't complete."""
    try:
        return Task.from_json(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return None
