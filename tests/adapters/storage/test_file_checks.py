"""Is a received file what was promised, and is it whole?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.storage.containers import media_type_fits, nearer_type, what_is_wrong_with
from kiejobs.sandbox.files import make_content

if TYPE_CHECKING:
    from collections.abc import Callable


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


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (WEBP, "image/webp"),
        (WAV, "audio/wav"),
    ],
)
def test_a_picture_or_a_sound_that_ends_too_early_is_cut_off(data: bytes, media_type: str) -> None:
    for end in (len(data) - 2, len(data) // 2, 60):
        told = what_is_wrong_with(data[:end], end, media_type, read=reader(data[:end]))
        assert told is not None
        assert "cut off" in told
        assert what_is_wrong_with(data[:end], end, media_type) is None  # its length is held to


def test_a_length_that_was_kept_is_enough_for_an_odd_container() -> None:
    odd = box(b"ftyp", 24) + b"x" * 2_000
    assert what_is_wrong_with(odd, len(odd), "video/mp4") is None
    assert what_is_wrong_with(odd, len(odd), "video/mp4", read=reader(odd)) is not None


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
