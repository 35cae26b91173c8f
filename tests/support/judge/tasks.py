"""The judge's tasks: what was accepted, what its prompt asks for, how far it is.

In: request bodies, the log of what was accepted. Out: tasks and their states. Touches: the log, by
reading.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_WORD = re.compile(r"\[(\w+)=([^\]]*)\]")
_STATES = ("waiting", "queuing", "generating")


@dataclass
class Task:
    """What was accepted: paid."""

    task_id: str
    body: dict[str, Any]
    headers: dict[str, str]
    asked: int = 0
    called: bool = False

    @property
    def words(self) -> dict[str, str]:
        return words_of(self.body)


def state_of(task: Task, let_go: bool) -> str:  # noqa: FBT001 - one of two moments
    """Its state in the API's word, going by how often it was asked for."""
    asked = task.asked - int(task.words.get("null", "0"))
    end = task.words.get("end", "success")
    if asked <= int(task.words.get("polls", "1")):
        return _STATES[asked % 3]
    held = end == "held" and not let_go
    if end == "never" or held or (end == "called" and not task.called):
        return "generating"
    if end == "strange" and asked < 6:
        return "pondering"
    if end == "failed":
        return end
    return "fail" if end == "fail" else "success"


def words_of(body: dict[str, Any]) -> dict[str, str]:
    return dict(_WORD.findall(str(body["input"].get("prompt", ""))))


def accepted(log: Path) -> list[dict[str, Any]]:
    """The oracle: what was accepted, in order."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def listed(text: str) -> list[str]:
    """`429*2,drop` -> 429, 429, drop."""
    pairs = (part.partition("*") for part in text.split(",") if part)
    return [name for name, _, count in pairs for _ in range(int(count or 1))]
