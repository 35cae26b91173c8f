"""A runs folder and the ledger's branch, each brought up to date with the other.

In: a branch, a runs folder. Out: journals of other clones in the folder, those of the folder on the branch; who
holds a lease. Touches: both; `.lock.published` in the folder, which says what of the branch was looked at.

A journal is only ever appended to, so one of two copies is the beginning of the other: where that is not so,
nothing is taken and nothing is published. On the branch a long one is in parts, so that a push of what is new does
not carry what is old. The branch is not trusted for its names, kinds or sizes of files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import time
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

from filelock import FileLock, Timeout

from kiejobs.adapters.git import GitFailed
from kiejobs.adapters.ledger.folder import MANIFEST
from kiejobs.adapters.ledger.journal import JOURNAL, complete_lines, take_in
from kiejobs.adapters.ledger.lease import LEASE, Lease, lease_from
from kiejobs.adapters.ledger.locks import read_note
from kiejobs.adapters.ledger.moved import MOVED
from kiejobs.adapters.storage.output_folder import write_atomically
from kiejobs.core.diagnostics import JournalProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from kiejobs.adapters.ledger.branch import BranchFile, LedgerBranch
    from kiejobs.core.document.nodes import Json
    from kiejobs.ports import Clock

    _Parts: TypeAlias = "Sequence[tuple[str, BranchFile]]"

_SEEN = ".lock.published"
_PART = re.compile(r"journal(?:\.([1-9][0-9]{0,5}))?\.jsonl")
_PART_SIZE = 2**17  # bytes from which on a part stays as it is
_LARGEST = 2**28  # bytes of any file
_LARGEST_LEASE = 2**14
_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
_LONGEST_TURN = 100.0  # seconds: a fetch and a push that hang until they are ended
_MOST_REFUSALS = 3
_MOST_TRIES = 20
_LONG_OVER = timedelta(days=1)


class Unpublished(GitFailed):
    """Nothing can be published: the remote refuses it, or others are always faster."""


def tries(branch: LedgerBranch) -> Iterator[float]:
    """Seconds to wait after each try that others were faster at, about a minute in all; then Unpublished."""
    for number in range(_MOST_TRIES):
        yield min(0.05 * 1.5**number, 4.0) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
    raise Unpublished(f"{branch} changed before each of our pushes")


class Mirror:
    """`tip`, `files`, `copies` of journals and others' `leases` are the branch as it was last seen; `news` are the
    runs whose journals have grown here.

    Methods raise GitFailed where the remote can't be reached or takes nothing, JournalProblem where what is here
    and what is there contradict each other.
    """

    def __init__(self, branch: LedgerBranch, runs: Path, clock: Clock) -> None:
        self.branch = branch
        self.runs = runs
        self.tip: str | None = None
        self.files: Mapping[str, BranchFile] = {}
        self.copies: Mapping[str, _Parts] = {}
        self.leases: dict[str, Lease] = {}
        self.news: set[str] = set()
        self.own_run: str | None = None
        """The run of this process: nobody else appends to its journal."""
        self.fetched_at: float | None = None
        self.mark: bytes | None = None
        """What the branch says of where the ledger of this project went, once it is not here any more."""
        self._clock = clock
        self._seen: dict[str, str] | None = None
        self._is_known = False
        self._refusals = 0

    def pull(self) -> None:
        """Fetch, and take down what is new. Where that fails, what was fetched before is taken down."""
        with self._alone():
            try:
                self._look()
            except GitFailed:
                if not self._is_known:
                    self._see(self.branch.tip())
                raise

    def push_onto(
        self, tip: str | None, lease: Lease | None, message: str, *, manifests: bool = False
    ) -> bool:
        """False where the branch is not at `tip` any more: it was fetched then."""
        with self._alone():
            if self.tip == tip and self._is_known:
                return self._commit(dict(self._changes(lease, manifests=manifests)), message)
            if not self._is_known:
                self._look()
            return False

    def set_mark(self, mark: bytes | None) -> None:
        """The ledger has moved away, or, with None, is here again."""
        for pause in tries(self.branch):
            with self._alone():
                self._look()
                if (MOVED in self.files) == (mark is not None) or self._commit(
                    {MOVED: mark}, "kiejobs: the ledger moved"
                ):
                    return
            time.sleep(pause)

    def _commit(self, changes: Mapping[str, bytes | None], message: str) -> bool:
        if not changes:
            return True
        tip = self.tip
        commit = self.branch.commit_on(tip, changes, f"{message} [skip ci]")
        try:
            self.branch.push(commit, tip)
        except GitFailed as failed:
            self._look()
            if self.tip == commit:
                return True  # it was only the answer that was lost
            self._refusals = self._refusals + 1 if self.tip == tip else 0
            if self._refusals >= _MOST_REFUSALS:  # and nobody was faster
                raise Unpublished(str(failed)) from failed
            return False
        self._refusals = 0
        self._see(commit, published=set(changes))
        self.fetched_at = self._clock.monotonic()
        return True

    def is_behind(self, lease: Lease | None) -> bool:
        """Does the branch lack something of this run's journal, or still carry the lease that it has let go?"""
        run_id = self.own_run
        return run_id is not None and (
            self._lacks(run_id) or (lease is None and f"{run_id}/{LEASE}" in self.files)
        )

    def owner(self, run_id: str) -> str:
        """Whose run it is, in words."""
        lease = self.leases.get(run_id)
        return f"run {run_id}" if lease is None else lease.owner

    def live_elsewhere(self, clone: str) -> set[str]:
        """Runs whose leases hold, but for those of this clone: of these the lock on its folder knows better."""
        now = self._clock.now()
        return {one.run_id for one in self.leases.values() if one.until > now and one.clone != clone}

    def forget(self) -> None:
        """Look at each file of the branch again."""
        self._is_known, self._seen = False, {}

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One thread of one process at a time, of all that work in this clone."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.runs / ".lock.sync")
            lock.acquire(timeout=_LONGEST_TURN, poll_interval=0.02)
        except Timeout as error:
            raise GitFailed("another process of this clone is publishing") from error
        except OSError as error:
            raise GitFailed(f"can't write {self.runs}: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.release()

    def _look(self) -> None:
        self._see(self.branch.fetch())
        self.fetched_at = self._clock.monotonic()

    def _see(self, tip: str | None, published: Collection[str] = ()) -> None:
        """The branch at this commit. Of what was published just now it is known that it is the same here."""
        if tip == self.tip and self._is_known:
            return
        files = {} if tip is None else self.branch.files(tip)
        copies = self._copies(files)
        seen = self._read_seen() if self._seen is None else self._seen
        seen.update((path, files[path].blob) for path in published if path in files)
        if self._take_journals(copies, seen) | self._take_manifests(files, seen):
            self._write_seen(seen)
        self.leases = self._read_leases(files)
        self.mark = self._read_mark(files.get(MOVED))
        self.tip, self.files, self.copies, self._is_known, self._seen = tip, files, copies, True, seen

    def _copies(self, files: Mapping[str, BranchFile]) -> dict[str, _Parts]:
        """Each journal as its parts. What can't be taken for one may have been one: unreadable is not empty."""
        found: dict[str, dict[int, tuple[str, BranchFile]]] = {}
        for path, file in files.items():
            part = _PART.fullmatch(_name(path))
            if part is not None:
                if not _fits(path, file):
                    raise self._unreadable(path, "has a name, a kind or a size that no journal has")
                found.setdefault(_run(path), {})[int(part[1] or 0)] = (path, file)
        for run_id, parts in found.items():
            if max(parts) >= len(parts):
                raise self._unreadable(run_id, "has a journal that lacks a part")
        return {run_id: [parts[number] for number in range(len(parts))] for run_id, parts in found.items()}

    def _unreadable(self, path: str, what: str) -> JournalProblem:
        hint = f"look at it with `git show {self.branch.ref}:{self.branch.prefix}runs/`"
        return JournalProblem(f"{self.branch}: {path!r} {what}", hint=hint)

    def _take_journals(self, copies: Mapping[str, _Parts], seen: dict[str, str]) -> bool:
        """Was there anything to look at?"""
        wanted: dict[str, BranchFile] = {}
        starts: dict[str, int] = {}
        for run_id, parts in copies.items():
            starts[run_id], rest = self._not_seen(run_id, parts, seen)
            wanted.update(rest)
        pieces = self.branch.contents(wanted) if wanted else ()
        for run_id, group in groupby(pieces, key=lambda piece: _run(piece[0])):
            path = self.runs / run_id / JOURNAL
            known = path.read_bytes()[: starts[run_id]] if starts[run_id] else b""
            is_ours = run_id == self.own_run
            take_in(path, known + b"".join(data for _, data in group), is_ours=is_ours)
            if not is_ours:  # also where another process of this clone has taken it in before us
                self.news.add(run_id)
        seen.update((path, file.blob) for path, file in wanted.items())
        return bool(wanted)

    def _not_seen(self, run_id: str, parts: _Parts, seen: Mapping[str, str]) -> tuple[int, _Parts]:
        """How much of it is known to be here; the parts after that."""
        here, start = self._size_here(run_id), 0
        for number, (path, file) in enumerate(parts):
            if seen.get(path) != file.blob or start + file.size > here:
                return start, parts[number:]
            start += file.size
        return start, []

    def _take_manifests(self, files: Mapping[str, BranchFile], seen: dict[str, str]) -> bool:
        """After the journals, which have what they name. Was there anything to take?"""
        wanted = {
            path: file
            for path, file in files.items()
            if _name(path) == MANIFEST and _fits(path, file) and seen.get(path) != file.blob
        }
        for path, data in self.branch.contents(wanted) if wanted else ():
            self._take_manifest(path, data)
        seen.update((path, file.blob) for path, file in wanted.items())
        return bool(wanted)

    def _take_manifest(self, path: str, data: bytes) -> None:
        """As old as can be: whoever knows more journals writes it again."""
        if (self.runs / path).parent.is_dir():
            write_atomically(self.runs / path, data)
            os.utime(self.runs / path, (0, 0))

    def _read_leases(self, files: Mapping[str, BranchFile]) -> dict[str, Lease]:
        wanted = {
            path: file
            for path, file in files.items()
            if _name(path) == LEASE and _fits(path, file, _LARGEST_LEASE) and _run(path) != self.own_run
        }
        pieces = self.branch.contents(wanted) if wanted else ()
        found = (lease_from(_run(path), data) for path, data in pieces)
        return {lease.run_id: lease for lease in found if lease is not None}

    def _changes(self, lease: Lease | None, *, manifests: bool) -> Iterator[tuple[str, bytes | None]]:
        for journal in sorted(self.runs.glob(f"*/{JOURNAL}")):
            if _RUN.fullmatch(journal.parent.name) and self._lacks(journal.parent.name):
                yield from self._new_parts(journal)
        if manifests:
            yield from self._manifests()
        yield from self._leases(lease)

    def _new_parts(self, journal: Path) -> Iterator[tuple[str, bytes]]:
        run_id = journal.parent.name
        parts = self.copies.get(run_id, [])
        kept = parts[:-1] if parts and parts[-1][1].size < _PART_SIZE else parts
        start, number = _total(kept), len(kept)
        with journal.open("rb") as stream:
            stream.seek(start)
            data = complete_lines(stream.read())
        if start + len(data) <= _total(parts):
            return
        while data:
            end = data.find(b"\n", _PART_SIZE) + 1 or len(data)
            yield f"{run_id}/{f'journal.{number}.jsonl' if number else JOURNAL}", data[:end]
            data, number = data[end:], number + 1

    def _lacks(self, run_id: str) -> bool:
        return self._size_here(run_id) > _total(self.copies.get(run_id, ()))

    def _size_here(self, run_id: str) -> int:
        try:
            return (self.runs / run_id / JOURNAL).stat().st_size
        except OSError:
            return 0

    def _manifests(self) -> Iterator[tuple[str, bytes]]:
        for place in sorted(self.runs.glob(f"*/{MANIFEST}")):
            path = f"{place.parent.name}/{MANIFEST}"
            known = self.files.get(path)
            if known is None or known.size != place.stat().st_size or place.stat().st_mtime:
                data = place.read_bytes()
                if known is None or known.blob != _blob(data, len(known.blob)):
                    yield path, data

    def _leases(self, own: Lease | None) -> Iterator[tuple[str, bytes | None]]:
        """Ours as it is to be; gone is that of a run of ours that has ended, and what ran out long ago."""
        if own is not None:
            yield f"{own.run_id}/{LEASE}", own.to_bytes()
        elif f"{self.own_run}/{LEASE}" in self.files:
            yield f"{self.own_run}/{LEASE}", None
        for lease in self.leases.values():
            if self._clock.now() - lease.until > _LONG_OVER:
                yield f"{lease.run_id}/{LEASE}", None

    def _read_mark(self, file: BranchFile | None) -> bytes | None:
        if file is None:
            return None
        readable = file.regular and file.size <= _LARGEST_LEASE
        return dict(self.branch.contents({MOVED: file}))[MOVED] if readable else b""

    def _read_seen(self) -> dict[str, str]:
        found = read_published(self.runs).get("files")
        pairs = found.items() if isinstance(found, dict) else ()
        return {path: blob for path, blob in pairs if isinstance(blob, str)}

    def _write_seen(self, seen: Mapping[str, str]) -> None:
        document = {"branch": self.branch.branch, "remote": self.branch.remote, "files": seen}
        with contextlib.suppress(OSError):  # it saves work, no more
            write_atomically(self.runs / _SEEN, json.dumps(document).encode())


def read_published(runs: Path) -> Mapping[str, Json]:
    """Which branch and remote a folder was last held against, and what was seen there."""
    return read_note(runs / _SEEN)


def _run(path: str) -> str:
    return path.partition("/")[0]


def _name(path: str) -> str:
    """What kind of a run's files it is: its last part; nothing for what is not in a run's folder."""
    return path.rpartition("/")[2]


def _fits(path: str, file: BranchFile, largest: int = _LARGEST) -> bool:
    """Is it a file of a run's, and not too large?"""
    run_id, _, name = path.partition("/")
    return (
        file.regular
        and file.size <= largest
        and bool(name)
        and "/" not in name
        and _RUN.fullmatch(run_id) is not None
    )


def _total(parts: _Parts) -> int:
    return sum(file.size for _, file in parts)


def _blob(data: bytes, digits: int) -> str:
    """As git names it."""
    make = hashlib.sha256 if digits == 64 else hashlib.sha1
    return make(b"blob %d\0" % len(data) + data).hexdigest()
