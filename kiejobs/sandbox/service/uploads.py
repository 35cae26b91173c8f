"""The three upload routes, and the addresses that they hand out.

In: requests. Out: answers in the recorded shape, and the uploaded bytes for a day. Touches the shelf in
the store; a URL to be fetched isn't, since the sandbox calls out to nobody: a small picture stands for
what it holds.
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from kiejobs.sandbox.answers import JSON_TYPE, bare, compact
from kiejobs.sandbox.asgi import Response
from kiejobs.sandbox.service.clock import iso
from kiejobs.sandbox.service.content import Content, make_content
from kiejobs.sandbox.service.upload_store import UploadStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.asgi import Request

_USER = "100000"


@dataclass(frozen=True, slots=True)
class _Upload:
    data: bytes
    path: str
    name: str


class UploadRoutes:
    """What was uploaded, by its path on the imitated host."""

    def __init__(self, store: Path) -> None:
        self._shelf = UploadStore(store)

    def find(self, path: str, now: float) -> Content | None:
        return self._shelf.get(path, now)

    def lacks_any(self, request_input: Json, base_url: str, now: float) -> bool:
        """Does a request point at an upload of ours that isn't there, or not any more?"""
        start = f"{base_url}/uploads/"
        own = (text for text in _texts(request_input) if text.startswith(start))
        paths = (unquote(urlsplit(url).path).partition("/uploads/")[2] for url in own)
        return any(self.find(path, now) is None for path in paths)

    def answer(self, request: Request, base_url: str, now: float) -> Response:
        """One of the three routes; errors with the status that is documented for them."""
        upload = _READERS[request.path](request)
        if isinstance(upload, str):
            return bare(400, {"success": False, "msg": upload})
        path = f"kieai/{_USER}/{upload.path.strip('/')}/{upload.name}"
        media_type = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
        self._shelf.put(path, Content(media_type, upload.data), now)
        return _uploaded(
            {
                "success": True,
                "fileName": upload.name,
                "filePath": path,
                "downloadUrl": f"{base_url}/uploads/{quote(path)}",
                "fileSize": len(upload.data),
                "mimeType": media_type,
                "uploadedAt": iso(now),
            }
        )


def _texts(value: Json) -> Iterator[str]:
    """Every text in it, however deep."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _uploaded(data: dict[str, Any]) -> Response:
    said = {"success": True, "code": 200, "msg": "File uploaded successfully", "data": data}
    return Response(200, compact(said).encode(), {"content-type": JSON_TYPE}, code=200)


def _read_base64(request: Request) -> _Upload | str:
    fields = _json_fields(request, "base64Data")
    if isinstance(fields, str):
        return fields
    try:
        text = fields["base64Data"].rpartition(",")[2]
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return "Invalid base64 data"
    return _Upload(data, fields["uploadPath"], fields.get("fileName") or _random_name())


def _read_url(request: Request) -> _Upload | str:
    fields = _json_fields(request, "fileUrl")
    if isinstance(fields, str):
        return fields
    url = urlsplit(fields["fileUrl"])
    if url.scheme not in ("http", "https") or not url.netloc:
        return "Invalid parameter: fileUrl"
    name = fields.get("fileName") or url.path.rpartition("/")[2] or _random_name()
    data = make_content("image/png", fields["fileUrl"]).data
    return _Upload(data, fields["uploadPath"], name)


def _json_fields(request: Request, wanted: str) -> dict[str, str] | str:
    body = request.json()
    return _complete(body if isinstance(body, dict) else {}, wanted)


def _complete(fields: dict[str, Any], wanted: str) -> dict[str, str] | str:
    """The text fields, or what is missing of them."""
    texts = {name: value for name, value in fields.items() if isinstance(value, str) and value}
    missing = next((name for name in (wanted, "uploadPath") if name not in texts), None)
    return texts if missing is None else f"Missing required parameter: {missing}"


def _read_stream(request: Request) -> _Upload | str:
    parts = _parts(request)
    if "file" not in parts:
        return "Missing required parameter: file"
    name, data = parts["file"]
    texts = {key: value.decode("utf-8", "replace") for key, (_, value) in parts.items()}
    fields = _complete({**texts, "file": "yes"}, "file")
    if isinstance(fields, str):
        return fields
    return _Upload(data, fields["uploadPath"], fields.get("fileName") or name or _random_name())


def _parts(request: Request) -> dict[str, tuple[str, bytes]]:
    """A multipart body (RFC 7578): file name and bytes of each part, by the part's name."""
    marked = re.search(r'boundary="?([^";,]+)', request.headers.get("content-type", ""))
    found: dict[str, tuple[str, bytes]] = {}
    if marked is None:
        return found
    for part in request.body.split(b"--" + marked[1].encode("latin-1"))[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        text = head.decode("utf-8", "replace")
        name = re.search(r'[; ]name="([^"]*)"', text)
        file = re.search(r'filename="([^"]*)"', text)
        if name:
            found[name[1]] = (file[1] if file else "", data.removesuffix(b"\r\n"))
    return found


def _random_name() -> str:
    return f"{uuid.uuid4().hex[:13]}.png"


_READERS = {
    "/api/file-base64-upload": _read_base64,
    "/api/file-stream-upload": _read_stream,
    "/api/file-url-upload": _read_url,
}
