"""Files that survive a power cut, and the folder of results: where files are, whether they are still whole.

In: bytes and a path; records from the journal. Out: the file complete under its name, or as it was; safe
targets, the condition of files, whether a folder can be written. Touches: disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kiejobs.core.ledger.records import FileRecord

_LONGEST_PATH = 4096  # Linux' own


class PathRefused(Exception):
    """A path that would leave the output folder."""


class OutputFolder:
    """The half of the port `Artifacts` that needs no network."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: set[Path] = set()

    def condition(self, files: Sequence[FileRecord], collected_at: str) -> str | None:
        """`file_missing`, `file_damaged`, or None where all are whole.

        A file that still has the size and the time it was given when it came home is not read again;
        any other is hashed.
        """
        conditions = (self._condition_of(file, collected_at) for file in files)
        return next((found for found in conditions if found is not None), None)

    def mark(self, files: Sequence[FileRecord], collected_at: str) -> None:
        """Give whole files the time of their event, by which `condition` knows them again."""
        moment = _nanoseconds(collected_at)
        for file in files:
            with contextlib.suppress(OSError, PathRefused):
                os.utime(self._place(file), ns=(moment, moment))

    def digest_of(self, file: FileRecord) -> str | None:
        """The SHA-256 of what lies there now; None where nothing does."""
        try:
            with self._place(file).open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except (OSError, PathRefused):
            return None

    def target(self, path: str) -> Path:
        """Where a file is to go, its folder made, and so that no power cut takes the folder away.

        Links on the way must not lead out: PathRefused.
        """
        root = self._root.resolve()
        target = _below(root, path)
        inside = _leads_into(root, target.parent) and _leads_into(root, target)
        if not inside or target.is_symlink():
            raise PathRefused(f"{path} would leave the output folder")
        self._make(target.parent, root)
        return target

    def _make(self, folder: Path, root: Path) -> None:
        """The folder, and the names on the way to it synced.

        Those below the output folder even where they are there: who made them may have died just then.
        """
        way = (folder, *folder.parents)
        unsynced = {place.parent for place in way if not place.exists()}
        folder.mkdir(parents=True, exist_ok=True)
        own = {place.parent for place in way if place.is_relative_to(root)}
        for place in unsynced | (own - self._durable):
            sync_folder(place)
        self._durable |= own

    def _condition_of(self, file: FileRecord, collected_at: str) -> str | None:
        try:
            found = self._place(file).stat()
        except (OSError, PathRefused):
            return "file_missing"
        if found.st_size != file.bytes:
            return "file_damaged"
        if found.st_mtime_ns == _nanoseconds(collected_at):
            return None
        return None if self.digest_of(file) == file.sha256 else "file_damaged"

    def _place(self, file: FileRecord) -> Path:
        """A recorded path. Journals come from git, so their paths are no more trusted than a URL."""
        root = self._root.resolve()
        place = _below(root, file.path)
        if not _leads_into(root, place):
            raise PathRefused(f"{file.path} would leave the output folder")
        return place


def _below(root: Path, path: str) -> Path:
    """Looking a path up takes time by the square of its length, so one that no system opens is not."""
    if len(path) > _LONGEST_PATH:
        raise PathRefused(f"{path[:80]}… is longer than any path")
    return root.joinpath(*path.split("/"))


def _leads_into(root: Path, place: Path) -> bool:
    """Links followed. One that goes round in circles leads nowhere (a RuntimeError until 3.13).

    A ValueError: a NUL or half a surrogate pair, which no name holds.
    """
    try:
        return place.resolve().is_relative_to(root)
    except (OSError, RuntimeError, ValueError):
        return False


def _nanoseconds(at: str) -> int:
    """A journal's time, which has whole milliseconds: a file written by itself hardly ever has."""
    moment = datetime.fromisoformat(at)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


# --- durable names -----------------------------------------------------------------------------------


def write_atomically(path: Path, data: bytes) -> None:
    """`data` under `path`, whole or not at all: a partial file beside it, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make a name in `folder` durable. Folders can't be synced on every system; then it is a no-op."""
    with contextlib.suppress(PermissionError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def unwritable(folder: Path) -> str | None:
    """Why nothing can be written to a folder, or to where it would be made; None where it can."""
    try:
        with tempfile.NamedTemporaryFile(dir=nearest(folder), prefix=".kiejobs-") as probe:
            probe.write(b"x")
            probe.flush()
        sync_folder(nearest(folder))
    except OSError as error:
        return error.strerror or str(error)
    return None


def nearest(folder: Path) -> Path:
    """The folder, or the first above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
