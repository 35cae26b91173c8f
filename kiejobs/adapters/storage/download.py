"""Downloading results: stream to `.part`, hash on the way, check, sync, rename.

In: result URLs. Out: files below the output folder, and their records. Touches: the network (never with the
key) and the output folder. A file under its final name is complete. Data, name and folders are synced in this
order before a file is recorded. A lock keeps two processes out of one another's part. What an earlier try left
is not synced: after a power cut it may be garbage of the right length, and no host gives a checksum. So a
part's name holds the boot as well as the task, and another boot's is never gone on with.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

import anyio
import httpx

from kiejobs.adapters.http.client import (
    FETCH_ERRORS,
    AddressRule,
    GuardedClient,
    HostRefused,
    in_words,
    shown,
)
from kiejobs.adapters.storage.containers import media_type_fits, nearer_type, what_is_wrong_with
from kiejobs.adapters.storage.output_folder import (
    OutputFolder,
    PathRefused,
    copy_or_link,
    sync_folder,
    write_all,
)
from kiejobs.adapters.system import boot_id
from kiejobs.core.ledger.outcomes import CollectOutcome, NotCollected
from kiejobs.core.ledger.records import FileRecord, sibling_path
from kiejobs.core.models.spec import media_type_of

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from _hashlib import HASH
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from kiejobs.ports import Moved

    _Receive: TypeAlias = "Callable[[Partial], Awaitable[None]]"

_LARGEST_FILE = 4 * 2**30  # bytes
_LONGEST_DOWNLOAD = 1800.0  # seconds
_ENCODINGS = {"identity", "", "gzip", "x-gzip", "deflate"}
"""Asked for is `identity`; what else a host may send can be undone."""
_PLACES = 4  # names that are tried for one file


class _ResultRefused(Exception):
    """A URL that will not give the file. `gone` where asking for a new URL may help."""

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


class FileArtifacts(OutputFolder):
    """The port `Artifacts`. `boot` names the time since the machine was last started; `moved` hears how far a file is."""

    def __init__(
        self,
        root: Path,
        rule: AddressRule,
        transport: httpx.AsyncBaseTransport | None = None,
        boot: str | None = None,
        moved: Moved | None = None,
    ) -> None:
        super().__init__(root)
        self._moved = moved
        self._boot = boot or boot_id()
        self._swept: set[Path] = set()
        self._client = GuardedClient(rule, transport)

    async def close(self) -> None:
        await self._client.aclose()

    async def collect(
        self, url: str, path: str, *, key: str, media_type: str, replaces: str | None = None
    ) -> CollectOutcome:
        async def receive(partial: Partial) -> None:
            partial.moved = self._moved and functools.partial(self._moved, "downloading", path)
            try:
                async with self._client.get(url, partial.asking()) as response:
                    await _take(response, partial, media_type)
            finally:
                if partial.moved is not None:
                    partial.moved(None, None)

        return await self._bring(receive, path, key, media_type, shown(url), replaces)

    def set_aside(self, file: FileRecord, path: str) -> FileRecord | None:
        """The file under another name, too; None where it is not as it was collected."""
        try:
            if self.digest_of(file) != file.sha256:
                return None
            target = self.target(path)
            with suppress(FileExistsError):
                copy_or_link(self.target(file.path), target)
                sync_folder(target.parent)
        except (OSError, PathRefused):
            return None
        found = replace(file, path=path)
        return found if self.digest_of(found) == file.sha256 else None

    async def keep(
        self, data: bytes, path: str, *, key: str, media_type: str, replaces: str | None = None
    ) -> CollectOutcome:
        async def receive(partial: Partial) -> None:
            partial.start_over()
            partial.write(data)
            partial.sync()

        from_ = f"urn:kiejobs:task:{quote(key, safe='')}"
        return await self._bring(receive, path, key, media_type, from_, replaces)

    async def _bring(
        self, receive: _Receive, path: str, key: str, media_type: str, from_: str, replaces: str | None = None
    ) -> CollectOutcome:
        try:
            target = self.target(path)
            if target.parent not in self._swept:  # once is enough: nobody leaves any more of them
                _delete_older(target.parent, self._boot)
                self._swept.add(target.parent)
            with anyio.fail_after(_LONGEST_DOWNLOAD):
                async with opened(target, key, self._boot) as partial:
                    if not partial.complete:
                        await receive(partial)
                        path = self._named(partial, path, replaces)
                    # Also where another process renamed it: that one may have died just then.
                    sync_folder(target.parent)
        except _ResultRefused as refused:
            return NotCollected(str(refused), gone=refused.gone)
        except (HostRefused, PathRefused) as refused:
            return NotCollected(f"refused: {refused}")
        except OSError as error:
            return NotCollected(f"{path}: {error.strerror or type(error).__name__}")
        except FETCH_ERRORS as error:
            return NotCollected(in_words(error))
        kind = nearer_type(media_type, media_type_of(partial.head))
        return FileRecord(path, partial.digest.hexdigest(), partial.size, kind, from_)

    def _named(self, partial: Partial, path: str, replaces: str | None) -> str:
        """The complete part under its name, or next to what is there: that is written over only where it `replaces`
        a content that is kept elsewhere.
        """
        digest = partial.digest.hexdigest()
        for _ in range(_PLACES):
            target = self.target(path)
            there = self.digest_at(target)
            if there == digest:
                partial.path.unlink()
                return path
            if not os.path.lexists(target) or (there is not None and there == replaces):
                partial.path.replace(target)
                return path
            path = sibling_path(path, digest)
        raise PathRefused(f"{path} and the names next to it hold other files")


async def _take(response: httpx.Response, partial: Partial, media_type: str) -> None:
    """The body of one answer, appended or from the start, checked when it is complete."""
    if response.status_code == 416 and partial.size:
        partial.start_over()
        raise _ResultRefused("the part that was there did not fit; it was thrown away", gone=True)
    if response.status_code not in {200, 206}:
        gone = response.status_code in {401, 403, 404, 410}
        raise _ResultRefused(f"the result host answered HTTP {response.status_code}", gone=gone)
    said = response.headers.get("content-type", "")
    if not media_type_fits(said, media_type):
        raise _ResultRefused(f"expected {media_type}, got {said[:60]!r}")
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed not in _ENCODINGS:
        raise _ResultRefused(f"the host sent it as `{packed[:20]}`, which was not asked for")
    expected = _expected_size(response, partial)
    if packed != "identity":
        await _unpacked(response, partial)
    else:
        await _stream(response.aiter_raw(), partial, expected)
    if packed == "identity" and expected is not None and partial.size != expected:
        raise httpx.ReadError(f"got {partial.size} of {expected} bytes")
    told = expected is not None or "chunked" in response.headers.get("transfer-encoding", "")
    wrong = what_is_wrong_with(partial.head, partial.size, media_type, read=partial.read, is_size_known=told)
    if wrong is not None:
        partial.start_over()
        raise _ResultRefused(wrong)


def _expected_size(response: httpx.Response, partial: Partial) -> int | None:
    """The complete file's size, where the host states it; a 200 to a Range starts the file over."""
    if response.status_code == 206:
        span, _, total = response.headers.get("content-range", "").partition("/")
        if span.removeprefix("bytes ").partition("-")[0] != str(partial.size):
            partial.start_over()
            raise _ResultRefused("the host answered another range than was asked for", gone=True)
        if not partial.size:  # not asked for, and it begins at the beginning
            partial.note(Version.of(response, total))
        if Version.of(response, total) != partial.version:
            partial.start_over()
            raise _ResultRefused("the file was changed between two parts; it was thrown away", gone=True)
        return int(total) if total.isdigit() else None
    if partial.size:
        partial.start_over()
    length = response.headers.get("content-length", "")
    partial.note(Version.of(response, length))
    return int(length) if length.isdigit() else None


async def _unpacked(response: httpx.Response, partial: Partial) -> None:
    """What was packed unasked: a part of it can't be gone on with, since a host counts packed bytes."""
    partial.start_over()
    try:
        await _stream(response.aiter_bytes(), partial, None)
    except BaseException:
        partial.start_over()
        raise


async def _stream(chunks: AsyncIterator[bytes], partial: Partial, expected: int | None) -> None:
    limit = _LARGEST_FILE if expected is None else min(expected, _LARGEST_FILE)
    async for chunk in chunks:  # as it comes, so that what came is kept
        if partial.size + len(chunk) > limit:
            raise _ResultRefused("the host sent more than it announced, or more than 4 GB")
        partial.write(chunk)
        if partial.moved is not None:
            partial.moved(partial.size, expected)
    partial.sync()


# --- parts -------------------------------------------------------------------------------------------

_CHUNK = 2**20
_HEAD = 64 * 2**10  # bytes from the start that are kept to be looked at
_GLANCE = 0.1  # seconds between looks at another process's lock
_MARK = 6  # hex digits; with an ending of 18 bytes the longest output name still fits in 255
_PART = re.compile(rf".+\.[0-9a-f]{{{_MARK}}}([0-9a-f]{{{_MARK}}})\.part", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Version:
    """What identifies one version of a file: both parts of a download must be of the same."""

    tag: str = ""
    total: str = ""

    @classmethod
    def of(cls, response: httpx.Response, total: str) -> Version:
        """A weak tag (`W/`) says too little, and a date replaces none (RFC 9110, 13.1.5)."""
        tag = response.headers.get("etag", "").strip()
        strong = tag if tag.startswith('"') else response.headers.get("last-modified", "").strip()
        return cls(strong, total if total.isdigit() else "")


@dataclass(slots=True)
class Partial:
    """What is there, hashed so far. `complete` when another process finished it while we waited for the lock."""

    path: Path
    fd: int
    complete: bool
    size: int = 0
    digest: HASH = field(default_factory=hashlib.sha256)
    head: bytes = b""
    version: Version = Version()
    moved: Callable[[int | None, int | None], None] | None = None

    def asking(self) -> dict[str, str]:
        """The headers that ask for what is missing. A part of an unknown version is not gone on with."""
        if self.size and self.version == Version():
            self.start_over()
        if not self.size:
            return {}
        ranged = {"Range": f"bytes={self.size}-"}
        return {**ranged, "If-Range": self.version.tag} if self.version.tag else ranged

    def note(self, version: Version) -> None:
        """Kept with the part, for whoever goes on with it; where the disk can't, nobody does."""
        self.version = version
        with suppress(OSError):
            _version_file(self.path).write_text(json.dumps([version.tag, version.total]), encoding="utf-8")

    def write(self, chunk: bytes) -> None:
        write_all(self.fd, chunk)
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
    """What an earlier try left since `boot`, re-hashed. Waits for another process that is at it."""
    path = part_of(target, key, boot)
    fd = await _locked(path, target)
    try:
        partial = Partial(path, fd, complete=not _is_at(fd, path), version=_version_of(path))
        while chunk := os.pread(fd, _CHUNK, partial.size):
            partial.count(chunk)
        try:
            yield partial
        finally:
            if not partial.size:
                path.unlink(missing_ok=True)
            _forget_version(path)
    finally:
        os.close(fd)


def _forget_version(part: Path) -> None:
    if not os.path.lexists(part):
        _version_file(part).unlink(missing_ok=True)


def _version_file(part: Path) -> Path:
    """A part by its name, too, and swept as one: what is not called `.part` is a complete file."""
    base, marks, _ = part.name.rsplit(".", 2)
    return part.with_name(f"{base}.{_mark(marks[:_MARK])}{marks[_MARK:]}.part")


def _version_of(part: Path) -> Version:
    try:
        tag, total = json.loads(_version_file(part).read_text(encoding="utf-8"))
        return Version(str(tag), str(total))
    except (OSError, ValueError, TypeError):
        return Version()


def part_of(target: Path, key: str, boot: str) -> Path:
    """Where the bytes of `key` are until they are complete."""
    return target.with_name(f"{target.name}.{_mark(key)}{_mark(boot)}.part")


def _delete_older(folder: Path, boot: str) -> None:
    """Delete what other boots left in `folder`, but what somebody holds: that is another machine's."""
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
                _version_file(path).unlink(missing_ok=True)
        finally:
            os.close(fd)


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK]


async def _locked(path: Path, target: Path) -> int:
    """The partial file, ours alone; or the complete one, where its name changed while we waited."""
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
