"""Chosen clips and sounds one after the other, for an editing program: a CMX 3600 edit list, or OpenTimelineIO.

In: clips with their lengths, notes and who decided. Out: text. Touches nothing. Notes are strangers' text: each stays on
its line. OpenTimelineIO comes with the extra `timeline`; an edit list needs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from kiejobs.reports.terminal import sanitize, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

RATE: Final = 24
"""Frames a second of the timeline. Clips of another rate are as long as they are, to the nearest frame."""

_STARTS = 60 * 60 * RATE  # an hour, as programs have it
_LINE = 200


@dataclass(frozen=True, slots=True)
class Clip:
    """A file by its path or URL, its length, and what was stated of it; `note` and `who` as they were written.

    A recording has no picture.
    """

    address: str
    path: str
    seconds: Fraction
    note: str | None = None
    who: str | None = None
    picked: bool = False
    has_picture: bool = True
    has_sound: bool = False

    @property
    def track(self) -> str:
        """As CMX 3600 names it: V picture, A sound, B both."""
        if self.has_picture:
            return "B" if self.has_sound else "V"
        return "A"

    @property
    def frames(self) -> int:
        return max(round(self.seconds * RATE), 1)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def edl(title: str, clips: Sequence[Clip]) -> str:
    """With the name and the path of each clip as comments, and its note as a marker at its first frame."""
    return "\n".join([f"TITLE: {_line(title)}", "FCM: NON-DROP FRAME", "", *_events(clips)])


def _events(clips: Sequence[Clip]) -> Iterator[str]:
    at = _STARTS
    for number, clip in enumerate(clips, start=1):
        times = (0, clip.frames, at, at + clip.frames)
        yield f"{number:03d}  AX       {clip.track}     C        {' '.join(map(_timecode, times))}"
        yield f"* FROM CLIP NAME: {_line(clip.name)}"
        yield f"* SOURCE FILE: {_line(clip.path)}"
        yield f"* COMMENT: {_line(clip.address)}"
        if clip.note:
            yield f"* LOC: {_timecode(at)} {'GREEN' if clip.picked else 'WHITE'}   {_line(clip.note)}"
        yield ""
        at += clip.frames


def _timecode(frames: int) -> str:
    seconds, rest = divmod(frames, RATE)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}:{rest:02d}"


def _line(text: str) -> str:
    return shortened(sanitize(text), _LINE).strip()


def otio(title: str, clips: Sequence[Clip]) -> str:
    """A timeline of a track of pictures and one of sounds, as its JSON. Raises ImportError without the extra
    `timeline`.
    """
    import opentimelineio as op  # noqa: PLC0415 - slow to import, and an extra

    def length(frames: int) -> op.opentime.TimeRange:
        return op.opentime.TimeRange(
            op.opentime.RationalTime(0, RATE), op.opentime.RationalTime(frames, RATE)
        )

    def made_of(clip: Clip) -> op.schema.Clip:
        whole = length(clip.frames)
        url = clip.path if "://" in clip.path else quote(clip.path, safe="/=,+~")
        media = op.schema.ExternalReference(target_url=url, available_range=whole)
        facts = {"address": clip.address, "picked": clip.picked, "who": clip.who}
        made = op.schema.Clip(clip.name, media, whole, metadata={"kiejobs": facts})
        if clip.note:
            color = op.schema.MarkerColor.GREEN if clip.picked else op.schema.MarkerColor.WHITE
            made.markers.append(
                op.schema.Marker(_line(clip.note), length(1), color, {"kiejobs": {"who": clip.who}})
            )
        return made

    timeline = op.schema.Timeline(title)
    for name, kind, tracks in (("V1", "Video", "VB"), ("A1", "Audio", "AB")):
        track = op.schema.Track(name=name, kind=kind)
        for clip in clips:
            gap = op.schema.Gap(source_range=length(clip.frames))
            track.append(made_of(clip) if clip.track in tracks else gap)
        if any(clip.track in tracks for clip in clips):
            timeline.tracks.append(track)
    return f"{op.adapters.write_to_string(timeline, 'otio_json')}\n"


FORMS: Final[dict[str, tuple[str, Callable[[str, Sequence[Clip]], str]]]] = {
    "edl": ("picks.edl", edl),
    "otio": ("picks.otio", otio),
}
"""What the file is called where only a folder is named, and what writes it."""
