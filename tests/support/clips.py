"""Clips made to order: clean ones, and ones with one fault each.

In: what a clip is to be. Out: an MP4. Touches: the file. Scenes move all the time, as generated video does, and are
coded well enough that nothing but the fault is to be seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Pixels = Any
"""Height x width x 3 of uint8."""

RATE = 44_100  # samples a second


def make_clip(
    path: Path,
    *,
    seconds: float = 5.0,
    size: tuple[int, int] = (320, 180),
    fps: int = 24,
    frame: Callable[[float, tuple[int, int]], Pixels] | None = None,
    sound: Callable[[Pixels], Pixels] | None = None,
) -> Path:
    """`frame` draws a moment, `sound` makes samples of moments; without it there is no sound track."""
    draw = frame or scene()
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "18"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for number in range(round(seconds * fps)):
            picture = av.VideoFrame.from_ndarray(draw(number / fps, size), format="rgb24")
            picture.pts = number
            container.mux(list(video.encode(picture)))
        container.mux(list(video.encode(None)))
        if audio is not None and sound is not None:
            wave = sound(np.arange(round(seconds * RATE)) / RATE).astype(np.float32)
            for start in range(0, len(wave), 1024):
                piece = np.ascontiguousarray(wave[None, start : start + 1024])
                samples = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
                samples.sample_rate, samples.pts = RATE, start
                container.mux(list(audio.encode(samples)))
            container.mux(list(audio.encode(None)))
    return path


def scene(seed: int = 0, speed: float = 0.06) -> Callable[[float, tuple[int, int]], Pixels]:
    """Soft shapes that drift: another seed is another scene."""
    chance = np.random.default_rng(seed)
    waves = chance.uniform(1, 4, (6, 2)) * chance.choice([-1, 1], (6, 2))
    phases, colours = chance.uniform(0, 6.28, 6), chance.uniform(-60, 60, (6, 3))

    def draw(moment: float, size: tuple[int, int]) -> Pixels:
        wide, high = 96, max(1, 96 * size[1] // size[0])  # soft as they are, they can be drawn small
        down, across = np.mgrid[0 : 1 : high * 1j, 0 : 1 : wide * 1j]
        picture = np.full((high, wide, 3), 120.0)
        for (x, y), phase, colour in zip(waves, phases, colours, strict=True):
            shape = np.sin(6.28 * (x * across + y * down + speed * x * moment) + phase)
            picture += shape[..., None] * colour
        small = Image.fromarray(np.clip(picture, 20, 235).astype(np.uint8))
        return np.asarray(small.resize(size, Image.Resampling.BILINEAR))

    return draw


def slow(seed: int = 0) -> Callable[[float, tuple[int, int]], Pixels]:
    """A scene that hardly moves, as a portrait does."""
    return scene(seed, speed=0.012)


def dark(seed: int = 0) -> Callable[[float, tuple[int, int]], Pixels]:
    """A night, which is not black."""
    lit = scene(seed)
    return lambda moment, size: (lit(moment, size) * 0.3).astype(np.uint8)


def black_between(start: float, end: float) -> Callable[[float, tuple[int, int]], Pixels]:
    lit = scene()
    return lambda moment, size: lit(moment, size) * (not start <= moment < end)


def flash(
    start: float, seconds: float, lit: Callable[[float, tuple[int, int]], Pixels] | None = None
) -> Callable[[float, tuple[int, int]], Pixels]:
    """A scene that is much brighter for a moment."""
    draw = lit or scene()

    def brightened(moment: float, size: tuple[int, int]) -> Pixels:
        more = 80 * (start <= moment < start + seconds)
        return np.clip(draw(moment, size).astype(int) + more, 0, 255).astype(np.uint8)

    return brightened


def frozen_from(start: float) -> Callable[[float, tuple[int, int]], Pixels]:
    moving = scene()
    return lambda moment, size: moving(min(moment, start), size)


def cut_at(*moments: float) -> Callable[[float, tuple[int, int]], Pixels]:
    scenes = [scene(seed + 10) for seed in range(len(moments) + 1)]
    return lambda moment, size: scenes[sum(moment >= at for at in moments)](moment, size)


def tone(volume: float = 0.1, silent: tuple[float, float] = (0.0, 0.0)) -> Callable[[Pixels], Pixels]:
    """A soft note, silent for a while."""

    def samples(moments: Pixels) -> Pixels:
        wave = volume * np.sin(6.28 * 330 * moments)
        return np.where((moments >= silent[0]) & (moments < silent[1]), 0.0, wave)

    return samples


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (640, 360), moment: float = 0.0) -> Path:
    """A scene as a file of its own."""
    Image.fromarray(scene(seed)(moment, size)).save(path)
    return path
