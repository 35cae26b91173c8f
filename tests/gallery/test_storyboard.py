"""Before anything is bought the page is a storyboard: prompts, pictures, prices, signs, totals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import Bench

if TYPE_CHECKING:
    from tests.support.chromium import Visitor

ESPRESSO = Path(__file__).resolve().parents[2] / "jobfiles" / "espresso.yaml"


@pytest.fixture
def storyboard(tmp_path: Path) -> str:
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "espresso.yaml").write_bytes(ESPRESSO.read_bytes())
    assert bench.do("gallery", "espresso.yaml").out == "gallery/index.html: storyboard of 8 jobs\n"
    return (tmp_path / "gallery/index.html").as_uri()


def test_each_job_is_a_cell_with_its_prompt_its_sign_and_its_price(storyboard: str, visitor: Visitor) -> None:
    page = visitor.open(storyboard)
    tiles = page.locator("[data-address]")
    assert tiles.count() == 8
    text = page.locator('[data-address="espresso/steam[duration=10,resolution=1080p]"]').inner_text()
    assert "The camera drifts once around it" in text
    assert "+ to buy" in text
    assert "72 cr" in text
    assert page.locator("#figures").inner_text() == "8 jobs · 8 to buy for 320 cr ($1.60)"
    assert page.locator("video").count() == 0


def test_nothing_can_be_picked_or_played_yet(storyboard: str, visitor: Visitor) -> None:
    page = visitor.open(storyboard)
    assert page.get_by_role("button", name="Compare").count() == 0
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    assert page.locator("#player").is_hidden()
    assert page.locator("#figures").inner_text() == "8 jobs · 8 to buy for 320 cr ($1.60)"


def test_costs_add_up_by_job(storyboard: str, visitor: Visitor) -> None:
    page = visitor.open(storyboard)
    page.keyboard.press("$")
    rows = page.locator("#sheet section").first.locator("tbody tr")
    assert [row.inner_text().split("\t")[0] for row in rows.all()] == ["espresso/pour", "espresso/steam"]
    assert all("160 cr ($0.80)" in row.inner_text() for row in rows.all())
