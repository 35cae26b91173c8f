"""Is what was received what was promised, and does it close? A cheap look at its container, without decoding.

In: a host's headers, a file's bytes. Out: what is wrong, in words; the type that its bytes say. Touches nothing.

A file whose container goes on behind its last byte is cut off, whatever length was announced. Some can't say: TIFF,
WAV and WebM whose writer could not go back to fill in a length, MP3 without a fixed bit rate's length. What these
don't say is not held against a file, which is paid for.
"""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    Read: TypeAlias = Callable[[int, int], bytes]
    """Bytes of a file (offset, count); fewer where it ends."""

_OPEN_TYPES = {"", "application/octet-stream", "binary/octet-stream", "application/binary"}
"""What object stores say when they don't know; the bytes are looked at in any case."""

_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
"""Which an MP4 or a QuickTime file may begin with."""
_TOP_BOXES = _FIRST_BOXES | {
    b"moof", b"mfra", b"meta", b"meco", b"styp", b"sidx", b"ssix", b"prft", b"emsg", b"uuid", b"udta", b"pdin", b"PICT",
}  # fmt: skip
"""Behind them, anything else is no part of the film."""
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
    head: bytes, size: int, media_type: str, *, read: Read | None = None, is_size_known: bool = False
) -> str | None:
    """In words, or None. `head` are the file's first bytes. What is complete is kept: it is paid for.

    `read` gives bytes of it (offset, count): its container must be complete, and hold what it is for. Where something
    else stated its length, it may have a tail behind that, which players pass over.
    """
    from kiejobs.core.models.spec import media_type_of  # noqa: PLC0415 - schemas are slow to import

    if size == 0:
        return "the file is empty"
    if _as_text(head).startswith(_TEXTUAL):
        return "the file is a page of text, an error most likely"
    boxed, is_sound = head[4:8] in _FIRST_BOXES, head[:1] == b"\xff" and head[1:2] >= b"\xe0"
    guess = "video/quicktime" if boxed else "audio/mpeg" if is_sound else ""  # a frame of whichever layer
    promised, seen = media_type.partition("/")[0], media_type_of(head) or guess
    if promised in _KINDS and seen.partition("/")[0] not in _KINDS[promised]:
        return f"the file is {seen or 'of no known type'}, and {media_type} was promised"
    if read is None:
        return None
    if boxed:
        media = b"meta" if seen.startswith("image/") else b"moov"
        needed = {media} if media == b"meta" and is_size_known else {b"mdat", media}
        closes = _boxes_fit(read, size, needed, may_have_tail=is_size_known)
    else:
        closes = seen not in _CLOSES or _CLOSES[seen](read, size)
    return None if closes else f"the file is cut off or empty: its container ({seen}) is not complete"


def _as_text(head: bytes) -> str:
    """The beginning as text, without the mark of its encoding."""
    wide = head[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    text = head[:512].decode("utf-16" if wide else "utf-8-sig", "replace")
    return text.lstrip("\ufeff \t\r\n\0")[:16].lower()


# --- where containers end ------------------------------------------------------------------------------
#
# Most are chunks that say how long they are. `_walk` goes over them: a file that ends within one is cut off.

_MOST_CHUNKS = 1_000_000
_HEADER = 282  # bytes: the longest, of an Ogg page
_BLOCK = 2**20
_LONGEST_FRAME = 2**18  # bytes, of FLAC
_SYNCS = 16  # places where such a frame may begin that are looked at


def _boxes_fit(read: Read, size: int, needed: set[bytes], *, may_have_tail: bool) -> bool:
    """Walk the top boxes of an MP4: they must end with the file, or before what is no box, `needed` among them."""
    place, kinds = 0, set[bytes]()
    for _ in range(_MOST_CHUNKS):
        if place == size:
            break
        header = read(place, 16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:
            length = size - place  # to the end of the file, by definition
        if len(header) < 8 or length < 8 or place + length > size:
            return may_have_tail and header[4:8] not in _TOP_BOXES and kinds >= needed
        kinds.add(header[4:8])
        place += length
    return place == size and kinds >= needed


def _walk(
    read: Read, size: int, length_of: Callable[[bytes], int], place: int = 0
) -> tuple[int, bytes] | None:
    """The end of the last chunk, and its header; None where it is cut off. `length_of` what is no chunk is 0."""
    last = b""
    for _ in range(_MOST_CHUNKS):
        header = read(place, _HEADER)
        length = length_of(header) if header else 0
        if place + length > size:
            return None
        if length == 0:
            break
        last, place = header, place + length
    return place, last


def _holds(read: Read, place: int, size: int, mark: bytes) -> bool:
    return any(mark in read(at, _BLOCK + len(mark) - 1) for at in range(place, size, _BLOCK))


def _png_closes(read: Read, size: int) -> bool:
    def chunk(header: bytes) -> int:
        return 0 if header[4:8] == b"IEND" else 12 + int.from_bytes(header[:4])

    end = _walk(read, size, chunk, place=8)
    return end is not None and read(end[0], 12)[4:] == b"IEND\xae\x42\x60\x82"


def _jpeg_closes(read: Read, size: int) -> bool:
    """Before the picture are segments, which may hold a small one; behind it is a mark that nothing in it can be."""

    def segment(header: bytes) -> int:
        return 0 if header[1:2] == b"\xda" else 2 + int.from_bytes(header[2:4])

    end = _walk(read, size, segment, place=2)
    return end is not None and _holds(read, end[0], size, b"\xff\xd9")


def _gif_closes(read: Read, size: int) -> bool:
    """An empty block and a semicolon, and perhaps nothing behind them."""
    return read(max(0, size - _HEADER), _HEADER).rstrip(b"\0\r\n ").endswith(b"\0;")


_RIFF_MEDIA = {b"WAVE": b"data", b"WEBP": b"VP8", b"AVI ": b"movi"}


def _riff_closes(read: Read, size: int) -> bool:
    """WAV, WebP and AVI. What is streamed states the greatest length, or none."""
    length = int.from_bytes(read(4, 4), "little")
    fits = length == 2**32 - 1 or length + 8 <= size
    return fits and _holds(read, 12, size, _RIFF_MEDIA[read(8, 4)])


def _bmp_closes(read: Read, size: int) -> bool:
    return int.from_bytes(read(2, 4), "little") <= size


_CLUSTER = b"\x1f\x43\xb6\x75"


def _ebml_closes(read: Read, size: int) -> bool:
    """Its parts end with the file, and pictures or sound are among them."""
    return _walk(read, size, _element) is not None and _holds(read, 0, size, _CLUSTER)


def _element(header: bytes) -> int:
    """One of Matroska's. One of unknown length is gone into: then its length is its header's."""
    name = 9 - header[0].bit_length()
    first = header[name : name + 1]
    if not first or name > 4:
        return name + 1 if name <= 4 else 0
    width = 9 - first[0].bit_length()
    length = int.from_bytes(header[name : name + width]) & (2 ** (7 * width) - 1)
    return name + width + (0 if length == 2 ** (7 * width) - 1 else length)


def _ogg_closes(read: Read, size: int) -> bool:
    """Its last page says so."""

    def page(header: bytes) -> int:
        lacing = 27 + sum(header[26:27])
        return lacing + sum(header[27:lacing]) if header[:4] == b"OggS" else 0

    end = _walk(read, size, page)
    return end is not None and bool(end[1][5] & 4)


def _frames_close(read: Read, size: int) -> bool:
    """MPEG sound: a tag, frames, perhaps another tag. What is between or behind them is passed over by players."""
    end = _walk(read, size, _frame)
    return end is not None and (not end[1].startswith(b"ID3") or _holds(read, end[0], size, b"\xff"))


_KBITS = {
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}  # of layer III, by version as the bits have it: 3 is MPEG 1
_KHZ = {3: (44.1, 48, 32), 2: (22.05, 24, 16), 0: (11.025, 12, 8)}


def _frame(header: bytes) -> int:
    """A frame of MP3 or AAC (ADTS), or a tag. 0 for what is none, or does not say how long it is."""
    if header[:3] == b"ID3":
        length = sum((byte & 127) << shift for byte, shift in zip(header[6:10], (21, 14, 7, 0), strict=False))
        return 10 + length + (10 if header[5:6] >= b"\x10" else 0)
    if header[:1] != b"\xff" or header[1:2] < b"\xe0":
        return 128 if header[:3] == b"TAG" else 0
    header = header[:7].ljust(7, b"\0")
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    if layer == 0:
        return max(7, (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5)
    rate, pace, is_padded = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if layer != 1 or version == 1 or rate in {0, 15} or pace == 3:
        return 0
    kbits = _KBITS[version or 2][rate - 1]
    return int((144 if version == 3 else 72) * kbits / _KHZ[version][pace]) + is_padded


def _flac_closes(read: Read, size: int) -> bool:
    """Its last frame ends in a checksum over itself."""
    is_last = False

    def block(header: bytes) -> int:
        nonlocal is_last
        goes_on, is_last = not is_last, header[0] >= 128
        return 4 + int.from_bytes(header[1:4]) if goes_on else 0

    end = _walk(read, size, block, place=4)
    if end is None:
        return False
    tail = read(max(end[0], size - _LONGEST_FRAME), _LONGEST_FRAME)
    places = [sync.start() for sync in re.finditer(rb"\xff[\xf8\xf9]", tail)]
    return any(_checksum(tail[place:]) == 0 for place in reversed(places[-_SYNCS:]))


def _checksum(data: bytes) -> int:
    """CRC-16 of x^16 + x^15 + x^2 + 1; 0 where the last two bytes are that of those before."""
    sums, found = _sums(), 0
    for byte in data:
        found = (found << 8 & 0xFFFF) ^ sums[found >> 8 ^ byte]
    return found


@cache
def _sums() -> tuple[int, ...]:
    sums = tuple(byte << 8 for byte in range(256))
    for _ in range(8):
        sums = tuple((one << 1 ^ (0x8005 if one & 0x8000 else 0)) & 0xFFFF for one in sums)
    return sums


_CLOSES: dict[str, Callable[[Read, int], bool]] = {
    "image/png": _png_closes, "image/jpeg": _jpeg_closes, "image/gif": _gif_closes, "image/bmp": _bmp_closes,
    "image/webp": _riff_closes, "audio/wav": _riff_closes, "video/avi": _riff_closes,
    "video/webm": _ebml_closes, "video/x-matroska": _ebml_closes,
    "audio/ogg": _ogg_closes, "audio/flac": _flac_closes, "audio/mpeg": _frames_close, "audio/aac": _frames_close,
}  # fmt: skip
"""All but MP4 and its kin, whose first box may be any."""
