"""5,000 cells: all of them are elements, few are drawn, and whoever scrolls sees no blank one."""

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
  const box = grid.getBoundingClientRect();
  let blank = 0, most = 0;
  for (let at = 0; at <= 4000; at += 200) {
    grid.scrollTo(at / 4, at);
    await new Promise(requestAnimationFrame);
    await new Promise((done) => setTimeout(done)); // what was observed is reported by a task
    for (let x = 160; x < box.right; x += 140) {
      for (let y = box.top + 60; y < box.bottom; y += 100) {
        const tile = document.elementFromPoint(x, y)?.closest(".tile");
        blank += tile !== null && tile !== undefined && tile.firstChild === null;
      }
    }
    most = Math.max(most, document.querySelectorAll(".mat").length);
  }
  return { blank, most };
}"""
"""How often something could be seen that was not drawn yet, and how many tiles were drawn at most."""

HEIGHT = "document.getElementById('grid').scrollHeight"


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
    assert drawn(page) < 350
    page.keyboard.press("End")
    until(page, "document.querySelector('.tile.current .mat') !== null")
    assert page.locator(".tile.current").get_attribute("data-address") == "big/shot[look=49,scene=99]"
    assert drawn(page) < 700
    page.locator("#search").fill("scene 42 in look 7:")
    assert page.locator("[data-address]").count() == 1


def test_scrolling_shows_nothing_blank_and_draws_no_more_than_is_near(
    tmp_path: Path, visitor: Visitor
) -> None:
    page = visitor.open(large(tmp_path / "many", 100, 50))
    until(page, "document.querySelector('.mat') !== null")
    height = page.evaluate(HEIGHT)
    scrolled = page.evaluate(SCROLL)
    assert scrolled["blank"] == 0
    assert scrolled["most"] < 700
    assert page.evaluate(HEIGHT) == height, "rows are as high before they are laid out as after it"
