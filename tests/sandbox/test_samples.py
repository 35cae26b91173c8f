"""What the sandbox draws is real: other people's decoders read it without a complaint."""

from __future__ import annotations

import io
import time
import wave
from fractions import Fraction
from typing import Any

import av
import pytest
from PIL import Image

from kiejobs.core.models.file_fields import media_type_of
from kiejobs.sandbox.samples.bits import coefficient, pack, se, u, ue
from kiejobs.sandbox.samples.mp4 import nal
from kiejobs.sandbox.samples.stills import draw_jpeg, draw_png, draw_webp
from kiejobs.sandbox.samples.video import draw_video
from kiejobs.sandbox.service.content import count_of, make_content, seconds_of, size_of

SIZES = [(1280, 720), (1920, 1080), (854, 480), (910, 512), (1366, 768), (720, 1280), (1080, 1080)]


def decoded(data: bytes) -> tuple[Any, list[Any], list[Any]]:
    """The stream, its pictures, and every warning or worse of the decoder."""
    av.logging.set_level(av.logging.WARNING)
    with av.logging.Capture(local=False) as complaints, av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        frames = list(container.decode(stream))
    return stream, frames, [line for line in complaints if line[0] <= av.logging.WARNING]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("seconds", [5, 10])
def test_a_video_has_its_size_and_length_and_decodes_in_silence(
    width: int, height: int, seconds: int
) -> None:
    stream, frames, complaints = decoded(draw_video(width, height, Fraction(seconds), "a"))
    assert (stream.width, stream.height) == (width, height)
    assert float(stream.duration * stream.time_base) == pytest.approx(seconds, abs=0.05)
    assert (len(frames), stream.frames) == (seconds * 24, seconds * 24)
    assert float(frames[-1].pts * stream.time_base) == pytest.approx(seconds - 1 / 24, abs=0.001)
    assert not any(frame.is_corrupt for frame in frames)
    assert complaints == []


def test_the_decoder_would_complain_about_a_damaged_one() -> None:
    data = bytearray(draw_video(1280, 720, Fraction(1), "a"))
    start = data.index(b"mdat") + 200
    data[start : start + 40] = b"\xff" * 40
    assert decoded(bytes(data))[2] != []


def rows(frame: Any, plane: int = 0) -> list[bytes]:
    """The rows of one plane: luma, Cb or Cr."""
    part = frame.planes[plane]
    data = bytes(part)
    return [data[y * part.line_size :][: part.width] for y in range(part.height)]


def test_the_bar_grows_from_left_to_right_over_a_steady_field() -> None:
    _, frames, _ = decoded(draw_video(320, 192, Fraction(2), "seed"))
    first = rows(frames[0])
    field, bar = first[0][0], first[191][0]
    assert abs(field - bar) == 60
    for number, reach in ((0, 16), (24, 160), (47, 320)):
        picture = rows(frames[number])
        assert picture[:176] == [bytes([field]) * 320] * 176
        assert picture[176:] == [bytes([bar]) * reach + bytes([field]) * (320 - reach)] * 16
        assert rows(frames[number], plane=1) == rows(frames[0], plane=1)


class Bits:
    """Reads what a strict decoder would: decoders on a desktop forgive a run that is too long."""

    def __init__(self, unit: bytes) -> None:
        payload = unit[1:].replace(b"\0\0\3", b"\0\0")
        self.bits = "".join(u(8, byte) for byte in payload).rstrip("0")[:-1]

    def take(self, count: int) -> str:
        taken, self.bits = self.bits[:count], self.bits[count:]
        assert len(taken) == count
        return taken

    def ue(self) -> int:
        zeros = len(self.bits) - len(self.bits.lstrip("0"))
        return int(self.take(2 * zeros + 1), 2) - 1


def blocks_of_a_p_slice(unit: bytes) -> int:
    """How many macroblocks the slice holds, skipped and copied ones."""
    bits = Bits(unit)
    assert [bits.ue(), bits.ue(), bits.ue()] == [0, 5, 0]
    bits.take(4 + 3)
    assert [bits.ue(), bits.ue()] == [0, 1]
    count = 0
    while bits.bits:
        count += bits.ue()
        if bits.bits:
            count += 1
            assert (bits.ue(), bits.ue(), bits.take(2)) == (7, 1, "11")
    return count


@pytest.mark.parametrize("seconds", [Fraction(1, 2), Fraction(5)])
def test_each_picture_after_the_first_holds_every_macroblock_once(seconds: Fraction) -> None:
    with av.open(io.BytesIO(draw_video(1280, 720, seconds, "a"))) as container:
        samples = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert {blocks_of_a_p_slice(sample[4:]) for sample in samples[1:]} == {80 * 45}
    assert [int.from_bytes(sample[:4], "big") for sample in samples] == [
        len(sample) - 4 for sample in samples
    ]


def test_colours_differ_from_task_to_task_and_stay_in_the_picture() -> None:
    colours = set()
    for number in range(40):
        _, frames, _ = decoded(draw_video(64, 32, Fraction(1, 24), str(number)))
        colours.add(tuple(rows(frames[0], plane)[0][0] for plane in range(3)))
        assert 16 <= rows(frames[0])[0][0] <= 235
        assert 16 <= rows(frames[0])[31][0] <= 235
    assert len(colours) > 30


def test_tasks_have_different_bytes_and_a_task_always_the_same() -> None:
    def draw(seed: str) -> bytes:
        return draw_video.__wrapped__(1280, 720, Fraction(5), seed)

    assert draw("a") == draw("a")
    assert len({draw(str(number)) for number in range(50)}) == 50


def test_drawing_takes_less_than_a_tenth_of_a_second() -> None:
    began = time.perf_counter()
    draw_video.__wrapped__(1920, 1080, Fraction(10), "fast")
    assert time.perf_counter() - began < 0.1


def test_the_index_stands_before_the_data() -> None:
    data = draw_video(1280, 720, Fraction(5), "a")
    assert data.index(b"ftyp") < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (1280, 720)),
        ({"resolution": "480p"}, (854, 480)),
        ({"resolution": "1080p"}, (1920, 1080)),
        ({"resolution": "768P"}, (1366, 768)),
        ({"resolution": "512P"}, (910, 512)),
        ({"resolution": "2K"}, (2560, 1440)),
        ({"resolution": "4k"}, (3840, 2160)),
        ({"resolution": "720p", "aspect_ratio": "9:16"}, (720, 1280)),
        ({"resolution": "720p", "aspect_ratio": "1:1"}, (720, 720)),
        ({"resolution": "720p", "aspect_ratio": "adaptive"}, (1280, 720)),
        ({"resolution": ["?"], "aspect_ratio": None}, (1280, 720)),
        ({"ratio": "4:3"}, (960, 720)),
        ({"image_size": "square_hd"}, (720, 720)),
        ({"image_size": "portrait_16_9"}, (720, 1280)),
        ({"image_size": "landscape_4_3"}, (960, 720)),
        ({"aspect_ratio": "portrait"}, (720, 1280)),
        ({"aspect_ratio": "landscape"}, (1280, 720)),
    ],
)
def test_the_size_is_read_from_the_request(fields: dict[str, Any], size: tuple[int, int]) -> None:
    assert size_of(fields) == size


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("5", 5), ("10", 10), (4, 4), (2.5, 2.5), ("0", 5), (-1, 5), (None, 5), ("99", 60)],
)
def test_the_length_is_read_from_the_request(duration: Any, seconds: float) -> None:
    assert float(seconds_of({"duration": duration})) == seconds


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("sides", [(854, 480), (17, 9), (1, 1)])
def test_a_picture_has_its_size_and_one_colour_and_decodes(
    form: str, sides: tuple[int, int]
) -> None:
    draw = {"PNG": draw_png, "JPEG": draw_jpeg, "WEBP": draw_webp}[form]
    colours = set()
    for number in range(20):
        picture = Image.open(io.BytesIO(draw(*sides, str(number))))
        picture.load()
        assert (picture.format, picture.size) == (form, sides)
        ((_, colour),) = picture.convert("RGB").getcolors() or [(0, None)]
        colours.add(colour)
    assert len(colours) == 20
    assert draw(*sides, "a") != draw(*sides, "b")


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("image/png", "image/png"),
        ("image/jpeg", "image/jpeg"),
        ("image/webp", "image/webp"),
        ("image/avif", "image/png"),
    ],
)
def test_a_picture_is_of_the_type_that_was_asked_for(wanted: str, given: str) -> None:
    content = make_content(wanted, {"resolution": "480p"}, "a")
    assert (content.media_type, media_type_of(content.data)) == (given, given)


@pytest.mark.parametrize(
    ("fields", "count"),
    [({}, 1), ({"num_images": "4"}, 4), ({"n": 3}, 3), ({"n": "many"}, 1), ({"n": 99}, 12)],
)
def test_the_number_is_read_from_the_request(fields: dict[str, Any], count: int) -> None:
    assert count_of(fields) == count


def test_a_wav_has_the_right_length() -> None:
    content = make_content("audio/x-wav", {"duration": 3}, "a")
    with wave.open(io.BytesIO(content.data)) as file:
        assert file.getnframes() / file.getframerate() == 3
    assert content.media_type == "audio/wav"


def test_an_mp3_has_the_right_length_and_decodes() -> None:
    content = make_content("audio/mpeg", {"duration": "4"}, "a")
    with av.open(io.BytesIO(content.data), format="mp3") as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / 44_100 == pytest.approx(4, abs=0.05)
    assert content.data != make_content("audio/mpeg", {"duration": "4"}, "b").data


def test_bits_are_written_as_the_standard_has_them() -> None:
    assert [ue(n) for n in range(5)] == ["1", "010", "011", "00100", "00101"]
    assert [se(n) for n in (0, 1, -1, 2)] == ["1", "010", "011", "00100"]
    assert u(4, 5) == "0101"
    assert pack("") == b"\x80"
    assert pack("1010101") == b"\xab"


def test_a_start_code_can_not_appear_inside_a_unit() -> None:
    assert nal(0x41, "0" * 40) == b"\x41\x00\x00\x03\x00\x00\x03\x00\x80"
    assert nal(0x41, "0" * 16 + u(8, 4)) == b"\x41\x00\x00\x04\x80"


@pytest.mark.parametrize("level", [0, 1, -1, 9])
def test_a_level_without_a_short_code_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match="has no short code"):
        coefficient(level, chroma=False)
