"""The receiver of the API's callbacks: an HTTP server in a thread, an inbox in the run's event loop.

In: POSTs from the internet. Out: claims, each once. Touches: a listening socket. Needs the extra `serve`.

Whether an attempt id is anybody's is not known here, so nobody can find it out: every callback that passes
its checks is answered in the same bytes after the same work, within a second however busy the run is.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import Counter, OrderedDict, deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import anyio.lowlevel
import h11
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from kiejobs.adapters.server import QuietServer, open_socket, url_of
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.ledger.callbacks import LARGEST_BODY, TOO_LARGE, Claim, RefusedCallback, read_callback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

    from kiejobs.adapters.system import Secret
    from kiejobs.ports import Clock

FULL = "earlier ones were not processed in time"
_READ_ON = 8 * LARGEST_BODY
_SMALL = 64 * 1024  # bytes; a body up to here always finds room


@dataclass(frozen=True, slots=True)
class Limits:
    """What strangers may use up: `seconds` for a request, from connecting to its answer; `connections` and
    `large` bodies (over 64 KB) at the same time; claims `waiting` to be taken; claims `remembered`.
    """

    seconds: float = 10.0
    connections: int = 200
    large: int = 16
    waiting: int = 1_000
    remembered: int = 10_000


class Receiver:
    """A context manager, for one use. Listens while its block lasts; `next` gives what came in.

    `path` is the only one that is answered, decoded. With a `key` a callback must be signed; an empty one
    counts as none. `turned` counts by reason what the run isn't given: with a wrong key that is everything.
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
        self._key = key.value if key else None
        self._clock = clock
        self._limits = limits or Limits()
        self._inbox = Inbox(self._limits.waiting, self._limits.remembered)
        self._open = ExitStack()
        self._base = ""
        self._large = 0
        self.turned: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Where callbacks are taken, path included, with the port that was really had."""
        return self._base + quote(self._path)

    async def next(self) -> Claim:
        """The next callback that passed its checks and is new; waits for one."""
        return await self._inbox.next()

    def __enter__(self) -> Self:
        """Raises UsageProblem where host and port can't be had."""
        served = listening(self, self._host, self._port, self._limits)
        self._base = self._open.enter_context(served)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # --- the ASGI app: only the server's thread is in here ---

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            heard = await self._read(Request(scope, receive))
        except ClientDisconnect:
            return
        if isinstance(heard, RefusedCallback):
            self.turned[heard.why] += 1
            answer = _response(heard.status, heard.why)
        else:
            taken = self._inbox.put(heard)
            self.turned[FULL] += not taken
            answer = _response(200, "success") if taken else _response(503, FULL)
        await answer(scope, receive, send)

    async def _read(self, request: Request) -> Claim | RefusedCallback:
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

    async def _body(self, request: Request) -> bytes | RefusedCallback:
        """Complete. One that is too large is read on for a while and thrown away."""
        body, size, held = bytearray(), 0, False
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > _SMALL and not held:
                    if self._large >= self._limits.large:
                        return RefusedCallback(503, "too many large requests at once")
                    held = True
                    self._large += 1
                if size <= LARGEST_BODY:
                    body += chunk
                if size > _READ_ON:
                    break
        finally:
            self._large -= held
        return bytes(body) if size <= LARGEST_BODY else TOO_LARGE


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
        """False where there was no room: it may come again. One that is known already is left out."""
        name = (claim.attempt_id, claim.task_id)
        with self._lock:
            if name in self._told:
                self._told.move_to_end(name)
                return True
            if len(self._claims) >= self._room:
                return False
            self._told[name] = None
            if len(self._told) > self._remembered:
                self._told.popitem(last=False)
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


# --- an ASGI app on a port, for requests from anybody on the internet ---------------------------------
#
# uvicorn limits neither the time that a request takes to arrive nor, in a useful way, the connections that wait
# for one. The protocol class here gives each connection one request and one deadline, and closes the oldest
# when there are too many: whoever is slow on purpose makes room for those who are not.

_ACCEPTED_AT_ONCE = 8  # in one turn of the loop: else a sudden crowd would push out its own first, unread
_QUEUE = 1024  # of connections that the kernel holds meanwhile
_READ_AT_ONCE = 8 * 1024
"""Bytes that the kernel holds for a connection, about, and so what one turn of the loop may be busy with: a
quarter of a megabyte cut into chunks of one byte keeps h11 busy for a second."""


@contextmanager
def listening(app: Any, host: str, port: int, limits: Limits) -> Iterator[str]:
    """Serve `app` until the block ends; gives `http://HOST:PORT`. Raises UsageProblem where it can't be had.

    A connection lasts `limits.seconds` at most; of more than `limits.connections` the oldest is closed.
    """
    with open_socket(host, port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _READ_AT_ONCE)  # heirs: all accepted
        begun = threading.Event()

        def ready() -> None:
            # asyncio prints what it can't do for a connection, e.g. when file descriptors run out.
            asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
            sock.listen(_QUEUE)
            begun.set()

        def run() -> None:
            try:
                server.run(sockets=[sock])
            finally:
                begun.set()  # also where it could not begin: nobody is to wait for ever

        protocol = partial(_OneRequest, guests={}, limits=limits)
        server = QuietServer(app, protocol, ready, date_header=False, backlog=_ACCEPTED_AT_ONCE)
        thread = threading.Thread(target=run, name="kiejobs-callbacks", daemon=True)
        thread.start()
        try:
            begun.wait()
            if not server.started:
                raise UsageProblem(f"can't listen on {host}:{port}: the server did not start")
            yield url_of(sock)
        finally:
            server.should_exit = True
            thread.join()


def spoken(code: int, msg: str) -> bytes:
    """The body of every answer, in the vendor's form."""
    return json.dumps({"code": code, "msg": msg}, separators=(",", ":")).encode()


class _OneRequest(H11Protocol):
    """A connection for one request. `guests` are all connections that are open, the oldest first."""

    def __init__(self, *, guests: dict[_OneRequest, None], limits: Limits, **given: Any) -> None:
        super().__init__(**given)
        self._guests = guests
        self._limits = limits
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self._limits.seconds, transport.abort)
        self._guests[self] = None
        if len(self._guests) > self._limits.connections:
            oldest = next(iter(self._guests))
            del self._guests[oldest]
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._guests.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What uvicorn answers to what is no HTTP, in the form of all our answers."""
        del msg
        body = spoken(400, "this is not HTTP")
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        start = h11.Response(status_code=400, headers=[*headers, ("connection", "close")])
        for event in (start, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
