"""The runs folder's documents: manifests kept in step with the journals.

In: a workspace. Out: `manifest.json` files, runs by name. Touches: the runs folder.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kiejobs.adapters.journal import write_atomically
from kiejobs.core.errors import UsageProblem
from kiejobs.core.fold import fold
from kiejobs.core.manifest import manifest, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kiejobs.commands.workspace import Workspace
    from kiejobs.core.fold import JournalRecord

MANIFEST = "manifest.json"


def refresh_manifests(space: Workspace, touched: Iterable[str] | None = None) -> list[Path]:
    """Write the manifests that are missing, or that mention a touched attempt; with None, all.

    A run that was killed left none; the next command makes up for it. Answers with what changed.
    """
    journals = space.journals()
    ids = None if touched is None else set(touched)
    return [
        path
        for record in journals
        if not record.live and record.header is not None and _is_due(space, record, ids)
        for path in _write(space, record, journals)
    ]


def expected_manifest(record: JournalRecord, journals: list[JournalRecord]) -> bytes:
    """The manifest that the journals call for: a run sees all purchases from its own API."""
    origin = record.header.origin if record.header else None
    return to_bytes(manifest(record, fold(journals, origin)))


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


def _is_due(space: Workspace, record: JournalRecord, touched: set[str] | None) -> bool:
    if touched is None or not manifest_path(space, record.run_id).exists():
        return True
    return any(getattr(timed.event, "attempt_id", None) in touched for timed in record.events)


def _write(space: Workspace, record: JournalRecord, journals: list[JournalRecord]) -> list[Path]:
    path = manifest_path(space, record.run_id)
    data = expected_manifest(record, journals)
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return []
    write_atomically(path, data)
    return [path]
