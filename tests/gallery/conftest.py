"""A campaign rehearsed once, a copy of it for each module, and a browser that visits its gallery."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.support.bench import Bench
from tests.support.chromium import CHROMIUM, Visitor, launched
from tests.support.pictures import picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

JOB_FILE = """\
version: 1
campaign: tea
defaults:
  model: bytedance/v1-pro-fast-image-to-video
  takes: 2
  matrix:
    resolution: [720p, 1080p]
    duration: [5, 10]
jobs:
  pour:
    tags: [hero]
    input:
      image_url: cup.png
      prompt: A cup; the camera {% if matrix.duration == 10 %}circles it{% else %}holds still{% endif %}.
  steam:
    input: {image_url: https://example.com/steam.webp, prompt: "Steam, {{ matrix.resolution }}."}
"""
FAST = ("--sandbox", "--speed", "400")


@pytest.fixture(scope="session")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 jobs, all of them rehearsed, and their gallery: to be copied, since it takes seconds to draw their cards.

    Where several processes share the tests, the first who needs it makes it for all of them.
    """
    room = tmp_path_factory.getbasetemp()
    room = room.parent if "PYTEST_XDIST_WORKER" in os.environ else room
    folder = room / "tea"
    with FileLock(room / "tea.lock"):
        if not folder.exists():
            rehearse(room / "tea.part")
            (room / "tea.part").rename(folder)
    return folder


def rehearse(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of one that failed
    folder.mkdir()
    (folder / "tea.yaml").write_text(JOB_FILE)
    (folder / "cup.png").write_bytes(picture("png", (640, 360)))
    made = Bench(folder, "http://127.0.0.1:9")
    assert made.do("run", "tea.yaml", *FAST).code == 0
    assert (
        made.do("gallery", "tea.yaml", "--sandbox").out == "rehearsal/gallery/index.html: 16 jobs, 16 clips\n"
    )


@pytest.fixture(scope="module")
def bench(rehearsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The campaign; the API is one that nobody answers at."""
    folder = tmp_path_factory.mktemp("bench") / "tea"
    shutil.copytree(rehearsed, folder)
    return Bench(folder, "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def gallery(bench: Bench) -> str:
    """The address of the page on disk."""
    return (bench.folder / "rehearsal/gallery/index.html").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of a module, not of the session: while it is open no test may run an event loop."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed here")
    with launched() as found:
        yield found


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """Nothing that it opened asked the network for anything, or had an error."""
    one = Visitor(browser)
    yield one
    one.close()
    assert one.left == []
    assert one.errors == []
