"""A file on its way home: `.part`, locked, hashed as it grows.

In: a target, whose bytes they are, since which boot. Out: a `Partial` to write to, with what an earlier
try left. Touches: the output folder. A lock keeps two processes that collect the same task from writing
into one another's file; the operating system lets go of it when its process dies.

What an earlier try left is not synced. As long as the machine stays up it is there all the same; after a
power cut it may be holes and garbage of the right length, and no host tells a checksum to find out by. So
the name holds the boot as well as the task, and what another boot left is never gone on with.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_CHUNK = 2**20
_HEAD = 64 * 2**10  # bytes from the start that are kept to be looked at
_GLANCE = 0.1  # seconds between looks at another process's lock
_MARK = 6  # hex digits; with an ending of 18 bytes the longest output name still fits in 255
_PART = re.compile(rf".+\.[0-9a-f]{{{_MARK}}}([0-9a-f]{{{_MARK}}})\.part", re.DOTALL)


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


@dataclass(slots=True)
class Partial:
    """How much is there, the hash so far, its first bytes.

    `whole` when another process brought it home while we waited for the lock.
    """

    path: Path
    fd: int
    whole: bool
    size: int = 0
    digest: _Hash = field(default_factory=hashlib.sha256)
    head: bytes = b""

    def write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[os.write(self.fd, view) :]
        self.count(chunk)

    def read(self, offset: int, count: int) -> bytes:
        return os.pread(self.fd, count, offset)

    def count(self, chunk: bytes) -> None:
        self.digest.update(chunk)
        self.size += len(chunk)
        if len(self.head) < _HEAD:
            self.head += chunk[: _HEAD - len(self.head)]

    def start_over(self) -> None:
        os.ftruncate(self.fd, 0)
        self.size = 0
        self.digest = hashlib.sha256()
        self.head = b""

    def sync(self) -> None:
        """On disk; or thrown away, since what a disk once failed to keep looks kept the next time."""
        try:
            os.fsync(self.fd)
        except OSError:
            self.start_over()
            raise


@asynccontextmanager
async def opened(target: Path, key: str, boot: str) -> AsyncIterator[Partial]:
    """What an earlier try left since `boot`, re-hashed. The name holds the task, so bytes never mix.

    Waits for another process that is at it; whoever calls says for how long.
    """
    path = part_of(target, key, boot)
    fd = await _locked(path, target)
    try:
        partial = Partial(path, fd, whole=not _is_at(fd, path))
        while chunk := os.pread(fd, _CHUNK, partial.size):
            partial.count(chunk)
        try:
            yield partial
        finally:
            if not partial.size:
                path.unlink(missing_ok=True)
    finally:
        os.close(fd)


def part_of(target: Path, key: str, boot: str) -> Path:
    """Where the bytes of `key` lie until they are whole."""
    return target.with_name(f"{target.name}.{_mark(key)}{_mark(boot)}.part")


def sweep(folder: Path, boot: str) -> None:
    """Delete what other boots left in `folder`.

    A part that somebody holds is another machine's, in a folder that two of them share: it stays.
    """
    with suppress(OSError):
        for path in list(folder.iterdir()):
            found = _PART.fullmatch(path.name)
            if found is not None and found[1] != _mark(boot):
                _delete(path)


def _delete(path: Path) -> None:
    with suppress(OSError):
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if _try_lock(fd):
                path.unlink()
        finally:
            os.close(fd)


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK]


async def _locked(path: Path, target: Path) -> int:
    """The partial file, ours alone; or the whole one, where its name changed while we waited."""
    while True:
        fd = _open(path)
        try:
            while not _try_lock(fd):  # noqa: ASYNC110 - it is another process that lets go
                await anyio.sleep(_GLANCE)
            if _is_at(fd, path) or _is_at(fd, target):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _open(path: Path) -> int:
    """Never through a link, which would lead the bytes elsewhere."""
    if path.is_symlink():
        path.unlink()
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
