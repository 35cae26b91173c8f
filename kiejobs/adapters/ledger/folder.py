"""The ledger in a folder: each run's journal and manifest below it, one lock on all of it.

In: a runs folder. Out: the port `LedgerStore`. Touches: `RUN/journal.jsonl`, `RUN/manifest.json` and the
locks in that folder (`.lock*`, git-ignored); git, where it is asked whether journals are missing.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from filelock import FileLock, Timeout

from kiejobs.adapters.ledger.journal import JOURNAL, FileJournal, read_journal
from kiejobs.adapters.storage.output_folder import unwritable, write_atomically
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger.fold import History

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kiejobs.core.ledger.events import JournalRecord, RunStarted
    from kiejobs.ports import Clock, LedgerClaim, RunJournal

MANIFEST = "manifest.json"
_HOLDER = ".lock.json"
_GLANCE = 1.0  # seconds
_LONGEST_REFRESH = 10.0


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
        with manifests_lock(self._runs):
            history = self.read()
            changed = {
                one.run_id
                for one in history.records
                if every or one.run_id == run_id or self._is_behind(one.run_id)
            }
            written = []
            for one in history.with_stale_manifests(changed):
                place = self._write_manifest(one.run_id, history.manifest(one))
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

    def _write_manifest(self, run_id: str, data: bytes) -> str | None:
        path = self._runs / run_id / MANIFEST
        with contextlib.suppress(OSError):
            if path.read_bytes() == data:
                return None
        try:
            write_atomically(path, data)
        except OSError as error:
            raise JournalProblem(
                f"can't write {path}: {error.strerror or error}",
                hint="the journals are whole; `kiejobs manifest rebuild` writes it when there is room",
            ) from error
        return path.as_posix()


# --- one run at a time ---------------------------------------------------------------------------------


class RunsLock:
    """A context manager; `release` may be called before its end, once the last reserve is done.

    Raises JournalProblem that names the holder. The operating system lets go of the lock when its process
    dies, so there is no stale lock to break: whoever holds it knows that every open reserve is a dead run's.
    """

    def __init__(self, runs: Path, run_id: str, since: str) -> None:
        self.run_id = run_id
        self._runs = runs
        self._holder = {"run_id": run_id, "pid": os.getpid(), "since": since}
        self._lock = FileLock(runs / ".lock")

    def __enter__(self) -> Self:
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            # Those who only look hold it for a moment; a run holds it for much longer than this.
            self._lock.acquire(timeout=_GLANCE, poll_interval=0.05)
            (self._runs / _HOLDER).write_text(json.dumps(self._holder), encoding="utf-8")
        except Timeout as error:
            raise JournalProblem(
                f"{self._runs} is in use by {_in_words(holder(self._runs))}",
                hint="wait until it has submitted its last job, then run the same command again",
            ) from error
        except OSError as error:
            self._lock.release()
            raise JournalProblem(
                f"can't lock {self._runs}: {error.strerror or error}",
                hint="nothing can be bought where it can't be written down",
            ) from error
        return self

    @property
    def is_held(self) -> bool:
        return self._lock.is_locked

    def release(self) -> None:
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                (self._runs / _HOLDER).unlink(missing_ok=True)
            self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.release()


@contextlib.contextmanager
def manifests_lock(runs: Path) -> Iterator[None]:
    """Held while manifests are written. They can be rebuilt, so nobody fails for want of it."""
    lock = FileLock(runs / ".lock.manifests")
    if runs.is_dir():
        with contextlib.suppress(OSError):  # Timeout is one
            lock.acquire(timeout=_LONGEST_REFRESH)
    try:
        yield
    finally:
        lock.release()


def live_run(runs: Path) -> str | None:
    """The id of the run that holds the lock now, for those who only look."""
    if not (runs / ".lock").exists():
        return None
    lock = FileLock(runs / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        run_id = holder(runs).get("run_id")
        return str(run_id) if run_id else None
    except OSError:
        return None
    lock.release()
    return None


def holder(runs: Path) -> dict[str, object]:
    """What the holder wrote about itself; empty where it has not yet."""
    try:
        found = json.loads((runs / _HOLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _in_words(found: dict[str, object]) -> str:
    if "run_id" not in found:
        return "another run"
    return f"run {found['run_id']} (process {found.get('pid')}, since {found.get('since')})"
