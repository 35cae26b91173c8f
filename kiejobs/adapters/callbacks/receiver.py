"""The receiver of the API's callbacks: an HTTP server in a thread, an inbox in the run's event loop.

In: POSTs from the internet. Out: claims, each told once, to the runner (`ports.Callbacks`). Touches a
listening socket. Needs the extra `serve`: Starlette's requests and responses, uvicorn's server.

Whether an attempt id is anybody's is not known here, so nobody can find it out: every callback that
passes its checks is answered in the same bytes after the same work. Its own thread answers within a
second however busy the run is.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, OrderedDict, deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import anyio.lowlevel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from kiejobs.adapters.callbacks.server import listening, spoken
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.ledger.callbacks import (
    LARGEST_BODY,
    TOO_LARGE,
    RefusedCallback,
    ValidCallback,
    read_callback,
)
from kiejobs.core.ledger.outcomes import Claim

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from starlette.types import Receive, Scope, Send

    from kiejobs.adapters.system import Secret
    from kiejobs.ports import Clock

FULL = "nobody took the ones before it in time"
_READ_ON = 8 * LARGEST_BODY
_SMALL = 64 * 1024  # bytes; a body up to here always finds room


@dataclass(frozen=True, slots=True)
class Limits:
    """What strangers may use up.

    `seconds` for a request, from connecting to its answer; `connections` at the same time; `large`
    bodies (over 64 KB) held at the same time; claims `waiting` to be taken; claims `remembered`.
    """

    seconds: float = 10.0
    connections: int = 200
    large: int = 16
    waiting: int = 1_000
    remembered: int = 10_000


class Receiver:
    """A context manager, for one use. Listens while its block lasts; `next` gives what came in.

    `path` is the only one that is answered, decoded as `core.callbacks.path_of` gives it. With a
    `key` a callback must be signed; an empty one counts as none. `turned` counts what was not told
    to the run, by reason: with a wrong key that is everything, and only this says so.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        path: str = "/",
        key: Secret | None,
        clock: Clock,
        limits: Limits | None = None,
    ) -> None:
        self._host, self._port, self._path = host, port, path
        self._limits = limits or Limits()
        self._inbox = Inbox(self._limits.waiting, self._limits.remembered)
        self._desk = _Requests(path, key, clock, self._limits, self._inbox)
        self._open = ExitStack()
        self._base = ""

    @property
    def url(self) -> str:
        """Where callbacks are taken, path included, with the port that was really had."""
        return self._base + quote(self._path)

    @property
    def turned(self) -> Counter[str]:
        return Counter(self._desk.turned)

    async def next(self) -> Claim:
        """The next callback that passed its checks and wasn't told before; waits for one."""
        return await self._inbox.next()

    def __enter__(self) -> Self:
        """Raises UsageProblem where host and port can't be had."""
        served = listening(
            self._desk,
            self._host,
            self._port,
            seconds=self._limits.seconds,
            connections=self._limits.connections,
        )
        try:
            self._base = self._open.enter_context(served)
        except OSError as error:
            said = error.strerror or error
            raise UsageProblem(f"can't listen on {self._host}:{self._port}: {said}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()


class _Requests:
    """The ASGI app. Only the server's thread is in here."""

    def __init__(
        self, path: str, key: Secret | None, clock: Clock, limits: Limits, inbox: Inbox
    ) -> None:
        self.turned: Counter[str] = Counter()
        self._path = path
        self._key = key.value if key else None
        self._clock = clock
        self._limits = limits
        self._inbox = inbox
        self._large = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            heard = await self._read(Request(scope, receive))
        except ClientDisconnect:
            return
        await self._answer(heard)(scope, receive, send)

    async def _read(self, request: Request) -> ValidCallback | RefusedCallback:
        """The body first, whatever it is for: a client that still writes would miss its answer."""
        body = await self._body(request)
        if isinstance(body, RefusedCallback):
            return body
        if request.scope["path"] != self._path:
            return RefusedCallback(404, "nothing is here")
        if request.method != "POST":
            return RefusedCallback(405, "only POST is taken")
        query = request.scope["query_string"].decode("latin-1")
        now = self._clock.now().timestamp()
        return read_callback(query, request.headers.items(), body, self._key, now)

    def _answer(self, heard: ValidCallback | RefusedCallback) -> Response:
        if isinstance(heard, RefusedCallback):
            self.turned[heard.why] += 1
            return _response(heard.status, heard.why)
        if not self._inbox.put(Claim(heard.attempt_id, heard.task_id, heard.signed)):
            self.turned[FULL] += 1
        return _response(200, "success")

    async def _body(self, request: Request) -> bytes | RefusedCallback:
        """Whole. One that is too large is read on for a while and thrown away."""
        body = bytearray()
        size = 0
        with ExitStack() as held:
            async for chunk in request.stream():
                before, size = size, size + len(chunk)
                if before <= _SMALL < size and not held.enter_context(self._room()):
                    return RefusedCallback(503, "too many large requests at once")
                if size <= LARGEST_BODY:
                    body += chunk
                if size > _READ_ON:
                    break
        return bytes(body) if size <= LARGEST_BODY else TOO_LARGE

    @contextmanager
    def _room(self) -> Iterator[bool]:
        """Whether one more large body may be held; if so, for as long as the block lasts."""
        free = self._large < self._limits.large
        self._large += free
        try:
            yield free
        finally:
            self._large -= free


def _response(status: int, msg: str) -> Response:
    headers = {"connection": "close", "content-type": "application/json"}
    allow = {"allow": "POST"} if status == 405 else {}
    return Response(spoken(status, msg), status, headers={**headers, **allow})


# --- from the receiver's thread to the run's event loop ---------------------------------------------


class Inbox:
    """Holds at most `room` claims that nobody took yet, and remembers the last `remembered` ones."""

    def __init__(self, room: int, remembered: int) -> None:
        self._room = room
        self._remembered = remembered
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._claims: deque[Claim] = deque()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._lock = threading.Lock()

    def put(self, claim: Claim) -> bool:
        """Take it in, or leave it where it was told already. False where there was no room for it.

        One that found no room isn't remembered: it may come again.
        """
        name = (claim.attempt_id, claim.task_id)
        with self._lock:
            if name in self._told:
                self._told.move_to_end(name)
                return True
            if len(self._claims) >= self._room:
                return False
            self._remember(name)
            self._claims.append(claim)
            for event, loop in self._waiting.items():
                loop.call_soon_threadsafe(event.set)
        return True

    async def next(self) -> Claim:
        """The oldest claim; waits for one. A wait that is cancelled takes none away."""
        await anyio.lowlevel.checkpoint()
        event = asyncio.Event()
        try:
            while (claim := self._take(event)) is None:
                await event.wait()
                event.clear()
        finally:
            with self._lock:
                self._waiting.pop(event, None)
        return claim

    def _take(self, event: asyncio.Event) -> Claim | None:
        with self._lock:
            if self._claims:
                return self._claims.popleft()
            self._waiting[event] = asyncio.get_running_loop()
            return None

    def _remember(self, name: tuple[str, str]) -> None:
        self._told[name] = None
        if len(self._told) > self._remembered:
            self._told.popitem(last=False)
