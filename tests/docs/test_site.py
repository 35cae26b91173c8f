"""The site that Sphinx makes of the pages. One test, since tests are spread over processes and each would build it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.docs.pages import ROOT, pages
from tests.support.chromium import CHROMIUM, Visitor, launched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.docs.pages import Page

_ELSEWHERE = re.compile(
    r"""(?:src|srcset|data)="(?:https?:)?//|<link[^>]*href="(?:https?:)?//|url\(["']?(?:https?:)?//"""
)
"""What a browser would fetch by itself; a link to another site is followed by people only."""


def test_the_site_has_every_page_and_asks_nobody_and_can_be_searched(tmp_path: Path) -> None:
    site = built(tmp_path)
    sidebar = links(site / "README.html")
    assert [page.name for page in pages() if page.name.replace(".md", ".html") not in sidebar] == []
    assert [page.name for page in pages() for _ in lost(page, site)] == []
    files = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]
    assert [path.name for path in files if _ELSEWHERE.search(path.read_text(encoding="utf-8"))] == []
    assert (site / "index.html").read_bytes() == (site / "README.html").read_bytes()
    if CHROMIUM.exists():
        with served(site) as address, launched() as browser:
            search_on_a_phone(Visitor(browser), address)


def built(folder: Path) -> Path:
    """Built without a warning."""
    words = [sys.executable, "-P", "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs"]
    where = ["-d", str(folder / "doctrees"), ".", str(folder / "site")]
    done = subprocess.run([*words, *where], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "site"


def lost(page: Page, site: Path) -> Iterator[str]:
    """What a page has on GitHub and not here: anchors, and blocks of code to the letter."""
    made = (site / page.name.replace(".md", ".html")).read_text(encoding="utf-8")
    ids = {*re.findall(r'\bid="([^"]+)"', made)}
    yield from page.anchors - ids
    words = unescape(re.sub(r"<[^>]+>", "", made))
    yield from (block.text for block in page.blocks if block.text.strip("\n") not in words)


def links(page: Path) -> set[str]:
    """`README.html` calls itself `#`."""
    found = re.findall(r'<a class="[^"]*reference internal" href="([^"]+)"', page.read_text(encoding="utf-8"))
    return {page.name, *found}


def search_on_a_phone(visitor: Visitor, address: str) -> None:
    visitor.allowed = address
    page = visitor.open(
        f"{address}/search.html?q=fingerprint", ready="#search-results li p", width=360, height=740
    )
    page.click('#search-results a[href*="explanation/identity.html"]')
    page.wait_for_selector("h1:has-text('Identity')")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert (visitor.left, visitor.errors) == ([], [])


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
