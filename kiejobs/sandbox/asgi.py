"""Requests and answers as values, the API's envelopes, and the only place that speaks ASGI.

Errors come as HTTP 200 with the code in the body, a bad key's too (observed); the exceptions are a missing key (HTTP
401, observed on a sibling route) and a client without a User-Agent (HTTP 403, plain text, observed). An ASGI app can't drop a
connection: a delivery that breaks off raises `ConnectionLost`, and whoever runs the app does it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]

_CHUNK = 64 * 1024


class ConnectionLost(Exception):
    """The connection is to die here, with no further byte."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, with all of its body. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """The body as JSON, or None where it isn't any."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, and how it reaches the client.

    `code` is the envelope's, `task_id` its task, `fault` the scripted one; all for the log. `length` is what
    Content-Length promises, where that isn't the body's own. `silent`: not even the status line comes. `stop_after`:
    that many bytes of the body do. `rate`: bytes a second. `hang`: seconds before the end. `drop`: the end is a dead
    connection.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    code: int | None = None
    task_id: str | None = None
    length: int | None = None
    fault: str | None = None
    silent: bool = False
    stop_after: int | None = None
    rate: int | None = None
    hang: float = 0.0
    drop: bool = False


# --- what the API says -----------------------------------------------------------------------------

JSON_TYPE = "application/json;charset=UTF-8"

# What the service says, by code. Where nothing was recorded, the documented meaning in few words.
MESSAGES = {
    400: "taskId parameter is required",
    401: "You do not have access permissions",
    402: "Credits insufficient : Your current balance isn't enough to run this request. "
    "Please top up to continue.",
    404: "Not found",
    405: "Method not allowed",
    422: "The model name you specified is not supported. Please check the model name.",
    429: "Your call frequency is too high. Please try again later.",
    433: "The current number of points used by apiKey has exceeded the daily limit",
    455: "Service unavailable: under maintenance",
    500: "Server exception, please try again later",
    501: "Generation failed",
    505: "This feature is disabled",
}
UNAUTHORISED = "Unauthorized – Authentication failed. Check your API key."  # noqa: RUF001 - their dash
UNKNOWN_TASK = "recordInfo is null"
NOT_OURS = "url is wrong"


def compact(value: Json) -> str:
    """JSON as the service writes it: no blanks, no escapes beyond the needed ones."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def envelope(code: int, msg: str, data: Json, *, task_id: str | None = None) -> Response:
    body = compact({"code": code, "msg": msg, "data": data}).encode("utf-8", "replace")
    return Response(200, body, {"content-type": JSON_TYPE}, code=code, task_id=task_id)


def success(data: Json, *, task_id: str | None = None) -> Response:
    return envelope(200, "success", data, task_id=task_id)


def error(code: int, msg: str | None = None, *, task_id: str | None = None) -> Response:
    return envelope(code, msg or MESSAGES.get(code, "error"), None, task_id=task_id)


def bare(status: int, fields: Json) -> Response:
    """An HTTP error whose envelope has no `data` key."""
    body = compact({"code": status, **fields}).encode()
    return Response(status, body, {"content-type": JSON_TYPE}, code=status)


def plain(status: int, text: str, content_type: str = "text/plain; charset=UTF-8") -> Response:
    return Response(status, text.encode(), {"content-type": content_type})


# --- over ASGI -------------------------------------------------------------------------------------


async def read_request(scope: Scope, receive: Receive) -> Request:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionLost
        body += message.get("body", b"")
        more = message.get("more_body", False)
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], query, headers, bytes(body))


async def deliver(response: Response, receive: Receive, send: Send, sleep: Sleep) -> None:
    """Send it. Raises ConnectionLost where the delivery ends in a dead connection."""
    body, size = response.body[: response.stop_after], response.rate or _CHUNK
    if not response.silent:
        length = len(response.body) if response.length is None else response.length
        headers = {**response.headers, "content-length": str(length)}.items()
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": response.status, "headers": pairs})
        for at in range(0, len(body), size):
            chunk = body[at : at + size]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if response.rate:
                await sleep(1)
    if response.hang:
        await _silence(response.hang, receive, sleep)
    if response.drop:
        raise ConnectionLost
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _silence(seconds: float, receive: Receive, sleep: Sleep) -> None:
    """Say nothing until the time is over or the client has left."""
    waits = [asyncio.ensure_future(sleep(seconds)), asyncio.ensure_future(client_left(receive))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
