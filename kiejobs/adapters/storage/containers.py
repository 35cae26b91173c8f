"""Is what was received what was promised? A cheap look at its container; decoding is the extra `media`'s business.

In: what a host said, a file's bytes. Out: what is wrong, in words; the type that its bytes say. Touches nothing.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_OPEN_TYPES = {"", "application/octet-stream", "binary/octet-stream", "application/binary"}
"""What object stores say when they don't know; the bytes are looked at in any case."""

_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
"""Which an MP4 or a QuickTime file may begin with."""
_MOST_BOXES = 100_000
_TAIL = 4_096
_LAST_MARKS = {b"\x89PNG\r\n\x1a\n": b"IEND\xae\x42\x60\x82", b"\xff\xd8\xff": b"\xff\xd9"}
_TEXTUAL = ("<!doctype", "<html", "<?xml", '{"code"', '{"error')
_KINDS = {"video": {"video"}, "image": {"image"}, "audio": {"audio", "video"}}
"""What a promise of a kind is kept by: sound may come in a container of videos."""


def media_type_fits(said: str, promised: str) -> bool:
    """Does a host's Content-Type go with what the spec promises? Where nothing is promised, everything does."""
    if promised in _OPEN_TYPES:
        return True
    bare = said.partition(";")[0].strip().lower()
    kind, _, form = promised.partition("/")
    return bare in _OPEN_TYPES or bare.partition("/")[0] == kind or bare == f"application/{form}"


def nearer_type(promised: str, seen: str | None) -> str:
    """What a file is on record as: what its bytes say, if that is of the kind that was promised."""
    if seen is None or promised.partition("/")[0] != seen.partition("/")[0]:
        return promised
    return seen


def what_is_wrong_with(
    head: bytes,
    size: int,
    media_type: str,
    *,
    read: Callable[[int, int], bytes] | None = None,
    is_size_known: bool = False,
) -> str | None:
    """In words, or None. `head` are the file's first bytes. What is complete is kept: it is paid for.

    `read` gives bytes of it (offset, count): it must end where its container does, and where nothing else said how
    long it is, hold all that such a container needs.
    """
    from kiejobs.core.models.spec import media_type_of  # noqa: PLC0415 - schemas are slow to import

    if size == 0:
        return "the file is empty"
    if _as_text(head).startswith(_TEXTUAL):
        return "the file is a page of text, an error most likely"
    boxed = head[4:8] in _FIRST_BOXES
    promised, seen = media_type.partition("/")[0], media_type_of(head) or ("video/quicktime" if boxed else "")
    is_sound = head[:1] == b"\xff" and head[1:2] >= b"\xe0"  # a frame of MPEG sound, of whichever layer
    if (
        promised in _KINDS
        and seen.partition("/")[0] not in _KINDS[promised]
        and not (is_sound and promised == "audio")
    ):
        return f"the file is {seen or 'of no known type'}, and {media_type} was promised"
    if (
        read is not None
        and boxed
        and not _boxes_fit(read, size, set() if is_size_known else {b"mdat", b"moov"})
    ):
        return "the file is cut off: it does not end where its last box does"
    if read is not None and not _ends(head, size, read):
        return "the file is cut off: it does not end as such files do"
    return None


def _as_text(head: bytes) -> str:
    """The beginning as text, whatever mark of its encoding stands before it."""
    wide = head[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    text = head[:512].decode("utf-16" if wide else "utf-8-sig", "replace")
    return text.lstrip("\ufeff \t\r\n\0")[:16].lower()


def _ends(head: bytes, size: int, read: Callable[[int, int], bytes]) -> bool:
    """Pictures end in a mark, near enough to the end; RIFF files (WebP, WAV) say how long they are."""
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8 <= size
    tail = read(max(0, size - _TAIL), _TAIL)
    return all(mark in tail for start, mark in _LAST_MARKS.items() if head.startswith(start))


def _boxes_fit(read: Callable[[int, int], bytes], size: int, needed: set[bytes]) -> bool:
    """Walk the top boxes of an MP4: they must end with the file, `needed` among them."""
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
    return place == size and kinds >= needed
