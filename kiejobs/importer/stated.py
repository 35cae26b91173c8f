"""What a page says of a field only in prose, in its form: limits, files that it takes; and fields tied together.

In: a field in our form, the prose about it, values that the page shows. Out: limits in the form, each with a note in
`x-kiejobs-note` that it is from prose; `x-kiejobs-file`; notes for people. Touches nothing else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kiejobs.core.document.wording import show
from kiejobs.core.models.descriptions import IN_SECONDS
from kiejobs.core.models.spec import coerce
from kiejobs.importer.openapi import by_name, items_in
from kiejobs.importer.prose import (
    MOST_CHARACTERS,
    ValueRange,
    choices_from_prose,
    default_from_prose,
    in_english,
    items_from_prose,
    length_from_prose,
    length_of_each,
    plain_prose,
    range_from_prose,
    special_from_prose,
    step_from_prose,
)
from kiejobs.importer.types import fits, multiple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kiejobs.importer.openapi import Note, Schema

_FROM_PROSE = "from the page's prose"
_PARTS = re.compile(r"(?<=[.!?;])\s+|\n\s*\n|\n\s*[-*]|;|\u3002")
_TIES = re.compile(
    r"\b(?:only|not|cannot|can't|without|with|requires?|required|either|when|if|unless|exclusive|"
    r"unsupported|at least one|instead)\b|不|仅|必须|同时|至少|需"
)
_BARS = re.compile(
    r"\b(?:not (?:be )?(?:supported?|available|allowed|made|work)|unsupported|requires?|"
    r"only (?:supported|available|allowed|works?|for|when|with|at|in))\b|不支持|不能|仅支持|仅在"
)
_BY_WORD = {
    "jpeg": "image/jpeg", "jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif",
    "bmp": "image/bmp", "tiff": "image/tiff", "tif": "image/tiff", "heic": "image/heic", "avif": "image/avif",
    "svg": "image/svg+xml", "mp4": "video/mp4", "mpeg4": "video/mp4", "mov": "video/quicktime", "avi": "video/avi",
    "quicktime": "video/quicktime", "mkv": "video/x-matroska", "matroska": "video/x-matroska", "webm": "video/webm",
    "mp3": "audio/mpeg", "wav": "audio/wav", "aac": "audio/aac", "m4a": "audio/mp4", "ogg": "audio/ogg",
    "flac": "audio/flac", "opus": "audio/opus",
}  # fmt: skip
_SAME = {
    "image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "audio/mp3": "audio/mpeg",
    "audio/wave": "audio/wav", "audio/x-m4a": "audio/mp4", "video/mov": "video/quicktime",
    "video/x-msvideo": "video/avi",
}  # fmt: skip
_KINDS = {
    "image": ("image", "picture", "photo", "frame", "mask", "图"),
    "video": ("video", "clip", "视频"),
    "audio": ("audio", "voice", "speech", "sound", "music", "音频"),
}
_MEDIA_TYPE = re.compile(r"\b(?:image|video|audio)/[a-z0-9][a-z0-9.+-]{0,40}", re.IGNORECASE)
_FORMAT_WORDS = re.compile(rf"\b({'|'.join(_BY_WORD)})\b", re.IGNORECASE)
_FORMAT_LIST = re.compile(
    rf"\b\.?(?:{'|'.join(_BY_WORD)})(?:\s*(?:,|/|\||\u3001|\bor\b|\band\b){{1,2}}\s*\.?(?:{'|'.join(_BY_WORD)})\b)+",
    re.IGNORECASE,
)
_FORMATS_LINE = re.compile(
    r"(?:(?:formats?|file types?|accepted types?|types?|must be|in)\b|格式|支持|类型|\((?=\.?[a-z0-9]{2,9}[,/ )]))[^.\n]{0,160}",
    re.IGNORECASE,
)
_SIZE = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)\s*(KB|MB|GB|KiB|MiB|GiB)\b", re.IGNORECASE)
_POWERS = {"k": 10, "m": 20, "g": 30}
_TOTAL = re.compile(r"\b(?:total|combined|sum)\b", re.IGNORECASE)
_URL_NAME = re.compile(r"(?:^|_)(?:urls?|uris?)(?:_list)?$|(?:Url|URL|Uri)s?$", re.IGNORECASE)
_URL_PROSE = re.compile(r"\bURLs?\b|链接|地址|网址", re.IGNORECASE)
_CALLED_BACK = re.compile(r"call_?back|webhook|notify", re.IGNORECASE)
_SCHEME = re.compile(r"\b([a-z][a-z0-9]{1,20})://")
_USUAL = {"http", "https", "file", "ftp", "data"}
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_FACTS = {
    r"(\d{1,3})\s*(?:-|to|and)\s*(\d{1,4})\s*(?:s\b|sec|seconds)": "{} to {} seconds long",
    r"\[\s*(\d{1,3})\s*,\s*(\d{1,4})\s*\]\s*s\b": "{} to {} seconds long",
    r"at least (\d{2,5}) ?(?:x|\u00d7|\*) ?(\d{2,5}) ?(?:px|pixels)": "at least {} x {} pixels",
    r"(?:at least|greater than|min(?:imum)? dimension) (\d{2,5}) ?(?:px|pixels)": "sides of at least {} pixels",
    r"(?:not exceed|max(?:imum)? dimension) (\d{2,5}) ?(?:px|pixels)": "sides of at most {} pixels",
    r"(\d(?:\.\d)?:\d(?:\.\d)?)\s*(?:-|to)\s*(\d(?:\.\d)?:\d(?:\.\d)?)": "aspect ratio from {} to {}",
}


def add_stated(form: Schema, prose: str, shown: Sequence[Any], note: Note) -> None:
    """Changes `form`. `shown` are values that the page shows for the field."""
    kind = form.get("type")
    stated: list[str] = []
    values = [one for one in [*shown, form.get("default")] if one not in (None, "", [])]
    for limits in _limits(form, kind, prose, values, note):
        stated += _added(form, limits, values, note)
    if kind == "string" and values and all(str(one).isdecimal() for one in values):
        stated += _added(form, _counted(form, prose), values, note)
    stated += _asides(form, kind, prose, note)
    if stated:
        form["x-kiejobs-note"] = stated


def _added(form: Schema, limits: Schema, values: Sequence[Any], note: Note) -> list[str]:
    """Changes `form`. The note for people who read the schema; none where a value breaks the limits."""
    if not limits:
        return []
    special, rest = limits.get("anyOf", ({}, limits))
    words = ", ".join(f"{key} {show(value)}" for key, value in rest.items())
    words = f"{show(special['const'])}, or {words}" if special else words
    for one in values:
        value = coerce(form, one)
        if fits(form, value) and not fits({**form, **limits}, value):
            note(f"{words} {_FROM_PROSE} is passed over: the page itself shows {show(one)}")
            return []
    form.update(limits)
    note(f"{words} is {_FROM_PROSE}")
    return [f"{words}: {_FROM_PROSE}"]


def _limits(form: Schema, kind: Any, prose: str, shown: Sequence[Any], note: Note) -> list[Schema]:
    if kind == "array":
        item = form.get("items")
        if isinstance(item, dict) and item.get("type") == "string" and not item.keys() & {"enum", "format"}:
            of_each = _missing(item, length_of_each(prose), "minLength", "maxLength", note)
            item |= of_each if all(fits({**item, **of_each}, one) for value in shown for one in value) else {}
        return [_missing(form, items_from_prose(prose), "minItems", "maxItems", note)]
    if "enum" in form:
        listed = form["enum"]
        others = [text for text in choices_from_prose(prose) if coerce(form, text) not in listed]
        if others and len(listed) > 1:
            note(f"prose lists {', '.join(map(show, others[:8]))}, the schema does not; the schema counts")
        return []
    if kind == "string":
        length = _missing(form, length_from_prose(prose), "minLength", "maxLength", note)
        return [length, _listed(form, kind, prose)]
    if kind in {"integer", "number"}:
        numbers = _numbers(form, prose, note)
        step = step_from_prose(prose)
        is_known = step is None or "multipleOf" in form or (kind == "integer" and step == 1)
        steps = {} if step is None or is_known else multiple(step, note)
        return [numbers, steps, _listed(form, kind, prose)]
    return []


def _missing(form: Schema, stated: ValueRange, low: str, high: str, note: Note) -> Schema:
    """Those ends that no keyword gives; where prose and keyword differ, the keyword counts."""
    limits: Schema = {}
    for key, value in ((low, stated.least), (high, stated.most)):
        if value is None:
            continue
        if key in form:
            if form[key] != value:
                note(f"prose says {key} {value}, the schema {form[key]}; the schema counts")
        elif low == "minimum" or (isinstance(value, int) and value > 0):
            limits[key] = value
    both = {**form, **limits}
    return limits if low not in both or high not in both or both[low] <= both[high] else {}


def _numbers(form: Schema, prose: str, note: Note) -> Schema:
    """A range; with one value next to it that has a meaning of its own, a choice of the two."""
    if form.keys() & {"exclusiveMinimum", "exclusiveMaximum"}:
        return {}
    stated, special = range_from_prose(prose), special_from_prose(prose)
    least = form.get("minimum", stated.least)
    is_apart = special is not None and least is not None and special < least
    if is_apart and "minimum" in form:
        note(f"prose gives {special} a meaning of its own, the schema refuses it; the schema counts")
    limits = _missing(form, stated, "minimum", "maximum", note)
    if limits and is_apart and "minimum" not in form:
        return {"anyOf": [{"const": special}, limits]}
    return limits


def _counted(form: Schema, prose: str) -> Schema:
    """The whole numbers of a range, for a field that takes numbers as text."""
    stated, step = range_from_prose(prose), step_from_prose(prose) or 1
    least, most = stated.least, stated.most
    if "enum" in form or least is None or most is None or least % 1 or most % 1 or step % 1:
        return {}
    numbers = range(int(least), int(most) + 1, int(step))
    special = special_from_prose(prose)
    apart = [special] if special is not None and special < least else []
    return {"enum": [str(one) for one in [*apart, *numbers]]} if 1 < len(numbers) <= 100 else {}


def _listed(form: Schema, kind: str, prose: str) -> Schema:
    """Values that prose lists as all there are."""
    if form.get("format") == "uri" or "pattern" in form:
        return {}
    values = [coerce({"type": kind}, text) for text in choices_from_prose(prose)]
    return {"enum": values} if values and all(fits(form, value) for value in values) else {}


def _asides(form: Schema, kind: Any, prose: str, note: Note) -> list[str]:
    """What limits nothing, and is good to know."""
    found: list[str] = []
    digits = all(str(value).isdecimal() for value in form.get("enum", ["x"]))
    if (kind in {"integer", "number"} or digits) and "second" in prose.lower():
        found.append(IN_SECONDS)
    step = step_from_prose(prose)
    if kind in {"integer", "number"} and isinstance(step, float):
        found.append(f"In steps of {step}: {_FROM_PROSE}, and not checked.")
    default = default_from_prose(prose)
    if default is None or kind not in {"string", "integer", "number", "boolean"}:
        return found
    value, given = coerce({"type": kind}, default), form.get("default")
    if fits(form, value) and given is None and value != "None":
        found.append(f"Left out, it is {show(value)}: {_FROM_PROSE}.")
    elif fits(form, value) and given not in (None, value):
        note(f"prose says its default is {show(value)}, the schema {show(given)}; the schema counts")
    return found


def related(given: Schema) -> list[str]:
    """Notes on fields whose prose speaks of another in a condition, or bars a value of it."""
    fields = {name: one for name, one in by_name(given).items() if name and isinstance(one, dict)}
    found = []
    for name, one in fields.items():
        prose = str(one.get("description") or "")[:MOST_CHARACTERS]
        sentences = [part for part in _PARTS.split(prose) if _TIES.search(part.lower())]
        bars = " ".join(plain_prose(part).lower() for part in sentences if _BARS.search(part.lower()))
        spoken = [one for one in fields if any(one in part and _speaks_of(part, one) for part in sentences)]
        values = {other: _values(fields[other]) - _values(one) for other in fields}
        barred = [one for one in fields if any(re.search(rf"\b{re.escape(v)}\b", bars) for v in values[one])]
        others = [other for other in fields if other != name and other in {*spoken, *barred}]
        if others:
            ties = f"{name[:80]}: prose ties it to {', '.join(others)[:200]}"
            found.append(f"{ties}; a rule between fields is for you to write")
    return found


def _speaks_of(sentence: str, name: str) -> bool:
    """A name of several words, or one in quotes: `prompt` alone is a word like any other."""
    quote = "" if "_" in name else "[`'\"\u201c\u201d]"
    return re.search(rf"{quote}(?<![\w./-]){re.escape(name)}(?![\w/]){quote}", sentence) is not None


def _values(form: Schema) -> set[str]:
    texts = [one.lower() for one in items_in(form.get("enum"))[:50] if isinstance(one, str)]
    return {one for one in texts if len(one) > 2 and any(map(str.isdigit, one))}


# --- files ------------------------------------------------------------------------------------------


def points_at_file(name: str, form: Schema, prose: str, shown: Iterable[Any]) -> bool:
    """Is the field the address of a file, or a list of such? `shown` are values that a page shows."""
    if _CALLED_BACK.search(name):
        return False
    item = form.get("items", {}) if form.get("type") == "array" else form
    if not isinstance(item, dict) or item.get("type") != "string" or "enum" in item:
        return False
    if item.get("format") == "uri" or _URL_NAME.search(name):
        return True
    values = [one for value in shown for one in (value if isinstance(value, list) else [value])]
    addressed = any(isinstance(one, str) and _HTTP.match(one) for one in values)
    is_meant = bool(_URL_PROSE.search(prose)) and (addressed or kind_of(name, prose) is not None)
    return is_meant or (addressed and bool(media_types(prose)))


def file_rule(name: str, prose: str, around: str) -> Schema:
    """`x-kiejobs-file` of a field. `around` is what the page says of files in general."""
    types, most, schemes = list(media_types(prose)), largest(prose), other_schemes(prose)
    kind = types[0].partition("/")[0] if types else kind_of(name, prose)
    if not types and kind:
        about = _about(around, kind)
        types = [one for one in media_types(about) if one.startswith(kind)]
        most = most if most is not None else largest(about) if types else None
        prose = f"{prose}\n{about}"
    if not types:
        # A frame or a picture is one in any format; what a sound or a video may be in is not so plain.
        types = ["image/*"] if _kinds_in(name.lower()).keys() == {"image"} else []
    facts = [] if most is None else ["megabytes are read as 1024 x 1024 bytes"]
    facts += file_facts(prose)
    note = f"From the page's prose: {'; '.join(facts)}." if facts else None
    more = {"max_bytes": most, "schemes": schemes or None, "note": note}
    return {"media_types": types, **{key: one for key, one in more.items() if one is not None}}


@lru_cache(maxsize=2_000)
def media_types(prose: str) -> tuple[str, ...]:
    """The types that prose names, by their own names or in words like JPEG."""
    named = [text.lower().rstrip(".") for text in _MEDIA_TYPE.findall(prose)]
    if not named:
        text = plain_prose(prose)
        lines = " ".join(_FORMATS_LINE.findall(text) or _FORMAT_LIST.findall(text))
        named = [_BY_WORD[word.lower()] for word in _FORMAT_WORDS.findall(lines)]
    return tuple(dict.fromkeys(_SAME.get(one, one) for one in named))


def other_schemes(prose: str) -> list[str]:
    """What addresses may begin with besides http and https: `asset`, where it says `asset://...`."""
    found = _SCHEME.findall(prose.lower())
    return sorted({one for one in found if one not in _USUAL})


@lru_cache(maxsize=2_000)
def largest(prose: str) -> int | None:
    """Bytes of one file; of several sizes the largest, so that none is refused that may be taken."""
    found = [
        int(float(size) * 2 ** _POWERS[unit[0].lower()])
        for sentence in re.split(r"(?<=[.;)])\s|[\n\uff0c\u3002]", in_english(prose))
        if not (_TOTAL.search(sentence) and "(file url" not in sentence.lower())
        for size, unit in _SIZE.findall(sentence)
    ]
    return max(found, default=None)


@lru_cache(maxsize=2_000)
def file_facts(prose: str) -> tuple[str, ...]:
    """Seconds, pixels and shapes, in our words."""
    text = " ".join(in_english(plain_prose(prose).lower()).split())
    found = [
        words.format(*match.groups())
        for pattern, words in _FACTS.items()
        for match in re.finditer(pattern, text)
    ]
    return tuple(dict.fromkeys(found))[:6]


def kind_of(name: str, prose: str) -> str | None:
    """image, video or audio, by the field's name or else by the first such word in the prose."""
    found = _kinds_in(name.lower()) or _kinds_in(prose.lower()[:300])
    return min(found, key=found.__getitem__, default=None)


def _kinds_in(text: str) -> dict[str, int]:
    """Each kind that `text` has a word of, and the place of the first one."""
    at = {kind: [text.find(word) for word in words if word in text] for kind, words in _KINDS.items()}
    return {kind: min(places) for kind, places in at.items() if places}


@lru_cache(maxsize=100)
def _about(around: str, kind: str) -> str:
    """Those parts and lines of the page's general words that speak of such files, and of no others."""
    parts = re.split(r"\n\s*(?=#{1,4} |<Step |\d+\. )|</Step>", around)
    fitting = [
        part
        for part in dict.fromkeys([*parts, *around.splitlines()])
        if (types := media_types(part)) and all(one.startswith(kind) for one in types)
    ]
    return "\n".join(fitting)
