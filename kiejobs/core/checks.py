"""What came back, held against what was asked for: the checks of a result, and their verdicts.

In: `checks:` as a job file writes them, a request's input, a `Measured` file. Out: `Check`s, `CheckResult`s.
Touches nothing. Without a word in the job file only what a request names for certain is checked: its length, its
size, its sound. A check fails only on what was measured: where nothing can be measured it is `skipped`, with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kiejobs.core.document.nodes import Json

VERSION = 2
"""Of the verdicts: what an older version found is looked at again."""

OK, FAILED, WARNING, SKIPPED = "ok", "failed", "warning", "skipped"
_WORST = (FAILED, WARNING, SKIPPED, OK)

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "length": {"within": 0.75},
    "size": {},
    "fps": {"within": 0.5},
    "has_audio": {"expected": True},
    "not_black": {"at_most": 0.5, "darkness": 0.1},
    "not_frozen": {"at_most": 2.0, "noise": 0.001},
    "cuts": {"at_most": 0, "score": 10.0},
    "silence": {"at_most": 2.0, "below": -50.0},
    "loudness": {"at_least": -35.0, "at_most": -9.0},
    "first_frame_matches": {"at_least": 0.8},
    "last_frame_matches": {"at_least": 0.8},
    "not_duplicate": {"at_most": 0.99},
}
"""Every check, with its thresholds where a job file gives none. Seconds, LUFS, likeness from 0 to 1."""

_ASKED = ("length", "size", "has_audio")
"""Checked wherever the request says for certain what they are to be."""

_FIRST = ("first_frame_url", "first_frame", "image_url", "image_urls", "input_urls")
_LAST = ("last_frame_url", "last_frame", "end_image_url", "tail_image_url")
SOUND = ("generate_audio", "sound", "audio")
"""Fields that ask for a sound track."""
_RATIO = re.compile(r"([1-9][0-9]{0,2}):([1-9][0-9]{0,2})")
_LINES = re.compile(r"([1-9][0-9]{2,3})[pP]")
_SECONDS = re.compile(r"[1-9][0-9]{0,3}")
_SIDE, _AREA, _SLANT = 0.05, 0.3, 0.04
"""How far a side, an area, a ratio may be off: models round each to what their codec takes (1248 x 704 for 720p)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one result. `is_stated` by the job file, or there because the request names what it is about."""

    name: str
    severity: str
    limits: Mapping[str, Any]
    is_stated: bool = True


class CheckResult(NamedTuple):
    """`verdict`: ok, failed, warning or skipped; `measured` and `expected` in words, None where there are none."""

    name: str
    verdict: str
    measured: str | None
    expected: str | None
    severity: str
    why: str | None


@dataclass(frozen=True, slots=True)
class Measured:
    """A file as it decodes. Times in seconds, `loudness` in LUFS, spans as (start, end); None for what isn't known.

    `likeness` is of a frame and its picture, by the check's name, or why they can't be compared.
    """

    kind: str
    width: int = 0
    height: int = 0
    seconds: float | None = None
    fps: float | None = None
    has_audio: bool = False
    black: Sequence[tuple[float, float]] = ()
    frozen: Sequence[tuple[float, float]] = ()
    silent: Sequence[tuple[float, float]] = ()
    cuts: Sequence[float] = ()
    loudness: float | None = None
    likeness: Mapping[str, float | str] = field(default_factory=dict)


# --- which checks there are -------------------------------------------------------------------------


def layered(lower: Json, upper: Json) -> Json:
    """`checks:` of the defaults with the job's on top, check by check and threshold by threshold."""
    if not isinstance(upper, dict):
        return False if upper is False else lower or None
    merged = dict(lower) if isinstance(lower, dict) else {}
    for name, value in upper.items():
        below = merged.get(name)
        # `true` switches on again what the defaults have switched off, with their thresholds.
        own = {"off": False} if value is True else value
        merged[name] = {**below, **own} if isinstance(own, dict) and isinstance(below, dict) else value
    return merged


def wanted(written: Json, request: Mapping[str, Json], kind: str) -> list[Check]:
    """The checks of a request's result; `kind` is `video`, `image` or `audio`."""
    if written is False:
        return []
    given = written if isinstance(written, dict) else {}
    found = []
    for name in DEFAULTS:
        value = given.get(name)
        own = dict(value) if isinstance(value, dict) else {}
        if value is False or own.pop("off", False):
            continue
        expected = _asked(name, request, kind) if name in _ASKED else {}
        if value is None and not expected:
            continue
        severity = str(own.pop("severity", "error"))
        stated = own.keys() & {"seconds", "at_least", "at_most", "width", "height", "ratio", "equals"}
        asked = {} if stated and name in ("length", "size") else expected
        base = {
            key: limit for key, limit in DEFAULTS[name].items() if not (key == "within" and "equals" in own)
        }
        found.append(Check(name, severity, {**base, **asked, **own}, value is not None))
    return found


def _asked(name: str, request: Mapping[str, Json], kind: str) -> dict[str, Json]:
    if name == "has_audio":
        is_asked = kind == "video" and any(request.get(key) is True for key in SOUND)
        return {"expected": True} if is_asked else {}
    if name == "length":
        # What works on a video or a sound may keep its length, or add to it.
        is_made = kind == "video" and not any("video" in key or key == "task_id" for key in _given(request))
        words = str(request.get("duration", request.get("n_frames", "")))
        return {"seconds": int(words)} if is_made and _SECONDS.fullmatch(words) else {}
    found: dict[str, Json] = {}
    lines = _LINES.fullmatch(str(request.get("resolution", "")))
    if kind == "video" and lines:
        found["lines"] = int(lines[1])
    ratio = str(request.get("aspect_ratio", request.get("ratio", "")))
    # With a picture to start from many models keep the picture's own.
    if ratio and not any("image" in key or "frame" in key for key in _given(request)):
        found |= {"ratio": ratio} if _RATIO.fullmatch(ratio) or ratio in _NAMED else {}
    return found


_NAMED = {"landscape": "wider than high", "portrait": "higher than wide"}


def _given(request: Mapping[str, Json]) -> Iterable[str]:
    """The fields that hold an address, a file, or a list of them."""
    return (
        name
        for name, value in request.items()
        if name != "n_frames" and isinstance(value, str | list) and value
    )


def field_of(check: Check, request: Mapping[str, Json]) -> tuple[str, str] | None:
    """The input field that holds the picture which a frame is to match, and its value."""
    known = _FIRST if check.name == "first_frame_matches" else _LAST
    for name in [check.limits["field"]] if "field" in check.limits else known:
        value = request.get(name)
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, str) and first:
            return name, first
    return None


# --- verdicts ---------------------------------------------------------------------------------------


def verdicts(checks: Iterable[Check], seen: Measured | str) -> list[CheckResult]:
    """In the order of the checks; `seen` is what was measured, or why the file does not decode."""
    if isinstance(seen, str):
        # A job file that states a check wants to know; else it may be our decoder's fault.
        return [
            _held(check, None, None, seen, holds=False) if check.is_stated else _skipped(check, seen)
            for check in checks
        ]
    return [_VERDICTS[check.name](check, seen) for check in checks]


def differs(seen: Measured, request: Mapping[str, Json]) -> str | None:
    """How a file differs from what its request names for certain."""
    return next(
        (one.why for one in verdicts(wanted(None, request, seen.kind), seen) if one.verdict == FAILED), None
    )


def worst(several: Sequence[Sequence[CheckResult]]) -> list[CheckResult]:
    """Of the files of one task: for each check its worst verdict."""
    found: dict[str, CheckResult] = {}
    for one in (one for results in several for one in results):
        known = found.setdefault(one.name, one)
        if _WORST.index(one.verdict) < _WORST.index(known.verdict):
            found[one.name] = one
    return list(found.values())


def _skipped(check: Check, why: str, measured: str | None = None) -> CheckResult:
    return CheckResult(check.name, SKIPPED, measured, None, check.severity, why)


def _held(check: Check, measured: str | None, expected: str | None, why: str, *, holds: bool) -> CheckResult:
    """`why` it doesn't hold, where it doesn't."""
    bad = WARNING if check.severity == "warning" else FAILED
    verdict, reason = (OK, None) if holds else (bad, why)
    return CheckResult(check.name, verdict, measured, expected, check.severity, reason)


def _length(check: Check, seen: Measured) -> CheckResult:
    if seen.seconds is None:
        why = "a picture has no length" if seen.kind == "image" else "the file does not say how long it is"
        return _skipped(check, why)
    wanted_, within = check.limits.get("seconds"), check.limits["within"]
    low = check.limits.get("at_least", wanted_ and max(wanted_ - within, 0))
    high = check.limits.get("at_most", wanted_ and wanted_ + within)
    if low is None and high is None:
        return _skipped(check, "the request names no length; write `seconds:`", f"{seen.seconds:.2f} s")
    expected = f"{wanted_:g} s" if wanted_ else _between(low, high, " s")
    why = f"it lasts {seen.seconds:.1f} s, {expected} were asked for"
    return _held(check, f"{seen.seconds:.2f} s", expected, why, holds=_is_within(seen.seconds, low, high))


def _size(check: Check, seen: Measured) -> CheckResult:
    limits, measured = check.limits, f"{seen.width}x{seen.height}"
    if not seen.width:
        return _skipped(check, "sound has no size")
    tests = [
        (f"{limits.get(side)} pixels {word}", has == limits[side])
        for side, word, has in (("width", "wide", seen.width), ("height", "high", seen.height))
        if side in limits
    ]
    if "at_least" in limits:
        tests.append(
            (
                f"{limits['at_least']} pixels or more on each side",
                min(seen.width, seen.height) >= limits["at_least"],
            )
        )
    if "lines" in limits:
        tests.append((f"{limits['lines']}p", _has_lines(seen, limits["lines"])))
    if "ratio" in limits:
        ratio = limits["ratio"]
        tests.append((_NAMED.get(ratio, ratio), _has_ratio(seen, ratio)))
    if not tests:
        return _skipped(check, "the request names no size; write `width:` and `height:`", measured)
    expected = ", ".join(words for words, _ in tests)
    wrong = ", ".join(words for words, holds in tests if not holds)
    return _held(check, measured, expected, f"it is {measured}, {wrong} was asked for", holds=not wrong)


def _has_lines(seen: Measured, lines: int) -> bool:
    """As many lines on the short side, or as many pixels as 16:9 would have: models mean either."""
    side, area = min(seen.width, seen.height) / lines, seen.width * seen.height / (lines * lines * 16 / 9)
    return abs(side - 1) <= _SIDE or abs(area - 1) <= _AREA


def _has_ratio(seen: Measured, ratio: str) -> bool:
    if ratio in _NAMED:
        return seen.width > seen.height if ratio == "landscape" else seen.height > seen.width
    wide, high = map(int, ratio.split(":"))
    return abs(seen.width * high / (seen.height * wide) - 1) <= _SLANT


def _fps(check: Check, seen: Measured) -> CheckResult:
    if seen.fps is None:
        return _skipped(check, "only a video has frames per second")
    limits = check.limits
    equals, within = limits.get("equals"), limits.get("within", 0.5)
    low = limits.get("at_least", None if equals is None else equals - within)
    high = limits.get("at_most", None if equals is None else equals + within)
    if low is None and high is None:
        return _skipped(check, "write `equals:`, `at_least:` or `at_most:`", f"{seen.fps:g}")
    expected = f"{equals:g}" if equals is not None else _between(low, high, "")
    why = f"it has {seen.fps:.4g} frames per second, not {expected}"
    return _held(check, f"{seen.fps:.4g}", expected, why, holds=_is_within(seen.fps, low, high))


def _audio(check: Check, seen: Measured) -> CheckResult:
    expected = bool(check.limits["expected"])
    words = {True: "a sound track", False: "no sound track"}
    why = f"it has {words[seen.has_audio]}, and was to have {'one' if expected else 'none'}"
    return _held(check, words[seen.has_audio], words[expected], why, holds=seen.has_audio == expected)


def _spans(
    spans: Callable[[Measured], Sequence[tuple[float, float]]], word: str
) -> Callable[[Check, Measured], CheckResult]:
    """A check of the longest span in which the file is `word`."""

    def verdict(check: Check, seen: Measured) -> CheckResult:
        if missing := _has_none(check, seen):
            return _skipped(check, missing)
        start, end = max(spans(seen), key=lambda span: span[1] - span[0], default=(0.0, 0.0))
        longest, most = end - start, check.limits["at_most"]
        why = f"it is {word} from {start:.2f} s to {end:.2f} s"
        return _held(check, f"{longest:.2f} s", f"{most:g} s at most", why, holds=longest <= most)

    return verdict


def _has_none(check: Check, seen: Measured) -> str | None:
    if check.name in ("silence", "loudness"):
        return None if seen.has_audio else "it has no sound track"
    return None if seen.kind == "video" else "only a video is looked at for this"


def _cuts(check: Check, seen: Measured) -> CheckResult:
    if missing := _has_none(check, seen):
        return _skipped(check, missing)
    low, high = check.limits.get("at_least"), check.limits.get("at_most")
    if low is not None and high is not None and high < low:
        high = None
    times = ", ".join(f"{at:.2f} s" for at in seen.cuts[:5])
    count = f"{len(seen.cuts)} {'cut' if len(seen.cuts) == 1 else 'cuts'}"
    why = f"it has {count}{': ' if times else ''}{times}"
    return _held(
        check, str(len(seen.cuts)), _between(low, high, ""), why, holds=_is_within(len(seen.cuts), low, high)
    )


def _loudness(check: Check, seen: Measured) -> CheckResult:
    if missing := _has_none(check, seen):
        return _skipped(check, missing)
    if seen.loudness is None:
        return _skipped(check, "it is too short, or too quiet, to be measured")
    low, high = check.limits.get("at_least"), check.limits.get("at_most")
    expected = _between(low, high, " LUFS")
    why = f"its loudness is {seen.loudness:.1f} LUFS, not {expected}"
    return _held(
        check, f"{seen.loudness:.1f} LUFS", expected, why, holds=_is_within(seen.loudness, low, high)
    )


def _frame(check: Check, seen: Measured) -> CheckResult:
    likeness = seen.likeness.get(check.name, "the request has no picture for it; write `field:`")
    if isinstance(likeness, str):
        return _skipped(check, likeness)
    least = check.limits["at_least"]
    which = "first" if check.name.startswith("first") else "last"
    why = f"its {which} frame is not like the picture: likeness {likeness:.2f}"
    return _held(check, f"{likeness:.2f}", f"{least:g} at least", why, holds=likeness >= least)


def _alone(check: Check, _: Measured) -> CheckResult:
    return _held(check, None, f"likeness {check.limits['at_most']:g} at most", "", holds=True)


def duplicate(check: Check, likeness: float, other: str) -> CheckResult:
    """The verdict of `not_duplicate`, once the others are known; `other` is the one that is most like it."""
    most = check.limits["at_most"]
    why = f"it looks like {other}: likeness {likeness:.3f}"
    return _held(check, f"{likeness:.3f}", f"likeness {most:g} at most", why, holds=likeness <= most)


def _is_within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _between(low: float | None, high: float | None, unit: str) -> str:
    if low is None or high is None:
        return f"{low:g}{unit} at least" if low is not None else f"{high:g}{unit} at most"
    return f"{low:g} to {high:g}{unit}"


_VERDICTS: Mapping[str, Callable[[Check, Measured], CheckResult]] = {
    "length": _length,
    "size": _size,
    "fps": _fps,
    "has_audio": _audio,
    "not_black": _spans(lambda seen: seen.black, "black"),
    "not_frozen": _spans(lambda seen: seen.frozen, "frozen"),
    "cuts": _cuts,
    "silence": _spans(lambda seen: seen.silent, "silent"),
    "loudness": _loudness,
    "first_frame_matches": _frame,
    "last_frame_matches": _frame,
    "not_duplicate": _alone,
}
