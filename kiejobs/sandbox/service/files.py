"""Files over HTTP: produced and uploaded ones, whole or by range (RFC 9110).

In: a request, a file's bytes and type. Out: the answer. Touches nothing.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from kiejobs.sandbox.answers import plain
from kiejobs.sandbox.asgi import Response

if TYPE_CHECKING:
    from kiejobs.sandbox.asgi import Request
    from kiejobs.sandbox.service.content import Content


def file_answer(
    request: Request, content: Content, *, keep: int | None = None, ranges: bool = True
) -> Response:
    """The file, or a part of it. `keep`: only so many bytes of it exist."""
    data = content.data[:keep]
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"content-type": content.media_type, "etag": etag}
    if ranges:
        headers["accept-ranges"] = "bytes"
    wanted = _wanted(request, etag, len(data)) if ranges else None
    if wanted is None:
        return _for_method(request, Response(200, data, headers))
    if not wanted:
        headers["content-range"] = f"bytes */{len(data)}"
        return Response(416, b"", headers)
    headers["content-range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(data)}"
    return Response(206, data[wanted.start : wanted.stop], headers)


def no_file() -> Response:
    return plain(404, "<html><body><h1>404 Not Found</h1></body></html>", "text/html")


def _for_method(request: Request, answer: Response) -> Response:
    if request.method != "HEAD":
        return answer
    return Response(answer.status, b"", answer.headers, length=len(answer.body))


def _wanted(request: Request, etag: str, size: int) -> range | None:
    """The part asked for; an empty one if there is no such part; None for the whole file.

    Several ranges at once, other units, and ranges of another version (If-Range) mean the whole.
    """
    asked = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", request.headers.get("range", ""))
    same = request.headers.get("if-range", etag) == etag
    if request.method != "GET" or not same or asked is None or asked[0] == "bytes=-":
        return None
    if not asked[1]:
        return range(max(0, size - int(asked[2])), size)
    end = int(asked[2]) + 1 if asked[2] else size
    if end <= int(asked[1]) and asked[2]:
        return None
    return range(int(asked[1]), min(end, size))
