"""Served: a run is seen as it goes, picks are written, and only who has the address sees anything."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.gallery.conftest import FAST, JOB_FILE
from tests.gallery.test_culling import verdicts
from tests.gallery.test_grid import FIRST, figures
from tests.support.bench import Bench
from tests.support.chromium import until
from tests.support.pictures import picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.chromium import Visitor


OF_A_TABLE = """\
version: 1
campaign: tea
jobs:
  pour:
    model: bytedance/v1-pro-fast-image-to-video
    matrix: {scene: {from: scenes.csv, key: id}}
    checks: {length: {seconds: 8}}
    input: {image_url: cup.png, prompt: "Scene {{ matrix.scene.id }}."}
"""


@contextmanager
def served(bench: Bench) -> Iterator[str]:
    """Its address; Ctrl-C ends it with exit code 0."""
    process = bench.start("gallery", "tea.yaml", "--sandbox", "--serve", PYTHONUNBUFFERED="1")
    try:
        assert process.stdout
        yield process.stdout.readline().removeprefix("gallery at ").strip()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def fresh(tmp_path: Path) -> Bench:
    """Nothing is bought yet."""
    (tmp_path / "tea.yaml").write_text(JOB_FILE)
    (tmp_path / "cup.png").write_bytes(picture("png", (64, 36)))
    return Bench(tmp_path, "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def host_served(bench: Bench) -> Iterator[str]:
    """Of the rehearsed campaign, for requests that change nothing."""
    with served(bench) as url:
        yield url


def test_a_run_is_seen_as_it_goes(fresh: Bench, visitor: Visitor) -> None:
    with served(fresh) as url:
        visitor.allowed = url
        page = visitor.open(url)
        assert figures(page).startswith("16 jobs · 16 to buy for 640 cr")
        assert fresh.do("run", "tea.yaml", *FAST, "--select", "pour").code == 0
        until(page, "document.getElementById('figures').textContent.includes('320 cr ($1.60) charged')")
        until(page, "document.querySelectorAll('.tile img[src^=files]').length > 0")
        page.keyboard.press("Enter")
        until(page, "document.querySelector('#screens video').currentTime > 0.1")
        page.keyboard.press("Home")
        page.locator("#seek").fill("500")
        until(page, "Math.abs(document.querySelector('#screens video').currentTime - 2.5) < 0.1")
        page.close()


def test_what_is_picked_on_the_page_is_in_the_file_at_once(bench: Bench, visitor: Visitor) -> None:
    with served(bench) as url:
        visitor.allowed = url
        page = visitor.open(url)
        with page.expect_response("**/picks") as answer:
            page.keyboard.press("p")
        assert answer.value.status == 200
        by_page = verdicts(bench)
        assert [line.partition(":")[0].strip() for line in by_page[2:]] == [FIRST]
        (bench.folder / "rehearsal/picks.yaml").unlink()
        assert bench.do("pick", FIRST, "--sandbox").code == 0
        assert verdicts(bench) == by_page
        assert bench.do("pick", FIRST, "--reject", "--note", "from elsewhere", "--sandbox").code == 0
        until(page, "document.querySelector('.tile.reject .mark.note') !== null")
        with page.expect_response("**/picks"):
            page.keyboard.press("Home")
            page.keyboard.press("x")  # takes it back
        assert "verdict: none" in verdicts(bench)[2]
        page.close()


def test_undo_brings_back_what_was_decided_before(bench: Bench, visitor: Visitor) -> None:
    assert bench.do("pick", FIRST, "--note", "ok", "--sandbox").code == 0
    before = (bench.folder / "rehearsal/picks.yaml").read_text().partition(", when")[0]
    with served(bench) as url:
        visitor.allowed = url
        page = visitor.open(url)
        for key in ("x", "u"):
            with page.expect_response("**/picks") as answer:
                page.keyboard.press(key)
            assert answer.value.status == 200
        page.close()
    assert (bench.folder / "rehearsal/picks.yaml").read_text().partition(", when")[0] == before
    assert bench.do("pick", FIRST, "--undo", "--sandbox").code == 0


def test_checks_and_edits_of_another_terminal_are_seen(fresh: Bench, visitor: Visitor) -> None:
    (fresh.folder / "tea.yaml").write_text(OF_A_TABLE)
    (fresh.folder / "scenes.csv").write_text("id\none\n")
    with served(fresh) as url:
        visitor.allowed = url
        page = visitor.open(url)
        assert page.locator("#title .kind").all_inner_texts() == ["rehearsal", "storyboard", "live"]
        (fresh.folder / "scenes.csv").write_text("id\none\ntwo\n")
        until(page, "document.querySelectorAll('[data-address]').length === 2")
        assert fresh.do("run", "tea.yaml", *FAST, "--no-checks", "--select", "*one*").code == 0
        until(page, "!document.getElementById('title').textContent.includes('storyboard')")
        until(page, "document.getElementById('filter-state') !== null")
        assert fresh.do("check", "tea.yaml", "--sandbox").code == 1
        until(page, "document.querySelector('.mark.check-failed') !== null")
        page.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "evil.example:80"}, 421),
        ({"host": "192.0.2.1"}, 421),
        ({"host": ""}, 421),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:9"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "localhost:1", "origin": "http://localhost:1"}, 200),
    ],
)
def test_a_page_of_another_site_gets_nothing(host_served: str, headers: dict[str, str], status: int) -> None:
    assert httpx.get(host_served, headers=headers).status_code == status
    body = {"kiejobs_picks": 1, "campaign": "tea", "picks": []}
    assert httpx.post(f"{host_served}picks", json=body, headers=headers).status_code == status


def test_only_who_has_the_address_is_told_anything(bench: Bench) -> None:
    before = sorted(path.name for path in (bench.folder / "rehearsal").iterdir())
    with served(bench) as url, httpx.Client() as client:
        base = url.rstrip("/").rpartition("/")[0]
        for path in ("/", "/data.json", "/wrong/data.json", f"{url[len(base) :]}../data.json", "/files/x"):
            assert client.get(base + path).status_code == 404, path
        token = url.rstrip("/").rpartition("/")[2]
        assert len(token) == 32
        assert client.get(f"{url}files/..%2f..%2ftea.yaml").status_code == 404
        page = client.get(url)
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "connect-src 'self'" in page.text
        clip = json.loads(client.get(f"{url}data.json").text)["jobs"][0]["files"][0]["src"]
        found = client.get(url + clip, headers={"range": "bytes=4-7"})
        assert (found.status_code, found.content) == (206, b"ftyp")
        assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert sorted(path.name for path in (bench.folder / "rehearsal").iterdir()) == before


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 422),
        (b'{"kiejobs_picks": 1, "picks": [', "application/json", 422),
        (b'{"kiejobs_picks": 1}', "text/plain", 415),
        (b" " * 2_000_000, "application/json", 413),
    ],
)
def test_what_are_no_picks_is_refused(bench: Bench, body: bytes, kind: str, status: int) -> None:
    with served(bench) as url:
        answer = httpx.post(f"{url}picks", content=body, headers={"content-type": kind})
        assert answer.status_code == status
        assert answer.text


def test_a_pick_of_what_was_never_bought_is_refused(bench: Bench) -> None:
    pick = {
        "address": "tea/none",
        "take": 1,
        "fingerprint": "0" * 64,
        "verdict": "pick",
        "note": None,
        "when": None,
    }
    with served(bench) as url:
        answer = httpx.post(f"{url}picks", json={"kiejobs_picks": 1, "campaign": "tea", "picks": [pick]})
        assert answer.status_code == 422
        assert "nothing was bought as `tea/none`" in answer.text
