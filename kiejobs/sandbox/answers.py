"""The API's answers in words and envelopes.

In: data. Out: `Response`s as the service was seen to give them. Touches nothing.

Errors come as HTTP 200 with the code in the body (observed); the exceptions are a missing key (HTTP
401, observed on a sibling route) and a client without a User-Agent (HTTP 403, plain text, observed).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kiejobs.sandbox.asgi import Response

if TYPE_CHECKING:
    from kiejobs.core.document.nodes import Json

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
UNREACHABLE = "The input file could not be downloaded"  # no text for this was ever seen


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
