"""What the sandbox hands out is real: other people's decoders read it without a complaint."""

from __future__ import annotations

import io
import wave
from typing import Any

import av
import pytest
from PIL import Image

from kiejobs.adapters.storage.containers import what_is_wrong_with
from kiejobs.core.models.spec import media_type_of
from kiejobs.sandbox.files import make_content
from kiejobs.sandbox.jobs import count_of

TYPES = ["video/mp4", "image/png", "image/jpeg", "image/webp", "audio/mpeg", "audio/wav"]
each_type = pytest.mark.parametrize("media_type", TYPES)
TASK = "0123456789abcdef" * 2


def file_of(media_type: str, seed: str = TASK) -> bytes:
    return make_content(media_type, seed).data


def decoded(data: bytes, kind: str) -> tuple[Any, list[Any], list[Any]]:
    """The stream, its frames, and every warning or worse of the decoder."""
    av.logging.set_level(av.logging.WARNING)
    with av.logging.Capture(local=False) as complaints, av.open(io.BytesIO(data)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        stream.codec_context.thread_count = 1
        frames = list(container.decode(stream))
        assert stream.frames in {
            0,
            len(frames),
        }  # as its header says, where it does; a closed one says nothing
    return stream, frames, [line for line in complaints if line[0] <= av.logging.WARNING]


# --- they decode ---------------------------------------------------------------------------------


def test_a_video_decodes_to_its_end_in_silence() -> None:
    _, frames, complaints = decoded(file_of("video/mp4"), "video")
    assert len(frames) == 120
    assert not any(frame.is_corrupt for frame in frames)
    assert complaints == []


def test_the_decoder_would_not_take_a_damaged_one() -> None:
    data = bytearray(file_of("video/mp4"))
    start = data.index(b"mdat") + 900
    data[start : start + 400] = b"\xff" * 400
    with pytest.raises(av.error.InvalidDataError):
        decoded(bytes(data), "video")


def test_the_index_of_a_video_stands_before_the_data() -> None:
    data = file_of("video/mp4")
    assert data.index(b"ftyp") < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("media_type", ["audio/mpeg", "audio/wav"])
def test_a_sound_decodes_in_silence(media_type: str) -> None:
    stream, frames, complaints = decoded(file_of(media_type), "audio")
    assert sum(frame.samples for frame in frames) / stream.rate > 0.4
    assert complaints == []


def test_a_wav_is_whole_to_another_reader_too() -> None:
    with wave.open(io.BytesIO(file_of("audio/wav"))) as file:
        assert len(file.readframes(file.getnframes())) == 4000


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_decodes(form: str) -> None:
    picture = Image.open(io.BytesIO(file_of(f"image/{form.lower()}")))
    picture.load()
    assert (picture.format, picture.size) == (form, (640, 360))


def test_a_picture_says_whose_it_is_where_others_look_for_a_comment() -> None:
    note = f"kiejobs sandbox {TASK}"
    with Image.open(io.BytesIO(file_of("image/png"))) as picture:
        picture.load()
        assert picture.info["Comment"] == note
    with Image.open(io.BytesIO(file_of("image/jpeg"))) as picture:
        assert picture.info["comment"] == note.encode()


@pytest.mark.parametrize(("media_type", "name"), [("audio/mpeg", "kiejobs"), ("audio/wav", "comment")])
def test_a_sound_says_whose_it_is_where_others_look_for_it(media_type: str, name: str) -> None:
    with av.open(io.BytesIO(file_of(media_type))) as container:
        assert container.metadata[name] == f"kiejobs sandbox {TASK}"


# --- no two are the same -------------------------------------------------------------------------


@each_type
def test_tasks_have_different_bytes_and_a_task_always_the_same(media_type: str) -> None:
    assert file_of(media_type) == file_of(media_type)
    assert len({file_of(media_type, str(number)) for number in range(50)}) == 50


@each_type
@pytest.mark.parametrize("seed", ["", "a", "ab", "https://exämple.com/\U0001f375.png", "x" * 5000])
def test_whatever_a_file_is_told_apart_by_it_stays_whole(media_type: str, seed: str) -> None:
    data = file_of(media_type, seed)

    def read(offset: int, count: int) -> bytes:
        return data[offset : offset + count]

    assert media_type_of(data) == media_type
    assert what_is_wrong_with(data[:1024], len(data), media_type, read=read) is None
    if media_type.startswith("image/"):
        Image.open(io.BytesIO(data)).load()
    else:
        _, frames, complaints = decoded(data, media_type.partition("/")[0])
        assert frames
        assert complaints == []


# --- what is asked for ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "given", "bytes_of"),
    [
        ("image/jpeg", "image/jpeg", "image/jpeg"),
        ("image/avif", "image/png", "image/png"),
        ("audio/x-wav", "audio/wav", "audio/wav"),
        ("video/quicktime", "video/quicktime", "video/mp4"),
    ],
)
def test_a_file_is_of_the_type_that_was_asked_for(wanted: str, given: str, bytes_of: str) -> None:
    content = make_content(wanted, "a")
    assert (content.media_type, media_type_of(content.data)) == (given, bytes_of)


@pytest.mark.parametrize(
    ("fields", "count"),
    [({}, 1), ({"num_images": "4"}, 4), ({"n": 3}, 3), ({"n": "many"}, 1), ({"n": 99}, 12)],
)
def test_the_number_is_read_from_the_request(fields: dict[str, Any], count: int) -> None:
    assert count_of(fields) == count
