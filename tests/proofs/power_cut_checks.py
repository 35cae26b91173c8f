"""A disk's state held against what had been promised when the power went.

In: a recording, a tree, how many of the operations were done. Out: `Losses`. Touches: one folder, in which
the tree is laid out, so that the real reader, the real fold and the real `plan` look at real files.

Promised at that moment: each event whose `append` had returned (its fsync had), that no create that had
been sent whole is sent again, and whole files under final names.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from kiejobs.adapters.ledger.folder import FolderStore
from kiejobs.adapters.ledger.journal import JOURNAL
from kiejobs.cli import verbs  # noqa: F401 - they hang themselves onto the door
from kiejobs.cli.command_group import door
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.records import State
from tests.proofs.disk_recording import Asked, Made, Renamed, Synced, Wrote
from tests.proofs.power_cut_campaign import address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kiejobs.core.ledger.events import JournalRecord
    from tests.proofs.disk_model import Tree
    from tests.proofs.power_cut_campaign import Recording


@dataclass(frozen=True, slots=True)
class Losses:
    """What was wrong with a state, and what it left open. All but the last two are to be 0.

    `refused`: a journal is called damaged, though nothing that was promised is gone from it; nothing is
    bought until somebody has looked at it.
    """

    events_lost: int = 0
    bought_twice: int = 0
    tasks_lost: int = 0
    torn_files: int = 0
    torn_manifests: int = 0
    refused: int = 0
    in_doubt: int = 0


class Promises:
    """What had been promised after how many operations."""

    def __init__(self, recording: Recording) -> None:
        self._operations = recording.operations
        self._charges = recording.charges
        self.journals = {
            record.run_id: record for record in FolderStore(recording.folder / "runs").read().records
        }
        self.served = {path: digest for path, (_, _, digest) in recording.served.items()}
        self.events = sum(count for _, _, count in self._lines)

    def acknowledged(self, done: int) -> dict[str, int]:
        """Events of each run."""
        found: Counter[str] = Counter()
        for at, run_id, count in self._lines:
            if at < done:
                found[run_id] += count
        return dict(found)

    def charged(self, done: int) -> dict[str, str]:
        """Task ids by address: those whose create had left. It may be charged before it is answered."""
        return {where: task_id for at, where, task_id in self._sent if at < done}

    def owed(self, done: int) -> tuple[int, int]:
        """Grows with each new promise: how many events, how many charges."""
        return sum(self.acknowledged(done).values()), len(self.charged(done))

    @cached_property
    def manifests(self) -> set[bytes]:
        """Every manifest that was ever given its final name, whole."""
        data: dict[int, bytes] = {}
        found = set()
        for operation in self._operations:
            if isinstance(operation, Wrote):
                data[operation.file] = data.get(operation.file, b"") + operation.data
            elif isinstance(operation, Renamed) and operation.new == "manifest.json":
                found.add(data[operation.file])
        return found

    @cached_property
    def _lines(self) -> list[tuple[int, str, int]]:
        """When, whose, how many: lines of journals. Never synced counts as promised when written."""
        names = {op.file: op.name for op in self._operations if isinstance(op, Made)}
        whose = {
            op.file: names[op.folder]
            for op in self._operations
            if isinstance(op, Made) and op.name == JOURNAL
        }
        return [
            (self._synced_at(at, op), whose[op.file], op.data.count(b"\n"))
            for at, op in enumerate(self._operations)
            if isinstance(op, Wrote) and op.file in whose
        ]

    def _synced_at(self, written: int, write: Wrote) -> int:
        for at in range(written + 1, len(self._operations)):
            match self._operations[at]:
                case Synced(file) if file == write.file:
                    return at
                case Wrote(file) if file == write.file:
                    break
        return written

    @cached_property
    def _sent(self) -> list[tuple[int, str, str]]:
        """The last create call of each charged request: what is charged is not asked for again."""
        last = {
            json.dumps(op.body["input"], sort_keys=True): at
            for at, op in enumerate(self._operations)
            if isinstance(op, Asked)
        }
        return [
            (last[json.dumps(task.input, sort_keys=True)], address(task), task.task_id)
            for task in self._charges
        ]


class Checker:
    """Lays trees out in one folder, each over the one before, and looks at them."""

    def __init__(self, recording: Recording, promises: Promises, folder: Path) -> None:
        self._recording = recording
        self._promises = promises
        self.folder = folder
        self._there: Tree = {}

    def check(self, tree: Tree, done: int) -> Losses:
        self.lay_out(tree)
        files = self._torn(tree)
        try:
            journals = FolderStore(self.folder / "runs").read().records
        except JournalProblem:
            lost = self._lines_lost(tree, done)
            return Losses(lost, 0, 0, *files, refused=1)
        return self._judge(journals, done, files)

    def lay_out(self, tree: Tree) -> None:
        """Only what differs from the tree before is touched."""
        for path in sorted(self._there.keys() - tree.keys(), reverse=True):
            gone = self.folder / path
            if gone.is_dir():
                shutil.rmtree(gone)
            else:
                gone.unlink(missing_ok=True)
        for path, data in sorted(tree.items()):
            place = self.folder / path
            if data is None:
                place.mkdir(parents=True, exist_ok=True)
            elif data != self._there.get(path):
                place.unlink(missing_ok=True)
                place.write_bytes(data)
        self._there = tree

    def _judge(self, journals: list[JournalRecord], done: int, files: tuple[int, int]) -> Losses:
        charged = self._promises.charged(done)
        ledger = fold(journals, self._recording.url)
        attempts = list(ledger.attempts())
        known = {attempt.task_id for attempt in attempts}
        doubts = {attempt.address for attempt in attempts if attempt.state is State.IN_DOUBT}
        lost = [at for at, task_id in charged.items() if task_id not in known and at not in doubts]
        return Losses(
            events_lost=self._events_lost(journals, done),
            bought_twice=len(self._would_buy() & charged.keys()),
            tasks_lost=len(lost),
            torn_files=files[0],
            torn_manifests=files[1],
            in_doubt=len(doubts),
        )

    def _events_lost(self, journals: list[JournalRecord], done: int) -> int:
        found = {record.run_id: list(record.events) for record in journals}
        lost = 0
        for run_id, count in self._promises.acknowledged(done).items():
            wanted = list(self._promises.journals[run_id].events)[:count]
            there = found.get(run_id, [])[:count]
            lost += sum(
                1 for event, seen in zip(wanted, [*there, *[None] * count], strict=False) if event != seen
            )
        return lost

    def _lines_lost(self, tree: Tree, done: int) -> int:
        """The same by their bytes, where the reader refuses the journal."""
        lost = 0
        for run_id, count in self._promises.acknowledged(done).items():
            path = f"runs/{run_id}/{JOURNAL}"
            wanted = (self._recording.folder / path).read_bytes().split(b"\n")[:count]
            there = (tree.get(path) or b"").split(b"\n")
            lost += sum(1 for line in wanted if line not in there)
        return lost

    def _would_buy(self) -> set[str]:
        """Addresses that a restart would send creates for, as `plan` says."""
        where = self.folder
        words = ["plan", str(self._recording.folder / "jobs.yaml"), "--format", "json"]
        words += ["--runs", str(where / "runs"), "--outputs", str(where / "outputs")]
        words += ["--base-url", self._recording.url]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            door.main(words, prog_name="kiejobs", standalone_mode=False)
        changes = json.loads(out.getvalue())["changes"]
        return {change["address"] for change in changes if change["action"] == "submit"}

    def _torn(self, tree: Tree) -> tuple[int, int]:
        """Files and manifests under their final names that are not what they should be."""
        files = sum(1 for path, data in final_files(tree) if self._promises.served.get(path) != data)
        manifests = [
            data for path, data in tree.items() if path.endswith("/manifest.json") and data is not None
        ]
        return files, sum(1 for data in manifests if data not in self._promises.manifests)


def final_files(tree: Tree) -> Iterator[tuple[str, str]]:
    """Paths below the output folder, and SHA-256."""
    for path, data in tree.items():
        if path.startswith("outputs/") and data is not None and not path.endswith(".part"):
            yield path.removeprefix("outputs/"), hashlib.sha256(data).hexdigest()
