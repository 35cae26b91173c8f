"""The three upload routes, the addresses that they hand out, and what is kept of an upload for a day.

In: requests. Out: answers in the recorded shape, and the uploaded bytes again, until they have expired;
`uploads.jsonl`, a line for each upload. Touches that log and `uploads/` in the store: the bytes of each
upload under their own hash, and a note for each path. A URL to be fetched isn't, since the sandbox
calls out to nobody: a small picture stands for what it holds.

A later upload to a path takes its place. Processes may share a store: a note is renamed into place
after its bytes, so it is whole.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import mimetypes
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from kiejobs.sandbox.asgi import JSON_TYPE, Response, bare, compact
from kiejobs.sandbox.files import Content, make_content
from kiejobs.sandbox.tasks import iso

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.asgi import Request

KEPT = 24 * 3600.0  # seconds (documented)
_USER = "100000"


@dataclass(frozen=True, slots=True)
class _Upload:
    data: bytes
    path: str
    name: str


class Uploads:
    """What was uploaded, by its path on the imitated host. The folder is born with the first of them."""

    def __init__(self, store: Path) -> None:
        self._folder = store / "uploads"
        self._log = store / "uploads.jsonl"

    def find(self, path: str, now: float) -> Content | None:
        """None for what never was, or is there no more."""
        try:
            note = json.loads((self._folder / _note_name(path)).read_bytes())
        except FileNotFoundError:
            return None
        if now >= note["at"] + KEPT:
            return None
        return Content(note["media_type"], (self._folder / note["sha256"]).read_bytes())

    def lacks_any(self, body: Json, base_url: str, now: float) -> bool:
        """Does a request point at an upload of ours that isn't there, or not any more?"""
        for text in _texts(body.get("input") if isinstance(body, dict) else None):
            if text.startswith(f"{base_url}/uploads/"):
                path = unquote(urlsplit(text).path).partition("/uploads/")[2]
                if self.find(path, now) is None:
                    return True
        return False

    def answer(self, request: Request, base_url: str, now: float) -> Response:
        """One of the three routes; errors with the status that is documented for them."""
        upload = _READERS[request.path](request)
        if isinstance(upload, str):
            return bare(400, {"success": False, "msg": upload})
        path = f"kieai/{_USER}/{upload.path.strip('/')}/{upload.name}"
        media_type = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
        self._put(path, Content(media_type, upload.data), now)
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

    def _put(self, path: str, content: Content, now: float) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(content.data).hexdigest()
        note = {"path": path, "at": now, "media_type": content.media_type, "sha256": digest}
        self._write(digest, content.data)
        self._write(_note_name(path), json.dumps(note).encode())
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(note) + "\n")

    def _write(self, name: str, data: bytes) -> None:
        partial = self._folder / f"{uuid.uuid4().hex}.part"
        partial.write_bytes(data)
        partial.replace(self._folder / name)


def _note_name(path: str) -> str:
    """Paths are whatever a client says; their hashes are names that lead nowhere else."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest() + ".json"


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
