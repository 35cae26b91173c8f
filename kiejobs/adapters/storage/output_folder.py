"""Files that survive a power cut, and the folder of results: where files are, whether they are complete.

In: bytes and a path; records from the journal. Out: the file complete under its name, or as it was; safe targets, the
condition of files. Touches: disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from datetime import datetime
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kiejobs.core.ledger.records import FileRecord
    from kiejobs.core.plan.plan import Change
    from kiejobs.ports import Artifacts

_LONGEST_PATH = 4096  # Linux' own


def is_url(named: str) -> bool:
    """Is it no path, but a URL?"""
    return "://" in named


def folder_of(url: str) -> Path:
    """A `file:///` URL's folder, which may be anywhere. Raises UsageProblem."""
    path = url.removeprefix("file://")
    if not path.startswith("/") or {"?", "#", "%"} & set(path):
        raise UsageProblem(f"{url} names no folder", hint="file:///mnt/films, without `%`, `?` and `#`")
    return Path(path)


class PathRefused(Exception):
    """A path that would leave the output folder."""


class OutputFolder:
    """The port `Outputs`, and the half of the port `Artifacts` that needs no network."""

    def __init__(self, root: Path) -> None:
        self.name = root.as_posix()
        self.renames = True
        self._root = root
        self._durable: set[Path] = set()
        self._inside: dict[str, Path] = {}
        """Folders of results that lie in this one, by their names on record."""

    def artifacts(self, downloads: Artifacts) -> Artifacts:
        return downloads

    def look_ahead(self, files: Iterable[FileRecord]) -> None:
        """A folder answers at once."""

    def condition(self, files: Sequence[FileRecord], collected_at: str) -> str | None:
        """`file_missing`, `file_damaged` or None. One with size and time of its record is not read again."""
        conditions = (self._condition_of(file, collected_at) for file in files)
        return next((found for found in conditions if found is not None), None)

    def mark(self, files: Sequence[FileRecord], collected_at: str) -> None:
        """Give complete files the time of their event, by which `condition` knows them again."""
        moment = _nanoseconds(collected_at)
        for file in files:
            with contextlib.suppress(OSError, PathRefused):
                os.utime(self._place(file), ns=(moment, moment))

    def digest_of(self, file: FileRecord) -> str | None:
        """The SHA-256 of what lies there now; None where nothing does."""
        try:
            return self.digest_at(self._place(file))
        except PathRefused:
            return None

    def digest_at(self, place: Path) -> str | None:
        """Of a pipe, a socket or a device None, too: opening or reading one may take for ever."""
        try:
            with os.fdopen(os.open(place, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
                is_file = S_ISREG(os.fstat(stream.fileno()).st_mode)
                return hashlib.file_digest(stream, "sha256").hexdigest() if is_file else None
        except OSError:
            return None

    @contextlib.contextmanager
    def on_disk(self, file: FileRecord) -> Iterator[Path]:
        yield self._root / file.path

    def unwritable(self) -> str | None:
        return unwritable(self._root)

    def require(self) -> None:
        """What is wrong with a folder is reported for each file."""

    def target(self, path: str) -> Path:
        """Where a file is to go, its folder made and synced. Raises PathRefused where a link is on the way."""
        if self._root.is_symlink():
            raise PathRefused(f"{self._root} is a symbolic link, and nothing is written through one")
        root = self._root.resolve()
        target = _below(root, path)
        if not _leads_into(root, target.parent) or not _leads_into(root, target) or target.is_symlink():
            raise PathRefused(f"{path} would leave the output folder")
        if target.parent.resolve() != target.parent:
            raise PathRefused(f"{path} leads through a symbolic link, and nothing is written through one")
        self._make(target.parent, root)
        return target

    def link_to(self, lines: Iterable[Change]) -> Path | None:
        """The first link that a result of what would be bought is, or is reached by: folders are looked through."""
        if not os.path.lexists(self._root):
            return None
        names: dict[str, set[str]] = {}
        for line in lines:
            if line.spends and line.job is not None:
                above, _, name = line.job.output.rpartition("/")
                names.setdefault(above, set()).add(name)
        for above, wanted in names.items():
            link = first_link([self._root / above], self._root) if above else None
            if link is not None:
                return link
            with contextlib.suppress(OSError), os.scandir(self._root / above) as entries:
                for entry in entries:
                    if entry.name in wanted and entry.is_symlink():
                        return Path(entry.path)
        return None

    def occupied(self, lines: Iterable[Change]) -> dict[str, str]:
        """Names of results to come that are taken: by a `file`, a `folder`, or `no file` (a pipe, a socket, a device).
        Raises UsageProblem where a file is in the place of a folder that what would be bought needs.
        """
        if not os.path.lexists(self._root) and nearest(self._root).is_dir():
            return {}
        names: dict[str, set[str]] = {}
        needed = set()
        for line in lines:
            for path in line.writes:
                above, _, name = path.rpartition("/")
                names.setdefault(above, set()).add(name)
                if line.spends:
                    needed.add(above)
        found = {}
        for above, wanted in names.items():
            place = nearest(self._root / above)
            if above in needed and not place.is_dir():
                raise UsageProblem(
                    f"{place} is a file, and results need a folder there",
                    hint="move the file away, or name another folder: --outputs",
                )
            with contextlib.suppress(OSError), os.scandir(self._root / above) as entries:
                for entry in entries:
                    if entry.name in wanted:
                        path = f"{above}/{entry.name}" if above else entry.name
                        found[path] = _kind_of(entry)
        return found

    def _make(self, folder: Path, root: Path) -> None:
        """The folder, and all names on the way to it synced: who made them may have died just then."""
        way = (folder, *folder.parents)
        own = {place.parent for place in way if place.is_relative_to(root)}
        if own <= self._durable and folder.is_dir():
            return
        unsynced = {place.parent for place in way if not place.exists()}
        folder.mkdir(parents=True, exist_ok=True)
        for place in unsynced | (own - self._durable):
            sync_folder(place)
        self._durable |= own

    def _condition_of(self, file: FileRecord, collected_at: str) -> str | None:
        try:
            found = self._look_at(file)
        except (OSError, ValueError, PathRefused):
            return "file_missing"
        if found.st_size != file.bytes:
            return "file_damaged"
        if found.st_mtime_ns == _nanoseconds(collected_at):
            return None
        return None if self.digest_of(file) == file.sha256 else "file_damaged"

    def _look_at(self, file: FileRecord) -> os.stat_result:
        """Links on the way are followed once for each folder, not for each of its files."""
        above, _, name = file.path.rpartition("/")
        if above in self._inside:
            place = self._inside[above] / name
            found = place.lstat()
            if place.name == name != ".." and not S_ISLNK(found.st_mode):
                return found
        place = self._place(file)
        if _leads_into(self._root.resolve(), place.parent):
            self._inside[above] = place.parent
        return place.stat()

    def _place(self, file: FileRecord) -> Path:
        """A recorded path. Journals come from git, so their paths are no more trusted than a URL."""
        root = self._root.resolve()
        place = _below(root, file.path)
        if not _leads_into(root, place):
            raise PathRefused(f"{file.path} would leave the output folder")
        return place


def _kind_of(entry: os.DirEntry[str]) -> str:
    if entry.is_dir():
        return "folder"
    return "file" if entry.is_file() or entry.is_symlink() else "no file"


def first_link(places: Iterable[Path], root: Path) -> Path | None:
    """The first symbolic link that one of these is, or is reached by from a root above it; all as they are typed."""
    top = Path(os.path.abspath(root))  # noqa: PTH100 - it keeps links
    for place in places:
        at, found = Path(os.path.abspath(place)), None  # noqa: PTH100 - as above
        for one in (at, *at.parents):
            if one == top:
                break
            if one.is_symlink() and (one == at or top in one.parents):
                found = one
        if found is not None:
            return found
    return None


def _below(root: Path, path: str) -> Path:
    """Looking a path up takes time by the square of its length, so one that no system opens is not."""
    if len(path) > _LONGEST_PATH:
        raise PathRefused(f"{path[:80]}… is longer than any path")
    return root.joinpath(*path.split("/"))


def _leads_into(root: Path, place: Path) -> bool:
    """Links followed. Neither one in circles nor a NUL (ValueError) leads anywhere."""
    try:
        there = place.resolve()  # of circles it says nothing any more since Python 3.13
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            there.stat()
        return there.is_relative_to(root)
    except (OSError, RuntimeError, ValueError):
        return False


def _nanoseconds(at: str) -> int:
    """A journal's time, in full milliseconds: a file written by itself hardly ever has."""
    moment = datetime.fromisoformat(at)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


# --- durable names -----------------------------------------------------------------------------------


def write_atomically(path: Path, data: bytes | Iterable[bytes]) -> None:
    """`data`, in one piece or in several, under `path`, complete or not at all: a partial file next to it, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.urandom(4).hex()}.part")
    try:
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            for piece in (data,) if isinstance(data, bytes) else data:
                write_all(fd, piece)
            os.fsync(fd)
        finally:
            os.close(fd)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_folder(folder: Path) -> None:
    """Make a name in `folder` durable. Folders can't be synced on every system; then it is a no-op."""
    with contextlib.suppress(PermissionError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def copy_or_link(source: Path, target: Path) -> None:
    """The same bytes under another name, which must be free, too: one file with two names where a disk can."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        write_atomically(target, source.read_bytes())


def unwritable(folder: Path) -> str | None:
    """Why nothing can be written to a folder, or to where it would be made; None where it can."""
    # What is called so is no result, whatever ends us.
    probe = nearest(folder) / f".kiejobs-{os.getpid()}.part"
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            os.write(fd, b"x")
        finally:
            os.close(fd)
            probe.unlink()
        sync_folder(probe.parent)
    except OSError as error:
        return error.strerror or str(error)
    return None


def nearest(folder: Path) -> Path:
    """The folder, or the first above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
