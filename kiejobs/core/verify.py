"""Is a received file what was promised, and is it whole?

In: its first bytes, its size, the media type of the spec. Out: what is wrong, or None. Touches
nothing. A cheap look at the container; decoding is the extra `media`'s business.
"""

from __future__ import annotations

_OPEN_TYPES = {"", "application/octet-stream", "binary/octet-stream", "application/binary"}
"""What object stores say when they don't know; the bytes are looked at in any case."""

_SIGNATURES: dict[str, tuple[tuple[int, bytes], ...]] = {
    "video/mp4": ((4, b"ftyp"),),
    "video/quicktime": ((4, b"ftyp"),),
    "video/webm": ((0, b"\x1a\x45\xdf\xa3"),),
    "image/png": ((0, b"\x89PNG\r\n\x1a\n"),),
    "image/jpeg": ((0, b"\xff\xd8\xff"),),
    "image/webp": ((0, b"RIFF"), (8, b"WEBP")),
    "audio/wav": ((0, b"RIFF"), (8, b"WAVE")),
    "audio/mpeg": (),
}

_TEXTUAL = (b"<!doctype", b"<html", b"<?xml", b'{"code"', b'{"error')


def media_type_fits(said: str, promised: str) -> bool:
    """Does a host's Content-Type go with what the spec promises? `video/*` goes with `video/mp4`."""
    bare = said.partition(";")[0].strip().lower()
    return bare in _OPEN_TYPES or bare.partition("/")[0] == promised.partition("/")[0]


def what_is_wrong_with(head: bytes, size: int, media_type: str) -> str | None:
    """In words, or None. `head` are the file's first bytes, as many as were kept."""
    if size == 0:
        return "the file is empty"
    if head.lstrip()[:16].lower().startswith(_TEXTUAL):
        return "the file is a page of text, an error most likely"
    marks = _SIGNATURES.get(media_type, ())
    if any(head[start : start + len(mark)] != mark for start, mark in marks):
        return f"the file does not begin like {media_type}"
    if media_type in {"video/mp4", "video/quicktime"}:
        return _boxes_fit(head, size)
    return None


def _boxes_fit(head: bytes, size: int) -> str | None:
    """Walk the top boxes of an MP4 as far as the head reaches; one that runs over the end tells."""
    place = 0
    while place + 16 <= len(head):
        length = int.from_bytes(head[place : place + 4], "big")
        if length == 1:
            length = int.from_bytes(head[place + 8 : place + 16], "big")
        if length == 0:
            return None  # to the end of the file, by definition
        if length < 8 or place + length > size:
            return "the file is cut off: a box is longer than what is there"
        place += length
    return None
