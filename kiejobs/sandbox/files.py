"""The files that the sandbox hands out: samples used as results, and uploads, for a day.

Out: a file, all of it or a range (RFC 9110); the upload routes' answers in the recorded shape. Touches: the
samples; in the store `uploads.jsonl` and `uploads/`: the bytes under their hash, a note for each path.

Any size and length is met by the same few samples (tests/support/draw_samples.py). A note makes each file
another one, where decoders pass over it. An upload by URL isn't fetched: a small picture is used for it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import mimetypes
import os
import re
import struct
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from kiejobs.sandbox.asgi import JSON_TYPE, Response, bare, compact, plain
from kiejobs.sandbox.tasks import iso

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.asgi import Request

KEPT = 24 * 3600.0  # seconds that an upload is kept (documented)
_URLS = re.compile(r'"(https?://(?:[^"/?#]*(\.invalid)(?=[:/?#"]))?[^"#]*)', re.IGNORECASE)
_USER = "100000"
_CONTENT = {
    "/api/file-base64-upload": "base64Data",
    "/api/file-stream-upload": "file",
    "/api/file-url-upload": "fileUrl",
}  # by route: the field that holds what is uploaded
NO_FILE = plain(404, "<html><body><h1>404 Not Found</h1></body></html>", "text/html")
_FOLDER = Path(__file__).parent / "samples"
_END_OF_PNG = 12  # bytes of the IEND chunk
_JFIF = 20  # bytes of a JPEG's start and its first segment, which must come first


@dataclass(frozen=True, slots=True)
class Content:
    """A produced file."""

    media_type: str
    data: bytes


def make_content(media_type: str, seed: str) -> Content:
    """The file. A picture of an unknown type is a PNG, any sound but MP3 a WAV, all else a video."""
    kind = media_type.partition("/")[0]
    known = media_type if media_type in _SAMPLES else _INSTEAD.get(kind, "video/mp4")
    name, noted = _SAMPLES[known]
    note = f"kiejobs sandbox {seed}".encode("ascii", "backslashreplace")
    data = noted((_FOLDER / name).read_bytes(), note)
    return Content(known if kind in _INSTEAD else media_type, data)


def file_answer(
    request: Request, content: Content, *, keep: int | None = None, ranges: bool = True
) -> Response:
    """The file, or a part of it. `keep`: only this many bytes of it exist."""
    data = content.data[:keep]
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"content-type": content.media_type, "etag": etag}
    if ranges:
        headers["accept-ranges"] = "bytes"
    asked = ranges and request.method == "GET" and "range" in request.headers
    wanted = _wanted(request, etag, len(data)) if asked else None
    if wanted is None:
        sent = b"" if request.method == "HEAD" else data
        return Response(200, sent, headers, length=len(data))
    if not wanted:
        headers["content-range"] = f"bytes */{len(data)}"
        return Response(416, b"", headers)
    headers["content-range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(data)}"
    return Response(206, data[wanted.start : wanted.stop], headers)


def _wanted(request: Request, etag: str, size: int) -> range | None:
    """The part asked for, empty if there is none such; None for all, as for several or another version."""
    asked = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", request.headers.get("range", ""))
    same = request.headers.get("if-range", etag) == etag
    if not same or asked is None or asked[0] == "bytes=-":
        return None
    if not asked[1]:
        return range(max(0, size - int(asked[2])), size)
    end = int(asked[2]) + 1 if asked[2] else size
    if end <= int(asked[1]) and asked[2]:
        return None
    return range(int(asked[1]), min(end, size))


# --- uploads ---------------------------------------------------------------------------------------


class UploadRoutes:
    """What was uploaded, by its path on the imitated host; a later upload to a path takes its place.

    Processes may share a store: a note is renamed into place after its bytes, so it is complete.
    """

    def __init__(self, store: Path) -> None:
        self._log, self._folder = store / "uploads.jsonl", store / "uploads"

    def find(self, path: str, now: float) -> Content | None:
        """None for what never was, or is there no more."""
        try:
            note = json.loads((self._folder / _note_name(path)).read_bytes())
        except FileNotFoundError:
            return None
        if now >= note["at"] + KEPT:
            return None
        return Content(note["media_type"], (self._folder / note["sha256"]).read_bytes())

    def kept(self, path: str) -> tuple[str, Path] | None:
        """The SHA-256 of an upload, and the file with its bytes."""
        try:
            digest = json.loads((self._folder / _note_name(path)).read_bytes())["sha256"]
        except FileNotFoundError:
            return None
        return digest, self._folder / digest

    def lacks_any(self, body: Json, base_url: str, now: float) -> bool:
        """Does a request point at an upload of ours that isn't there (any more), or at a host that never is (RFC 2606)?"""
        fields = body.get("input") if isinstance(body, dict) else None
        for url, is_nowhere in _URLS.findall(compact(fields)):
            own = url.removeprefix(f"{base_url}/uploads/")
            is_gone = own != url and self.find(unquote(own.partition("?")[0]), now) is None
            if is_gone or (is_nowhere and not url.startswith(f"{base_url}/")):
                return True
        return False

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
        answer = {"success": True, "code": 200, "msg": "File uploaded successfully", "data": stored}
        return Response(200, compact(answer).encode(), {"content-type": JSON_TYPE}, code=200)

    def _put(self, path: str, content: Content, now: float) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(content.data).hexdigest()
        note = {"path": path, "at": now, "media_type": content.media_type, "sha256": digest}
        self._write(digest, content.data)
        self._write(_note_name(path), json.dumps(note).encode())
        with open(self._log, "a", encoding="utf-8", opener=_no_link) as log:
            log.write(json.dumps(note) + "\n")

    def _write(self, name: str, data: bytes) -> None:
        partial = self._folder / f"{uuid.uuid4().hex}.part"
        partial.write_bytes(data)
        partial.replace(self._folder / name)


def _no_link(path: str, flags: int) -> int:
    """A link would lead the lines elsewhere."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)


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


# --- notes in samples ------------------------------------------------------------------------------


def _in_mp4(data: bytes, note: bytes) -> bytes:
    """A `free` box at the end."""
    return data + struct.pack(">I", 8 + len(note)) + b"free" + note


def _in_png(data: bytes, note: bytes) -> bytes:
    """A `tEXt` chunk before the last one."""
    chunk = b"tEXtComment\0" + note
    framed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:-_END_OF_PNG] + framed + data[-_END_OF_PNG:]


def _in_jpeg(data: bytes, note: bytes) -> bytes:
    """A comment segment."""
    return data[:_JFIF] + b"\xff\xfe" + struct.pack(">H", 2 + len(note)) + note + data[_JFIF:]


def _in_mp3(data: bytes, note: bytes) -> bytes:
    """An ID3v2.3 tag with one text of our own; the tag's length is written in groups of seven bits."""
    text = b"\0kiejobs\0" + note
    frame = b"TXXX" + struct.pack(">IH", len(text), 0) + text
    length = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + length + frame + data


def _in_wav(data: bytes, note: bytes) -> bytes:
    """A `LIST` chunk with a comment."""
    return _in_riff(data, b"LIST", b"INFO" + _chunk(b"ICMT", note + b"\0"))


def _in_webp(data: bytes, note: bytes) -> bytes:
    """A chunk that nobody knows, which the extended format allows."""
    return _in_riff(data, b"NOTE", note)


def _in_riff(data: bytes, name: bytes, body: bytes) -> bytes:
    longer = data[8:] + _chunk(name, body)
    return data[:4] + struct.pack("<I", len(longer)) + longer


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


_SAMPLES: dict[str, tuple[str, Callable[[bytes, bytes], bytes]]] = {
    "video/mp4": ("sample.mp4", _in_mp4),
    "image/png": ("sample.png", _in_png),
    "image/jpeg": ("sample.jpg", _in_jpeg),
    "image/webp": ("sample.webp", _in_webp),
    "audio/mpeg": ("sample.mp3", _in_mp3),
    "audio/wav": ("sample.wav", _in_wav),
}
_INSTEAD = {"image": "image/png", "audio": "audio/wav"}
