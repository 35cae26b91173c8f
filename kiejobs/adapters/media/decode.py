"""A closer look at collected media: does it decode, and is it what was asked for?

In: a file and what its request said. Out: what is wrong, or None. Touches: the file, by reading. Needs
the extra `media` (PyAV).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import av.error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kiejobs.core.document.nodes import Json

_SLACK = 0.75  # seconds that a video may be longer or shorter than was asked for
_LINES = re.compile(r"([0-9]{3,4})[pP]")


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A video as it decodes: pixels, and seconds (None where the container does not say)."""

    width: int
    height: int
    seconds: float | None


def look_at(path: Path) -> MediaInfo | str:
    """The first frame decoded, or what is wrong with the file."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return "it holds no picture"
            frame = next(container.decode(video=0))
            length = container.duration
            seconds = None if length is None else length / av.time_base
            return MediaInfo(frame.width, frame.height, seconds)
    except (av.error.FFmpegError, StopIteration, OSError, ValueError) as error:
        return f"it does not decode ({type(error).__name__})"


def sound_of(path: Path) -> str | None:
    """What is wrong with a recording; None where its first frame decodes."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return "it holds no sound"
            next(container.decode(audio=0))
    except (av.error.FFmpegError, StopIteration, OSError, ValueError) as error:
        return f"it does not decode ({type(error).__name__})"
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
