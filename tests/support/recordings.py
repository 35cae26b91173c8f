"""Sound and films made for tests, by real encoders.

In: a container, a codec. Out: a file's bytes. Touches nothing.
"""

from __future__ import annotations

import io
import random
from functools import cache
from typing import Any

import av


class _Pipe:
    """Nothing that was written can be gone back to."""

    def __init__(self) -> None:
        self._written = io.BytesIO()
        self.write = self._written.write
        self.getvalue = self._written.getvalue


@cache
def recording(form: str, codec: str, rate: int = 48_000, *, piped: bool = False) -> bytes:
    """A second of noise."""
    sink: Any = _Pipe() if piped else io.BytesIO()
    sound = av.AudioFrame(format="s16", layout="mono", samples=rate)
    sound.planes[0].update(random.Random(1).randbytes(sound.planes[0].buffer_size))
    sound.sample_rate = rate
    with av.open(sink, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=rate, layout="mono")
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return bytes(sink.getvalue())


@cache
def film(form: str, codec: str, *, piped: bool = False) -> bytes:
    """A second of noise, 64 pixels wide."""
    sink: Any = _Pipe() if piped else io.BytesIO()
    noise = random.Random(2)
    with av.open(sink, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(24):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(noise.randbytes(plane.buffer_size))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return bytes(sink.getvalue())
