"""The pages of the documentation, taken apart: blocks of code, links, headings.

In: Markdown files, from disk. Out: `Page`s. Touches nothing else.

What a block is for stands behind its three backticks:

    console            commands after `$ `, run in order in the page's own folder, and what they say
    yaml               a whole job file, which must be valid
    yaml fragment      a part of one: laid over a small job file, it must be valid
    yaml invalid CODE  a whole job file, which must be refused with this diagnostic
    yaml NAME          as `yaml`, and written into the page's folder under this name
    json, python       must parse; must run
    jinja NAME         a template, written into the page's folder
    csv NAME           a table, written into the page's folder
    sh setup           commands that set a machine up: not run here, but by `.ci/run`
    text               neither code nor output: grammars, what goes where

What stands between `<!-- generated: NAME -->` and `<!-- end -->` is written by
tests/docs/regenerate_docs.py and checked by comparing, not by running.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = {"console", "yaml", "json", "python", "jinja", "csv", "sh", "text", "xml"}

_FENCE = re.compile(r"```(\S*) *(.*)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"#{1,6} +(.*)")
_GENERATED = re.compile(r"<!-- generated: (\S+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block. `first` is the number of its first inner line, from 1."""

    language: str
    words: tuple[str, ...]
    lines: tuple[str, ...]
    first: int
    generated: bool

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def file(self) -> str | None:
        """The name that the block is to be written under."""
        return next((word for word in self.words if "." in word), None)


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        """All of them, in order."""
        return list(_blocks(self.text))

    @property
    def snippets(self) -> list[Block]:
        """The blocks that a person wrote, which are run or checked one by one."""
        return [block for block in self.blocks if not block.generated]

    @cached_property
    def prose(self) -> list[tuple[int, str]]:
        """The numbered lines outside of blocks."""
        inside = {
            number
            for block in self.blocks
            for number in range(block.first - 1, block.first + len(block.lines) + 1)
        }
        numbered = enumerate(self.text.splitlines(), start=1)
        return [(number, line) for number, line in numbered if number not in inside]

    @property
    def links(self) -> list[tuple[int, str]]:
        """Line and target of each link."""
        return [(number, target) for number, line in self.prose for target in _LINK.findall(line)]

    @cached_property
    def anchors(self) -> set[str]:
        """What `#…` may name in this page, as the usual renderers make it of headings."""
        headings = [found[1] for _, line in self.prose if (found := _HEADING.fullmatch(line))]
        return {_anchor(heading) for heading in headings}


def pages() -> list[Page]:
    """Everything on paper, the README first."""
    top = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [Page(path) for path in (*top, *sorted((ROOT / "docs").rglob("*.md")))]


def regions(text: str) -> list[str]:
    """The names of the generated regions of a page."""
    return [found[1] for found in _GENERATED.finditer(text)]


def with_regions(text: str, made: dict[str, str]) -> str:
    """The page's text with each generated region's content replaced. KeyError for an unknown name."""
    return _GENERATED.sub(
        lambda found: f"<!-- generated: {found[1]} -->\n\n{made[found[1]]}\n<!-- end -->\n", text
    )


def _blocks(text: str) -> list[Block]:
    found: list[Block] = []
    generated = False
    open_at, info, lines = 0, ("", ""), []
    for number, line in enumerate(text.splitlines(), start=1):
        if open_at:
            if line == "```":
                words = tuple(info[1].split())
                found.append(Block(info[0], words, tuple(lines), open_at, generated))
                open_at = 0
            else:
                lines.append(line)
        elif (fence := _FENCE.fullmatch(line)) is not None:
            open_at, info, lines = number + 1, (fence[1], fence[2]), []
        elif line.startswith("<!-- generated:"):
            generated = True
        elif line == "<!-- end -->":
            generated = False
    assert not open_at, f"the block at line {open_at} is never closed"
    return found


def _anchor(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    kept = "".join(char for char in plain.lower() if char.isalnum() or char in " -_")
    return kept.strip().replace(" ", "-")
