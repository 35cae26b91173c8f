"""Pictures drawn for tests.

In: a format, a size, a colour. Out: a picture's bytes. Touches nothing.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image


def picture(form: str = "png", size: tuple[int, int] = (4, 3), color: str = "brown", **more: Any) -> bytes:
    """A real picture, all of one colour; `more` is for Pillow's encoder."""
    drawn = io.BytesIO()
    Image.new("RGB", size, color).save(drawn, form.upper(), **more)
    return drawn.getvalue()


def png_of(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG that promises so many pixels, and holds what it is given."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def webp_of(width: int, height: int) -> bytes:
    """An animated WebP whose canvas is that large, with one small frame."""
    small = picture("webp", (2, 2))[12:]
    frame = struct.pack("<3xB2x", 0) + b"\x01\x00\x00\x01\x00\x00\x64\x00\x00\x00" + small
    canvas = _little(width - 1) + _little(height - 1)
    body = _riff(b"VP8X", b"\x02\x00\x00\x00" + canvas)
    body += _riff(b"ANIM", b"\xff" * 4 + b"\x00\x00") + _riff(b"ANMF", frame)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def slow_jpeg(side: int, scans: int) -> bytes:
    """A JPEG whose last progressive scan is repeated: a decoder has to go over all of it each time."""
    whole = picture("jpeg", (side, side), progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * scans + whole[-2:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _riff(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\x00" * (len(data) % 2)


def _little(number: int) -> bytes:
    return struct.pack("<I", number)[:3]
