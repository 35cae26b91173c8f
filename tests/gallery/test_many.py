"""5,000 cells: all of them are elements, few are drawn, and scrolling is as smooth as with fifty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kiejobs.reports.gallery.page import page_html
from tests.support.chromium import until
from tests.support.pictures import picture

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.chromium import Visitor

SCROLL = """async () => {
  const grid = document.getElementById("grid");
  const end = 6000;
  let frames = 0, slow = 0, last = performance.now();
  for (let at = 0; at <= end; at += 60) {
    grid.scrollTo(at / 4, at);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    slow += now - last > 50;
    last = now;
    frames++;
  }
  return { frames, slow };
}"""
"""How many of the frames of a scroll took more than 50 ms, which is when people call it rough."""


def job(scene: int, look: int) -> dict[str, Any]:
    name = f"big/shot[look={look},scene={scene}]"
    text = f"Scene {scene} in look {look}: " + "a long and winding prompt that goes on for a while, " * 12
    file = {
        "path": f"{scene}-{look}.mp4",
        "sha256": "0" * 64,
        "bytes": 1,
        "media_type": "video/mp4",
        "src": "clip.mp4",
        "poster": "poster.jpg",
    }
    return {
        "address": name, "base": name, "campaign": "big", "job": "shot", "take": 1,
        "axes": {"scene": f"scene{scene}", "look": f"look{look}"}, "tags": [], "model": "m", "fingerprint": "0" * 64,
        "action": "keep", "sign": "=", "reason": "done", "detail": None, "cost": None, "price": "16",
        "input": {"prompt": text}, "paths": {}, "pictures": [], "state": "succeeded", "task_id": "t", "planned": "16",
        "charged": "16", "run_id": "r", "error": None, "gone": None, "times": {}, "files": [file], "pick": None, "checks": [],
    }  # fmt: skip


def large(folder: Path, scenes: int, looks: int) -> str:
    folder.mkdir()
    (folder / "poster.jpg").write_bytes(picture("jpeg", (480, 270)))
    jobs = [job(scene, look) for scene in range(scenes) for look in range(looks)]
    document = {
        "kiejobs_gallery": 1,
        "campaigns": ["big"],
        "made": "",
        "rehearsal": False,
        "usd_per_credit": None,
        "jobs": jobs,
        "costs": {},
    }
    (folder / "index.html").write_text(page_html(document), encoding="utf-8")
    return (folder / "index.html").as_uri()


def drawn(page: Page) -> int:
    return page.locator(".tile:has(.mat)").count()


def test_five_thousand_cells_are_there_and_few_are_drawn(tmp_path: Path, visitor: Visitor) -> None:
    page = visitor.open(large(tmp_path / "big", 100, 50))
    assert page.locator("[data-address]").count() == 5000
    until(page, "document.querySelector('.mat') !== null")
    assert drawn(page) < 250
    page.keyboard.press("End")
    until(page, "document.querySelector('.tile.current .mat') !== null")
    assert page.locator(".tile.current").get_attribute("data-address") == "big/shot[look=49,scene=99]"
    assert drawn(page) < 500
    page.locator("#search").fill("scene 42 in look 7:")
    assert page.locator("[data-address]").count() == 1


def test_scrolling_them_is_smooth(tmp_path: Path, visitor: Visitor) -> None:
    few = visitor.open(large(tmp_path / "few", 60, 1))
    small = few.evaluate(SCROLL)
    many = visitor.open(large(tmp_path / "many", 100, 50))
    scrolled = many.evaluate(SCROLL)
    assert scrolled["frames"] == small["frames"]
    assert (
        scrolled["slow"] <= small["slow"] + scrolled["frames"] // 2
    )  # on a machine that does other things too
    until(
        many,
        "[...document.querySelectorAll('.tile .mat')].some((one) => one.getBoundingClientRect().top > 200)",
    )
