"""Collected videos, sounds and values: does it decode, and what is in it?

In: a collected file; the checks that ask for more than its header. Out: a `Measured`, or what is wrong. Touches:
files, by reading. Needs the extra `media` (PyAV, numpy). What a host sent is a stranger's: its first bytes choose
the demuxer, so that a text which names other files opens none of them. FFmpeg's own filters look and listen;
their findings come as text.
"""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kiejobs.adapters.media.pictures import DEMUXERS, MOST_PIXELS, OPTIONS
from kiejobs.core.checks import Measured
from kiejobs.core.models.spec import HEAD, media_type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kiejobs.core.checks import Check

_Found = TypeVar("_Found")

_MOST_FRAMES = 20_000  # a quarter of an hour; what is longer is looked at so far
_SMALL = "320:-2"  # pixels that FFmpeg's filters look at: faults are no smaller
_FOUND = re.compile(r"pts_time:(\S+)|lavfi\.([A-Za-z0-9_.]+)=(\S+)")
_FLASH, _TINY = 0.5, 1e-4  # seconds: how long a change may last and still be a flash; rounding of a time
SAMPLED = 8  # frames by which near duplicates are known


def _demuxer_of(path: Path) -> str | None:
    """By its first bytes: a text that names other files (`ffconcat`, a playlist) must open none of them."""
    with path.open("rb") as stream:
        return DEMUXERS.get(media_type_of(stream.read(HEAD)) or "")


def video_of(path: Path) -> Measured | str:
    """What its header says, with the first frame decoded; or what is wrong with the file."""
    return _first_frame_of(path, "video", _seen)


def sound_of(path: Path) -> Measured | str:
    """The same of a recording."""
    return _first_frame_of(path, "sound", _heard)


def _first_frame_of(path: Path, kind: str, look: Callable[[Any], _Found]) -> _Found | str:
    import av  # noqa: PLC0415 - slow to import, and few commands need it

    try:
        demuxer = _demuxer_of(path)
        if demuxer is None:
            return f"it does not decode (no container of {kind} that is known)"
        with av.open(str(path), format=demuxer, options=OPTIONS) as container:
            return look(container)
    except (av.FFmpegError, StopIteration, OSError, ValueError) as error:
        return f"it does not decode ({type(error).__name__})"


def _seen(container: Any) -> Measured | str:
    if not container.streams.video:
        return "it holds no picture"
    stream = container.streams.video[0]
    coded = stream.codec_context
    if coded.width * coded.height > MOST_PIXELS:
        return f"it has {coded.width:,} x {coded.height:,} pixels; more than {MOST_PIXELS:,} are not decoded"
    frame = next(container.decode(video=0))
    return Measured(
        "video",
        frame.width,
        frame.height,
        _seconds(container),
        None if stream.average_rate is None else float(stream.average_rate),
        has_audio=bool(container.streams.audio),
    )


def _heard(container: Any) -> Measured | str:
    if not container.streams.audio:
        return "it holds no sound"
    next(container.decode(audio=0))
    return Measured("audio", seconds=_seconds(container), has_audio=True)


def _seconds(container: Any) -> float | None:
    import av  # noqa: PLC0415 - as above

    length: int | None = container.duration
    return None if length is None else length / av.time_base


def value_of(path: Path) -> str | None:
    """What is wrong with a result that is kept as JSON."""
    try:
        json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        return f"it is no JSON ({type(error).__name__})"
    return None


# --- what only all of its frames say ----------------------------------------------------------------


def looked_through(path: Path, seen: Measured, checks: Mapping[str, Check]) -> dict[str, Any]:
    """What these checks want of a video's pictures, as fields of `Measured`; and three of its parts as pixels.

    `first` and `last` are frames as RGB arrays, `sampled` is made of several. Raises FFmpegError.
    """
    black, frozen, cuts = (checks.get(name) for name in ("not_black", "not_frozen", "cuts"))
    filters = [("scale", _SMALL), ("format", "yuv420p")]
    if black:
        filters.append(("blackdetect", f"d=0.04:pic_th=0.98:pix_th={black.limits['darkness']}"))
    if frozen:
        filters.append(("freezedetect", f"d=0.3:n={frozen.limits['noise']}"))
    if cuts:
        filters.append(("scdet", f"t={cuts.limits['score']}"))
    small = _Small()
    add = small.add if cuts else None
    with opened_clip(path) as container, _filtered(container.streams.video[0], filters, add) as push:
        kept = _Kept(seen)
        for frame in _some(container.decode(video=0)):
            kept.look(frame)
            push(frame)
        found = push(None)
    return {
        "black": _spans(found, "black_start", "black_end", kept.end),
        "frozen": _spans(found, "freezedetect.freeze_start", "freezedetect.freeze_end", kept.end),
        "cuts": [
            at for name, at in found if name == "scd.time" and cuts and small.stays(at, cuts.limits["score"])
        ],
        **kept.pixels(),
    }


def listened_to(path: Path, checks: Mapping[str, Check]) -> dict[str, Any]:
    """What these checks want of the first sound track, as fields of `Measured`. Raises FFmpegError."""
    silence, filters = checks.get("silence"), []
    if silence:
        filters.append(("silencedetect", f"d=0.1:n={silence.limits['below']}dB"))
    if "loudness" in checks:
        filters.append(("ebur128", "metadata=1"))
    with opened_clip(path) as container, _filtered(container.streams.audio[0], filters) as push:
        end = 0.0
        for frame in _some(container.decode(audio=0)):
            end = max(end, (frame.time or 0.0) + frame.samples / frame.sample_rate)
            push(frame)
        found = push(None)
    loud = [value for name, value in found if name == "r128.I"]
    silent = _spans(found, "silence_start", "silence_end", end)
    return {"silent": silent, "loudness": loud[-1] if loud else None}


@contextmanager
def opened_clip(path: Path) -> Iterator[Any]:
    """A video's or a recording's container. Raises ValueError for what is none that we open, and what PyAV raises."""
    import av  # noqa: PLC0415 - as above

    demuxer = _demuxer_of(path)
    if demuxer is None:
        raise ValueError("no container that is known")
    with av.open(str(path), format=demuxer, options=OPTIONS) as container:
        for stream in container.streams.video[:1]:
            if stream.codec_context.width * stream.codec_context.height > MOST_PIXELS:
                raise ValueError("too many pixels")
        yield container


def _some(frames: Iterator[Any]) -> Iterator[Any]:
    for _, frame in zip(range(_MOST_FRAMES), frames, strict=False):
        yield frame


@contextmanager
def _filtered(
    stream: Any, filters: list[tuple[str, str]], keep: Callable[[Any], None] | None = None
) -> Iterator[Callable[[Any], list[tuple[str, float]]]]:
    """Give it frames, and None at the end for what the filters found: names and numbers, in order.

    `keep` is called with each frame that has passed the filters.
    """
    import av  # noqa: PLC0415 - as above

    is_sound = stream.type == "audio"
    with tempfile.TemporaryDirectory(prefix="kiejobs-") as folder:
        notes = Path(folder) / "notes"
        graph = av.filter.Graph()
        nodes = [graph.add_abuffer(template=stream) if is_sound else graph.add_buffer(template=stream)]
        nodes += [graph.add(name, words) for name, words in filters]
        notes_ = f"mode=print:direct=1:file={_quoted(str(notes))}"
        nodes.append(graph.add("ametadata" if is_sound else "metadata", notes_))
        nodes.append(graph.add("abuffersink" if is_sound else "buffersink"))
        graph.link_nodes(*nodes).configure()

        def push(frame: Any) -> list[tuple[str, float]]:
            graph.push(frame)
            while True:
                try:
                    passed = graph.pull()
                except (av.BlockingIOError, av.EOFError):
                    break
                if keep is not None:
                    keep(passed)
            return _read(notes) if frame is None else []

        yield push


def _quoted(text: str) -> str:
    return re.sub(r"([\\':])", r"\\\1", text)


def _read(notes: Path) -> list[tuple[str, float]]:
    lines = notes.read_text(encoding="utf-8", errors="replace") if notes.exists() else ""
    return [(name, float(value)) for _, name, value in _FOUND.findall(lines) if name and _is_number(value)]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", text) is not None


def _spans(found: list[tuple[str, float]], start: str, end: str, last: float) -> list[tuple[float, float]]:
    """From each start to its end; what has none lasts to the `last` moment."""
    spans: list[tuple[float, float]] = []
    begun = None
    for name, at in found:
        if name == start:
            begun = at
        elif name == end and begun is not None:
            spans.append((begun, at))
            begun = None
    return spans if begun is None else [*spans, (begun, max(last, begun))]


class _Small:
    """All frames, as a few of their pixels' brightness: a flash changes twice at once, and is no cut."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._frames: list[Any] = []

    def add(self, frame: Any) -> None:
        self._times.append(frame.time or 0.0)
        self._frames.append(frame.to_ndarray()[: frame.height : 6, ::8].astype("int16").ravel())

    def stays(self, at: float, score: float) -> bool:
        """Does what changed at this moment stay changed? `score` as scdet has it: the mean difference in percent."""
        import numpy as np  # noqa: PLC0415 - slow to import

        cut = next((n for n, time in enumerate(self._times) if time >= at - _TINY), len(self._times))
        frames = list(zip(self._times, self._frames, strict=True))
        before = [frame for time, frame in frames[:cut] if time >= at - _FLASH]
        after = [frame for time, frame in frames[cut:] if time <= at + _FLASH]
        differences = (np.abs(np.stack(after) - frame).mean(axis=1).min() for frame in before if after)
        return not any(difference * 100 / 255 < score / 2 for difference in differences)


class _Kept:
    """The first frame, the last one, and some between, small enough to keep; `end` is when the last one ends."""

    def __init__(self, seen: Measured) -> None:
        self._step = (seen.seconds or 0.0) / SAMPLED
        self._long = 1 / (seen.fps or 24.0)
        self._first: Any = None
        self._last: Any = None
        self._sampled: list[Any] = []
        self.end = 0.0

    def look(self, frame: Any) -> None:
        at = frame.time or 0.0
        self.end = max(self.end, at + self._long)
        self._first = self._first or frame
        self._last = frame
        if at >= len(self._sampled) * self._step and len(self._sampled) < SAMPLED:
            self._sampled.append(frame.reformat(12, 12, "rgb24").to_ndarray())

    def pixels(self) -> dict[str, Any]:
        frames = {"first": self._first, "last": self._last}
        shown = {
            name: frame.to_ndarray(format="rgb24") for name, frame in frames.items() if frame is not None
        }
        return {**shown, "sampled": self._sampled}
