"""Tasks, where they stand, and the logs: what a test asks afterwards, and the sandbox's own memory.

In: accepted tasks, answered requests, moments. Out: `charges.jsonl` and `requests.jsonl` in the store,
all tasks in them, and the `TaskStatus` of each. Touches those two files.

Where a task stands is a pure function of what was charged and of the time: nothing moves a task but the
clock, which is why tasks outlive the process.

A charge is flushed and synced before the reply leaves, so a task that a client could know of is
always there. Several processes may share a store: a lock is held for the length of one line, lines
are appended in one write, and what others wrote is read before each answer. A line that isn't
whole was never replied to, and is passed over.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kiejobs.sandbox.clock import from_iso, iso
from kiejobs.sandbox.fault_script import TaskOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

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


# --- the logs --------------------------------------------------------------------------------------


class Charges:
    """All accepted tasks, on disk and in mind, in the order of acceptance.

    `total` is what they cost together, nothing given back; `failing` are those that end badly.
    """

    def __init__(self, store: Path) -> None:
        store.mkdir(parents=True, exist_ok=True)
        self.path = store / "charges.jsonl"
        self.tasks: dict[str, Task] = {}
        self.total = Decimal(0)
        self.failing: list[Task] = []
        self._read_to = 0
        self._torn = False
        _be_born(self.path)
        self.refresh()

    def refresh(self) -> None:
        """Take in what was appended since, by whichever process."""
        if self.path.stat().st_size > self._read_to:
            self._take_in()

    def _take_in(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            lines, end, tail = file.read().rpartition(b"\n")
        self._torn = bool(tail)
        self._read_to += len(lines) + len(end)
        for line in lines.split(b"\n"):
            task = _parsed(line)
            if task is not None and task.task_id not in self.tasks:
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


class Requests:
    """Every request and how it was answered, written before the answer leaves. Never a key."""

    def __init__(self, store: Path) -> None:
        self.path = store / "requests.jsonl"

    def append(self, line: Mapping[str, Json]) -> None:
        """Not synced: nothing is bought on its word, and polls are many."""
        with _locked(self.path) as descriptor:
            _write(descriptor, json.dumps(line) + "\n")


def read_charges(store: Path) -> list[Task]:
    """All tasks ever accepted in this store, in order; empty where nothing was. Only reads."""
    path = store / "charges.jsonl"
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return [task for task in map(_parsed, lines) if task is not None]


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _be_born(path: Path) -> None:
    """Create the file and make its name durable."""
    path.touch()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(descriptor: int, text: str) -> None:
    data = text.encode()
    if os.write(descriptor, data) != len(data):
        raise OSError("the disk took only a part of a line")


def _parsed(line: bytes) -> Task | None:
    try:
        return Task.from_json(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return None
