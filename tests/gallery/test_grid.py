"""The grid in a real browser, from disk: axes, sliders, takes, filters, details."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.chromium import until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.bench import Bench
    from tests.support.chromium import Visitor

FIRST = "tea/pour[duration=5,resolution=720p]"


def shown(page: Page) -> list[str]:
    """The addresses that can be seen."""
    tiles = page.locator("[data-address]:not([hidden])")
    return [str(tile.get_attribute("data-address")) for tile in tiles.all()]


def figures(page: Page) -> str:
    return page.locator("#figures").inner_text()


def test_every_job_is_an_element_and_every_cell_shows_one_take(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    assert page.locator("[data-address]").count() == 16
    assert len(shown(page)) == 8
    assert not any("#2" in address for address in shown(page))
    assert figures(page) == "16 jobs · 640 cr ($3.20) charged"


def test_takes_flip_within_their_cell(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.keyboard.press("]")
    assert f"{FIRST}#2" in shown(page)
    assert FIRST not in shown(page)
    page.keyboard.press("[")
    assert FIRST in shown(page)
    page.locator(f'[data-address="{FIRST}"]').get_by_role("button", name="Next take").click()
    assert f"{FIRST}#2" in shown(page)


def test_any_two_axes_are_rows_and_columns_and_the_others_are_sliders(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.select_option("#rows", "=resolution")
    page.select_option("#cols", "=duration")
    assert page.locator(".rowhead").all_inner_texts() == ["720p", "1080p"]
    assert page.locator(".col").all_inner_texts() == ["5 s", "10 s"]
    slider = page.locator("#axis-job")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "pour"
    assert {address.partition("[")[0] for address in shown(page)} == {"tea/pour"}
    page.keyboard.press("Home")
    assert len(shown(page)) == 8


def test_how_it_is_looked_at_is_in_the_address(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.select_option("#rows", "=resolution")
    page.select_option("#filter-job", "steam")
    again = visitor.open(page.url)
    assert again.locator(".rowhead").all_inner_texts() == ["720p", "1080p"]
    assert {address.partition("[")[0] for address in shown(again)} == {"tea/steam"}


def test_labels_stay_when_the_grid_is_scrolled(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery, width=900, height=420)
    page.evaluate("document.documentElement.style.setProperty('--tile', '400px')")
    places = """[".col", ".rowhead span"].map((name) => document.querySelector(name).getBoundingClientRect())
                .map((box, at) => [box.y, box.x][at])"""
    at_first = page.evaluate(places)
    page.evaluate("document.getElementById('grid').scrollTo(120, 150)")
    until(page, "document.getElementById('grid').scrollTop === 150")
    assert page.evaluate(places) == at_first


def test_filters_narrow_and_are_cleared(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.select_option("#filter-tag", "hero")
    assert {address.partition("[")[0] for address in shown(page)} == {"tea/pour"}
    page.locator("#search").fill("CIRCLES")
    assert shown(page) == [
        "tea/pour[duration=10,resolution=720p]",
        "tea/pour[duration=10,resolution=1080p]",
    ]
    assert figures(page).startswith("4 of 16 jobs · 216 cr")
    page.locator("#search").fill("no such words")
    page.get_by_role("button", name="Clear filters").click()
    assert len(shown(page)) == 8


def test_details_mark_what_differs_and_show_the_picture_next_to_the_first_frame(
    gallery: str, bench: Bench, visitor: Visitor
) -> None:
    page = visitor.open(gallery)
    page.keyboard.press("o")
    panel = page.locator("#panel")
    assert panel.locator("h2").inner_text() == FIRST
    assert "holds still" in panel.locator(".prompt mark").all_inner_texts()
    pictures = panel.locator(".beside img")
    assert pictures.count() == 2
    widths = [
        picture.evaluate("image => image.decode().then(() => image.naturalWidth)")
        for picture in pictures.all()
    ]
    assert widths == [640, 480]
    text = panel.inner_text()
    (manifest,) = (bench.folder / "rehearsal/runs").glob("*/manifest.json")
    job = json.loads(manifest.read_text())["jobs"][FIRST]
    for known in (
        job["task_id"],
        job["fingerprint"],
        job["files"][0]["sha256"],
        "tea/pour/",
        "16 cr ($0.08)",
    ):
        assert known in text
    assert "cup.png" in text
    page.keyboard.press("Escape")
    assert panel.is_hidden()


def test_a_page_opens_nothing_but_clips_next_to_it(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    for _ in range(8):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("o")
        page.keyboard.press("o")
    source = page.locator(".tile img").first.get_attribute("src")
    assert source
    assert source.startswith("posters/")


def test_bars_of_all_charts_have_one_scale(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.keyboard.press("$")
    bars = page.locator(".track .part.charged").evaluate_all("all => all.map((one) => one.style.inlineSize)")
    assert bars == ["50%", "50%", "50%", "100%"]  # two jobs, a tag, the model


def test_a_label_begins_with_the_axes_of_its_job(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.select_option("#rows", "")
    page.select_option("#cols", "")
    label = page.locator(f'[data-address="{FIRST}"] .label-short')
    assert label.inner_text() == "5 s · 720p · pour"
