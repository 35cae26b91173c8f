"""Still pictures of clips, and small versions of them that fit into a page.

In: a collected video or picture. Out: JPEG and MP4 bytes, None where it can't be decoded. Touches: files, by reading.
Needs the extra `media` (PyAV, Pillow). Runs in the process for media, since decoders may hang or die.
"""

from __future__ import annotations

import base64
import io
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from PIL import Image

from kiejobs.adapters.media.clips import opened_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDE = 480  # pixels of a poster; a tile is seldom larger
_PREVIEW = 320
_LONGEST = 12.0  # seconds of a clip that a preview shows
_RATE = 12  # frames a second of a preview
_MOST_FRAMES = 2_000  # that are decoded for one


def drawn(kind: str, path: str) -> str | None:
    """A `poster`, a `preview` or a `thumbnail` of a file, in Base64."""
    data = {"poster": poster_of, "preview": preview_of, "thumbnail": thumbnail_of}[kind](Path(path))
    return None if data is None else base64.b64encode(data).decode()


def poster_of(path: Path) -> bytes | None:
    """The first frame as JPEG."""
    try:
        with opened_clip(path) as container:
            frame = next(container.decode(video=0))
            image = frame.to_image(width=_WIDE, height=_even(frame, _WIDE))
    except (av.FFmpegError, StopIteration, OSError, ValueError, IndexError):
        return None
    return _jpeg(image)


def thumbnail_of(path: Path) -> bytes | None:
    """A picture, smaller, as JPEG."""
    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP", "GIF", "BMP")) as image:
            image.thumbnail((_WIDE, _WIDE))
            return _jpeg(image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError, SyntaxError):
        return None


def preview_of(path: Path) -> bytes | None:
    """The clip, small and without sound, as H.264 in MP4."""
    out = io.BytesIO()
    try:
        with opened_clip(path) as container, av.open(out, "w", format="mp4") as made:
            stream = made.add_stream("libx264", rate=_RATE)
            stream.options = {"crf": "30", "preset": "veryfast"}
            stream.pix_fmt = "yuv420p"
            for number, frame in enumerate(_sampled(container)):
                if number == 0:
                    stream.width, stream.height = _PREVIEW, _even(frame, _PREVIEW)
                small = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
                small.pts, small.time_base = number, Fraction(1, _RATE)
                made.mux(stream.encode(small))
            made.mux(stream.encode(None))
    except (av.FFmpegError, StopIteration, OSError, ValueError, IndexError):
        return None
    return out.getvalue()


def _sampled(container: Any) -> Iterator[Any]:
    """A frame for each of the preview's, up to its length."""
    due = 0.0
    for count, frame in enumerate(container.decode(video=0)):
        at = frame.time or 0.0
        if at >= _LONGEST or count >= _MOST_FRAMES:
            return
        if at >= due:
            due += 1 / _RATE
            yield frame


def _even(frame: Any, width: int) -> int:
    """The height that goes with a width: encoders want even ones."""
    return max(2, round(int(frame.height) * width / int(frame.width) / 2) * 2)


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=78, optimize=True)
    return out.getvalue()
