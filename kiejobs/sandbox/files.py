"""The files that the sandbox hands out: samples that stand for results, and uploads.

In: a media type and what a file is to be told apart by; a request, a file's bytes and type. Out: the
file; the answer with all of it, or with a range (RFC 9110). Touches: the samples in
kiejobs/sandbox/samples, by reading.

Any size and length that a request asks for is met by the same few samples (tests/support/draw_samples.py
drew them). A note makes each file another one, in a place of its format that decoders pass over.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.sandbox.asgi import Response, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.sandbox.asgi import Request

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
    """The file, or a part of it. `keep`: only so many bytes of it exist."""
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


def no_file() -> Response:
    return plain(404, "<html><body><h1>404 Not Found</h1></body></html>", "text/html")


def _wanted(request: Request, etag: str, size: int) -> range | None:
    """The part asked for; an empty one if there is no such part; None for the whole file.

    Several ranges at once, other units, and ranges of another version (If-Range) mean the whole.
    """
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
