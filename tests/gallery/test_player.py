"""Several clips with one playhead: they show the same frame, whatever is done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.chromium import until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.chromium import Visitor

FRAME = 1 / 24
"""Of the sandbox's samples, in seconds."""

TIMES = "[...document.querySelectorAll('#screens video')].map((video) => video.currentTime)"
WATCH = """async () => {
  const apart = [];
  for (let frames = 0; frames < 90; frames++) {
    await new Promise(requestAnimationFrame);
    const times = [...document.querySelectorAll('#screens video')].map((video) => video.currentTime);
    apart.push(Math.max(...times) - Math.min(...times));
  }
  return apart;
}"""


def compared(visitor: Visitor, gallery: str, clips: int, **settings: object) -> Page:
    page = visitor.open(gallery, **settings)  # type: ignore[arg-type] # Playwright's own
    for _ in range(clips):
        page.keyboard.press("c")
        page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    until(page, f"document.querySelectorAll('#screens video').length === {clips}")
    return page


def playing(page: Page) -> None:
    until(page, f"Math.min(...{TIMES}) > 0.4")


def frames(page: Page) -> set[int]:
    until(page, "[...document.querySelectorAll('#screens video')].every((video) => !video.seeking)")
    return {int(time / FRAME) for time in page.evaluate(TIMES)}


def test_nine_clips_play_together_and_stop_at_the_same_frame(gallery: str, visitor: Visitor) -> None:
    page = compared(visitor, gallery, 8)
    playing(page)
    apart = sorted(page.evaluate(WATCH))
    assert apart[len(apart) // 2] <= FRAME
    page.keyboard.press(" ")
    assert len(frames(page)) == 1


def test_single_frames_and_the_playhead(gallery: str, visitor: Visitor) -> None:
    page = compared(visitor, gallery, 3)
    playing(page)
    page.keyboard.press("Home")
    assert frames(page) == {0}
    for _ in range(3):
        page.keyboard.press(".")
    assert frames(page) == {3}
    page.keyboard.press(",")
    assert frames(page) == {2}
    assert page.locator("#clock").inner_text().endswith("frame 2")
    page.locator("#seek").fill("200")
    (frame,) = frames(page)
    assert page.locator("#clock").inner_text().endswith(f"frame {frame}")
    assert frame > 20


def test_it_loops_unless_told_otherwise(gallery: str, visitor: Visitor) -> None:
    page = compared(visitor, gallery, 2)
    playing(page)
    page.locator("#seek").fill("980")
    page.keyboard.press("k")
    until(page, f"Math.max(...{TIMES}) < 2")
    page.keyboard.press("l")
    page.locator("#seek").fill("980")
    page.keyboard.press("k")
    until(page, "document.getElementById('play').textContent === 'Play'")
    assert frames(page) == {119}


def test_speed_and_whose_sound_is_heard(gallery: str, visitor: Visitor) -> None:
    page = compared(visitor, gallery, 2)
    page.select_option("#speed", "0.5")
    assert page.evaluate("document.querySelector('#screens video').playbackRate") == 0.5
    muted = "[...document.querySelectorAll('#screens video')].map((video) => video.muted)"
    assert page.evaluate(muted) == [True, True]
    page.select_option("#sound", "1")
    assert page.evaluate(muted) == [True, False]
    page.keyboard.press("Escape")
    assert page.locator("#player").is_hidden()
    until(page, "document.querySelector('#screens video[src]') === null")


def test_a_wipe_between_two_is_moved_by_mouse_and_by_keys(gallery: str, visitor: Visitor) -> None:
    page = compared(visitor, gallery, 2)
    page.keyboard.press("w")
    split = "document.getElementById('screens').style.getPropertyValue('--split')"
    assert page.evaluate(split) == "50%"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(split) == "52%"
    box = page.locator("#screens").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 80)
    page.mouse.up()
    assert page.evaluate(split) == "25%"
    first, second = page.locator("#screens video").all()
    assert first.bounding_box() == second.bounding_box()


def test_with_reduced_motion_nothing_moves_by_itself(gallery: str, visitor: Visitor) -> None:
    page = compared(visitor, gallery, 2, reduced_motion="reduce")
    until(page, "[...document.querySelectorAll('#screens video')].every((video) => video.readyState >= 2)")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert frames(page) == {0}
    page.keyboard.press("Escape")
    page.locator(".mat").first.hover()
    assert page.locator(".moving").count() == 0
