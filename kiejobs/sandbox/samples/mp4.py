"""The MP4 container around one H.264 track, index first, so that it plays while it arrives.

In: a track's parameter sets and samples. Out: the file's bytes (ISO/IEC 14496-12 and -15).
Touches nothing.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from kiejobs.sandbox.samples.bits import pack

_TICKS = 512  # of the time scale, per picture
_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_EMULATION = re.compile(rb"\x00\x00(?=[\x00-\x03])")


@dataclass(frozen=True, slots=True)
class Track:
    """One video track. `sps` and `pps` are NAL units; `samples` too, one per picture; the first
    one is the only key picture. `note` goes into a box that players pass over.
    """

    width: int
    height: int
    fps: int
    sps: bytes
    pps: bytes
    samples: tuple[bytes, ...]
    note: bytes


def nal(header: int, bits: str) -> bytes:
    """A NAL unit: header byte and payload, with bytes put in so that no start code can appear."""
    return bytes([header]) + _EMULATION.sub(b"\x00\x00\x03", pack(bits))


def write_mp4(track: Track) -> bytes:
    """The whole file. The index's size doesn't depend on the offset in it, so two passes do."""
    samples = [struct.pack(">I", len(sample)) + sample for sample in track.samples]
    head = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
    note = _box(b"free", track.note)
    size = len(_moov(track, samples, 0))
    offset = len(head) + size + len(note) + 8
    return head + _moov(track, samples, offset) + note + _box(b"mdat", *samples)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _full(kind: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags), *parts)


def _moov(track: Track, samples: list[bytes], offset: int) -> bytes:
    scale, length = track.fps * _TICKS, len(samples) * _TICKS
    header = struct.pack(">4I", 0, 0, scale, length)
    rest = struct.pack(">IH10x", 0x10000, 0x0100) + _UNITY + bytes(24) + struct.pack(">I", 2)
    return _box(b"moov", _full(b"mvhd", header, rest), _trak(track, samples, offset))


def _trak(track: Track, samples: list[bytes], offset: int) -> bytes:
    length = len(samples) * _TICKS
    ids = struct.pack(">5I", 0, 0, 1, 0, length)
    size = struct.pack(">2I", track.width << 16, track.height << 16)
    tkhd = _full(b"tkhd", ids, bytes(8 + 8), _UNITY, size, flags=3)
    undetermined = 0x55C4  # the language code `und`
    mdhd = _full(b"mdhd", struct.pack(">4I2H", 0, 0, track.fps * _TICKS, length, undetermined, 0))
    hdlr = _full(b"hdlr", struct.pack(">I4s12x", 0, b"vide"), b"VideoHandler\0")
    return _box(b"trak", tkhd, _box(b"mdia", mdhd, hdlr, _minf(track, samples, offset)))


def _minf(track: Track, samples: list[bytes], offset: int) -> bytes:
    vmhd = _full(b"vmhd", bytes(8), flags=1)
    here = _full(b"url ", flags=1)
    dinf = _box(b"dinf", _full(b"dref", struct.pack(">I", 1), here))
    return _box(b"minf", vmhd, dinf, _stbl(track, samples, offset))


def _stbl(track: Track, samples: list[bytes], offset: int) -> bytes:
    count = len(samples)
    sizes = struct.pack(f">{count}I", *map(len, samples))
    return _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), _avc1(track)),
        _full(b"stts", struct.pack(">3I", 1, count, _TICKS)),
        _full(b"stss", struct.pack(">2I", 1, 1)),
        _full(b"stsc", struct.pack(">4I", 1, 1, count, 1)),
        _full(b"stsz", struct.pack(">2I", 0, count), sizes),
        _full(b"stco", struct.pack(">2I", 1, offset)),
    )


def _avc1(track: Track) -> bytes:
    entry = struct.pack(">6xH16x2H", 1, track.width, track.height)
    dots = struct.pack(">3IH32xHH", 0x480000, 0x480000, 0, 1, 24, 0xFFFF)
    return _box(b"avc1", entry, dots, _avcc(track))


def _avcc(track: Track) -> bytes:
    sps = struct.pack(">BH", 0xE1, len(track.sps)) + track.sps
    pps = struct.pack(">BH", 1, len(track.pps)) + track.pps
    return _box(b"avcC", b"\x01" + track.sps[1:4] + b"\xff" + sps + pps)
