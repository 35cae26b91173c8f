"""What a page says only in prose of the files that a field takes: types, size, and facts for people.

In: a field's name and the prose about it. Out: `x-kiejobs-file`. Touches nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kiejobs.importer.prose import in_english, plain_prose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kiejobs.importer.openapi import Schema

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
_FORMAT = rf"\.?\b(?:(?:image|video|audio)/[a-z0-9.+-]{{1,40}}|{'|'.join(_BY_WORD)})\b"
_REFUSED = re.compile(
    rf"(?:\b(?:except|excluding|other than|no|not|cannot|unsupported)\b|n't\b|不支持|不接受|除了?)(?: (?:for|in|as|be|an?|any|support\w*|accept\w*|allow\w*|formats?|types?)){{0,3}}[:\s]*"
    rf"{_FORMAT}(?:[\s,/\u3001和]*(?:\b(?:or|and)\b\s*)?{_FORMAT})*"
    rf"|{_FORMAT}(?: (?:and|or) {_FORMAT})?(?: files?| images?| formats?)? (?:is|are)(?:n't| not\b| un| never)",
    re.IGNORECASE,
)
_AMOUNT = r"(?<![\d.,])(\d{1,3}(?:,\d{3})+|\d{1,7}(?:\.\d{1,3})?)\s*"
_SIZE = re.compile(
    rf"{_AMOUNT}([KMG])i?B\b|(?:max(?:imum)?|most|up to|exceed(?:ing)?|than|within|size|limit|<=?|≤|小于)(?: of| is)?[\s:]*{_AMOUNT}(?-i:([MG]))(?=\s*(?:$|[.,;)/\u4e00-\u9fff]))",
    re.IGNORECASE,
)
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


def points_at_file(name: str, prose: str, shown: Iterable[Any]) -> bool | None:
    """Is the field the address of a file, or a list of such? None where nothing says so; `shown` are values that a page
    shows.
    """
    if _CALLED_BACK.search(name) or _URL_NAME.search(name):
        return _CALLED_BACK.search(name) is None
    values = [one for value in shown for one in (value if isinstance(value, list) else [value])]
    addressed = any(isinstance(one, str) and _HTTP.match(one) for one in values)
    is_meant = bool(_URL_PROSE.search(prose)) and (addressed or kind_of(name, prose) is not None)
    return is_meant or (addressed and bool(media_types(prose))) or None


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
    prose = _REFUSED.sub(" ", prose)
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
        int(float((size or bare).replace(",", "")) * 2 ** _POWERS[(unit or letter).lower()])
        for sentence in re.split(r"(?<=[.;)])\s|[\n\uff0c\u3002]", in_english(prose))
        if not (_TOTAL.search(sentence) and "(file url" not in sentence.lower())
        for size, unit, bare, letter in _SIZE.findall(sentence)
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
