"""Results that are no videos: opened, compared, in a single file, blind; axes whose values need encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kiejobs.app.gallery.page import EmbeddedFiles
from kiejobs.core.ledger.records import FileRecord
from tests.gallery.conftest import FAST
from tests.gallery.test_files import data_of
from tests.support.bench import Bench
from tests.support.chromium import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.chromium import Visitor

JOB_FILE = """\
version: 1
campaign: mix
jobs:
  still:
    model: z-image
    matrix: {look: ["a#b", "c d"]}
    input: {prompt: "a teapot, {{ matrix.look }}", aspect_ratio: "1:1"}
  talk:
    model: elevenlabs/text-to-dialogue-v3
    input: {dialogue: [{text: Hello there, voice: EkK5I93UQWFDigLMpZcX}]}
  words: {model: elevenlabs/speech-to-text, input: {audio_url: "https://example.com/a.mp3"}}
"""
STILL = "mix/still[look=a%23b]"


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two pictures, a sound and a transcript, and their page."""
    folder = tmp_path_factory.mktemp("mix")
    (folder / "mix.yaml").write_text(JOB_FILE)
    bench = Bench(folder, "http://127.0.0.1:9")
    assert bench.do("run", "mix.yaml", *FAST).code == 0
    assert bench.do("gallery", "mix.yaml", "--sandbox").code == 0
    return bench


@pytest.fixture(scope="module")
def mixed(kinds: Bench) -> str:
    return (kinds.folder / "rehearsal/gallery/index.html").as_uri()


def test_enter_opens_a_picture_and_plays_a_sound(mixed: str, visitor: Visitor) -> None:
    page = visitor.open(mixed)
    page.keyboard.press("Enter")
    assert page.locator("#player").is_hidden()
    assert page.locator("#panel img.screen").evaluate("one => one.decode().then(() => one.naturalWidth)") > 0
    page.locator('[data-address="mix/talk"]').focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#panel audio').currentTime > 0.05")


def test_marked_pictures_are_compared_with_a_wipe(mixed: str, visitor: Visitor) -> None:
    page = visitor.open(mixed)
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    page.keyboard.press("v")
    assert page.locator("#screens img").count() == 2
    for name in ("play", "seek", "clock", "speed", "sound"):
        assert page.locator(f"#{name}").is_hidden()
    for key in (" ", ".", "End", "s", "+"):
        page.keyboard.press(key)
    page.keyboard.press("w")
    assert page.locator("#screens.wipe").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("#player").is_hidden()


def test_axis_values_are_shown_as_the_job_file_says_them(mixed: str, visitor: Visitor) -> None:
    page = visitor.open(mixed)
    page.select_option("#cols", "=look")
    assert page.locator(".col").all_inner_texts()[:2] == ["a#b", "c d"]
    assert page.locator(f'[data-address="{STILL}"]').count() == 1


def test_blind_says_no_name_of_a_file(mixed: str, visitor: Visitor) -> None:
    page = visitor.open(mixed)
    page.keyboard.press("b")
    for _ in range(4):
        page.keyboard.press("o")
        text = page.locator("body").inner_text()
        assert not {"json", "words", "talk", "still"} & set(text.replace(".", " ").replace("/", " ").split())
        page.keyboard.press("o")
        page.keyboard.press("ArrowRight")


def test_a_single_file_holds_small_sounds_and_says_what_it_has_not(
    kinds: Bench, visitor: Visitor, tmp_path: Path
) -> None:
    alone = tmp_path / "all.html"
    assert kinds.do("gallery", "mix.yaml", "--sandbox", "--single-file", "-o", str(alone)).code == 0
    files = {job["address"]: job["files"][0] for job in data_of(alone)["jobs"]}
    assert files["mix/talk"]["src"].startswith("data:audio/mpeg;base64,")
    page = visitor.open(alone.as_uri())
    assert "elsewhere" not in page.locator("body").inner_text()
    page.locator('[data-address="mix/talk"]').focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#panel audio').currentTime > 0.05")
    words = page.locator('[data-address="mix/words"]').inner_text()
    assert "a file that can't be put into the page" in words


def test_a_large_sound_is_named_and_left_out(tmp_path: Path) -> None:
    sound = tmp_path / "long.mp3"
    sound.write_bytes(bytes(2_000_001))
    record = FileRecord("long.mp3", "0" * 64, 2_000_001, "audio/mpeg", "https://example.com/a")
    found = EmbeddedFiles().clip(record, sound)
    assert (found.src, found.why) == (None, "a sound of more than 2 MB is not put into the page")


def test_details_do_not_cover_the_clip_that_they_are_of(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery, width=1000, height=700)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("o")
    tile, panel = (page.locator(name).bounding_box() for name in (".tile.current", "#panel"))
    assert tile
    assert panel
    assert tile["x"] + tile["width"] <= panel["x"]


def test_the_first_clip_is_seen_on_a_phone(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery, width=360, height=740)
    box = page.locator(".mat").first.bounding_box()
    assert box
    assert box["y"] + box["height"] <= 740 * 0.6
