"""A closer look at files, before they are sent and after they came back: does it decode, how large and long is it?

In: an open file and its type. Out: its measures, or what is wrong. Touches: files, by reading. Needs the extra
`media` (Pillow, PyAV). Pictures come from strangers: only the decoders of a few types are let near them, a header
that promises too many pixels is believed and refused, and decoding has a deadline.
"""

from __future__ import annotations

import time
import warnings
from functools import cache
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

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
OPTIONS = {"protocol_whitelist": "file", "max_pixels": str(MOST_PIXELS)}
DEMUXERS = {
    "video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "matroska", "video/x-matroska": "matroska",
    "video/avi": "avi", "audio/mp4": "mp4", "audio/mpeg": "mp3", "audio/wav": "wav", "audio/ogg": "ogg",
    "audio/flac": "flac", "audio/aac": "aac",
}  # fmt: skip
_WITHOUT_LENGTH = frozenset({"audio/mpeg", "audio/aac"})
_STEP = 4096  # bytes that are decoded between two looks at the clock


class Measures(NamedTuple):
    """In pixels and seconds; None for what a file has not, or does not say."""

    width: int | None
    height: int | None
    seconds: float | None = None


class _TooLong(Exception):
    """The deadline has passed."""


@cache
def can_look() -> bool:
    """Is Pillow installed, and complete?"""
    try:
        import_module("PIL.Image")
    except ImportError:
        return False
    return True


def look_at(
    stream: IO[bytes], media_type: str | None, *, decode: bool, seconds: float = SECONDS
) -> Measures | str | None:
    """From the header alone, or with a picture's pixels decoded. None for what we don't open."""
    if media_type not in _DECODERS.keys() | DEMUXERS.keys() or not can_look():
        return None
    watched = _Watched(stream, time.monotonic() + seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which is no concern of ours
            if media_type in DEMUXERS:
                return _measured(watched, media_type)
            return _look(watched, *_DECODERS[media_type], decode=decode)
    except _TooLong:
        return f"it takes more than {seconds:g} s to decode"
    except MemoryError:
        return "it takes more memory to decode than there is"
    except Exception as error:  # noqa: BLE001 - a hostile picture makes decoders raise all there is
        return f"it does not decode ({type(error).__name__})"


def _look(watched: _Watched, name: str, plugin: str, *, decode: bool) -> Measures | str:
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
    return Measures(width, height)


def _measured(watched: _Watched, media_type: str) -> Measures:
    import av  # noqa: PLC0415 - slow to import, and few commands need it

    container: Any
    with av.open(watched, format=DEMUXERS[media_type], options=OPTIONS) as container:
        pictures = container.streams.video if media_type.startswith("video/") else ()  # no cover of a record
        length = None if media_type in _WITHOUT_LENGTH else container.duration
        seconds = _walked(container) if length is None else length / av.time_base
        shown = pictures[0].codec_context if pictures else None
        return Measures(getattr(shown, "width", None), getattr(shown, "height", None), seconds)


def _walked(container: Any) -> float | None:
    """The length by what is in it: some containers say nothing, or what a bit rate makes likely."""
    ends = (
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in container.demux()
        if packet.pts is not None
    )
    return max(ends, default=None)


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
