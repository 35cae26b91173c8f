"""What the page's data says of purchases: replaced, moved, no longer wanted, failed, in doubt; what they cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.gallery.conftest import FAST
from tests.gallery.test_files import data_of
from tests.support.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.chromium import Visitor

TEXT = """\
version: 1
campaign: tea
defaults: {{model: bytedance/v1-pro-fast-image-to-video, input: {{image_url: "https://example.com/a.webp"}}}}
jobs:
  {job}:
    tags: [hero]
    matrix: {{duration: [5, 10]}}
    input: {{prompt: "{prompt}"}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Bench:
    """A project of its own, in which two clips were rehearsed."""
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    write(bench)
    assert bench.do("run", "tea.yaml", *FAST).code == 0
    return bench


def write(bench: Bench, job: str = "pour", prompt: str = "Tea") -> None:
    (bench.folder / "tea.yaml").write_text(TEXT.format(job=job, prompt=prompt))


def jobs(bench: Bench, *words: str) -> dict[str, dict[str, Any]]:
    """The page's, by address."""
    made = bench.do("gallery", "tea.yaml", "--sandbox", "-o", "page", *words)
    assert made.code == 0, made.err
    return {job["address"]: job for job in data_of(bench.folder / "page/index.html")["jobs"]}


def test_an_edited_prompt_is_bought_again_and_its_old_pick_is_stale(own: Bench, visitor: Visitor) -> None:
    assert own.do("pick", "tea/pour[duration=5]", "--sandbox").code == 0
    write(own, prompt="Green tea")
    found = jobs(own)["tea/pour[duration=5]"]
    assert (found["sign"], found["cost"], found["state"], found["files"]) == ("±", "16", None, [])
    assert found["pick"]["stale"]
    assert own.do("run", "tea.yaml", *FAST).code == 0
    found = jobs(own)["tea/pour[duration=5]"]
    assert (found["state"], found["pick"]["verdict"], found["pick"]["stale"]) == ("succeeded", "pick", True)
    page = visitor.open((own.folder / "page/index.html").as_uri())
    assert page.locator(".mark.stale").inner_text() == "stale"
    page.select_option("#filter-pick", "undecided")
    assert page.locator("[data-address]").count() == 2
    page.keyboard.press("p")
    assert page.locator(".mark.stale").count() == 0


def test_what_is_renamed_brings_its_clip_and_its_pick_along(own: Bench) -> None:
    assert own.do("pick", "tea/pour[duration=5]", "--sandbox").code == 0
    write(own, job="steep")
    found = jobs(own)
    assert {(job["sign"], bool(job["files"][0]["src"])) for job in found.values()} == {(">", True)}
    assert found["tea/steep[duration=5]"]["pick"]["verdict"] == "pick"


def test_what_nobody_wants_any_more_is_shown_with_the_axes_of_its_address(
    own: Bench, visitor: Visitor
) -> None:
    (own.folder / "tea.yaml").write_text(TEXT.format(job="steep", prompt="Other").replace("[5, 10]", "[5]"))
    found = jobs(own)["tea/pour[duration=10]"]
    assert (found["sign"], found["axes"], found["job"]) == ("-", {"duration": "10"}, "pour")
    assert found["files"][0]["src"]
    page = visitor.open((own.folder / "page/index.html").as_uri())
    marked = page.locator('[data-address="tea/pour[duration=10]"] .mark.orphan')
    assert marked.inner_text() == "no longer wanted"


def test_costs_add_up_to_the_ledger(own: Bench) -> None:
    write(own, prompt="Green tea")
    jobs(own)
    costs = data_of(own.folder / "page/index.html")["costs"]
    for kind, name in (
        ("job", "tea/pour"),
        ("tag", "hero"),
        ("model", "bytedance/v1-pro-fast-image-to-video"),
    ):
        (row,) = costs[kind]
        assert row == {"name": name, "charged": "52", "held": "0", "to_buy": "52"}
    told = own.do("costs", "tea.yaml", "--sandbox", "--format", "json").json
    assert Decimal(told["total"]["charged"]) == 52


def test_a_failure_and_a_doubt_say_why(own: Bench, visitor: Visitor) -> None:
    write(own, prompt="Refused")
    faults = """\
rules:
  - {on: create, when: {nth: 1}, do: {lose_reply: after_accept}}
  - {on: create, when: {nth: 2}, do: {task: fail, fail_msg: "too <b>little</b> tea"}}
"""
    (own.folder / "faults.yaml").write_text(faults)
    own.do("run", "tea.yaml", *FAST, "--faults", "faults.yaml")
    assert sorted(job["state"] for job in jobs(own).values()) == ["failed", "in_doubt"]
    page = visitor.open((own.folder / "page/index.html").as_uri())
    texts = page.locator(".tile").all_inner_texts()
    assert [text for text in texts if "! too <b>little</b> tea" in text]
    assert [text for text in texts if "? the connection broke" in text]
