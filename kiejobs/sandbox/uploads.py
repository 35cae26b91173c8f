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
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from kiejobs.sandbox.asgi import JSON_TYPE, Response, bare, compact
from kiejobs.sandbox.files import Content, make_content
from kiejobs.sandbox.tasks import iso

if TYPE_CHECKING:
    from pathlib import Path

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.asgi import Request

KEPT = 24 * 3600.0  # seconds (documented)
_USER = "100000"


_CONTENT = {
    "/api/file-base64-upload": "base64Data",
    "/api/file-stream-upload": "file",
    "/api/file-url-upload": "fileUrl",
}
"""By route: the field that holds what is uploaded."""


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
        own = re.compile(rf'"{re.escape(base_url)}/uploads/([^"?#]*)')
        fields = body.get("input") if isinstance(body, dict) else None
        paths = map(unquote, own.findall(compact(fields)))
        return any(self.find(path, now) is None for path in paths)

    def answer(self, request: Request, base_url: str, now: float) -> Response:
        """One of the three routes; errors with the status that is documented for them."""
        upload = _read(request, _CONTENT[request.path])
        if isinstance(upload, str):
            return bare(400, {"success": False, "msg": upload})
        folder, name, data = upload
        path = f"kieai/{_USER}/{folder.strip('/')}/{name}"
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        self._put(path, Content(media_type, data), now)
        stored = {
            "success": True,
            "fileName": name,
            "filePath": path,
            "downloadUrl": f"{base_url}/uploads/{quote(path)}",
            "fileSize": len(data),
            "mimeType": media_type,
            "uploadedAt": iso(now),
        }
        said = {"success": True, "code": 200, "msg": "File uploaded successfully", "data": stored}
        return Response(200, compact(said).encode(), {"content-type": JSON_TYPE}, code=200)

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


def _read(request: Request, content: str) -> tuple[str, str, bytes] | str:
    """Folder, name and bytes of what is uploaded; or what is wrong with the request."""
    sent, name, data = _parts(request) if content == "file" else (request.json(), "", b"")
    given = sent.items() if isinstance(sent, dict) else ()
    fields = {key: value for key, value in given if isinstance(value, str) and value}
    for key in (content, "uploadPath"):
        if key not in fields:
            return f"Missing required parameter: {key}"
    if content == "base64Data":
        try:
            data = base64.b64decode(fields[content].rpartition(",")[2], validate=True)
        except binascii.Error:
            return "Invalid base64 data"
    elif content == "fileUrl":
        url = urlsplit(fields[content])
        if url.scheme not in ("http", "https") or not url.netloc:
            return "Invalid parameter: fileUrl"
        name, data = url.path.rpartition("/")[2], make_content("image/png", fields[content]).data
    name = fields.get("fileName") or name or f"{uuid.uuid4().hex[:13]}.png"
    return fields["uploadPath"], name, data


def _parts(request: Request) -> tuple[Json, str, bytes]:
    """A multipart body (RFC 7578): its fields, and the name and the bytes of the one called `file`."""
    marked = re.search(r'boundary="?([^";,]+)', request.headers.get("content-type", ""))
    fields, file, content = {}, "", b""
    parts = request.body.split(b"--" + marked[1].encode("latin-1"))[1:-1] if marked else ()
    for part in parts:
        head, _, data = part.removesuffix(b"\r\n").partition(b"\r\n\r\n")
        text = head.decode("utf-8", "replace")
        for key in re.findall(r'[; ]name="([^"]*)"', text):
            fields[key] = data.decode("utf-8", "replace")
            if key == "file":
                fields[key] = "sent"
                file, content = "".join(re.findall(r'filename="([^"]*)"', text)), data
    return fields, file, content
