"""A gallery on a port: its page, its data, its files, what changes, and picks that come back.

In: what makes the data, and takes picks. Out: its address. Touches: a listening socket; files, by reading. Needs the
extra `serve`.

Everything is below a path that holds a token: whoever has the address may look and choose, nobody else learns
anything. What is sent along with a clip says that it is no page: its bytes are a stranger's.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import suppress
from ipaddress import ip_address
from socket import gethostname
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from kiejobs.adapters.server import QuietServer, open_socket, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

_LOOK_EVERY = 0.5  # seconds between two looks at the ledger
_LARGEST = 2**20  # bytes of a request
_SHOWN = ("video/", "audio/", "image/")
_PLAIN = "application/octet-stream"
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]+))(?::[0-9]+)?")
_ANY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - nothing is bound
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_OF_FILES = {
    **_HEADERS,
    "content-security-policy": "default-src 'none'; sandbox",
    "cache-control": "no-cache",
}


class LiveGallery(Protocol):
    """What is served. Called from threads, one call at a time."""

    def stamp(self) -> str:
        """Differs where what is shown may differ. Quick."""

    def page(self) -> str: ...

    def data(self) -> str:
        """The document as JSON."""

    def file(self, key: str) -> tuple[Path, str] | None:
        """A file that the page names, and its media type."""

    def take(self, picks: bytes) -> str | None:
        """Write picks, in the form of the export; or why not, in words."""


class _Guard:
    """Answers only who asks for this machine by its address, and no page of another site.

    A name of a stranger's that leads to this machine would make the page part of the stranger's site.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app, self._host = app, host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "")
            if not self._is_own(host):
                app = PlainTextResponse("not an address of the gallery", 421, headers=_HEADERS)
            elif headers.get("origin", f"http://{host}") != f"http://{host}":
                app = PlainTextResponse("asked by a page of another site", 403, headers=_HEADERS)
        await app(scope, receive, send)

    def _is_own(self, header: str) -> bool:
        found = _HOST.fullmatch(header.lower())
        name = found and (found[1] or found[2])
        if not name:
            return False
        is_any = self._host in _ANY
        try:
            return ip_address(name).is_loopback or is_any or name == self._host
        except ValueError:
            return name in {"localhost", self._host} or (is_any and name == gethostname().lower())


class GalleryApp:
    """The ASGI app of one gallery; `token` is the first part of every path."""

    def __init__(self, shown: LiveGallery, host: str) -> None:
        """`host` is what it is bound to."""
        self.token = secrets.token_urlsafe(24)
        self._shown = shown
        self._lock = Lock()
        routes = [
            Route("/", self._page),
            Route("/data.json", self._data),
            Route("/events", self._events),
            Route("/picks", self._picks, methods=["POST"]),
            Route("/files/{key}", self._file),
        ]
        guard = Middleware(_Guard, host=host)
        self.asgi = Starlette(routes=[Mount(f"/{self.token}", routes=routes)], middleware=[guard])

    async def _alone(self, act: Callable[..., object], *given: object) -> object:
        def locked() -> object:
            with self._lock:
                return act(*given)

        return await run_in_threadpool(locked)

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(await self._alone(self._shown.page), headers=_HEADERS)

    async def _data(self, _: Request) -> Response:
        data = str(await self._alone(self._shown.data))
        return Response(data, media_type="application/json", headers=_HEADERS)

    async def _file(self, request: Request) -> Response:
        found = self._shown.file(request.path_params["key"])
        if found is None or not found[0].is_file():
            return PlainTextResponse("nothing is here", 404, headers=_HEADERS)
        path, media_type = found
        kind = media_type if media_type.startswith(_SHOWN) and "svg" not in media_type else _PLAIN
        return FileResponse(path, media_type=kind, headers=_OF_FILES)

    async def _picks(self, request: Request) -> Response:
        if request.headers.get("content-type") != "application/json":
            return PlainTextResponse("picks come as JSON", 415, headers=_HEADERS)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST:
                return PlainTextResponse("that is too large", 413, headers=_HEADERS)
        refused = await self._alone(self._shown.take, bytes(body))
        return PlainTextResponse(str(refused or ""), 422 if refused else 200, headers=_HEADERS)

    async def _events(self, request: Request) -> Response:
        return StreamingResponse(self._changes(request), media_type="text/event-stream", headers=_HEADERS)

    async def _changes(self, request: Request) -> AsyncIterator[str]:
        """Server-sent events: one for each change, a comment now and then so that a lost page is noticed."""
        known = await self._alone(self._shown.stamp)
        yield "retry: 1000\n\n"
        quiet = 0
        while not await request.is_disconnected():
            await asyncio.sleep(_LOOK_EVERY)
            now = await self._alone(self._shown.stamp)
            quiet = 0 if now != known else quiet + 1
            if now != known:
                known = now
                yield "event: change\ndata: {}\n\n"
            elif quiet % 20 == 0:
                yield ": here\n\n"


def serve_gallery(shown: LiveGallery, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT (KeyboardInterrupt) or SIGTERM. Raises UsageProblem where the port can't be had."""
    app = GalleryApp(shown, host)
    with open_socket(host, port) as sock:
        url = f"{url_of(sock)}/{app.token}/"
        server = QuietServer(app.asgi, H11Protocol, lambda: ready(url))
        with suppress(asyncio.CancelledError):
            server.run(sockets=[sock])
