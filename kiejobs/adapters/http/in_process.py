"""An ASGI app spoken to without a socket: how `--sandbox` answers.

In: httpx requests. Out: httpx responses. Touches nothing but the app.

It announces the write as httpcore does, so that a rehearsal reserves at the same point as a purchase;
and what would be a dropped connection on a socket is one here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from kiejobs.sandbox.asgi import ConnectionLost

if TYPE_CHECKING:
    from collections.abc import Callable


class InProcess(httpx.AsyncBaseTransport):
    """A transport that hands each request to `app`."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._asgi = httpx.ASGITransport(app=app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trace = request.extensions.get("trace")
        if trace is not None:
            await trace("http11.send_request_headers.started", {})
        try:
            return await self._asgi.handle_async_request(request)
        except ConnectionLost as lost:
            raise httpx.ReadError("", request=request) from lost
