"""A closer look at files before they are sent, and at collected media: does it decode, is it what was asked for?

In: an open file and its type; a collected file and what its request said. Out: its measures, or what is wrong.
Touches: files, by reading. Needs the extra `media` (Pillow, PyAV). Pictures come from strangers: only the
decoders of a few types are let near them, a header that promises too many pixels is believed and refused, and
decoding has a deadline.
"""

from __future__ import annotations

import json
import re
import time
import warnings
from functools import cache
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from kiejobs.core.models.spec import HEAD, media_type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from PIL.ImageFile import ImageFile

    from kiejobs.core.document.nodes import Json


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
_OPTIONS = {"protocol_whitelist": "file", "max_pixels": str(MOST_PIXELS)}
_DEMUXERS = {
    "video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "matroska", "video/x-matroska": "matroska",
    "video/avi": "avi", "audio/mp4": "mp4", "audio/mpeg": "mp3", "audio/wav": "wav", "audio/ogg": "ogg",
    "audio/flac": "flac", "audio/aac": "aac",
}  # fmt: skip
_WITHOUT_LENGTH = frozenset({"audio/mpeg", "audio/aac"})
_Found = TypeVar("_Found")
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
    """Is Pillow there, and whole?"""
    try:
        import_module("PIL.Image")
    except ImportError:
        return False
    return True


def look_at(
    stream: IO[bytes], media_type: str | None, *, decode: bool, seconds: float = SECONDS
) -> Measures | str | None:
    """From the header alone, or with a picture's pixels decoded. None for what we don't open."""
    if media_type not in _DECODERS.keys() | _DEMUXERS.keys() or not can_look():
        return None
    watched = _Watched(stream, time.monotonic() + seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which is no concern of ours
            if media_type in _DEMUXERS:
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
    with av.open(watched, format=_DEMUXERS[media_type], options=_OPTIONS) as container:
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


# --- what was collected ------------------------------------------------------------------------------

_SLACK = 0.75  # seconds that a video may be longer or shorter than was asked for
_LINES = re.compile(r"([0-9]{3,4})[pP]")


class MediaInfo(NamedTuple):
    """A video as it decodes: pixels, and seconds (None where the container does not say)."""

    width: int
    height: int
    seconds: float | None


def _demuxer_of(path: Path) -> str | None:
    """By its first bytes: a text that names other files (`ffconcat`, a playlist) must open none of them."""
    with path.open("rb") as stream:
        return _DEMUXERS.get(media_type_of(stream.read(HEAD)) or "")


def video_of(path: Path) -> MediaInfo | str:
    """The first frame decoded, or what is wrong with the file."""
    return _first_frame_of(path, "video", _seen)


def sound_of(path: Path) -> str | None:
    """What is wrong with a recording; None where its first frame decodes."""
    return _first_frame_of(path, "sound", _heard)


def _first_frame_of(path: Path, kind: str, look: Callable[[Any], _Found]) -> _Found | str:
    import av  # noqa: PLC0415 - slow to import, and few commands need it

    try:
        demuxer = _demuxer_of(path)
        if demuxer is None:
            return f"it does not decode (no container of {kind} that is known)"
        with av.open(str(path), format=demuxer, options=_OPTIONS) as container:
            return look(container)
    except (av.FFmpegError, StopIteration, OSError, ValueError) as error:
        return f"it does not decode ({type(error).__name__})"


def _seen(container: Any) -> MediaInfo | str:
    import av  # noqa: PLC0415 - as above

    if not container.streams.video:
        return "it holds no picture"
    seen = container.streams.video[0].codec_context
    if seen.width * seen.height > MOST_PIXELS:
        return f"it has {seen.width:,} x {seen.height:,} pixels; more than {MOST_PIXELS:,} are not decoded"
    frame = next(container.decode(video=0))
    length = container.duration
    return MediaInfo(frame.width, frame.height, None if length is None else length / av.time_base)


def _heard(container: Any) -> str | None:
    if not container.streams.audio:
        return "it holds no sound"
    next(container.decode(audio=0))
    return None


def value_of(path: Path) -> str | None:
    """What is wrong with a result that is kept as JSON."""
    try:
        json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        return f"it is no JSON ({type(error).__name__})"
    return None


def differs(seen: MediaInfo, request_input: Mapping[str, Json]) -> str | None:
    """How it differs from a request that names `resolution` (`720p`) or `duration` in seconds."""
    lines = _LINES.fullmatch(str(request_input.get("resolution", "")))
    if lines is not None and min(seen.width, seen.height) != int(lines[1]):
        return f"it is {seen.width}x{seen.height}, {lines[0]} was asked for"
    wanted = str(request_input.get("duration", ""))
    if wanted.isdecimal() and seen.seconds and abs(seen.seconds - int(wanted)) > _SLACK:
        return f"it lasts {seen.seconds:.1f} s, {wanted} s were asked for"
    return None
