"""Decisions that a browser keeps: they count for the purchase that was looked at, on its page, until a newer one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gallery.conftest import FAST
from tests.gallery.test_culling import exported
from tests.gallery.test_files import data_of
from tests.gallery.test_grid import figures
from tests.gallery.test_record import write
from tests.support.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.chromium import Visitor

POUR = "tea/pour[duration=5]"


@pytest.fixture
def own(tmp_path: Path) -> Bench:
    """Two clips and their page."""
    return rehearsed(tmp_path / "one")


def rehearsed(folder: Path) -> Bench:
    folder.mkdir()
    bench = Bench(folder, "http://127.0.0.1:9")
    write(bench)
    assert bench.do("run", "tea.yaml", *FAST).code == 0
    make(bench)
    return bench


def make(bench: Bench) -> None:
    assert bench.do("gallery", "tea.yaml", "--sandbox").code == 0


def page_of(bench: Bench) -> Path:
    return bench.folder / "rehearsal/gallery/index.html"


def reload(page: Page) -> None:
    page.reload()
    page.wait_for_selector("body[data-ready]")


def test_a_decision_does_not_pass_to_the_clip_that_replaced_the_one_decided_on(
    own: Bench, visitor: Visitor, tmp_path: Path
) -> None:
    page = visitor.open(page_of(own).as_uri())
    page.keyboard.press("p")
    (before,) = exported(page, tmp_path)["picks"]
    write(own, prompt="Green tea")
    assert own.do("run", "tea.yaml", *FAST).code == 0
    make(own)
    reload(page)
    assert figures(page).endswith("1 stale")
    assert page.locator(".mark.stale").count() == 1
    (after,) = exported(page, tmp_path)["picks"]
    assert after == before
    assert after["fingerprint"] != data_of(page_of(own))["jobs"][0]["fingerprint"]
    assert own.do("pick", "--from", str(tmp_path / "picks.json"), "--sandbox").code == 0
    assert own.do("gallery", "tea.yaml", "--sandbox", "--picks", "-o", "chosen").code == 2
    page.keyboard.press("Home")
    page.keyboard.press("p")
    assert figures(page).endswith("1 picked")


def test_a_newer_decision_on_record_counts(own: Bench, visitor: Visitor) -> None:
    page = visitor.open(page_of(own).as_uri())
    page.clock.set_fixed_time("2020-01-01T00:00:00Z")
    page.keyboard.press("p")
    page.keyboard.press("p")
    assert own.do("pick", POUR, "--reject", "--note", "newer", "--sandbox").code == 0
    assert own.do("pick", "tea/pour[duration=10]", "--sandbox").code == 0
    assert own.do("pick", "tea/pour[duration=10]", "--undo", "--sandbox").code == 0
    make(own)
    reload(page)
    assert figures(page).endswith("charged  ·  1 rejected".replace("  ", " "))
    assert page.locator("#export").count() == 0


def test_another_project_with_a_campaign_of_the_same_name_has_decisions_of_its_own(
    own: Bench, visitor: Visitor, tmp_path: Path
) -> None:
    other = rehearsed(tmp_path / "other")
    page = visitor.open(page_of(own).as_uri())
    page.keyboard.press("p")
    page.goto(page_of(other).as_uri())
    page.wait_for_selector("body[data-ready]")
    assert "picked" not in figures(page)
    page.goto(page_of(own).as_uri())
    page.wait_for_selector("body[data-ready]")
    assert figures(page).endswith("1 picked")


def test_blind_shows_nothing_of_earlier_decisions_and_outlives_a_reload(own: Bench, visitor: Visitor) -> None:
    assert own.do("pick", POUR, "--note", "the warm one", "--sandbox").code == 0
    make(own)
    page = visitor.open(page_of(own).as_uri())
    page.keyboard.press("c")
    page.keyboard.press("b")
    assert page.locator(".compare :checked").count() == 0
    for _ in range(2):
        assert figures(page) == "2 clips"
        assert page.locator(".mark").count() == 0
        page.keyboard.press("o")
        assert "warm" not in page.locator("body").inner_text()
        page.keyboard.press("Escape")
        reload(page)
        assert page.locator(".blind-note").is_visible()
    page.keyboard.press("x")
    page.keyboard.press("x")
    reload(page)
    assert figures(page) == "2 clips · 2 rejected"
    page.keyboard.press("b")
    assert figures(page).endswith("2 rejected")
    assert page.locator(".mark.note").get_attribute("title") == "the warm one"
    reload(page)
    assert page.locator(".blind-note").count() == 0
