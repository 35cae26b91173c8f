"""Where a gallery has its clips: linked, copied, in the page; what is picked as a delivery; what is refused."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.app.gallery.page import LinkedFiles
from kiejobs.core.ledger.records import FileRecord
from kiejobs.reports.gallery.page import page_html
from tests.gallery.test_grid import FIRST, shown
from tests.support.chromium import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bench import Bench
    from tests.support.chromium import Visitor


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8").partition('id="data">')[2].partition("</script>")[0]
    found: dict[str, Any] = json.loads(text)
    return found


def sources(page: Path) -> list[str]:
    return [file["src"] for job in data_of(page)["jobs"] for file in job["files"]]


def test_clips_stay_where_they_are(bench: Bench) -> None:
    page = bench.folder / "rehearsal/gallery/index.html"
    assert not (page.parent / "clips").exists()
    for source in sources(page):
        assert source.startswith("../outputs/tea/")
        assert (page.parent / source).is_file()


def test_a_copy_needs_nothing_else(bench: Bench, visitor: Visitor) -> None:
    assert bench.do("gallery", "tea.yaml", "--sandbox", "--copy", "-o", "sent").code == 0
    away = bench.folder / "elsewhere"
    (bench.folder / "sent").rename(away)
    page = visitor.open((away / "index.html").as_uri())
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#screens video').currentTime > 0.1")
    for job in data_of(away / "index.html")["jobs"]:
        (file,) = job["files"]
        assert hashlib.sha256((away / file["src"]).read_bytes()).hexdigest() == file["sha256"]
        assert (away / file["src"]).stat().st_nlink == 1


def test_a_delivery_is_what_was_picked(bench: Bench, visitor: Visitor) -> None:
    assert bench.do("pick", FIRST, "--note", "warm", "--sandbox").code == 0
    told = bench.do("gallery", "tea.yaml", "--sandbox", "--picks", "--copy", "-o", "selects/")
    assert told.out == "selects/index.html: 1 job, 1 clip\n"
    (clip,) = (bench.folder / "selects/clips").rglob("*.mp4")
    assert clip.name == "duration=5,resolution=720p.mp4"
    page = visitor.open((bench.folder / "selects/index.html").as_uri())
    assert shown(page) == [FIRST]
    assert page.locator(".mark.pick").count() == 1
    assert bench.do("pick", FIRST, "--undo", "--sandbox").code == 0
    nothing = bench.do("gallery", "tea.yaml", "--sandbox", "--picks", "-o", "selects/")
    assert (nothing.code, "nothing was picked" in nothing.err) == (2, True)


def test_a_single_file_holds_everything(bench: Bench, visitor: Visitor, tmp_path: Path) -> None:
    few = ("--select", "job:pour", "--select", "axis:duration=5")
    assert bench.do("gallery", "tea.yaml", "--sandbox", *few, "--single-file", "-o", "all.html").code == 0
    alone = tmp_path / "all.html"
    (bench.folder / "all.html").rename(alone)
    assert all(source.startswith("data:video/mp4;base64,") for source in sources(alone))
    page = visitor.open(alone.as_uri())
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#screens video').currentTime > 0.1")
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    widths = page.locator("#panel .beside img").evaluate_all(
        "all => Promise.all(all.map((one) => one.decode().then(() => one.naturalWidth)))"
    )
    assert widths == [480, 480]


def test_a_clip_that_is_gone_or_changed_is_not_shown(bench: Bench, visitor: Visitor) -> None:
    first, second = sorted((bench.folder / "rehearsal/outputs/tea/steam").iterdir())[:2]
    kept = (first.read_bytes(), second.read_bytes())
    first.unlink()
    second.write_bytes(b"another")
    try:
        assert bench.do("gallery", "tea.yaml", "--sandbox", "-o", "less").code == 0
        found = sources(bench.folder / "less/index.html")
        assert found.count(None) == 2
        page = visitor.open((bench.folder / "less/index.html").as_uri())
        assert page.locator(".sign", has_text="to download").count() >= 1
    finally:
        first.write_bytes(kept[0])
        second.write_bytes(kept[1])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--single-file", "--copy"), "omit --copy"),
        (("--single-file", "--serve"), "omit --serve"),
        (("--single-file", "-o", "folder"), "a single file ends in .html"),
        (("--serve", "--port", "1", "--host", "192.0.2.1"), "can't listen on 192.0.2.1:1"),
    ],
)
def test_flags_that_do_not_go_together(bench: Bench, words: tuple[str, ...], says: str) -> None:
    refused = bench.do("gallery", "tea.yaml", "--sandbox", *words)
    assert refused.code == 2
    assert says in refused.err + refused.out


def test_a_folder_without_job_files_has_no_gallery(tmp_path: Path, bench: Bench) -> None:
    told = bench.do("-C", str(tmp_path), "gallery")
    assert told.code == 2
    assert not list(tmp_path.iterdir())


def test_a_path_on_record_that_leads_up_and_down_again_stays_below_the_copies(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"clip")
    shelf = LinkedFiles(tmp_path / "page", copies=True)
    for number, path in enumerate(
        ("../../evil.mp4", "a/../../../evil.mp4", "/evil.mp4", "a//b.mp4", "a/b.mp4")
    ):
        found = shelf.clip(
            FileRecord(path, f"../{number}", 4, "application/json", "https://example.com/a"), clip
        )
        assert found.src
        assert (tmp_path / "page" / found.src).resolve().is_relative_to(tmp_path / "page" / "clips")
    assert not list(tmp_path.glob("**/evil.mp4"))
    assert (tmp_path / "page/clips/a/b.mp4").read_bytes() == b"clip"


def test_without_posters_a_tile_shows_a_frame_of_its_clip(bench: Bench, visitor: Visitor) -> None:
    """As where the extra `media` is missing."""
    folder = bench.folder / "rehearsal/gallery"
    document = data_of(folder / "index.html")
    for job in document["jobs"]:
        for file in job["files"]:
            file["poster"] = None
    (folder / "plain.html").write_text(page_html(document), encoding="utf-8")
    page = visitor.open((folder / "plain.html").as_uri())
    until(page, "(document.querySelector('.mat video')?.readyState ?? 0) >= 2")
    assert page.evaluate("document.querySelector('.mat video').paused")
