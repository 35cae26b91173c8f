"""One result examined: what its checks want to know is measured, and their verdicts are made.

In: an `Examined` task: its files, its request, the checks as written. Out: `CheckResult`s, and what near duplicates
are known by. Touches: files, by reading. Runs in a process of its own, since decoders may hang or die.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.media import clips
from kiejobs.adapters.media.pictures import MOST_PIXELS, Measures, look_at
from kiejobs.core import checks as c
from kiejobs.core.models.spec import HEAD, media_type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kiejobs.core.checks import Check, CheckResult

_SIDE = 32  # pixels of a side, at which a frame is held against its picture
_THROUGH = {"not_black", "not_frozen", "cuts", "first_frame_matches", "last_frame_matches", "not_duplicate"}
_LISTENED = {"silence", "loudness"}


def examined(task: Mapping[str, Any]) -> dict[str, Any]:
    """`results` and `signature` of `{files, request, written, pictures}`; `pictures`: paths by input field."""
    found: list[list[CheckResult]] = []
    signature, kind = None, None
    for name in task["files"]:
        path = Path(name)
        seen = _first_look(path)
        kind = kind or (seen if isinstance(seen, str) else seen.kind)
        if not isinstance(seen, str) and seen.kind != kind:
            continue  # a still next to its video
        wanted = c.wanted(task["written"], task["request"], task["kind"])
        by_name = {check.name: check for check in wanted}
        measured, own = (seen, None) if isinstance(seen, str) else _measured(path, seen, by_name, task)
        signature = signature or own
        found.append(c.verdicts(wanted, measured))
    return {"results": c.worst(found), "signature": signature}


def _first_look(path: Path) -> c.Measured | str:
    with path.open("rb") as stream:
        media_type = media_type_of(stream.read(HEAD)) or ""
        stream.seek(0)
        if media_type.startswith("image/"):
            size = look_at(stream, media_type, decode=True)
            if isinstance(size, Measures) and size.width and size.height:
                return c.Measured("image", size.width, size.height)
            return str(size or "it does not decode")
    return clips.sound_of(path) if media_type.startswith("audio/") else clips.video_of(path)


def _measured(
    path: Path, seen: c.Measured, checks: Mapping[str, Check], task: Mapping[str, Any]
) -> tuple[c.Measured | str, str | None]:
    import av  # noqa: PLC0415 - slow to import, and few commands need it

    signature = None
    try:
        if seen.kind == "video" and not _THROUGH.isdisjoint(checks):
            found = clips.looked_through(path, seen, checks)
            sampled = found.pop("sampled")
            signature = _signature(sampled) if "not_duplicate" in checks else None
            frames = {f"{which}_frame_matches": found.pop(which, None) for which in ("first", "last")}
            likeness = {
                name: _likeness(checks[name], frames[name], task) for name in frames if name in checks
            }
            seen = replace(seen, **found, likeness=likeness)
        elif seen.kind == "image" and "not_duplicate" in checks:
            signature = _signature([_opened(path, 12)])
        if seen.has_audio and not _LISTENED.isdisjoint(checks):
            seen = replace(seen, **clips.listened_to(path, checks))
    except (av.FFmpegError, OSError, ValueError) as error:
        return f"it does not decode to its end ({type(error).__name__})", None
    return seen, signature


# --- likeness ---------------------------------------------------------------------------------------


def _likeness(check: Check, frame: Any, task: Mapping[str, Any]) -> float | str:
    """Of a frame and the picture that it was made from, -1 to 1; or why they can't be compared."""
    held = c.field_of(check, task["request"])
    if held is None or frame is None:
        return "the request has no picture for it; name its field with `field:`"
    path = task["pictures"].get(held[1])
    if path is None:
        return f"`{held[0]}` is an address, and was not fetched"
    with Path(path).open("rb") as stream:
        media_type = media_type_of(stream.read(HEAD)) or ""
        size = look_at(stream, media_type, decode=False) if media_type.startswith("image/") else None
    if not isinstance(size, Measures) or not size.width or not size.height:
        return f"the picture in `{held[0]}`: {size or 'not a picture format that we open'}"
    proportions = (size.width, size.height)
    return max(
        _alike(_small(frame, proportions, way), _opened(Path(path), _SIDE, frame, way))
        for way in ("fit", "fill")
    )


def _opened(path: Path, side: int, frame: Any = None, way: str = "fit") -> Any:
    """A picture as RGB pixels of that size; cut to the frame's proportions, or stretched to them."""
    import numpy as np  # noqa: PLC0415 - slow to import
    from PIL import Image, ImageOps  # noqa: PLC0415 - as above

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    with Image.open(path, formats=["JPEG", "PNG", "WEBP", "GIF", "BMP"]) as opened:
        opened.draft("RGB", (side * 8, side * 8))
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    if frame is not None and way == "fill":
        height, width = frame.shape[:2]
        picture = ImageOps.fit(picture, (max(width * side // height, 1), side))
    return np.asarray(picture.resize((side, side), Image.Resampling.BOX), dtype=np.float64)


def _small(frame: Any, size: tuple[int, int], way: str) -> Any:
    """A frame as RGB pixels of that size; without the bars that fit a picture of this size into it."""
    import numpy as np  # noqa: PLC0415 - as above
    from PIL import Image  # noqa: PLC0415 - as above

    height, width = frame.shape[:2]
    if way == "fit":
        scale = min(width / size[0], height / size[1])
        bars = round((width - size[0] * scale) / 2), round((height - size[1] * scale) / 2)
        inner = frame[bars[1] : height - bars[1], bars[0] : width - bars[0]]
        frame = inner if min(inner.shape[:2]) >= _SIDE else frame
    return np.asarray(Image.fromarray(frame).resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)


def _alike(one: Any, other: Any) -> float:
    """Correlation of two arrays, whatever their brightness and contrast; of plain ones how near they are."""
    import numpy as np  # noqa: PLC0415 - as above

    first, second = one - one.mean(), other - other.mean()
    spread = float(np.sqrt((first**2).sum() * (second**2).sum()))
    if spread < 1.0 * one.size:
        return 1.0 - float(np.abs(one - other).mean()) / 255
    return float((first * second).sum()) / spread


def _signature(frames: Sequence[Any]) -> str:
    return base64.b64encode(b"".join(frame.astype("uint8").tobytes() for frame in frames)).decode()


def likest(signatures: Mapping[str, str], asked: Iterable[str]) -> dict[str, tuple[float, str]]:
    """For each that is asked about: how like it the one is that is most like it, and which that is."""
    import numpy as np  # noqa: PLC0415 - as above

    arrays = {
        key: np.frombuffer(base64.b64decode(text), np.uint8).astype(float) for key, text in signatures.items()
    }
    found: dict[str, tuple[float, str]] = {}
    for key in asked:
        others = [
            (other, array)
            for other, array in arrays.items()
            if other != key and array.size == arrays[key].size
        ]
        for other, array in others:
            likeness = _alike(arrays[key], array)
            if likeness > found.get(key, (-2.0, ""))[0]:
                found[key] = (likeness, other)
    return found
