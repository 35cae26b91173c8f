"""Pictures, small and valid, for models that make something else than a video.

In: a size and a seed. Out: a file's bytes, of one colour that is taken from the seed. Touches nothing.
"""

from __future__ import annotations

import hashlib
import struct
import zlib


def draw_png(width: int, height: int, seed: str) -> bytes:
    """8-bit RGB (ISO/IEC 15948)."""
    row = b"\0" + _colour(seed) * width
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"tEXt", b"Comment\0" + _note(seed))
        + _chunk(b"IDAT", zlib.compress(row * height, 1))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def draw_jpeg(width: int, height: int, seed: str) -> bytes:
    """Baseline, three components, nothing subsampled (ITU-T T.81).

    The first block of each component carries the colour, every other one says that nothing changes.
    With Huffman tables of our own that takes two bits a block, both of them 0.
    """
    first = "".join("10" + f"{_level(value):08b}" + "0" for value in _colour(seed))
    blocks = (-(-width // 8)) * (-(-height // 8))
    bits = first + "00" * 3 * (blocks - 1)
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    parts = bytes(byte for part in (1, 2, 3) for byte in (part, 0x11, 0))
    return (
        b"\xff\xd8"
        + _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
        + _segment(0xFE, _note(seed))
        + _segment(0xDB, b"\0" + bytes([4]) * 64)  # so that a level is half a step of the colour
        + _segment(0xC0, struct.pack(">B2HB", 8, height, width, 3) + parts)
        + _segment(0xC4, b"\x00" + _lengths(1, 1) + b"\0\x08")  # DC: nothing new; eight bits
        + _segment(0xC4, b"\x10" + _lengths(1) + b"\0")  # AC: the block is over
        + _segment(0xDA, b"\3" + bytes((1, 0, 2, 0, 3, 0)) + b"\0\x3f\0")
        + scan
        + b"\xff\xd9"
    )


def _segment(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + struct.pack(">H", len(data) + 2) + data


def _lengths(*counts: int) -> bytes:
    """How many Huffman codes there are of each length from 1 bit on."""
    return bytes(counts).ljust(16, b"\0")


def _level(value: int) -> int:
    """A colour value as the eight bits of a difference from 128; such a one is never near to it."""
    return 128 + value // 2 if value >= 128 else value // 2


def draw_webp(width: int, height: int, seed: str) -> bytes:
    """Lossless: five codes of a single symbol each, after which no pixel takes a bit (RFC 9649)."""
    red, green, blue = _colour(seed)
    bits = _low_first(width - 1, 14) + _low_first(height - 1, 14) + "0" + "000"
    bits += "000"  # no transform, no cache, one group of codes
    bits += "".join("101" + _low_first(value, 8) for value in (green, red, blue, 255, 0))
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    picture = b"\x2f" + int(bits[::-1], 2).to_bytes(len(bits) // 8, "little")
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + _riff(b"VP8X", b"\x04\0\0\0" + sides) + _riff(b"VP8L", picture)
    return _riff(b"RIFF", body + _riff(b"XMP ", _note(seed)))


def _low_first(number: int, count: int) -> str:
    return f"{number:0{count}b}"[::-1]


def _riff(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _colour(seed: str) -> bytes:
    return hashlib.sha256(seed.encode()).digest()[:3]


def _note(seed: str) -> bytes:
    return b"kiejobs sandbox " + seed.encode("latin-1", "replace")
