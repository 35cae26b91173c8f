"""ASGI apps on a port: uvicorn as the receiver and the sandbox want it, and the sandbox served.

In: an app, host and port. Out: its address. Touches: a listening socket. Needs the extra `serve`; prints
nothing. uvicorn has no way for an app to drop a connection, but it takes a protocol class of ours.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from kiejobs.core.diagnostics import UsageProblem
from kiejobs.sandbox.app import post_callback
from kiejobs.sandbox.asgi import ConnectionLost, client_left

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.sandbox.app import Sandbox
    from kiejobs.sandbox.asgi import Receive, Scope, Send

_GRACE_SECONDS = 1  # for answers under way when the server is stopped


def open_socket(host: str, port: int) -> socket.socket:
    """Port 0 takes a free one. Raises UsageProblem where the port can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageProblem(f"can't listen on {host}:{port}: {error.strerror or error}") from error


def url_of(sock: socket.socket) -> str:
    """The address; one that means "any" is given as loopback."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class QuietServer(uvicorn.Server):
    """Says when it is ready; and when it stops, doesn't wait for requests that are half there."""

    def __init__(self, app: Any, protocol: Any, ready: Callable[[], None], **more: Any) -> None:
        self._ready = ready
        config = uvicorn.Config(
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
            timeout_graceful_shutdown=_GRACE_SECONDS,
            **more,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)


# --- the sandbox -------------------------------------------------------------------------------------


def serve(sandbox: Sandbox, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT (KeyboardInterrupt) or SIGTERM. Raises UsageProblem where the port is taken.

    `ready` is given the address once requests are answered there.
    """
    with open_socket(host, port) as sock:
        sandbox_server(sandbox, sock, ready).run(sockets=[sock])


def sandbox_server(sandbox: Sandbox, sock: socket.socket, ready: Callable[[str], None]) -> QuietServer:
    url = url_of(sock)
    sandbox.move_to(url, post_callback)
    return QuietServer(sandbox, _Droppable, lambda: ready(url))


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
