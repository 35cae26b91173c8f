"""The vendor's API and its upload host over httpx: one attempt a call, the outcome as a value.

In: request bodies, task ids, local files as they were planned. Out: outcomes, the key cut out of their words.
Touches: the network, with the key; the job file's folder.

A create call connects and finishes TLS first, then reserves, then writes: httpcore's trace calls us back
between "connected" and "first byte", which is also the exact evidence for "not sent" against "in doubt". A
fresh HTTP/1.1 connection for each create, since a pooled one that died looks like a sent request; no retries,
no redirects. A proxy only ever carries a create inside TLS, where it can't repeat it: its tunnel is a part of
connecting, and its refusal is a request that was not sent.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx

from kiejobs.adapters.http.client import HttpClient, in_words, printable
from kiejobs.adapters.kie import responses as answers
from kiejobs.adapters.system import origin_of
from kiejobs.core.expand.job import NoFile
from kiejobs.core.ledger import outcomes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from kiejobs.adapters.project.local_files import LocalFolder
    from kiejobs.adapters.system import Secret
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.job import LocalFile
    from kiejobs.ports import Moved


CREATE_PATH = "/api/v1/jobs/createTask"
RECORD_PATH = "/api/v1/jobs/recordInfo"
CREDIT_PATH = "/api/v1/chat/credit"
DOWNLOAD_PATH = "/api/v1/common/download-url"

_Outcome = TypeVar(
    "_Outcome", bound="outcomes.CreateOutcome | outcomes.PollOutcome | outcomes.TaskRecord | str | Decimal"
)

_AS_IT_CAME = (outcomes.Accepted, outcomes.TaskSucceeded, outcomes.TaskRecord, str, Decimal)
_ABOUT_TO_WRITE = "http11.send_request_headers.started"
_LONGEST_MESSAGE = 500  # characters of the API's own words that are kept
_LONGEST_ANSWER = 2_000  # characters of an answer that nothing could be made of
_CUT = "***"
_SHORTEST_KEY = 8
_QUESTIONS = 10  # at a time, each on a connection that is kept


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `connect` covers DNS, TCP and TLS; `answer` a create from its first byte to its last."""

    connect: float = 15.0
    answer: float = 60.0
    poll: float = 30.0


@dataclass(slots=True)
class _Evidence:
    """What happened on the wire of one create: reserved means that bytes may have left."""

    reserve: Callable[[], Awaitable[None]]
    reserved: bool = False
    refusal: BaseException | None = None
    answer: bytearray = field(default_factory=bytearray)

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        if event != _ABOUT_TO_WRITE or self.reserved:
            return
        try:
            await self.reserve()
        except BaseException as error:
            self.refusal = error
            raise
        self.reserved = True


class KieApi:
    """The port `GenerationApi`. `last_date` is the API's own clock as the last answer had it."""

    def __init__(
        self,
        base: str,
        key: Secret,
        *,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base = base.rstrip("/")
        self._key = key
        self._patience = patience or Patience()
        connect = self._patience.connect
        creating = httpx.Timeout(self._patience.answer, connect=connect, pool=60.0)
        asking = httpx.Timeout(self._patience.poll, connect=connect, pool=60.0)
        self._creating = keyed_client(self._base, key, creating, transport)
        self._asking = keyed_client(self._base, key, asking, transport, kept=_QUESTIONS)
        # The pool walks all who wait for a connection each time one is free, and gives up on them after
        # a while. Thousands of tasks are resumed at once: they queue here, in turn, at no cost.
        self._turn_to_ask = anyio.Semaphore(_QUESTIONS)
        self.last_date: str | None = None

    @property
    def origin(self) -> str:
        return origin_of(self._base)

    async def close(self) -> None:
        await self._creating.aclose()
        await self._asking.aclose()

    async def create(
        self, body: Mapping[str, Json], reserve: Callable[[], Awaitable[None]]
    ) -> outcomes.CreateOutcome:
        network = self._creating.network
        if network is not None and network.why_no_creates is not None:
            return outcomes.NotSent(network.why_no_creates)
        evidence = _Evidence(reserve)
        request = self._creating.request(
            "POST",
            CREATE_PATH,
            {"Content-Type": "application/json", "Connection": "close"},
            evidence.trace,
            content=request_bytes(body),
        )
        try:
            with anyio.fail_after(self._patience.connect + self._patience.answer):
                status, headers, answer = await self._creating.exchange(request, evidence.answer)
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            if evidence.refusal is not None:
                raise evidence.refusal from None
            said = without_key(in_words(error), self._key)
            if not evidence.reserved:
                return outcomes.NotSent(said)
            doubt = outcomes.CreateInDoubt(said)
            return self._cleaned(answers.with_answer(doubt, bytes(evidence.answer)))
        if not evidence.reserved:
            raise RuntimeError("the transport wrote a create call without announcing it")
        return self._cleaned(answers.create_outcome(status, headers.get("retry-after"), answer))

    async def poll(self, task_id: str) -> outcomes.PollOutcome:
        return await self._ask(RECORD_PATH, answers.poll_outcome, params={"taskId": task_id})

    async def record(self, task_id: str) -> outcomes.TaskRecord | outcomes.Unanswered:
        return await self._ask(RECORD_PATH, answers.task_record, params={"taskId": task_id})

    async def download_url(self, url: str) -> str | outcomes.Unanswered:
        return await self._ask(DOWNLOAD_PATH, answers.download_url, "POST", json={"url": url})

    async def balance(self) -> Decimal | outcomes.Unanswered:
        return await self._ask(CREDIT_PATH, answers.balance)

    async def _ask(
        self, path: str, read: Callable[[int, bytes], _Outcome], method: str = "GET", **content: Any
    ) -> _Outcome | outcomes.Unanswered:
        """One question, at no cost. An id that fits into no URL is a ValueError; ids are the API's and opaque."""
        try:
            request = self._asking.request(method, path, **content)
            async with self._turn_to_ask:
                with anyio.fail_after(self._patience.connect + self._patience.poll):
                    status, headers, answer = await self._asking.exchange(request)
        except (httpx.HTTPError, httpx.StreamError, OSError, ValueError) as error:
            return outcomes.Unanswered(without_key(in_words(error), self._key))
        self.last_date = headers.get("date")
        return self._cleaned(read(status, answer))

    def _cleaned(self, outcome: _Outcome) -> _Outcome:
        """The outcome with its message shortened, made printable, and the key cut out."""
        if isinstance(outcome, _AS_IT_CAME):
            return cast("_Outcome", self._keyless(outcome))
        if isinstance(outcome, outcomes.StillRunning):
            note = outcome.note and without_key(outcome.note, self._key)
            word, answer = without_key(outcome.api_state, self._key), as_kept(outcome.answer, self._key)
            return replace(outcome, api_state=word, note=note, answer=answer)
        if isinstance(outcome, outcomes.CreateInDoubt):
            task_id = None if self._is_in(outcome.task_id) else outcome.task_id
            outcome = replace(outcome, answer=as_kept(outcome.answer, self._key), task_id=task_id)
        outcome = replace(outcome, message=without_key(outcome.message, self._key))
        if isinstance(outcome, outcomes.NotSent) or outcome.code is None:
            return outcome
        return replace(outcome, code=without_key(outcome.code, self._key))

    def _is_in(self, text: str | None) -> bool:
        """An answer may echo the key."""
        return text is not None and _holds(text, self._key)

    def _keyless(self, outcome: Any) -> Any:
        """A task is asked for by its id as it came, so one with the key in it is in doubt; all else is cut."""
        if isinstance(outcome, outcomes.Accepted) and self._is_in(outcome.task_id):
            answer = as_kept(outcome.task_id, self._key)
            return outcomes.CreateInDoubt("the API named a task whose id holds the key", "200", answer)
        if isinstance(outcome, outcomes.TaskSucceeded) and self._is_in(
            json.dumps(asdict(outcome), default=str)
        ):
            urls, inside = (
                tuple(url.replace(self._key.value, _CUT) for url in some)
                for some in (outcome.urls, outcome.inside)
            )
            stills = tuple((name, url.replace(self._key.value, _CUT)) for name, url in outcome.stills)
            found = json.loads(json.dumps(outcome.found).replace(self._key.value, _CUT))
            return replace(outcome, urls=urls, stills=stills, found=found, inside=inside)
        if isinstance(outcome, str) and self._is_in(outcome):
            return outcome.replace(self._key.value, _CUT)
        return outcome


def _holds(text: str, key: Secret) -> bool:
    """A key of a few characters may be in any id or address by chance, and is no secret."""
    return len(key.value) >= _SHORTEST_KEY and key.value in text


def as_kept(answer: str | None, key: Secret) -> str | None:
    r"""An answer for the record: the key cut out, shortened, what can't be printed escaped as `\x1b`."""
    if answer is None:
        return None
    cut = answer.replace(key.value, _CUT) if key else answer
    short = cut[:_LONGEST_ANSWER] + ("…" if len(cut) > _LONGEST_ANSWER else "")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)


def without_key(text: str, key: Secret) -> str:
    """A stranger's text: shortened, made printable, and the key cut out."""
    if key:
        text = text.replace(key.value, _CUT)
    return " ".join(printable(text).split())[:_LONGEST_MESSAGE]


def request_bytes(body: Mapping[str, Json]) -> bytes:
    """The request as it goes over the wire: compact UTF-8 JSON, keys in the order given."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def keyed_client(
    base: str,
    key: Secret,
    timeout: httpx.Timeout,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    kept: int = 0,
) -> HttpClient:
    """For hosts that are given the key. `kept` connections at a time, all kept; else eight, and none of them."""
    headers = {"Authorization": f"Bearer {key.value}", "Accept-Encoding": "gzip, deflate"}
    return HttpClient(headers, timeout, transport, base=base, kept=kept)


# --- local files: one upload a call --------------------------------------------------------------------
#
# A file is read twice: to see that it is still the planned one, before a byte of it leaves; and to send it,
# where its last bytes are held back until all were seen again. So what was edited in between is neither
# stored nor bought with. On the host its name is its own hash: no local name leaves.

UPLOAD_PATH = "/api/file-stream-upload"
FOLDER = "kiejobs"  # on the host, below the account's own

AT_ONCE = 4
_CHUNK = 64 * 1024
_LONGEST_URL = 2_000
_PLAIN = re.compile(r"[!$-;=?-\[\]_a-z~]*")  # allowed in a URL, but no fragment
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
    """The port `Uploads`. `folder` is the job file's; `base` the upload host's address; `moved` hears how far a file is."""

    def __init__(
        self,
        base: str,
        key: Secret,
        folder: LocalFolder,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        moved: Moved | None = None,
    ) -> None:
        self._scheme = urlsplit(base).scheme
        self._key = key
        self._moved = moved
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
            files={"file": (name, _AsPlanned(stream, file, self._moved), file.media_type)},
        )
        try:
            with anyio.fail_after(_PATIENCE + file.bytes / _SLOWEST):
                status, _, answer = await self._client.exchange(request)
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            return outcomes.NotUploaded(without_key(in_words(error), self._key))
        finally:
            if self._moved is not None:
                self._moved("uploading", file.path, None, None)
        return self._outcome(status, answer, file)

    def _outcome(self, status: int, answer: bytes, file: LocalFile) -> outcomes.UploadOutcome:
        """Errors come as a status or as a code in the body (documented); the body's word goes first."""
        envelope = answers.read_envelope(answer)
        named = without_key((envelope.code if envelope else None) or "", self._key)
        code = named[:_LONGEST_CODE] or str(status)
        said = without_key(envelope.message if envelope else "", self._key) or f"HTTP {status}"
        if not named:
            said = without_key(answers.excerpt(answer), self._key)
            if status in answers.EDGE:
                return outcomes.Refused(code, said, by_edge=True)
            said = f"{outcomes.FROM_EDGE}: {said}"
        if _NO_KEY & {code, str(status)}:
            return outcomes.Refused(code, said)
        if envelope is not None and code == "200" and status < 300:
            return self._stored(envelope, file)
        if code[:1] == "4" and code not in _AGAIN:
            return outcomes.Unusable(f"the upload host refuses {file.path}: {code}: {said}")
        return outcomes.NotUploaded(f"the upload host answered {code}: {said}")

    def _stored(self, envelope: answers.Envelope, file: LocalFile) -> outcomes.UploadOutcome:
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
        if len(url) > _LONGEST_URL or not _PLAIN.fullmatch(url) or _holds(url, self._key):
            return False
        try:
            parts = urlsplit(url)
            named = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        except ValueError:
            return False
        return named and parts.scheme in {"https", self._scheme}


class _AsPlanned:
    """A file for httpx that gives its last bytes away only when all together are what was planned."""

    def __init__(self, stream: BinaryIO, file: LocalFile, moved: Moved | None) -> None:
        self._stream = stream
        self._file = file
        self._moved = moved
        self._digest = hashlib.sha256()
        self._ahead = self._next()

    def fileno(self) -> int:
        """By which httpx learns the size."""
        return self._stream.fileno()

    def read(self, _size: int = -1) -> bytes:
        given, self._ahead = self._ahead, self._next()
        if not self._ahead and self._digest.hexdigest() != self._file.sha256:
            raise _Changed
        if self._moved is not None:
            self._moved(
                "uploading", self._file.path, self._stream.tell() - len(self._ahead), self._file.bytes
            )
        return given

    def _next(self) -> bytes:
        chunk = self._stream.read(_CHUNK)
        self._digest.update(chunk)
        return chunk


def _require_planned(stream: BinaryIO, file: LocalFile) -> None:
    """Raises _Changed. Reads all of it and goes back to its beginning."""
    digest, size = hashlib.sha256(), 0
    while size <= file.bytes and (chunk := stream.read(_CHUNK)):
        digest.update(chunk)
        size += len(chunk)
    if size != file.bytes or digest.hexdigest() != file.sha256:
        raise _Changed
    stream.seek(0)
