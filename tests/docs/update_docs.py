"""Refreshes what the pages show their commands to print, where it is not what they print now.

    python tests/docs/update_docs.py [PAGE...]

In: the pages (all, where none is named). Out: the same pages. Touches them, and temporary folders.
Read the difference before you commit it: this tool believes the program, and you should not. Lines
that were left out by `...` come back, since only a person knows what may be left out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.docs.pages import Page, pages
from tests.docs.sessions import Session


def main(names: list[str]) -> None:
    for page in pages():
        if not names or page.name in names:
            text = refreshed(page)
            if text != page.text:
                page.path.write_text(text, encoding="utf-8")
                sys.stdout.write(f"wrote {page.name}\n")


def refreshed(page: Page) -> str:
    """The page with the output of each command whose own no longer fits."""
    lines = page.text.splitlines()
    with tempfile.TemporaryDirectory() as folder:
        told = list(Session(Path(folder), page).follow())
    for tell in reversed(told):
        if not tell.fits:
            start = tell.command.line
            lines[start : start + len(tell.command.shown)] = tell.lines
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main(sys.argv[1:])
