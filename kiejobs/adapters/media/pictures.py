"""A closer look at a picture before it is sent: does it decode, and how large is it?

In: an open file and its type. Out: pixels, or what is wrong. Needs the extra `media` (Pillow). Pictures come
from strangers: only the decoders of a few types are let near them, a header that promises too many pixels is
believed and refused, and decoding has a deadline.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MOST_PIXELS = 50_000_000  # what the largest common cameras make, in less than a gigabyte of memory
SECONDS = 20.0  # that one picture may take to decode
INSTALL = "`pip install 'kiejobs[media]'`"
_DECODERS = {
    "image/jpeg": ("JPEG", "JpegImagePlugin"),
    "image/png": ("PNG", "PngImagePlugin"),
    "image/webp": ("WEBP", "WebPImagePlugin"),
    "image/gif": ("GIF", "GifImagePlugin"),
    "image/bmp": ("BMP", "BmpImagePlugin"),
}
_STEP = 4096  # bytes that are decoded between two looks at the clock


@dataclass(frozen=True, slots=True)
class Pixels:
    """A picture's size."""

    width: int
    height: int


class _TooLong(Exception):
    """The deadline has passed."""


@cache
def can_look() -> bool:
    """Is Pillow there, and whole?"""
    try:
        import_module("PIL.Image")
    except ImportError:
        return False
    return True


def look_at(
    stream: IO[bytes], media_type: str | None, *, decode: bool, seconds: float = SECONDS
) -> Pixels | str | None:
    """From the header alone, or with all pixels decoded. None for what is no picture that we open."""
    if media_type not in _DECODERS or not can_look():
        return None
    name, plugin = _DECODERS[media_type]
    watched = _Watched(stream, time.monotonic() + seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which is no concern of ours
            return _look(watched, name, plugin, decode=decode)
    except _TooLong:
        return f"it takes more than {seconds:g} s to decode"
    except MemoryError:
        return "it takes more memory to decode than there is"
    except Exception as error:  # noqa: BLE001 - a hostile picture makes decoders raise all there is
        return f"it does not decode ({type(error).__name__})"


def _look(watched: _Watched, name: str, plugin: str, *, decode: bool) -> Pixels | str:
    image = import_module("PIL.Image")
    import_module(f"PIL.{plugin}")  # `open` by itself would import the decoders of all types
    try:
        opened: ImageFile = image.open(cast("Any", watched), formats=[name])
    except image.DecompressionBombError:
        return f"it has more than {MOST_PIXELS:,} pixels"
    with opened:
        width, height = opened.size
        if width * height > MOST_PIXELS:
            has = f"it has {width:,} x {height:,} pixels"
            return f"{has}; more than {MOST_PIXELS:,} are not decoded"
        if decode:
            opened.decodermaxblock = _STEP
            opened.draft(opened.mode, (width // 8, height // 8))  # reads all, and computes less
            opened.load()
    return Pixels(width, height)


class _Watched:
    """A file whose every read looks at the clock: a decoder that goes on for ever must read."""

    def __init__(self, stream: IO[bytes], deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, size: int = -1) -> bytes:
        if time.monotonic() > self._deadline:
            raise _TooLong
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()
