"""Doubts ruled on, as a person would who has the vendor's log.

In: a bench with one campaign, whose prompts say `batch B, shot S` for the address `kills/bB[shot=S]`;
the sandbox's charge log. Out: rulings for `resolve`, and what all doubts came to. Touches nothing but by
asking `status`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiejobs.sandbox.tasks import Task
    from tests.proofs.served import Served
    from tests.support.bench import Bench


class Arbiter:
    """`doubts`, by attempt id: what caused each (`kill`, `fault`), and whether it was charged."""

    def __init__(self, bench: Bench, server: Served) -> None:
        self._bench = bench
        self._server = server
        self.doubts: dict[str, tuple[str, bool]] = {}

    def rulings(self) -> list[tuple[str, ...]]:
        """Address, then `--task ID` where something was charged, else `--lost`."""
        held, events = self.in_doubt(), self._bench.events()
        known = {event.get("task_id") for event in events}
        answered = {event["attempt_id"] for event in events if event["type"] == "in_doubt"}
        charged = {
            address_of(task): task.task_id for task in self._server.charges() if task.task_id not in known
        }
        found: list[tuple[str, ...]] = []
        for address, attempt_id in held.items():
            task_id = charged.get(address)
            cause = "fault" if attempt_id in answered else "kill"
            self.doubts[attempt_id] = (cause, task_id is not None)
            found.append((address, "--lost") if task_id is None else (address, "--task", task_id))
        return found

    def in_doubt(self) -> dict[str, str]:
        """Attempt ids by address; one address has one doubt at most."""
        found = self._bench.do("status", "--format", "json").json["in_doubt"]
        assert len({doubt["address"] for doubt in found}) == len(found)
        return {doubt["address"]: doubt["attempt_id"] for doubt in found}


def address_of(task: Task) -> str:
    """`batch 3, shot 7` -> `kills/b003[shot=7]`."""
    batch, _, shot = task.input["prompt"].removeprefix("batch ").partition(", shot ")
    return f"kills/b{int(batch):03}[shot={shot}]"
