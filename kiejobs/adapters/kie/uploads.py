"""The vendor's upload host over httpx: one local file a call, the outcome as a value.

In: local files as they were planned. Out: outcomes. Touches: the job file's folder; the network, with the key.

A file is read twice: to see that it is still the planned one, before a byte of it leaves; and to send it, where
its last bytes are held back until all were seen again. So what was edited in between is neither stored nor
bought with. On the host its name is its own hash: no local name leaves.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx

from kiejobs.adapters.http.client import in_words
from kiejobs.adapters.kie.client import keyed_client, without_key
from kiejobs.adapters.kie.responses import read_envelope
from kiejobs.core.expand.job import NoFile
from kiejobs.core.ledger import outcomes

if TYPE_CHECKING:
    from kiejobs.adapters.kie.responses import Envelope
    from kiejobs.adapters.project.local_files import LocalFolder
    from kiejobs.adapters.system import Secret
    from kiejobs.core.expand.job import LocalFile

UPLOAD_PATH = "/api/file-stream-upload"
FOLDER = "kiejobs"  # on the host, below the account's own

AT_ONCE = 4
_CHUNK = 64 * 1024
_LONGEST_URL = 2_000
_PLAIN = re.compile(r"[!$-;=?-\[\]_a-z~]*")  # what may stand in a URL, but no fragment
_LONGEST_CODE = 40
_SLOWEST = 20_000  # bytes a second that are waited for
_PATIENCE = 60.0  # seconds for everything but the bytes themselves
_AGAIN = {"408", "425", "429"}
_NO_KEY = {"401", "403"}

_EXTENSIONS = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif",
    "image/avif": ".avif", "image/heic": ".heic", "image/bmp": ".bmp", "image/tiff": ".tiff",
    "video/mp4": ".mp4", "video/quicktime": ".mov", "video/webm": ".webm",
    "audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/x-wav": ".wav", "audio/aac": ".aac",
    "audio/mp4": ".m4a", "audio/ogg": ".ogg", "audio/flac": ".flac",
}  # fmt: skip


class _Changed(Exception):
    """The file does not hold what was planned."""


class KieUploads:
    """The port `Uploads`. `folder` is the job file's; `base` the upload host's address."""

    def __init__(
        self,
        base: str,
        key: Secret,
        folder: LocalFolder,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._scheme = urlsplit(base).scheme
        self._key = key
        self._folder = folder
        timeout = httpx.Timeout(_PATIENCE, connect=15.0, pool=None)
        self._client = keyed_client(base, key, timeout, transport, kept=AT_ONCE)

    async def close(self) -> None:
        await self._client.aclose()

    async def upload(self, file: LocalFile) -> outcomes.UploadOutcome:
        found = self._folder.open(file.path)
        if isinstance(found, NoFile):
            return outcomes.Unusable(f"{file.path}: it {found.why}")
        try:
            with found as stream:
                await anyio.to_thread.run_sync(_require_planned, stream, file)
                return await self._send(stream, file)
        except _Changed:
            return outcomes.Unusable(f"{file.path} was changed since it was planned; run again")
        except OSError as error:
            return outcomes.Unusable(f"can't read {file.path}: {error.strerror or error}")

    async def _send(self, stream: BinaryIO, file: LocalFile) -> outcomes.UploadOutcome:
        name = file.sha256 + _EXTENSIONS.get(file.media_type, "")
        request = self._client.request(
            "POST",
            UPLOAD_PATH,
            data={"uploadPath": FOLDER, "fileName": name},
            files={"file": (name, _AsPlanned(stream, file), file.media_type)},
        )
        try:
            with anyio.fail_after(_PATIENCE + file.bytes / _SLOWEST):
                status, _, answer = await self._client.exchange(request)
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            return outcomes.NotUploaded(without_key(in_words(error), self._key))
        return self._outcome(status, answer, file)

    def _outcome(self, status: int, answer: bytes, file: LocalFile) -> outcomes.UploadOutcome:
        """Errors come as a status or as a code in the body (documented); the body's word goes first."""
        envelope = read_envelope(answer)
        named = without_key((envelope.code if envelope else None) or "", self._key)
        code = named[:_LONGEST_CODE] or str(status)
        said = without_key(envelope.message if envelope else "", self._key) or f"HTTP {status}"
        if _NO_KEY & {code, str(status)}:
            return outcomes.Refused(code, said)
        if envelope is not None and code == "200" and status < 300:
            return self._stored(envelope, file)
        if code[:1] == "4" and code not in _AGAIN:
            return outcomes.Unusable(f"the upload host refuses {file.path}: {code}: {said}")
        return outcomes.NotUploaded(f"the upload host answered {code}: {said}")

    def _stored(self, envelope: Envelope, file: LocalFile) -> outcomes.UploadOutcome:
        data = envelope.data if isinstance(envelope.data, dict) else {}
        size = data.get("fileSize")
        if isinstance(size, int) and size != file.bytes:
            return outcomes.NotUploaded(f"the upload host kept {size} of {file.bytes} bytes")
        url = data.get("downloadUrl")
        if not isinstance(url, str) or not self._is_usable(url):
            return outcomes.NotUploaded("the upload host answered without a usable address")
        return outcomes.UploadStored(url)

    def _is_usable(self, url: str) -> bool:
        """An address that the API can fetch from. Plain http only from a host that is spoken to so."""
        if len(url) > _LONGEST_URL or not _PLAIN.fullmatch(url):
            return False
        try:
            parts = urlsplit(url)
            named = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        except ValueError:
            return False
        return named and parts.scheme in {"https", self._scheme}


class _AsPlanned:
    """A file for httpx that gives its last bytes away only when all together are what was planned."""

    def __init__(self, stream: BinaryIO, file: LocalFile) -> None:
        self._stream = stream
        self._sha256 = file.sha256
        self._digest = hashlib.sha256()
        self._ahead = self._next()

    def fileno(self) -> int:
        """By which httpx learns the size."""
        return self._stream.fileno()

    def read(self, _size: int = -1) -> bytes:
        given, self._ahead = self._ahead, self._next()
        if not self._ahead and self._digest.hexdigest() != self._sha256:
            raise _Changed
        return given

    def _next(self) -> bytes:
        chunk = self._stream.read(_CHUNK)
        self._digest.update(chunk)
        return chunk


def _require_planned(stream: BinaryIO, file: LocalFile) -> None:
    """Raises _Changed. Reads it whole and goes back to its beginning."""
    digest, size = hashlib.sha256(), 0
    while size <= file.bytes and (chunk := stream.read(_CHUNK)):
        digest.update(chunk)
        size += len(chunk)
    if size != file.bytes or digest.hexdigest() != file.sha256:
        raise _Changed
    stream.seek(0)
