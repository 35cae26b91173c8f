"""Is a received file what was promised, and is it whole?

In: its first bytes, its size, the media type of the spec. Out: what is wrong, or None. Touches
nothing. A cheap look at the container; decoding is the extra `media`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_OPEN_TYPES = {"", "application/octet-stream", "binary/octet-stream", "application/binary"}
"""What object stores say when they don't know; the bytes are looked at in any case."""

_BOXED = {"video/mp4", "video/quicktime"}
_MOST_BOXES = 100_000
_TAIL = 4_096
_LAST_MARKS = {b"\x89PNG\r\n\x1a\n": b"IEND\xae\x42\x60\x82", b"\xff\xd8\xff": b"\xff\xd9"}
_TEXTUAL = (b"<!doctype", b"<html", b"<?xml", b'{"code"', b'{"error')


def media_type_fits(said: str, promised: str) -> bool:
    """Does a host's Content-Type go with what the spec promises? `video/*` goes with `video/mp4`.

    Where nothing is promised, the model not being known any more, everything does: it is paid for.
    """
    if promised in _OPEN_TYPES:
        return True
    bare = said.partition(";")[0].strip().lower()
    kind, _, form = promised.partition("/")
    return bare in _OPEN_TYPES or bare.partition("/")[0] == kind or bare == f"application/{form}"


def nearer_type(promised: str, seen: str | None) -> str:
    """What a file is on record as: what its bytes say, where that is of the kind that was promised.

    A model that makes pictures may give a JPEG where the spec knows of PNGs.
    """
    if seen is None or promised.partition("/")[0] != seen.partition("/")[0]:
        return promised
    return seen


def what_is_wrong_with(
    head: bytes, size: int, media_type: str, *, read: Callable[[int, int], bytes] | None = None
) -> str | None:
    """In words, or None. `head` are the file's first bytes.

    What was paid for is kept where it came whole, even if it is an odd container: whether it decodes
    is asked by `manifest verify --decode`. Where nothing said how long the file is, `read` gives bytes
    of it (offset, count), and the container itself tells whether it was cut off.
    """
    if size == 0:
        return "the file is empty"
    if head.lstrip()[:16].lower().startswith(_TEXTUAL):
        return "the file is a page of text, an error most likely"
    boxed = media_type in _BOXED and (size < 8 or head[4:8] == b"ftyp")
    if read is not None and boxed and not _boxes_fit(read, size):
        return "the file is cut off: it does not end where its last box does"
    if read is not None and not _ends(head, size, read):
        return "the file is cut off: it does not end as such files do"
    return None


def _ends(head: bytes, size: int, read: Callable[[int, int], bytes]) -> bool:
    """Pictures end in a mark, near enough to the end; RIFF files (WebP, WAV) say how long they are."""
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8 <= size
    tail = read(max(0, size - _TAIL), _TAIL)
    return all(mark in tail for start, mark in _LAST_MARKS.items() if head.startswith(start))


def _boxes_fit(read: Callable[[int, int], bytes], size: int) -> bool:
    """Walk the top boxes of an MP4: they must end with the file, pictures and index among them."""
    place, kinds = 0, set[bytes]()
    for _ in range(_MOST_BOXES):
        if place == size:
            break
        header = read(place, 16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:
            length = size - place  # to the end of the file, by definition
        if len(header) < 8 or length < 8 or place + length > size:
            return False
        kinds.add(header[4:8])
        place += length
    return place == size and kinds >= {b"mdat", b"moov"}
