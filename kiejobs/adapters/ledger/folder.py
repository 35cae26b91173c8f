"""The ledger in a folder: each run's journal and manifest below it, one lock on all of it.

In: a runs folder. Out: the port `LedgerStore`. Touches: `RUN/journal.jsonl`, `RUN/manifest.json`, the folder's
lock, the index in it (`.lock*`, git-ignored); git, where it is asked whether journals are missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from dataclasses import replace
from stat import S_ISLNK, S_ISREG
from typing import TYPE_CHECKING

from kiejobs.adapters.ledger.journal import (
    JOURNAL,
    RESTORE,
    FileJournal,
    complete_lines,
    parse_journal,
    read_journal,
    take_in,
    utf_8,
)
from kiejobs.adapters.ledger.moved import MOVED, moved
from kiejobs.adapters.storage.output_folder import unwritable, write_atomically
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger.events import JournalRecord
from kiejobs.core.ledger.fold import History, contradictions, purchases_known
from kiejobs.core.ledger.manifest import to_pieces

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kiejobs.adapters.ledger.index import Identity, Index
    from kiejobs.adapters.ledger.locks import RunsLock
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.events import RunStarted, Timed
    from kiejobs.ports import Clock, LedgerClaim, Limits, RunJournal

MANIFEST = "manifest.json"
INDEX = ".lock.index"
"""Projects have git ignore `runs/.lock*`: an index is this machine's, and never committed."""


_PURCHASE = re.compile(rb'^ {6}"(?:attempt_id|task_id)": ("(?:[^"\\]|\\.)*")', re.MULTILINE)
"""What a manifest says of a job itself; deeper down are its requests, which may have fields of these names."""
_PIECE = 2**20
_WORTH_AN_INDEX = 256 * 1024  # bytes of closed journals that are parsed each time for want of one


class FolderStore:
    """One process's view of a runs folder."""

    def __init__(self, runs: Path, worth_an_index: int = _WORTH_AN_INDEX) -> None:
        self._runs = runs
        self._worth_an_index = worth_an_index
        self._claim: RunsLock | None = None
        self._own: FileJournal | None = None
        self._index: Index | None = None
        self._known: dict[str, tuple[tuple[int, int, int], Identity, JournalRecord]] = {}
        """Journals as read, with how their files looked right before."""
        self._links: set[str] = set()
        self._unchecked: set[str] = set()
        """Runs whose journals were read, or are not there, since what they say was last held against all others."""
        self._history = History(())
        self.trouble = None
        self.live_elsewhere: Collection[str] = frozenset()
        """Runs on other machines that may buy now, where this folder is one of several ends of a home."""

    @property
    def name(self) -> str:
        return str(self._runs)

    def read(self) -> History:
        history = self._read_all()
        if self._flaws(history.records):
            history = self._read_all()  # others write meanwhile; what stays is a flaw
            for _, problem in self._flaws(history.records):
                raise problem
        self._unchecked.clear()
        self._keep_index()
        return history

    def _read_all(self) -> History:
        live = self._live_runs()
        if self._index is None and (self._runs / INDEX).is_file():
            from kiejobs.adapters.ledger.index import read_index  # noqa: PLC0415 - small folders have none

            self._index = read_index(self._runs / INDEX)
        records = [self._record(run_id, live) for run_id in self._run_ids()]
        if self._index and not self._is_sound(self._index, records):
            self._forget_index()
            return self._read_all()
        self._history = self._history.updated(records, live)
        return self._history

    def check(self) -> tuple[History, list[tuple[str, JournalProblem]]]:
        self._forget_index()
        live = self._live_runs()
        records, damaged = [], []
        for run_id in self._run_ids():
            try:
                records.append(self._record(run_id, live))
            except JournalProblem as problem:
                damaged.append((self.place(run_id), problem))
        self._history = self._history.updated(records, live)
        self._unchecked.update(record.run_id for record in records)
        return self._history, damaged or self._flaws(records)

    def claim(self, run_id: str, since: str) -> LedgerClaim:
        from kiejobs.adapters.ledger.locks import RunsLock  # noqa: PLC0415 - only who buys

        self._claim = RunsLock(self._runs, run_id, since)
        return self._claim

    def require_current(self) -> list[str]:
        from kiejobs.adapters.ledger.upstream import require_current  # noqa: PLC0415 - behind a purchase

        self._require_here()
        return require_current(self._runs)

    def ignored_by(self) -> str | None:
        """The line that has git ignore the journals here, `FILE:LINE:PATTERN`."""
        from kiejobs.adapters.ledger.upstream import ignored_by  # noqa: PLC0415 - for init

        return ignored_by(self._runs)

    def journal(self, header: RunStarted, clock: Clock) -> RunJournal:
        self._own = FileJournal(self._runs, header, clock, self._require_claim)
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
        return path.read_bytes() if path.is_file() else None

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

    def journals(self) -> Iterator[tuple[str, bytes]]:
        """All journals, each with its run's id: for another home. What was torn was never acknowledged, and stays here."""
        for run_id in sorted(run_ids(self._runs)):
            try:
                yield run_id, complete_lines((self._runs / run_id / JOURNAL).read_bytes())
            except OSError as error:
                raise self._unreadable(error) from error

    def take_in(self, run_id: str, data: bytes) -> None:
        """Another home's journal. Raises JournalProblem where this one has another journal of that run."""
        take_in(self._runs / run_id / JOURNAL, data)

    def mark_moved(self, mark: bytes | None) -> None:
        """The ledger is elsewhere from now on, or, with None, here again: nobody reads this home until then."""
        path = self._runs / MOVED
        if mark is None:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
        elif not path.is_file() or path.read_bytes() != mark:
            write_atomically(path, mark)

    def owner(self, run_id: str) -> str:
        return f"run {run_id}"

    def limit(self, limits: Limits | None) -> None:
        """Nobody else buys while one does, so that what its plan was held against is true."""

    def claims(self) -> None:
        """The lock on the folder keeps everybody else out."""

    async def keep(self) -> None:
        """What is written is published."""

    def hurry(self) -> None:
        """As above."""

    def _live_runs(self) -> Collection[str]:
        if self._claim is not None and self._claim.is_held:
            return {self._claim.run_id, *self.live_elsewhere}
        if not self._runs.is_dir():
            return self.live_elsewhere
        from kiejobs.adapters.ledger.locks import live_run  # noqa: PLC0415 - as above

        live = live_run(self._runs)
        return self.live_elsewhere if live is None else {live, *self.live_elsewhere}

    def _require_claim(self) -> None:
        if self._claim is not None:
            self._claim.require_same()

    def _require_here(self) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            raise moved(self.name, (self._runs / MOVED).read_bytes())

    def _run_ids(self) -> list[str]:
        """Folders with journals, whatever state these are in; links, which may lead anywhere, to be refused."""
        found = []
        self._links.clear()
        try:
            with os.scandir(self._runs) as entries:
                for entry in entries:
                    if entry.name == MOVED:
                        self._require_here()
                    if entry.is_symlink() and not entry.name.startswith("."):
                        self._links.add(entry.name)
                        found.append(entry.name)
                    elif entry.is_dir(follow_symlinks=False):
                        try:
                            os.lstat(f"{entry.path}/{JOURNAL}")
                            found.append(entry.name)
                        except FileNotFoundError:
                            self._unchecked.add(entry.name)  # its manifest may know of what it had
        except FileNotFoundError:
            if self._runs.is_symlink():
                raise _is_link(self._runs) from None
        except OSError as error:
            raise self._unreadable(error) from error
        return sorted(found)

    def _record(self, run_id: str, live: Collection[str]) -> JournalRecord:
        own = self._own.record() if self._own is not None and run_id == self._own.run_id else None
        try:
            record = self._known_record(run_id) if own is None else own
        except OSError as error:
            raise self._unreadable(error) from error
        return replace(record, live=True) if run_id in live else record

    def _known_record(self, run_id: str) -> JournalRecord:
        """From memory, where its file is as it was: journals are only ever appended to."""
        if run_id in self._links:
            raise _is_link(self._runs / run_id)
        path, known = self._runs / run_id / JOURNAL, self._known.get(run_id)
        found = path.lstat()
        if not S_ISREG(found.st_mode):
            if S_ISLNK(found.st_mode):
                raise _is_link(path)
            raise JournalProblem(f"{path} is no file", hint=RESTORE)
        file = (found.st_ino, found.st_size, found.st_mtime_ns)
        if known is None or known[0] != file:
            known = self._known[run_id] = (file, *self._read(run_id, path))
        return known[2]

    def _read(self, run_id: str, path: Path) -> tuple[Identity, JournalRecord]:
        """From the index where its content is the same, else from its lines."""
        with path.open("rb", buffering=0) as stream:
            found = os.fstat(stream.fileno())
            data = stream.readall()
        identity = (hashlib.sha256(data).hexdigest(), found.st_ino, found.st_ctime_ns)
        known, closed = (self._index or {}).get(run_id, (None, None))
        if known != identity:
            self._unchecked.add(run_id)
            return identity, parse_journal(path, data)
        from kiejobs.core.ledger.closed import StoredEvents  # noqa: PLC0415 - as above

        events = StoredEvents(lambda: self._events(path))
        return identity, JournalRecord(run_id, events, closed=closed)

    def _events(self, path: Path) -> Sequence[Timed]:
        try:
            return read_journal(path).events
        except OSError as error:
            raise self._unreadable(error) from error

    def _flaws(self, records: Sequence[JournalRecord]) -> list[tuple[str, JournalProblem]]:
        """Where journals contradict each other, or a manifest knows of what no journal has: by place."""
        if not self._unchecked:
            return []
        found = [
            (run_id, f"{self.place(run_id)}:{self._last_line_with(run_id, name)}: {why}")
            for run_id, name, why in contradictions(records)
        ]
        lost = {run_id: self._named_in_manifest(run_id) for run_id in self._unchecked}
        if any(lost.values()):
            known = purchases_known(records)
            for run_id in sorted(lost):
                if names := sorted(lost[run_id] - known):
                    what = f"{len(names)} purchases" if len(names) > 1 else "a purchase"
                    lacks = f"{self.manifest_place(run_id)} names {what} that no journal has ({names[0]})"
                    found.append((run_id, f"{lacks}; {self.place(run_id)} may be cut off or missing"))
        return [(self.place(run_id), JournalProblem(why, hint=RESTORE)) for run_id, why in found]

    def _last_line_with(self, run_id: str, name: str) -> int:
        """Counted from 1: where a journal names an attempt last."""
        lines = (self._runs / run_id / JOURNAL).read_bytes().split(b"\n")
        return max((n for n, line in enumerate(lines, start=1) if utf_8(name) in line), default=1)

    def _named_in_manifest(self, run_id: str) -> set[str]:
        """Its tasks and attempts, without reading it as JSON: a manifest of 100,000 jobs has 160 MB."""
        path, found = self._runs / run_id / MANIFEST, set[str]()
        with contextlib.suppress(OSError):
            if S_ISREG(path.lstat().st_mode):
                with path.open("rb") as stream:
                    while lines := stream.readlines(_PIECE):
                        found.update(map(json.loads, _PURCHASE.findall(b"".join(lines))))
        return found

    def _unreadable(self, error: OSError) -> JournalProblem:
        return JournalProblem(f"can't read {self._runs}: {error.strerror or error}")

    def _is_sound(self, index: Index, records: Sequence[JournalRecord]) -> bool:
        from kiejobs.core.ledger.closed import settled_apart  # noqa: PLC0415 - as above

        return settled_apart(records, index)

    def _forget_index(self) -> None:
        self._index = {}
        self._known = {name: one for name, one in self._known.items() if not one[2].closed}

    def _keep_index(self) -> None:
        """Where it saves work: a sixteenth may be missing in it. Not by who writes a journal: that is not over."""
        indexed = parsed = 0
        for (_, size, _), _, record in self._known.values():
            if record.closed:
                indexed += size
            elif record.is_over:
                parsed += size
        if parsed <= self._worth_an_index + indexed // 16 or (self._own and self._own.record()):
            return
        from kiejobs.adapters.ledger.index import write_index  # noqa: PLC0415 - seldom

        runs = self._history.closed_runs()
        index = {name: (self._known[name][1], closed) for name, closed in runs.items()}
        write_index(self._runs / INDEX, index)

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
                with contextlib.suppress(OSError):
                    os.utime(path)  # a checkout gave it any time; now it needn't be read again
                return None
        try:
            write_atomically(path, to_pieces(document))
        except OSError as error:
            raise JournalProblem(
                f"can't write {path}: {error.strerror or error}",
                hint="the journals are complete; `kiejobs manifest rebuild` writes it when there is room",
            ) from error
        return path.as_posix()


def holds_journals(runs: Path) -> bool:
    """Is it a runs folder that something was ever bought into, and that the ledger has not left since?"""
    return bool(run_ids(runs)) and not os.path.lexists(runs / MOVED)


def run_ids(runs: Path) -> set[str]:
    """The runs that have a journal there, in whatever state."""
    try:
        return {one.name for one in runs.iterdir() if os.path.lexists(one / JOURNAL)}
    except OSError:  # there is none, or it is no folder
        return set()


def _is_link(path: Path) -> JournalProblem:
    hint = "put a real file or folder there; to keep journals elsewhere, name that folder: --runs"
    return JournalProblem(f"{path} is a symbolic link, and journals are read through none", hint=hint)


def _holds(path: Path, pieces: Iterable[bytes]) -> bool:
    with path.open("rb") as stream:
        return all(stream.read(len(one)) == one for one in pieces) and not stream.read(1)
