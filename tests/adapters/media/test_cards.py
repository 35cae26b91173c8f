"""Cards: as large and as long as was asked for, with all that is on them, and always the same."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from PIL import Image

from kiejobs.adapters.media.cards import draw_card, drawable, size_of
from kiejobs.adapters.media.examine import examined
from tests.support.clips import picture

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = "Espresso is poured into a ceramic cup"
CARD: dict[str, Any] = {
    "media_type": "video/mp4",
    "model": "a/model",
    "input": {"prompt": PROMPT, "duration": "5", "resolution": "480p"},
    "address": "espresso/pour[duration=5,resolution=480p]",
    "take": 1,
    "number": 0,
    "pictures": {},
}
EVERY = dict.fromkeys(("not_black", "not_frozen", "cuts"), True)


def drawn(path: Path, **more: Any) -> Path:
    assert draw_card({**CARD, "path": str(path), **more}) == {"drawn": True}
    return path


def frame_of(path: Path, number: int = 0) -> Any:
    with av.open(str(path)) as container:
        frames = [frame for _, frame in zip(range(number + 1), container.decode(video=0), strict=False)]
    return frames[-1].to_ndarray(format="rgb24").astype(float)


@pytest.mark.parametrize(
    "fields",
    [
        {"duration": "5", "resolution": "480p"},
        {"duration": 10, "resolution": "1080p", "aspect_ratio": "9:16"},
        {"n_frames": "15", "aspect_ratio": "portrait"},
        {"duration": "5", "resolution": "720p", "generate_audio": True, "aspect_ratio": "21:9"},
        {"duration": 4, "resolution": "768P", "sound": True},
    ],
    ids=str,
)
def test_a_card_passes_the_checks_of_what_it_stands_for(fields: dict[str, Any], tmp_path: Path) -> None:
    path = drawn(tmp_path / "card.mp4", input={"prompt": PROMPT, **fields})
    written = {
        **EVERY,
        **({"silence": True, "loudness": True} if fields.keys() & {"sound", "generate_audio"} else {}),
    }
    task = {"files": [str(path)], "kind": "video", "request": fields, "written": written, "pictures": {}}
    found = examined(task)["results"]
    assert [one for one in found if one.verdict != "ok"] == []
    assert len(found) > len(written)


@pytest.mark.parametrize("media_type", ["video/mp4", "image/png", "image/jpeg", "image/webp"])
def test_the_same_card_has_the_same_bytes(media_type: str, tmp_path: Path) -> None:
    one, again = (drawn(tmp_path / name, media_type=media_type).read_bytes() for name in ("a", "b"))
    assert one == again


@pytest.mark.parametrize(
    "other",
    [
        {"take": 2},
        {"number": 1},
        {"address": "espresso/pour[duration=5,resolution=720p]"},
        {"address": None},
        {"input": {**CARD["input"], "prompt": "Steam rises"}},
        {"input": {**CARD["input"], "image_url": "https://example.com/cup.webp"}},
    ],
    ids=str,
)
def test_what_differs_is_to_be_seen(other: dict[str, Any], tmp_path: Path) -> None:
    one, another = drawn(tmp_path / "a.mp4"), drawn(tmp_path / "b.mp4", **other)
    assert np.abs(frame_of(one) - frame_of(another)).max() > 100


def test_something_moves_from_frame_to_frame(tmp_path: Path) -> None:
    card = drawn(tmp_path / "a.mp4")
    frames = [frame_of(card, number) for number in range(6)]
    assert all(np.abs(one - other).max() > 100 for one, other in pairwise(frames))


def test_the_input_picture_is_on_the_card(tmp_path: Path) -> None:
    shown = picture(tmp_path / "cup.png", 3)
    fields = {**CARD["input"], "image_url": "sha256:cup", "resolution": "720p", "aspect_ratio": "16:9"}
    card = drawn(tmp_path / "a.mp4", input=fields, pictures={"sha256:cup": str(shown)})
    panel = frame_of(card)[100:540, 60:530].mean(axis=(0, 1))
    whole = np.asarray(Image.open(shown), dtype=float).mean(axis=(0, 1))
    assert np.abs(panel - whole).max() < 40


def test_a_picture_that_can_t_be_opened_leaves_a_card_without_it(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    drawn(tmp_path / "a.mp4", input={**CARD["input"], "image_url": "x"}, pictures={"x": str(broken)})


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a cup — naïve “café”…", 'a cup - naive "cafe"…'),
        ("清晨 in the café", "[2 characters] in the cafe"),
        ("a \N{HOT BEVERAGE}", "a [1 character]"),
        ("\x1b[2J\u202e", "[1 character][2J[1 character]"),
    ],
)
def test_letters_that_the_font_lacks_are_counted(words: str, shown: str) -> None:
    assert drawable(words, font=None) == shown


def test_a_font_with_more_letters_draws_them_and_steers_nothing() -> None:
    assert drawable("清晨 in the café ☕ 🎬", font="x") == "清晨 in the café ☕ [1 character]"
    assert drawable("\x1b[2J\u202e", font="x") == " [2J "


@pytest.mark.parametrize("prompt", ["", "word " * 3000, "x" * 5000, "\u202e\x00" * 40, "<script>{{ 7*7 }}"])
def test_any_prompt_makes_a_card(prompt: str, tmp_path: Path) -> None:
    drawn(tmp_path / "a.png", media_type="image/png", input={"prompt": prompt})


@pytest.mark.parametrize(
    ("fields", "kind", "picture_size", "size"),
    [
        ({"resolution": "720p"}, "video", None, (1280, 720)),
        ({"resolution": "720p", "aspect_ratio": "1:1"}, "video", None, (720, 720)),
        ({"resolution": "720p"}, "video", (600, 800), (720, 960)),
        ({"image_size": "portrait_4_3"}, "image", None, (720, 960)),
        ({"image_size": "square_hd"}, "image", None, (720, 720)),
        ({"resolution": "4K", "aspect_ratio": "16:9"}, "image", None, (2048, 1152)),
        ({"resolution": "9999p"}, "video", None, (3840, 2160)),
        ({"aspect_ratio": "999:1"}, "video", None, (1280, 720)),
        ({"aspect_ratio": "auto"}, "video", None, (1280, 720)),
    ],
)
def test_a_card_is_as_large_as_was_asked_for_within_bounds(
    fields: dict[str, Any], kind: str, picture_size: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    assert size_of(fields, kind, picture_size) == size
