"""Sound, small and valid, for models that speak or sing.

In: a length and a seed. Out: a file's bytes. Touches nothing.
"""

from __future__ import annotations

import hashlib
import io
import struct
import wave
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

_WAV_RATE = 8_000
_MP3_RATE, _MP3_SAMPLES = 44_100, 1_152
_MP3_HEADER = b"\xff\xfb\x90\xc0"  # MPEG-1 layer III, 128 kbit/s, 44.1 kHz, one channel
_MP3_FRAME_BYTES = 417


def play_wav(seconds: Fraction, seed: str) -> bytes:
    """A steady square tone, its pitch taken from the seed."""
    half = 8 + hashlib.sha256(seed.encode()).digest()[0] % 24
    period = b"\x90" * half + b"\x70" * half
    count = round(seconds * _WAV_RATE)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(_WAV_RATE)
        file.writeframes((period * (count // len(period) + 1))[:count])
    return out.getvalue()


def play_mp3(seconds: Fraction, seed: str) -> bytes:
    """Silence: frames whose side information is all zero. The seed is in an ID3v2 tag."""
    text = b"\0kiejobs sandbox " + seed.encode("latin-1", "replace")
    frame = b"TIT2" + struct.pack(">I", len(text)) + b"\0\0" + text
    tag = b"ID3\x03\0\0" + _synchsafe(len(frame)) + frame
    count = max(1, round(seconds * _MP3_RATE / _MP3_SAMPLES))
    return tag + _MP3_HEADER.ljust(_MP3_FRAME_BYTES, b"\0") * count


def _synchsafe(number: int) -> bytes:
    return bytes((number >> shift) & 0x7F for shift in (21, 14, 7, 0))
