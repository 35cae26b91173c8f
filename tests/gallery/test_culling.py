"""Choosing by keyboard, blind too; what was chosen reaches picks.yaml by the export."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.gallery.test_grid import FIRST, figures, shown
from tests.support.chromium import until

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.bench import Bench
    from tests.support.chromium import Visitor


def current(page: Page) -> str:
    return str(page.locator(".tile.current").get_attribute("data-address"))


def exported(page: Page, folder: Path) -> dict[str, Any]:
    with page.expect_download() as started:
        page.keyboard.press("e")
    started.value.save_as(folder / "picks.json")
    found: dict[str, Any] = json.loads((folder / "picks.json").read_text())
    return found


def test_arrows_go_along_rows_and_across_them(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    assert current(page) == FIRST
    page.keyboard.press("ArrowRight")
    assert current(page) != FIRST
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    assert current(page).startswith("tea/steam[duration=10")
    page.keyboard.press("Home")
    assert current(page) == FIRST
    assert page.evaluate("document.activeElement.dataset.address") == FIRST


def test_a_verdict_goes_on_by_itself_and_is_undone(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.keyboard.press("p")
    second = current(page)
    assert second != FIRST
    page.keyboard.press("x")
    assert figures(page).endswith("1 picked · 1 rejected")
    page.keyboard.press("u")
    assert current(page) == second
    page.keyboard.press("u")
    assert current(page) == FIRST
    assert "picked" not in figures(page)


def test_undecided_only_empties_as_one_decides(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.keyboard.press("i")
    for left in range(8, 5, -1):
        assert len(shown(page)) == left
        page.keyboard.press("]")  # the cell stays as long as one of its takes is undecided
        page.keyboard.press("x")
        page.keyboard.press("Home")
        page.keyboard.press("[")
        page.keyboard.press("p")
        page.keyboard.press("Home")
    assert figures(page).endswith("3 picked · 3 rejected")


def test_blind_says_nothing_about_which_is_which(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    order = shown(page)
    page.keyboard.press("b")
    until(page, "document.querySelectorAll('.tile:not([hidden]) .label').length === 8")
    names = page.locator(".tile:not([hidden]) .label").all_inner_texts()
    assert sorted(names) == [f"Clip {number}" for number in range(1, 9)]
    page.keyboard.press("o")
    text = page.locator("body").inner_text()
    for telling in ("720p", "1080p", "duration", "pour", "holds still", "cr", "bytedance"):
        assert telling not in text.replace("tea", "")
    labels = page.locator("[aria-label]").evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-label')).join()"
    )
    assert "pour" not in labels
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    page.keyboard.press("b")
    assert shown(page) == order
    assert figures(page).endswith("1 picked")


def test_the_export_is_taken_in_and_says_the_same_as_the_command(
    gallery: str, bench: Bench, visitor: Visitor, tmp_path: Path
) -> None:
    page = visitor.open(gallery)
    page.keyboard.press("n")
    page.locator("#note").fill('a "quiet" one: <b>yes</b>\nand warm')
    page.keyboard.press("Control+Enter")
    page.keyboard.press("p")
    page.keyboard.press("x")
    found = exported(page, tmp_path)
    assert (found["kiejobs_picks"], found["campaign"]) == (1, "tea")
    assert [(one["verdict"], one["take"]) for one in found["picks"]] in (
        [("pick", 1), ("reject", 1)],
        [("reject", 1), ("pick", 1)],
    )
    told = bench.do("pick", "--from", str(tmp_path / "picks.json"), "--sandbox")
    assert told.code == 0, told.err
    by_page = verdicts(bench)
    (bench.folder / "rehearsal/picks.yaml").unlink()
    (rejected,) = (one["address"] for one in found["picks"] if one["verdict"] == "reject")
    note = 'a "quiet" one: <b>yes</b>\nand warm'
    assert bench.do("pick", FIRST, "--note", note, "--sandbox").code == 0
    assert bench.do("pick", rejected, "--reject", "--sandbox").code == 0
    assert verdicts(bench) == by_page
    again = bench.do("gallery", "tea.yaml", "--sandbox", "-o", "again")
    assert again.code == 0
    after = visitor.open((bench.folder / "again/index.html").as_uri())
    assert figures(after).endswith("1 picked · 1 rejected")
    after.keyboard.press("o")
    assert "and warm" in after.locator(".note-text").inner_text()


def verdicts(bench: Bench) -> list[str]:
    """The lines of picks.yaml without who and when."""
    lines = (bench.folder / "rehearsal/picks.yaml").read_text().splitlines()
    return [line.partition(", who:")[0].partition(", when:")[0] for line in lines]


def test_choices_outlive_a_closed_tab(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.keyboard.press("p")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert figures(page).endswith("1 picked")


def test_the_keys_have_a_page_of_their_own(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.keyboard.press("?")
    text = page.locator("#sheet").inner_text()
    for key in (
        "pick, and go on",
        "write a note",
        "undo",
        "blind",
        "one frame back or on",
        "wipe between two",
    ):
        assert key in text
    page.keyboard.press("Escape")
    assert page.locator("#sheet").is_hidden()
