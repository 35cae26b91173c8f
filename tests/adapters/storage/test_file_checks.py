"""Is a received file what was promised, and is it whole?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.storage.containers import media_type_fits, nearer_type, what_is_wrong_with
from kiejobs.sandbox.files import make_content
from tests.support.pictures import picture
from tests.support.recordings import film, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def box(kind: bytes, size: int) -> bytes:
    return size.to_bytes(4, "big") + kind + bytes(size - 8)


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, count: data[offset : offset + count]


LARGE_BOX = b"\0\0\0\1mdat" + (100).to_bytes(8, "big") + bytes(84)
PNG, JPEG, WEBP, WAV = (
    make_content(kind, "a").data for kind in ("image/png", "image/jpeg", "image/webp", "audio/wav")
)
WHOLE = box(b"ftyp", 24) + box(b"moov", 40) + box(b"mdat", 100)


@pytest.mark.parametrize(
    ("said", "promised", "fits"),
    [
        ("video/mp4", "video/mp4", True),
        ("Video/MP4; charset=binary", "video/mp4", True),
        ("video/quicktime", "video/mp4", True),
        ("", "video/mp4", True),
        ("application/octet-stream", "video/mp4", True),
        ("text/html; charset=utf-8", "video/mp4", False),
        ("application/json", "video/mp4", False),
        ("image/png", "video/mp4", False),
        ("video/mp4", "application/octet-stream", True),
        ("image/png", "application/octet-stream", True),
    ],
)
def test_what_a_host_calls_a_file_must_go_with_what_was_promised(
    said: str, promised: str, *, fits: bool
) -> None:
    assert media_type_fits(said, promised) is fits


@pytest.mark.parametrize(
    ("head", "size", "media_type"),
    [
        (WHOLE, len(WHOLE), "video/mp4"),
        (box(b"ftyp", 24) + box(b"moov", 9) + bytes(4) + b"mdat" + bytes(50), 91, "video/mp4"),
        (box(b"ftyp", 24) + LARGE_BOX + box(b"moov", 40), 164, "video/mp4"),
        (PNG, len(PNG), "image/png"),
        (JPEG, len(JPEG), "image/jpeg"),
        (WEBP, len(WEBP), "image/webp"),
        (WAV, len(WAV), "audio/wav"),
        (b"RIFF\0\0\0\0WEBPVP8 ", 16, "image/webp"),
        (b"anything", 8, "application/x-new"),
    ],
)
def test_a_file_that_looks_right_is_right(head: bytes, size: int, media_type: str) -> None:
    assert len(head) == size
    assert what_is_wrong_with(head, size, media_type, read=reader(head)) is None


@pytest.mark.parametrize(
    ("head", "size", "words"),
    [
        (b"", 0, "empty"),
        (b"<!DOCTYPE html><html>", 21, "page of text"),
        (b"\n  <html>", 9, "page of text"),
        (b'{"code":422,"msg":"url is wrong"}', 33, "page of text"),
        (box(b"ftyp", 24) + b"\0\0\0\3junkjunkjunk", 40, "cut off"),
    ],
)
def test_what_is_wrong_is_said(head: bytes, size: int, words: str) -> None:
    told = what_is_wrong_with(head, size, "video/mp4", read=reader(head))
    assert told is not None
    assert words in told


@pytest.mark.parametrize("whole", [WHOLE, box(b"ftyp", 24) + LARGE_BOX + box(b"moov", 40)])
def test_a_video_that_ends_anywhere_too_early_is_cut_off(whole: bytes) -> None:
    for size in range(1, len(whole)):
        told = what_is_wrong_with(whole[:size], size, "video/mp4", read=reader(whole[:size]))
        assert told is not None


def of_each_kind() -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Containers, what they may be promised as, and what makes files by other people's encoders."""
    for form, data in (("png", PNG), ("jpeg", JPEG), ("webp", WEBP)):
        yield form, f"image/{form}", partial(bytes, data)
    yield "progressive", "image/jpeg", partial(picture, "jpeg", (64, 64), progressive=True)
    for form in ("gif", "bmp", "avif"):
        yield form, "image/png", partial(picture, form, (64, 64))
    for piped in (False, True):
        way = "-piped" if piped else ""
        for form, codec, rate in (
            ("mp3", "libmp3lame", 44_100),
            ("adts", "aac", 44_100),
            ("flac", "flac", 48_000),
        ):
            yield form + way, "audio/mpeg", partial(recording, form, codec, rate, piped=piped)
        for form, codec in (("ogg", "libopus"), ("webm", "libopus")):
            yield f"{form}-sound{way}", "audio/mpeg", partial(recording, form, codec, piped=piped)
        yield "webm" + way, "video/webm", partial(film, "webm", "libvpx", piped=piped)
        yield "matroska" + way, "video/mp4", partial(film, "matroska", "libvpx-vp9", piped=piped)
    yield "mp3-low", "audio/mpeg", partial(recording, "mp3", "libmp3lame", 16_000)
    yield "wav", "audio/wav", partial(recording, "wav", "pcm_s16le")
    yield "avi", "video/mp4", partial(film, "avi", "mpeg4")
    yield "mp4", "video/mp4", partial(film, "mp4", "mpeg4")
    yield "m4a", "audio/mpeg", partial(recording, "mp4", "aac")


FILES = list(of_each_kind())
each_file = pytest.mark.parametrize(
    ("promised", "make"), [one[1:] for one in FILES], ids=[one[0] for one in FILES]
)


def wrong_with(data: bytes, promised: str, *, is_size_known: bool = True) -> str | None:
    look = reader(data)
    return what_is_wrong_with(data[:65_536], len(data), promised, read=look, is_size_known=is_size_known)


@each_file
def test_a_file_that_closes_is_complete_whoever_said_how_long_it_is(
    promised: str, make: Callable[[], bytes]
) -> None:
    data = make()
    assert wrong_with(data, promised) is None
    assert wrong_with(data, promised, is_size_known=False) is None


@each_file
def test_a_file_that_does_not_close_is_cut_off_although_its_length_was_kept(
    promised: str, make: Callable[[], bytes]
) -> None:
    data = make()
    ends = {len(data) - 1, len(data) - 2, *range(100, len(data), len(data) // 40)}
    whole = [end for end in ends if "cut off" not in (wrong_with(data[:end], promised) or "")]
    assert (
        len(whole) <= 2
    )  # between two frames of a sound that counts none: how long they are is the encoder's


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "mp3", "ogg-sound", "wav"])
def test_what_players_pass_over_behind_the_end_is_no_fault(name: str) -> None:
    promised, make = next(one[1:] for one in FILES if one[0] == name)
    assert wrong_with(make() + b"TAG" + bytes(125), promised) is None


@pytest.mark.parametrize(
    ("name", "promised", "data"),
    [
        ("a WAV that was streamed", "audio/wav", recording("wav", "pcm_s16le", piped=True)),
        ("free format", "audio/mpeg", b"\xff\xfb\x00\x00" + bytes(500)),
        ("TIFF", "image/png", picture("tiff", (64, 64))),
    ],
)
def test_what_a_container_can_not_say_is_not_held_against_it(name: str, promised: str, data: bytes) -> None:
    assert wrong_with(data[: len(data) // 2], promised) is None, name


@pytest.mark.parametrize(
    "data",
    [
        b"ID3\x04\0\0\x7f\x7f\x7f\x7f", b"OggS" + bytes(10), b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3\x84webm\x18",
        b"\xff\xf1", b"fLaC\x84\xff\xff\xff", b"RIFF\xff\xff", b"\x89PNG\r\n\x1a\n\xff\xff\xff\xff", b"GIF89a", b"\xff\xd8\xff",
    ],
)  # fmt: skip
def test_a_beginning_is_not_taken_for_a_file(data: bytes) -> None:
    for promised in ("audio/mpeg", "image/png", "video/mp4"):
        assert wrong_with(data, promised) is not None


@pytest.mark.parametrize("tail", [b"x" * 18, bytes(5), b"\0\0\0\3junkjunk"])
def test_a_tail_behind_a_complete_film_is_passed_over_where_the_length_was_kept(tail: bytes) -> None:
    assert wrong_with(WHOLE + tail, "video/mp4") is None
    assert wrong_with(WHOLE + tail, "video/mp4", is_size_known=False) is not None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("EBML and zeros", b"\x1a\x45\xdf\xa3" + bytes(5_000)),
        ("EBML without clusters", b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\x84" + bytes(4)),
        ("nothing but a free box", box(b"ftyp", 24) + box(b"free", 8)),
        ("media and no index", box(b"ftyp", 24) + bytes(4) + b"mdat" + bytes(500)),
        ("an index and no media", box(b"ftyp", 24) + box(b"moov", 40)),
        ("boxes that are none", box(b"ftyp", 24) + b"x" * 2_000),
        ("AVI without frames", b"RIFF" + (1000).to_bytes(4, "little") + b"AVI LIST" + bytes(988)),
    ],
)
def test_a_container_without_a_film_is_no_video(name: str, data: bytes) -> None:
    for promised in ("video/mp4", "video/webm"):
        for known in (True, False):
            assert "cut off or empty" in (wrong_with(data, promised, is_size_known=known) or ""), name


@pytest.mark.parametrize(
    "data",
    [
        b"ID3\x03" + bytes(406),
        b"RIFF" + (36).to_bytes(4, "little") + b"WAVEfmt " + bytes(28),
    ],
)
def test_a_container_without_sound_is_no_audio(data: bytes) -> None:
    assert "cut off or empty" in (wrong_with(data, "audio/mpeg") or "")


@pytest.mark.parametrize(
    ("promised", "seen", "recorded"),
    [
        ("video/mp4", "video/mp4", "video/mp4"),
        ("image/png", "image/jpeg", "image/jpeg"),
        ("image/png", None, "image/png"),
        ("image/png", "video/mp4", "image/png"),
        ("application/json", None, "application/json"),
    ],
)
def test_a_file_is_on_record_as_what_its_bytes_say(promised: str, seen: str | None, recorded: str) -> None:
    assert nearer_type(promised, seen) == recorded
