"""Is a received file what was promised, and is it whole?

In: its first bytes, its size, the media type of the spec. Out: what is wrong, or None. Touches
nothing. A cheap look at the container; decoding is the extra `media`'s business.
"""

from __future__ import annotations

_OPEN_TYPES = {"", "application/octet-stream", "binary/octet-stream", "application/binary"}
"""What object stores say when they don't know; the bytes are looked at in any case."""

_BOXED = {"video/mp4", "video/quicktime"}
_TEXTUAL = (b"<!doctype", b"<html", b"<?xml", b'{"code"', b'{"error')


def media_type_fits(said: str, promised: str) -> bool:
    """Does a host's Content-Type go with what the spec promises? `video/*` goes with `video/mp4`."""
    bare = said.partition(";")[0].strip().lower()
    kind, _, form = promised.partition("/")
    return bare in _OPEN_TYPES or bare.partition("/")[0] == kind or bare == f"application/{form}"


def what_is_wrong_with(
    head: bytes, size: int, media_type: str, *, length_known: bool
) -> str | None:
    """In words, or None. `head` are the file's first bytes, as many as were kept.

    What was paid for is kept where it came whole, even if it is an odd container: whether it decodes
    is asked by `manifest verify --decode`. Where the host did not say a length, an MP4's own boxes
    tell whether it was cut off.
    """
    if size == 0:
        return "the file is empty"
    if head.lstrip()[:16].lower().startswith(_TEXTUAL):
        return "the file is a page of text, an error most likely"
    if not length_known and media_type in _BOXED and head[4:8] == b"ftyp":
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
