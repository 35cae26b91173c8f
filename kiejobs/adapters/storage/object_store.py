"""Results in an object store: S3, Google Cloud Storage, Azure Blob Storage, or what speaks as one of them does.

In: the store's URL; results, by way of a folder of this machine. Out: objects below the URL's prefix, and their
records. Touches: that folder, and the store, with credentials that obstore takes from the environment.

An object is created under its final name or not at all, and never overwritten: the store itself refuses
(`If-None-Match: *`), and one that does not is refused here. Then it is read back and hashed. Where there is other
content at a name, the file goes next to it. A result stays in the folder until the store has it: a run that was
killed goes on with what it left, without asking its host again.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import anyio.to_thread
import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

from kiejobs.adapters.storage.containers import nearer_type
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.ledger.outcomes import CollectOutcome, NotCollected
from kiejobs.core.ledger.records import FileRecord, sibling_path
from kiejobs.core.models.spec import media_type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from obstore import Attributes
    from obstore.store import ObjectStore

    from kiejobs.core.plan.plan import Change
    from kiejobs.ports import Artifacts

    _Look: TypeAlias = tuple[int, str | None]

_SECONDS = "1800s"  # for one request: the largest file is 4 GB
_RETRIES = 5  # about three seconds; the runner tries again, too
_AT_ONCE = 32  # questions, where many are asked
_PLACES = 4  # names that are tried for one file
_LONGEST_KEY = 1024  # bytes, of all three
_HEAD = 64 * 2**10  # bytes that show what a file is
_URL = re.compile(
    r"(s3|gs|az)://[A-Za-z0-9][A-Za-z0-9._-]{1,62}(/(?!\.{1,2}(/|$))[A-Za-z0-9!'()*+,._=@~-]+)*/?", re.ASCII
)
_MARKER = ".kiejobs"
_MARKED = b"kiejobs keeps results here, and never overwrites one.\n"
_HINT = "credentials come from the environment, by the names that the store's own tools use (AWS_ACCESS_KEY_ID, say)"


class _StoreRefused(Exception):
    """What the store would not do, in words that hold no secret."""


class StoredOutputs:
    """The port `Outputs`. `incoming` is the folder where results wait until the store has them."""

    def __init__(self, url: str, incoming: Path, store: ObjectStore | None = None) -> None:
        self.name = url
        self.renames = False
        self._incoming = incoming
        self._store = store or _opened(url)
        self._seen: dict[str, _Look] = {}

    def artifacts(self, downloads: Artifacts) -> Artifacts:
        return StoredArtifacts(self, downloads, self._incoming)

    def look_ahead(self, files: Iterable[FileRecord]) -> None:
        """Many at once, since each takes a while. Each is good for one question, so that none is old."""
        paths = {file.path for file in files}
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            with self._in_reach():
                self._seen = dict(zip(paths, pool.map(self._look_at, paths), strict=True))
        finally:
            pool.shutdown(cancel_futures=True)

    def condition(self, files: Sequence[FileRecord], collected_at: str) -> str | None:
        """What says that it was put with the digest on record is not read again."""
        del collected_at
        with self._in_reach():
            conditions = (self._condition_of(file) for file in files)
            return next((found for found in conditions if found is not None), None)

    def digest_of(self, file: FileRecord) -> str | None:
        with self._in_reach():
            return self.digest_at(file.path)

    @contextmanager
    def on_disk(self, file: FileRecord) -> Iterator[Path]:
        with tempfile.NamedTemporaryFile(suffix=Path(file.path).suffix) as copy:
            with self._in_reach():
                for chunk in self._read(file.path):
                    copy.write(chunk)
            copy.flush()
            yield Path(copy.name)

    def link_to(self, lines: Iterable[Change]) -> None:
        """There are none."""

    def occupied(self, lines: Iterable[Change]) -> dict[str, str]:
        """What is there is never overwritten, and a result goes next to it; nothing needs to be asked for that."""
        del lines
        return {}

    def unwritable(self) -> str | None:
        """Why nothing can be put here: no way there, no permission, or nothing that keeps what is there."""
        try:
            if not self._create(_MARKER, _MARKED, {}):
                return None
            if self._create(_MARKER, _MARKED, {}):
                return "it overwrites what is there: it does not know `If-None-Match: *`"
        except _StoreRefused as refused:
            return str(refused)
        return None

    def require(self) -> None:
        if problem := self.unwritable():
            raise UsageProblem(f"{self.name}: {problem}", hint=_HINT)

    def digest_at(self, path: str) -> str | None:
        """The SHA-256 of all bytes that are there now. Raises _StoreRefused where that can't be known."""
        digest = hashlib.sha256()
        try:
            for chunk in self._read(path):
                digest.update(chunk)
        except FileNotFoundError:
            return None
        return digest.hexdigest()

    def put(self, record: FileRecord, path: str, local: Path) -> CollectOutcome:
        """The local file of that record, at `path` or next to it, and nothing but it."""
        if not is_inside(path):
            return NotCollected(f"refused: {path} would leave {self.name}")
        about: Attributes = {"Content-Type": record.media_type, "sha256": record.sha256}
        place = path
        try:
            for _ in range(_PLACES):
                created = self._create_from(local, place, about)
                found = self.digest_at(place)
                if found == record.sha256:
                    local.unlink(missing_ok=True)
                    return replace(record, path=place)
                if created or found is None:
                    return NotCollected(f"{self.name}: {place} is not there as it was put")
                place = sibling_path(place, record.sha256)
        except _StoreRefused as refused:
            return NotCollected(f"{self.name}: {refused}")
        return NotCollected(f"{self.name}: {path} and the names next to it hold other files")

    def _create_from(self, local: Path, place: str, about: Attributes) -> bool:
        """Another process may have put it, and have taken it away here: then what is in the store shows it."""
        with suppress(FileNotFoundError), local.open("rb") as stream:
            return self._create(place, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), about)
        return False

    def _condition_of(self, file: FileRecord) -> str | None:
        known = self._seen.pop(file.path, None)
        size, stated = known or self._look_at(file.path)
        if size != file.bytes:
            return "file_damaged" if size else "file_missing"
        if stated == file.sha256 or self.digest_at(file.path) == file.sha256:
            return None
        return "file_damaged"

    @contextmanager
    def _in_reach(self) -> Iterator[None]:
        """What can't be asked is not missing: nothing is collected, or bought, on account of that."""
        try:
            yield
        except _StoreRefused as refused:
            raise UsageProblem(f"{self.name}: {refused}", hint=_HINT) from refused

    # --- what the store is asked -----------------------------------------------------------------------

    def _create(self, path: str, data: bytes | mmap.mmap, about: Attributes) -> bool:
        """Complete or not at all; False where something is there already."""
        try:
            with _in_words():
                obstore.put(self._store, path, data, mode="create", attributes=about)
        except AlreadyExistsError:
            return False
        except FileNotFoundError as error:
            raise _StoreRefused("there is no such bucket") from error
        return True

    def _look_at(self, path: str) -> _Look:
        """Its size, 0 where nothing is there, and the digest that it was put with."""
        try:
            with _in_words():
                found = obstore.get(self._store, _inside(path), options={"head": True})
        except FileNotFoundError:
            return 0, None
        return found.meta["size"], found.attributes.get("sha256")

    def _read(self, path: str) -> Iterator[bytes]:
        """Raises FileNotFoundError."""
        with _in_words():
            yield from obstore.get(self._store, _inside(path)).stream()


class StoredArtifacts:
    """The port `Artifacts`: `downloads` brings results to `incoming`, and from there they go to the store."""

    def __init__(self, outputs: StoredOutputs, downloads: Artifacts, incoming: Path) -> None:
        self._outputs = outputs
        self._downloads = downloads
        self._incoming = incoming

    def set_aside(self, file: FileRecord, path: str) -> None:
        """An object keeps its name."""
        del file, path

    async def collect(
        self, url: str, path: str, *, key: str, media_type: str, replaces: str | None = None
    ) -> CollectOutcome:
        del replaces  # nothing is
        local = _local_name(path, key)
        outcome = self._left(local, url, media_type)
        if outcome is None:
            outcome = await self._downloads.collect(url, local, key=key, media_type=media_type)
        return await self._put(outcome, path)

    async def keep(
        self, data: bytes, path: str, *, key: str, media_type: str, replaces: str | None = None
    ) -> CollectOutcome:
        del replaces
        local = _local_name(path, key)
        outcome = await self._downloads.keep(data, local, key=key, media_type=media_type)
        return await self._put(outcome, path)

    def condition(self, files: Sequence[FileRecord], collected_at: str) -> str | None:
        return self._outputs.condition(files, collected_at)

    def mark(self, files: Sequence[FileRecord], collected_at: str) -> None:
        """An object has its digest with it from the start."""

    async def _put(self, outcome: CollectOutcome, path: str) -> CollectOutcome:
        if isinstance(outcome, NotCollected):
            return outcome
        local = self._incoming / outcome.path
        return await anyio.to_thread.run_sync(self._outputs.put, outcome, path, local)

    def _left(self, local: str, url: str, media_type: str) -> CollectOutcome | None:
        """The record of what an earlier try received in full, and did not live to put."""
        from kiejobs.adapters.http.client import shown  # noqa: PLC0415 - who only looks needs no network

        try:
            fd = os.open(self._incoming / local, os.O_RDONLY | os.O_NOFOLLOW)  # a link's target is no result
            with open(fd, "rb") as stream:  # noqa: PTH123 - it has no name any more
                kind = nearer_type(media_type, media_type_of(stream.read(_HEAD)))
                size = stream.seek(0, os.SEEK_END)
                stream.seek(0)
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            return None
        return FileRecord(local, digest, size, kind, shown(url))


def _local_name(path: str, key: str) -> str:
    """Where the bytes of `key` wait: no other result's, whatever path it is to go to."""
    return hashlib.sha256(f"{path}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


# --- names, and what is wrong ----------------------------------------------------------------------------


def _opened(url: str) -> ObjectStore:
    """Below the URL's prefix, and nowhere else. Nothing is asked yet."""
    if not _URL.fullmatch(url):
        hint = "like s3://bucket/prefix, gs://bucket/prefix or az://container/prefix, and nothing else in it"
        bare = url.partition("?")[0].rpartition("@")[2]
        raise UsageProblem(f"outputs in `{bare}`: not such a place", hint=hint)
    try:
        with _in_words():
            # Plain HTTP only where the environment names such a host: a bucket's own has HTTPS.
            return from_url(
                url,
                client_options={"timeout": _SECONDS, "allow_http": True},
                retry_config={"max_retries": _RETRIES},
            )
    except _StoreRefused as refused:
        raise UsageProblem(f"{url}: {refused}", hint=_HINT) from refused


def is_inside(path: str) -> bool:
    """Is it an object below the prefix? Journals come from git, so their paths are no more trusted than a URL."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return False
    steers = any(ord(char) < 32 or ord(char) == 127 for char in path)
    return size <= _LONGEST_KEY and not steers and {"", ".", ".."}.isdisjoint(path.split("/"))


def _inside(path: str) -> str:
    if not is_inside(path):
        raise FileNotFoundError(path)
    return path


@contextmanager
def _in_words() -> Iterator[None]:
    """Messages of obstore hold what was sent and signed: of them only codes are taken."""
    try:
        yield
    except AlreadyExistsError:
        raise
    except (BaseError, NotImplementedError, ValueError) as error:
        raise _StoreRefused(_words(type(error).__name__, str(error))) from None


def _words(kind: str, message: str) -> str:
    if "/latest/api/token" in message or "/computeMetadata/" in message or "/oauth2/token" in message:
        return "no credentials were found"
    status = re.search(r"status code: (\d{3})", message)
    code = re.search(r"<Code>(\w{1,60})</Code>", message)
    if status is not None:
        return f"it answered HTTP {status[1]}" + (f" {code[1]}" if code else "")
    if "error sending request" in message or "timed out" in message:
        return "it can't be reached"
    missing = re.search(r"\b(Account|Region|Bucket name|Container name)\b must be specified", message)
    return f"{missing[1].lower()} must be specified" if missing else f"{kind} in obstore"
