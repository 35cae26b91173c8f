"""Prompts, answers and names are strangers' text: it is shown as it is, and runs nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kiejobs.reports.gallery.page import page_html
from tests.gallery.conftest import FAST
from tests.support.bench import Bench
from tests.support.chromium import until

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.chromium import Visitor

HOSTILE = (
    '<img src=x onerror="window.ran=1">'
    "</script><script>window.ran=2</script>"
    "<!-- <script> \u2028window.ran=3\u2029 ${window.ran=4} "
    "<svg onload=window.ran=5> <a href=javascript:window.ran=6>x</a> \u202egnihton &lt;b&gt; ]]>"
)
NAMED = HOSTILE.replace("\u2028", "U+2028").replace("\u2029", "U+2029").replace("\u202e", "U+202E")
NAME = "a#b%20c d e'é茶&$.mp4"


@pytest.fixture
def hostile(tmp_path: Path, visitor: Visitor) -> tuple[Page, Bench]:
    """A rehearsed job whose prompt, file name and axis are of that kind."""
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    job = {
        "output": f"odd/{NAME}",
        "matrix": {"scene": [{"id": "<i>one</i>", "words": HOSTILE}]},
        "input": {"image_url": "https://example.com/a.webp", "prompt": "{{ matrix.scene.words }}"},
    }
    model = "bytedance/v1-pro-fast-image-to-video"
    document = {"version": 1, "campaign": "c", "defaults": {"model": model}, "jobs": {"j": job}}
    (tmp_path / "jobs.yaml").write_text(json.dumps(document))
    ran = bench.do("run", "jobs.yaml", *FAST)
    assert ran.code == 0, ran.err
    assert bench.do("gallery", "jobs.yaml", "--sandbox").code == 0
    return visitor.open((tmp_path / "rehearsal/gallery/index.html").as_uri()), bench


def test_a_hostile_prompt_is_text(hostile: tuple[Page, Bench]) -> None:
    page, _ = hostile
    page.keyboard.press("o")
    assert page.locator("#panel .prompt").evaluate("one => one.textContent") == NAMED
    assert page.locator("#panel .prompt .hidden-char").all_inner_texts() == ["U+2028", "U+2029", "U+202E"]
    assert not set("\u2028\u2029\u202e") & set(page.locator("body").inner_text())
    page.keyboard.press("n")
    page.locator("#note").fill(HOSTILE)
    page.keyboard.press("Control+Enter")
    assert HOSTILE.split(maxsplit=1)[0] in page.locator(".note-text").inner_text()
    page.keyboard.press("$")
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("b")
    page.keyboard.press("v")
    assert page.evaluate("window.ran") is None
    assert page.locator("#grid i, svg, #grid script, #panel b:text-is('b')").count() == 0


def test_a_clip_with_an_odd_name_plays(hostile: tuple[Page, Bench]) -> None:
    page, bench = hostile
    (clip,) = (bench.folder / "rehearsal/outputs/odd").iterdir()
    assert clip.name == NAME
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#screens video').currentTime > 0.1")


def test_the_policy_of_the_page_lets_nothing_else_run(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.evaluate(
        """() => {
          document.addEventListener("securitypolicyviolation", (event) => (window.refused = [...(window.refused ?? []), event.effectiveDirective]));
          const script = document.createElement("script");
          script.textContent = "window.ran = 1";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend", "<img src=x:y onerror='window.ran=2'><form action='https://example.com'></form>");
          fetch("https://example.com/").catch(() => {});
        }"""
    )
    until(page, "new Set(window.refused).size >= 3")
    assert page.evaluate("window.ran") is None
    assert {"script-src-elem", "script-src-attr", "connect-src"} <= set(page.evaluate("window.refused"))
    visitor.errors.clear()  # what the browser says of it
    visitor.left.clear()  # the policy is what refused it


def test_no_text_ends_the_data_of_a_page() -> None:
    document = {"campaigns": ["</title><script>"], "jobs": [{"x": f"{HOSTILE}{{{{script}}}}\ud800"}]}
    made = page_html(document)
    made.encode("utf-8")
    assert "<script>window.ran" not in made
    assert "\u2028" not in made
    data = made.partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(data) == {**document, "live": False}


def test_addresses_that_are_no_web_addresses_are_no_links(tmp_path: Path, visitor: Visitor) -> None:
    job = {
        "address": "c/j", "base": "c/j", "campaign": "c", "job": "j", "take": 1, "axes": {}, "tags": [], "model": "m",
        "fingerprint": "0", "action": "submit", "sign": "+", "reason": "new", "detail": None, "cost": "1", "price": "1",
        "input": {"image_url": "javascript:window.ran=1", "other": "https://example.com/a?b=c"}, "paths": {}, "pictures": [],
        "state": None, "task_id": None, "planned": None, "charged": None, "run_id": None, "error": None, "gone": None,
        "times": {}, "files": [], "pick": None, "checks": [],
    }  # fmt: skip
    document = {
        "kiejobs_gallery": 1,
        "campaigns": ["c"],
        "made": "",
        "rehearsal": False,
        "usd_per_credit": None,
        "jobs": [job],
        "costs": {},
    }
    (tmp_path / "index.html").write_text(page_html(document), encoding="utf-8")
    page = visitor.open((tmp_path / "index.html").as_uri())
    page.keyboard.press("o")
    links = page.locator("#panel a").evaluate_all("all => all.map((one) => one.href)")
    assert links == ["https://example.com/a?b=c"]
