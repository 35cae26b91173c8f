"""A real video, drawn in pure Python: a flat field of colour with a bar that grows as time passes.

In: width, height, seconds and a seed. Out: the bytes of an MP4 that any player plays. Touches
nothing.

It is H.264 (ITU-T H.264, constrained Baseline, CAVLC), written by hand. The first picture is intra:
its first macroblock carries the colour as DC coefficients, and every other one predicts it from its
neighbours without any residual, which takes exactly 8 bits. All later pictures skip every
macroblock, but for those of the bottom row that the bar reaches next: they copy the one to their
left. So ten seconds of 1080p are some ten kilobytes, made in milliseconds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from kiejobs.sandbox.samples.bits import coefficient, se, u, ue
from kiejobs.sandbox.samples.mp4 import Track, nal, write_mp4

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

FPS = 24
QP = 48  # coarse on purpose: one DC level is worth 10 in luma and 7 in chroma, so that levels are small

# (level_idc, macroblocks a second, macroblocks a picture): H.264 table A-1, those that we can need
_LEVELS = (
    (30, 40_500, 1_620),
    (31, 108_000, 3_600),
    (40, 245_760, 8_192),
    (50, 589_824, 22_080),
    (51, 983_040, 36_864),
    (62, 16_711_680, 139_264),
)

_SAME = "00100111"  # Intra16x16 DC prediction, chroma DC, no QP change, no coefficients
_COPY_TOP = "01001111"  # Intra16x16 vertical, chroma vertical
_COPY_LEFT = ue(5 + 2) + "01011"  # in a P slice: Intra16x16 horizontal, chroma horizontal


@lru_cache(maxsize=32)
def draw_video(width: int, height: int, seconds: Fraction, seed: str) -> bytes:
    """The MP4: `width` x `height` pixels (even numbers), `seconds` long at 24 pictures a second.

    Equal arguments give equal bytes, and another seed gives others.
    """
    canvas = _Canvas(width, height)
    count = max(1, round(seconds * FPS))
    track = Track(
        width=width,
        height=height,
        fps=FPS,
        sps=nal(0x67, _sps(canvas)),
        pps=nal(0x68, _pps()),
        samples=(_first(canvas, _Colour.of(seed)), *_rest(canvas, count)),
        note=f"kiejobs sandbox {seed}".encode(),
    )
    return write_mp4(track)


@dataclass(frozen=True, slots=True)
class _Canvas:
    """Size in pixels, and in macroblocks of 16 x 16; what is too much is cropped by the player."""

    width: int
    height: int

    @property
    def columns(self) -> int:
        return -(-self.width // 16)

    @property
    def rows(self) -> int:
        return -(-self.height // 16)

    @property
    def blocks(self) -> int:
        return self.columns * self.rows


@dataclass(frozen=True, slots=True)
class _Colour:
    """DC levels of the field (luma, Cb, Cr) and of the bar (luma, on top of the field's)."""

    y: int
    cb: int
    cr: int
    bar: int

    @classmethod
    def of(cls, seed: str) -> _Colour:
        """Levels lie between 2 and 7 either way: a single one would need another code word."""
        digest = hashlib.sha256(seed.encode()).digest()
        y, cb, cr = ((2 + byte % 6) * (1 if byte & 0x80 else -1) for byte in digest[:3])
        return cls(y, cb, cr, bar=-6 if y > 0 else 6)


def _sps(canvas: _Canvas) -> str:
    crop_right = (canvas.columns * 16 - canvas.width) // 2
    crop_bottom = (canvas.rows * 16 - canvas.height) // 2
    return (
        u(8, 66) + u(8, 0b1100_0000) + u(8, _level(canvas))
        + ue(0)  # id
        + ue(0)  # frame_num in 4 bits
        + ue(2)  # pictures are shown in the order of decoding
        + ue(1) + "0"  # one reference picture, no gaps
        + ue(canvas.columns - 1) + ue(canvas.rows - 1)
        + "1" "1"  # frames only; direct_8x8_inference
        + "1" + ue(0) + ue(crop_right) + ue(0) + ue(crop_bottom)
        + "0"  # no VUI
    )  # fmt: skip


def _level(canvas: _Canvas) -> int:
    fits = (
        level
        for level, a_second, a_picture in _LEVELS
        if canvas.blocks * FPS <= a_second and canvas.blocks <= a_picture
    )
    return next(fits, _LEVELS[-1][0])


def _pps() -> str:
    return (
        ue(0) + ue(0)  # its id, the SPS's
        + "0" "0"  # CAVLC, no field order
        + ue(0) + ue(0) + ue(0)  # one slice group, one reference each way
        + "0" "00"  # no weighted prediction
        + se(QP - 26) + se(0) + se(0)
        + "1" "0" "0"  # slices say whether to deblock; intra may look at inter; no redundancy
    )  # fmt: skip


def _first(canvas: _Canvas, colour: _Colour) -> bytes:
    """The IDR picture. Deblocking is off: it would wash the colours into one another."""
    header = ue(0) + ue(7) + ue(0) + u(4, 0) + ue(0) + "00" + se(0) + ue(1)
    row = _SAME * canvas.columns
    field = _coloured(colour) + row[8:] + row * (canvas.rows - 2)
    bottom = _bar_start(colour.bar) + _COPY_TOP * (canvas.columns - 1)
    return nal(0x65, header + field + bottom)


def _coloured(colour: _Colour) -> str:
    """DC prediction (128 where there is no neighbour) with luma and chroma DC levels."""
    chroma = coefficient(colour.cb, chroma=True) + coefficient(colour.cr, chroma=True)
    return ue(7) + "11" + coefficient(colour.y, chroma=False) + chroma


def _bar_start(level: int) -> str:
    return ue(3) + "11" + coefficient(level, chroma=False)


def _rest(canvas: _Canvas, count: int) -> Iterator[bytes]:
    """The P pictures; by the last one the bar has reached the right edge."""
    drawn = 1
    for number in range(1, count):
        reach = 1 + (canvas.columns - 1) * number // (count - 1)
        yield _grown(canvas, number, drawn, reach)
        drawn = reach


def _grown(canvas: _Canvas, number: int, drawn: int, reach: int) -> bytes:
    header = ue(0) + ue(5) + ue(0) + u(4, number % 16) + "000" + se(0) + ue(1)
    skip = canvas.blocks - canvas.columns + drawn
    body = ""
    for _ in range(drawn, reach):
        body += ue(skip) + _COPY_LEFT
        skip = 0
    left = canvas.columns - reach if reach > drawn else canvas.blocks
    return nal(0x41, header + body + (ue(left) if left else ""))
