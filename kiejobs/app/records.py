"""The runs folder's documents: manifests kept in step with the journals.

In: a workspace. Out: `manifest.json` files, runs by name. Touches: the runs folder.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeAlias

from kiejobs.adapters.ledger.journal import JOURNAL, write_atomically
from kiejobs.adapters.ledger.run_lock import manifests_lock
from kiejobs.core.diagnostics import JournalProblem, UsageProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.manifest import manifest, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.fold import JournalRecord
    from kiejobs.core.ledger.ledger import Ledger

Key: TypeAlias = "tuple[str, int]"
MANIFEST = "manifest.json"


def refresh_manifests(space: Workspace, run_id: str | None = None) -> list[Path]:
    """Bring up to date what a run had a hand in, and what a killed run left behind.

    Manifests of earlier runs that speak of the same purchases are written anew too. Answers with what
    changed. Raises JournalProblem where a manifest can't be written.
    """
    return _refresh(space, lambda record: record.run_id == run_id or _is_behind(space, record))


def rebuild_manifests(space: Workspace) -> list[Path]:
    """All of them, whatever lies there. Answers with what changed."""
    return _refresh(space, lambda _: True)


class RunDocuments:
    """All journals of a folder, and the ledgers that they fold to: one for each API."""

    def __init__(self, journals: list[JournalRecord]) -> None:
        self.all = journals
        self._ledgers: dict[str | None, Ledger] = {}

    def ledger(self, record: JournalRecord) -> Ledger:
        """A run sees all purchases from its own API."""
        origin = record.header.origin if record.header else None
        if origin not in self._ledgers:
            self._ledgers[origin] = fold(self.all, origin)
        return self._ledgers[origin]

    def touched(self, record: JournalRecord) -> set[Key]:
        """The purchases that a journal has something to say about: their state may have changed."""
        ledger = self.ledger(record)
        named = (getattr(timed.event, "attempt_id", None) for timed in record.events)
        attempts = (ledger.attempt(name) for name in named if name is not None)
        adopted = (
            (timed.event.fingerprint, timed.event.take)
            for timed in record.events
            if isinstance(timed.event, e.Adopted)
        )
        return {*adopted, *(attempt.key for attempt in attempts if attempt is not None)}

    def shown(self, record: JournalRecord) -> set[Key]:
        """The purchases that its manifest shows: what it touched, and what it only planned."""
        planned = (
            (timed.event.fingerprint, timed.event.take)
            for timed in record.events
            if isinstance(timed.event, e.Planned)
        )
        return {*planned, *self.touched(record)}

    def expected(self, record: JournalRecord) -> bytes:
        """The manifest that the journals call for."""
        return to_bytes(manifest(record, self.ledger(record)))


def manifest_path(space: Workspace, run_id: str) -> Path:
    return space.runs / run_id / MANIFEST


def find_run(space: Workspace, journals: list[JournalRecord], name: str | None) -> JournalRecord:
    """A run by its id or the beginning of it; the latest with jobs where no name is given.

    Raises UsageProblem.
    """
    known = [record for record in journals if record.header is not None]
    if name is not None:
        known = [record for record in known if record.run_id.startswith(name)]
    if not known:
        what = "no run yet" if name is None else f"no run `{name}`"
        raise UsageProblem(f"{what} in {space.runs}", hint="`kiejobs status` lists the runs")
    if name is not None and len(known) > 1:
        names = ", ".join(record.run_id for record in known)
        raise UsageProblem(f"`{name}` could be any of {names}")
    return known[-1]


def _is_behind(space: Workspace, record: JournalRecord) -> bool:
    """Was something written to its journal since, or was its manifest never written?"""
    path = manifest_path(space, record.run_id)
    try:
        return path.with_name(JOURNAL).stat().st_mtime_ns >= path.stat().st_mtime_ns
    except OSError:
        return True


def _refresh(space: Workspace, is_seed: Callable[[JournalRecord], bool]) -> list[Path]:
    """One process at a time, each reading the journals anew: the last to write knows most."""
    with manifests_lock(space.runs):
        records = RunDocuments(space.journals())
        settled = [record for record in records.all if not record.live and record.header]
        seeds = {record.run_id: records.touched(record) for record in settled if is_seed(record)}
        touched = set[Key]().union(*seeds.values())
        due = [
            record
            for record in settled
            if record.run_id in seeds or not touched.isdisjoint(records.shown(record))
        ]
        return [path for record in due for path in _write(space, record, records)]


def _write(space: Workspace, record: JournalRecord, records: RunDocuments) -> list[Path]:
    path = manifest_path(space, record.run_id)
    data = records.expected(record)
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return []
    try:
        write_atomically(path, data)
    except OSError as error:
        raise JournalProblem(
            f"can't write {path}: {error.strerror or error}",
            hint="the journals are whole; `kiejobs manifest rebuild` writes it when there is room",
        ) from error
    return [path]
