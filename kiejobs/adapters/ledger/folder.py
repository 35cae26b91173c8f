"""The ledger in a folder: each run's journal and manifest below it, one lock on all of it.

In: a runs folder. Out: the port `LedgerStore`. Touches: `RUN/journal.jsonl`, `RUN/manifest.json` and the
locks in that folder (`.lock*`, git-ignored); git, where it is asked whether journals are missing.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.adapters.ledger.journal import JOURNAL, FileJournal, read_journal
from kiejobs.adapters.storage.output_folder import unwritable, write_atomically
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger.fold import History
from kiejobs.core.ledger.manifest import to_pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kiejobs.adapters.ledger.locks import RunsLock
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.events import JournalRecord, RunStarted
    from kiejobs.ports import Clock, LedgerClaim, RunJournal

MANIFEST = "manifest.json"


class FolderStore:
    """One process's view of a runs folder."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._claim: RunsLock | None = None
        self._own: FileJournal | None = None
        self._known: dict[str, tuple[tuple[int, int, int], JournalRecord]] = {}
        """Journals as read, with how their files looked right before."""
        self._history = History(())

    @property
    def name(self) -> str:
        return str(self._runs)

    def read(self) -> History:
        live = self._live_run()
        return self._remember(map(self._record, self._run_ids()), live)

    def check(self) -> tuple[History, list[tuple[str, JournalProblem]]]:
        live = self._live_run()
        records, damaged = [], []
        for run_id in self._run_ids():
            try:
                records.append(self._record(run_id))
            except JournalProblem as problem:
                damaged.append((self.place(run_id), problem))
        return self._remember(records, live), damaged

    def claim(self, run_id: str, since: str) -> LedgerClaim:
        from kiejobs.adapters.ledger.locks import RunsLock  # noqa: PLC0415 - filelock is slow to import

        self._claim = RunsLock(self._runs, run_id, since)
        return self._claim

    def require_current(self) -> list[str]:
        from kiejobs.adapters.ledger.upstream import require_current  # noqa: PLC0415 - behind a purchase

        return require_current(self._runs)

    def journal(self, header: RunStarted, clock: Clock) -> RunJournal:
        self._own = FileJournal(self._runs, header, clock)
        return self._own

    def publish(self, run_id: str | None = None, *, every: bool = False) -> list[str]:
        """One process at a time, each with the journals as they are then: the last to write knows most."""
        from kiejobs.adapters.ledger.locks import manifests_lock  # noqa: PLC0415 - as above

        with manifests_lock(self._runs):
            history = self.read()
            changed = {
                one.run_id
                for one in history.records
                if every or one.run_id == run_id or self._is_behind(one.run_id)
            }
            written = []
            for one in history.with_stale_manifests(changed):
                place = self._write_manifest(one.run_id, history.document(one))
                written += [] if place is None else [place]
        return written

    def manifest(self, run_id: str) -> bytes | None:
        path = self._runs / run_id / MANIFEST
        return path.read_bytes() if path.exists() else None

    def place(self, run_id: str) -> str:
        return (self._runs / run_id / JOURNAL).as_posix()

    def manifest_place(self, run_id: str) -> str:
        return (self._runs / run_id / MANIFEST).as_posix()

    def document(self, run_id: str) -> str | None:
        for place in (self._runs / run_id / MANIFEST, self._runs / run_id / JOURNAL):
            if place.exists():
                return place.as_posix()
        return None

    def unwritable(self) -> str | None:
        return unwritable(self._runs)

    def _live_run(self) -> str | None:
        if self._claim is not None and self._claim.is_held:
            return self._claim.run_id  # nobody else can be at work
        if not (self._runs / ".lock").exists():
            return None
        from kiejobs.adapters.ledger.locks import live_run  # noqa: PLC0415 - as above

        return live_run(self._runs)

    def _run_ids(self) -> list[str]:
        try:
            if not self._runs.is_dir():
                return []
            return sorted(one.name for one in self._runs.iterdir() if (one / JOURNAL).is_file())
        except OSError as error:
            raise self._unreadable(error) from error

    def _record(self, run_id: str) -> JournalRecord:
        """From memory, where its file is as it was: journals are only ever appended to."""
        own = self._own.record() if self._own is not None and run_id == self._own.run_id else None
        if own is not None:
            return own
        path = self._runs / run_id / JOURNAL
        try:
            found = path.stat()
            file = (found.st_ino, found.st_size, found.st_mtime_ns)
            known = self._known.get(run_id)
            if known is None or known[0] != file:
                known = self._known[run_id] = (file, read_journal(path))
        except OSError as error:
            raise self._unreadable(error) from error
        return known[1]

    def _unreadable(self, error: OSError) -> JournalProblem:
        return JournalProblem(f"can't read {self._runs}: {error.strerror or error}")

    def _remember(self, records: Iterable[JournalRecord], live: str | None) -> History:
        marked = [replace(one, live=True) if one.run_id == live else one for one in records]
        self._history = self._history.updated(marked, live)
        return self._history

    def _is_behind(self, run_id: str) -> bool:
        """Was something written to its journal since, or was its manifest never written?"""
        journal, manifest = self._runs / run_id / JOURNAL, self._runs / run_id / MANIFEST
        try:
            return journal.stat().st_mtime_ns >= manifest.stat().st_mtime_ns
        except OSError:
            return True

    def _write_manifest(self, run_id: str, document: Mapping[str, Json]) -> str | None:
        path = self._runs / run_id / MANIFEST
        with contextlib.suppress(OSError):
            if _holds(path, to_pieces(document)):
                return None
        try:
            write_atomically(path, to_pieces(document))
        except OSError as error:
            raise JournalProblem(
                f"can't write {path}: {error.strerror or error}",
                hint="the journals are whole; `kiejobs manifest rebuild` writes it when there is room",
            ) from error
        return path.as_posix()


def _holds(path: Path, pieces: Iterable[bytes]) -> bool:
    with path.open("rb") as stream:
        return all(stream.read(len(one)) == one for one in pieces) and not stream.read(1)
