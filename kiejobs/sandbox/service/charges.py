"""The charge log and the request log: what a test asks afterwards, and the sandbox's own memory.

In: accepted tasks, answered requests. Out: `charges.jsonl` and `requests.jsonl` in the store, and
all tasks in them. Touches those two files.

A charge is flushed and synced before the reply leaves, so a task that a client could know of is
always there. Several processes may share a store: a lock is held for the length of one line, lines
are appended in one write, and what others wrote is read before each answer. A line that isn't
whole was never replied to, and is passed over.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.sandbox.service.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from kiejobs.core.document.nodes import Json


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
            lines = file.read().split(b"\n")
        tail = lines.pop()
        self._torn = bool(tail)
        self._read_to += sum(len(line) + 1 for line in lines)
        for line in lines:
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
