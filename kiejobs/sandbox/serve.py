"""The sandbox on a port.

In: a `Sandbox`, host and port. Out: nothing; it serves until it is interrupted. Touches a listening
socket, and loopback addresses for callbacks. Needs the extra `serve` (uvicorn); prints nothing.

uvicorn answers 500 when an app raises before its first byte, and has no way for an app to drop a
connection. But it takes a protocol class of ours: the one here gives each connection an app that
knows its socket and closes it on ConnectionLost. That is less code than a server of our own, and
HTTP stays in the hands of h11.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from kiejobs.sandbox.asgi import ConnectionLost, client_left
from kiejobs.sandbox.callbacks import post_callback

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.sandbox.app import Sandbox
    from kiejobs.sandbox.asgi import Receive, Scope, Send

_GRACE_SECONDS = 1  # for answers under way when the server is stopped


def serve(
    sandbox: Sandbox, host: str, port: int, *, ready: Callable[[str], None] | None = None
) -> None:
    """Serve until SIGINT or SIGTERM. Port 0 takes a free one.

    `ready` is given the address, `http://127.0.0.1:PORT`, once requests are answered there. Raises
    OSError where the port is taken, and KeyboardInterrupt after a SIGINT.
    """
    with listening(host, port) as sock:
        make_server(sandbox, sock, ready).run(sockets=[sock])


def listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def url_of(sock: socket.socket) -> str:
    """The address; one that means "any" is given as loopback."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - it is compared with, not bound to
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(
    sandbox: Sandbox, sock: socket.socket, ready: Callable[[str], None] | None
) -> uvicorn.Server:
    url = url_of(sock)
    sandbox.move_to(url, post_callback)
    config = uvicorn.Config(
        sandbox,
        http=_Droppable,
        loop="asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        log_config=None,
        log_level="critical",  # it prints nothing: a bad request is no news here
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return _Announcing(config, lambda: ready(url) if ready else None)


class _Announcing(uvicorn.Server):
    """Says when it is ready; and when it stops, doesn't wait for scripted silences to end."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)


class _Droppable(H11Protocol):
    """A connection that its app can close without an answer, or in the middle of one."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        app: Any = self.app

        async def droppable(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            except (ConnectionLost, asyncio.CancelledError):  # cancelled: the server is stopping
                transport.close()
                await client_left(receive)  # else uvicorn took the silence for a mistake: 500

        self.app = droppable
