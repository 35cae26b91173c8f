"""A real browser that is offline: whatever a page asks the network for is refused, kept, and fails its test.

In: pages on disk, or of a server of the test's own. Out: Playwright's pages. Touches: a Chromium, as Debian ships it.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

CHROMIUM = Path("/usr/bin/chromium")
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def launched() -> Iterator[Browser]:
    """Until the block ends; meanwhile no other event loop can run in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Opens pages, and notes what they ask for outside of `allowed` and what goes wrong in them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.left: list[str] = []
        self.errors: list[str] = []
        self.allowed = "file:"

    def open(
        self,
        url: str,
        *,
        ready: str = "body[data-ready]",
        width: int = 1280,
        height: int = 800,
        **settings: Any,
    ) -> Page:
        """A page in a context of its own, once it has what `ready` selects."""
        context = self._browser.new_context(viewport={"width": width, "height": height}, **settings)
        context.set_default_timeout(20_000)
        page = context.new_page()
        context.route("**/*", self._watch)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: line.type == "error" and self.errors.append(line.text))
        page.goto(url)
        page.wait_for_selector(ready)
        return page

    def _watch(self, route: Route) -> None:
        if route.request.url.startswith((self.allowed, "data:", "blob:")):
            route.continue_()
        else:
            self.left.append(route.request.url)
            route.abort()

    def close(self) -> None:
        for context in self._browser.contexts:
            context.close()


def until(page: Page, condition: str) -> None:
    """Wait until an expression holds. Playwright's own way to wait evaluates text, which the page's policy refuses."""
    page.evaluate(
        f"""() => new Promise((done, fail) => {{
          let frames = 0;
          const look = () => {{
            if ({condition}) done();
            else if (++frames > 1800) fail(new Error({condition!r}));
            else requestAnimationFrame(look);
          }};
          look();
        }})"""
    )
