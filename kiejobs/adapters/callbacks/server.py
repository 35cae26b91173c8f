"""An ASGI app on a port in a thread of its own, for requests from anybody on the internet.

In: an app, host and port, limits. Out: the address, for as long as a block lasts. Touches a listening
socket. Needs the extra `serve` (uvicorn); prints and logs nothing.

uvicorn limits neither the time that a request takes to arrive nor, in a useful way, the connections
that wait for one. But it takes a protocol class of ours. The one here gives each connection one
request and one deadline from its first moment to its last, and closes the oldest when there are too
many: whoever is slow on purpose makes room for those who are not.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_GRACE_SECONDS = 1
_ACCEPTED_AT_ONCE = 8
"""In one turn of the event loop, so that those who came first are read before the next are let in.
Else a sudden crowd would push out its own first, whose requests had arrived but were not looked at."""
_QUEUE = 1024  # of connections that the kernel holds meanwhile
_READ_AT_ONCE = 8 * 1024
"""Bytes that the kernel holds for a connection, about, and so what one turn of the loop may be busy
with. A quarter of a megabyte cut into chunks of one byte keeps h11 busy for a second: everyone would
wait."""


@contextmanager
def listening(app: Any, host: str, port: int, *, seconds: float, connections: int) -> Iterator[str]:
    """Serve `app` until the block ends; gives `http://HOST:PORT`. Port 0 takes a free one.

    A connection lasts `seconds` at most; of more than `connections` the oldest is closed. Raises
    OSError where the port can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _READ_AT_ONCE)  # heirs: all accepted
        ready = threading.Event()
        server = _Server(_config(app, seconds, connections), ready.set)
        thread = threading.Thread(
            target=_serve, args=(server, sock, ready), name="kiejobs-callbacks", daemon=True
        )
        thread.start()
        try:
            ready.wait()
            if not server.started:
                raise OSError("the server did not start")
            yield _address(sock)
        finally:
            server.should_exit = True
            thread.join()


def spoken(code: int, msg: str) -> bytes:
    """The body of every answer, in the vendor's form."""
    return json.dumps({"code": code, "msg": msg}, separators=(",", ":")).encode()


def _serve(server: uvicorn.Server, sock: socket.socket, ready: threading.Event) -> None:
    try:
        server.run(sockets=[sock])
    finally:
        ready.set()  # also where it could not begin: nobody is to wait for ever


def _address(sock: socket.socket) -> str:
    """One that means "any" is told as loopback."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _config(app: Any, seconds: float, connections: int) -> uvicorn.Config:
    protocol: Any = partial(_OneRequest, guests={}, seconds=seconds, most=connections)
    return uvicorn.Config(
        app,
        http=protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        date_header=False,
        backlog=_ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


class _Server(uvicorn.Server):
    """Says when it is ready; and when it stops, doesn't wait for requests that are half there."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # asyncio prints what it can't do for a connection, e.g. when file descriptors run out.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        await super().startup(sockets)
        for sock in sockets or []:
            sock.listen(_QUEUE)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)


class _OneRequest(H11Protocol):
    """A connection for one request: its app answers with `Connection: close`.

    `guests` are all connections that are open, the oldest first.
    """

    def __init__(
        self, *, guests: dict[_OneRequest, None], seconds: float, most: int, **given: Any
    ) -> None:
        super().__init__(**given)
        self._guests = guests
        self._seconds = seconds
        self._most = most
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self._seconds, transport.abort)
        self._guests[self] = None
        if len(self._guests) > self._most:
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
