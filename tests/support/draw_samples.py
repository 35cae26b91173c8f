"""Draws the files that the sandbox hands out: a video, pictures and sounds of a few kilobytes.

In: nothing. Out: kiejobs/sandbox/samples/sample.*; they are committed, so this runs only when they are
to look or sound different. Needs the extra `media`. Touches that folder.

    python -m tests.support.draw_samples
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageDraw

FOLDER = Path(__file__).resolve().parents[2] / "kiejobs" / "sandbox" / "samples"
SIZE = (640, 360)
FPS, SECONDS = 24, 5
BACKGROUND, BAR = (32, 74, 100), (236, 178, 76)
PLAIN: dict[str, Any] = {"fflags": "+bitexact"}


def picture(share: float) -> Image.Image:
    """A bar at the lower edge that has grown over `share` of the width."""
    drawn = Image.new("RGB", SIZE, BACKGROUND)
    reach = max(1, round(SIZE[0] * share))
    ImageDraw.Draw(drawn).rectangle((0, SIZE[1] - 24, reach - 1, SIZE[1] - 1), fill=BAR)
    return drawn


def draw_pictures() -> None:
    picture(0.5).quantize(4).save(FOLDER / "sample.png", optimize=True)
    picture(0.5).save(FOLDER / "sample.jpg", quality=75, optimize=True)
    picture(0.5).save(FOLDER / "sample.webp", lossless=True, xmp=b"<x/>")


def draw_video() -> None:
    """H.264 with the index first. The bar says how far it has played."""
    path, count = str(FOLDER / "sample.mp4"), FPS * SECONDS
    with av.open(path, "w", options={"movflags": "+faststart", **PLAIN}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "30", "preset": "slow"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_image(picture(number / (count - 1)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def draw_sounds() -> None:
    """Half a second of silence."""
    with wave.open(str(FOLDER / "sample.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 4000)
    options = {"id3v2_version": "0", **PLAIN}
    with (
        av.open(str(FOLDER / "sample.wav")) as silence,
        av.open(str(FOLDER / "sample.mp3"), "w", options=options) as container,
    ):
        stream = container.add_stream("libmp3lame", rate=24_000, layout="mono")
        stream.bit_rate = 32_000
        resampler = av.AudioResampler(format="s16p", layout="mono", rate=24_000)
        for decoded in silence.decode(audio=0):
            for frame in resampler.resample(decoded):
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    draw_pictures()
    draw_video()
    draw_sounds()
