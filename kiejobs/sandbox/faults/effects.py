"""What a fault does to an answer: another one, another way of sending it, or both.

In: the answer that would have been given. Out: the one that is. Touches nothing.
"""

from __future__ import annotations

from dataclasses import replace

from kiejobs.sandbox.asgi import MESSAGES, Response, compact, envelope, plain

HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
BODIES = ("html", "text", "empty", "json")
FOR_EVER = 3600.0  # simulated seconds that a hang lasts when the fault doesn't say


def says_code(code: int, msg: str | None, status: int, retry_after: float | None) -> Response:
    """An envelope with this code. 200 is the answer without an id: `data` is there, and empty."""
    data: dict[str, str] | None = {} if code == 200 else None
    text = msg or ("success" if code == 200 else MESSAGES.get(code, "error"))
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    said = envelope(code, text, data)
    return replace(said, status=status, headers={**said.headers, **headers})


def says_status(status: int, body: str) -> Response:
    """A bare HTTP answer, as from something that stands before the service."""
    title = f"{status} {MESSAGES.get(status, 'Error')}"
    if body == "html":
        return plain(status, HTML.format(title), "text/html; charset=UTF-8")
    if body == "json":
        text = compact({"status": status, "error": title})
        return plain(status, text, "application/json")
    return plain(status, title if body == "text" else "")


def says_garbage() -> Response:
    """Bytes that are called JSON and are not even text."""
    body = b'{"code":200,"msg":"succ\xff\xfe\x00\x01'
    return Response(200, body, {"content-type": "application/json;charset=UTF-8"})


def says_elsewhere(url: str) -> Response:
    said = plain(302, "")
    return replace(said, headers={**said.headers, "location": url})
