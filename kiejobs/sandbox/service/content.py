"""What a task produces: the file that fits its request, in the kind that its model's schema names.

In: a request's input, the media type and extension of the model's schema, the task id. Out: name,
media type and bytes. Touches nothing.

Size, length and number are read from fields as the API spells them in all its families: `resolution`
(`720p`, `768P`, `2K`), `aspect_ratio` (`16:9`), `duration` (`5`, `"5"`), `num_images` and their like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from kiejobs.sandbox.samples.sounds import play_mp3, play_wav
from kiejobs.sandbox.samples.stills import draw_jpeg, draw_png, draw_webp
from kiejobs.sandbox.samples.video import draw_video

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json

_WIDE = Fraction(16, 9)
_SECONDS = Fraction(5)
_LONGEST = Fraction(60)
_MOST_FILES = 12
_SHAPES = ("aspect_ratio", "ratio", "image_size")
_LENGTHS = ("duration", "n_frames")  # the latter in seconds, for all its name
_DRAWN = {"image/png": draw_png, "image/jpeg": draw_jpeg, "image/webp": draw_webp}
_K_LINES = {"1k": 1024, "2k": 1440, "4k": 2160, "8k": 4320}


@dataclass(frozen=True, slots=True)
class Content:
    """A produced file."""

    media_type: str
    data: bytes


def make_content(media_type: str, request_input: Mapping[str, Json], seed: str) -> Content:
    """The file. A picture of an unknown type is a PNG, any sound but MP3 a WAV, all else a video."""
    width, height = size_of(request_input)
    if media_type.startswith("image/"):
        known = media_type if media_type in _DRAWN else "image/png"
        return Content(known, _DRAWN[known](width, height, seed))
    if media_type == "audio/mpeg":
        return Content(media_type, play_mp3(seconds_of(request_input), seed))
    if media_type.startswith("audio/"):
        return Content("audio/wav", play_wav(seconds_of(request_input), seed))
    return Content(media_type, draw_video(width, height, seconds_of(request_input), seed))


def count_of(request_input: Mapping[str, Json]) -> int:
    """How many files a task gives: one, unless pictures are asked for by number."""
    wanted = str(request_input.get("num_images", request_input.get("n", "")))
    return min(int(wanted), _MOST_FILES) if re.fullmatch(r"[1-9][0-9]?", wanted) else 1


def size_of(request_input: Mapping[str, Json]) -> tuple[int, int]:
    """Width and height in pixels, even, the shorter side being what `resolution` says."""
    short = _lines(str(request_input.get("resolution", "")))
    ratio = _ratio(
        next((str(request_input[name]) for name in _SHAPES if name in request_input), "")
    )
    if ratio >= 1:
        return _even(short * ratio), _even(Fraction(short))
    return _even(Fraction(short)), _even(short / ratio)


def _lines(resolution: str) -> int:
    named = _K_LINES.get(resolution.lower())
    lines = re.fullmatch(r"([0-9]{3,4})[pP]", resolution)
    return named or (int(lines[1]) if lines else 720)


def _ratio(text: str) -> Fraction:
    """`16:9`, `portrait`, `landscape_4_3`, `square_hd`; wide where it says nothing of the kind."""
    sides = re.search(r"([1-9][0-9]?)[:_]([1-9][0-9]?)$", text)
    wide = Fraction(int(sides[1]), int(sides[2])) if sides else _WIDE
    if text.startswith("square"):
        return Fraction(1)
    return min(wide, 1 / wide) if text.startswith("portrait") else wide


def _even(number: Fraction) -> int:
    return 2 * round(number / 2)


def seconds_of(request_input: Mapping[str, Json]) -> Fraction:
    """The wanted length; 5 where the request doesn't say, and a minute at most."""
    text = next((str(request_input[name]) for name in _LENGTHS if name in request_input), "")
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text):
        return _SECONDS
    return min(Fraction(text), _LONGEST) or _SECONDS
