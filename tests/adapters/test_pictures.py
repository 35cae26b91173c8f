"""Hostile pictures: bombs, torn ones, and those that never end."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.media.pictures import MOST_PIXELS, Measures, look_at
from tests.support.bench import PACKAGE
from tests.support.pictures import picture, png_of, slow_jpeg, webp_of
from tests.support.recordings import film, recording

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
FORMS = ("png", "jpeg", "webp", "gif", "bmp")


def look(data: bytes, form: str, *, decode: bool = True, seconds: float = 20.0) -> object:
    return look_at(io.BytesIO(data), f"image/{form}", decode=decode, seconds=seconds)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("decode", [False, True])
def test_a_picture_tells_its_size(form: str, *, decode: bool) -> None:
    assert look(picture(form, (640, 480)), form, decode=decode) == Measures(640, 480)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_all_kinds_of_colours_decode(mode: str) -> None:
    from PIL import Image  # noqa: PLC0415

    form = "jpeg" if mode == "CMYK" else "png"
    drawn = io.BytesIO()
    Image.new(mode, (30, 20)).save(drawn, form.upper())
    assert look(drawn.getvalue(), form) == Measures(30, 20)


@pytest.mark.parametrize("form", FORMS)
def test_a_torn_picture_is_none(form: str) -> None:
    whole = picture(form, (640, 480))
    for kept in (len(whole) // 2, 40, 12):
        assert "does not decode" in str(look(whole[:kept], form))


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_that_is_called_another_type_is_none(form: str) -> None:
    other = FORMS[FORMS.index(form) - 1]
    assert "does not decode" in str(look(picture(other), form))


@pytest.mark.parametrize("data", [png_of(7_100, 7_100), png_of(60_000, 60_000)])
@pytest.mark.parametrize("decode", [False, True])
def test_a_bomb_is_refused_by_its_header(data: bytes, *, decode: bool) -> None:
    assert f"{MOST_PIXELS:,}" in str(look(data, "png", decode=decode))


def of_large_frames() -> bytes:
    """A film whose container says 64 x 48, and its first frame 16,383 x 16,383: 400 MB."""
    data = bytearray(film("webm", "libvpx"))
    frame = data.index(b"\x9d\x01\x2a") + 3
    data[frame : frame + 4] = (16_383).to_bytes(2, "little") * 2
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "look", "said"),
    [
        (
            partial(webp_of, 16_383, 16_383),
            "look_at(path.open('rb'), 'image/webp', decode=True)",
            "more than",
        ),
        (partial(png_of, 60_000, 60_000), "look_at(path.open('rb'), 'image/png', decode=True)", "more than"),
        (of_large_frames, "video_of(path)", "it does not decode"),
    ],
    ids=["webp", "png", "webm"],
)
def test_what_is_absurdly_large_takes_no_memory(
    tmp_path: Path, make: Callable[[], bytes], look: str, said: str
) -> None:
    """Held in a process of its own."""
    bomb = tmp_path / "bomb"
    bomb.write_bytes(make())
    words = (
        "import pathlib, sys; from kiejobs.adapters.media.pictures import look_at;"
        "from kiejobs.adapters.media.clips import video_of;"
        "from tests.support.peak_memory import peak_bytes;"
        "path = pathlib.Path(sys.argv[1]);"
        f"print({look});"
        "print(peak_bytes() // 2**20)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", words, str(bomb)],
        env={"PYTHONPATH": f"{PACKAGE}:{ROOT}"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer, peak = ran.stdout.splitlines()
    assert said in answer
    assert int(peak) < 200


def test_decoding_has_a_deadline() -> None:
    slow = io.BytesIO(slow_jpeg(2000, 20_000))
    told = look_at(slow, "image/jpeg", decode=True, seconds=0.3)
    assert told == "it takes more than 0.3 s to decode"
    assert slow.read(), "and the rest was not read"


@pytest.mark.parametrize("form", FORMS)
def test_no_damage_gets_out_of_the_look(form: str) -> None:
    """Whatever is flipped, the answer is a size or words."""
    whole, dice = picture(form, (40, 30)), random.Random(5)
    for _ in range(150):
        torn = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            torn[dice.randrange(len(torn))] = dice.randrange(256)
        assert isinstance(look(bytes(torn), form), Measures | str)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (film("mp4", "mpeg4"), "video/mp4"),
        (film("mov", "mpeg4"), "video/quicktime"),
        (film("matroska", "mpeg4"), "video/x-matroska"),
        (film("matroska", "mpeg4", piped=True), "video/x-matroska"),
        (film("avi", "mpeg4"), "video/avi"),
        (recording("wav", "pcm_s16le"), "audio/wav"),
        (recording("wav", "pcm_s16le", piped=True), "audio/wav"),
        (recording("mp3", "libmp3lame"), "audio/mpeg"),
        (recording("adts", "aac"), "audio/aac"),
        (recording("flac", "flac"), "audio/flac"),
        (recording("ipod", "aac"), "audio/mp4"),
    ],
)
def test_a_video_and_a_recording_are_measured(data: bytes, media_type: str) -> None:
    seen = look_at(io.BytesIO(data), media_type, decode=False)
    assert isinstance(seen, Measures), seen
    assert seen[:2] == ((64, 48) if media_type.startswith("video") else (None, None))
    assert seen.seconds is not None
    assert seen.seconds == pytest.approx(1, abs=0.1)


def test_a_video_that_does_not_open_says_so() -> None:
    assert "does not decode" in str(look_at(io.BytesIO(b"junk" * 20), "video/mp4", decode=False))


def test_what_is_none_of_these_is_not_looked_at() -> None:
    assert look_at(io.BytesIO(b"{}"), "application/json", decode=True) is None
    assert look_at(io.BytesIO(b""), None, decode=True) is None
