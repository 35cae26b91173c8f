"""What our drawings are made of: boxes, text, arrows, in colours that follow the reader's light or dark screen.

In: places and sizes in pixels, words. Out: parts of an SVG, and the SVG. Touches nothing.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 736  # of the site's text: a letter of a drawing is as large as one of a page
LINE = 17
_LETTER = 6.3  # pixels of one letter, about

_STYLE = """\
<style>
text{font:12px system-ui,sans-serif;fill:#1f2328}
.name{font-weight:600;font-size:13px}.note{fill:#59636e}.code{font:11.5px ui-monospace,monospace;fill:#59636e}
.mid{text-anchor:middle}.end{text-anchor:end}
.ground{fill:#fff}rect{stroke:#9aa5b1}rect.ground{stroke:none}rect.plain{fill:#fff}
rect.core,rect.good{fill:#e9f5ea}rect.adapters,rect.calm{fill:#eaf1fd}rect.runner,rect.paid{fill:#fdf1dd}
rect.ports,rect.quiet{fill:#f3f4f6}rect.bad{fill:#fdeaea}
.arrow{fill:none;stroke:#59636e;stroke-width:1.5}.dashed{stroke-dasharray:4 4}.head{fill:#59636e}
@media (prefers-color-scheme:dark){
text{fill:#e0e3e7}.note,.code{fill:#a3acb6}.ground{fill:#131416}rect{stroke:#59636e}rect.plain{fill:#1b1e22}
rect.core,rect.good{fill:#16291b}rect.adapters,rect.calm{fill:#162338}rect.runner,rect.paid{fill:#35280f}
rect.ports,rect.quiet{fill:#22262b}rect.bad{fill:#371a1c}.arrow{stroke:#a3acb6}.head{fill:#a3acb6}
}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">\
<path class="head" d="M0 0L8 4L0 8z"/></marker></defs>"""


def svg(label: str, height: int, parts: Iterable[str]) -> str:
    """All of a drawing. `label` is read aloud instead of it."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    opened = f'{head} role="img" aria-label="{escape(label)}">'
    ground = f'<rect class="ground" width="{WIDTH}" height="{height}"/>'
    return "\n".join([opened, _STYLE, ground, *parts, "</svg>", ""])


def rect(x: int, y: int, width: int, height: int, kind: str) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'


def text(x: int, y: int, words: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{named}>{escape(words)}</text>'


def arrow(*points: tuple[int, int], kind: str = "arrow") -> str:
    """A line through the points, with a head at the last."""
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline class="{kind}" points="{path}" marker-end="url(#head)"/>'


def wrapped(words: str, width: int) -> list[str]:
    """Broken to lines of that many pixels, about; a word that is longer by itself is broken after a mark."""
    lines = [""]
    for word in _pieces(words, width):
        joined = f"{lines[-1]}{word}"
        if len(joined.strip()) * _LETTER > width and lines[-1]:
            lines.append(word.lstrip())
        else:
            lines[-1] = joined
    return [line.strip() for line in lines if line.strip()]


def _pieces(words: str, width: int) -> list[str]:
    pieces = []
    for word in words.split():
        rest = f" {word}"
        while len(rest) * _LETTER > width:
            cut = max(1, int(width / _LETTER))
            cut = 1 + max((rest.rfind(mark, 0, cut) for mark in "/,[="), default=cut - 1) or cut
            pieces.append(rest[:cut])
            rest = rest[cut:]
        pieces.append(rest)
    return pieces
