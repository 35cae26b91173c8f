"""The house as a drawing: docs/explanation/house.svg, made of the folders and of the contracts that hold them.

    python tests/docs/house.py

In: the layers in pyproject.toml's import-linter contracts, the folders of kiejobs/ and what their `__init__` says
they are. Out: an SVG, which main() writes and a test compares with what is committed. Touches that file.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DRAWING = ROOT / "docs" / "explanation" / "house.svg"

WIDTH = 960
_EDGE = 16
_GAP = 8
_LINE = 18
_LETTER = 6.6  # pixels of one letter, about
_FILLS = {"core": "#eef6ee", "adapters": "#eef2fb", "runner": "#fdf3e3", "ports": "#f4f4f4"}


@dataclass(frozen=True)
class Box:
    """One folder or module: its name, what it is, and the rooms in it."""

    name: str
    what: str
    rooms: tuple[str, ...]


def drawing() -> str:
    """The whole SVG."""
    parts, y = [], _EDGE
    for floor in layers("kiejobs"):
        if floor == ("core",):
            y = _core(parts, y)
        elif floor != ("__main__",):
            y = _floor(parts, [box(name) for name in floor], _EDGE, WIDTH - 2 * _EDGE, y) + _GAP
    parts.append(_text(_EDGE, y + 14, "Imports go downward only.", "note"))
    style = (
        "<style>text{font:12px system-ui,sans-serif;fill:#222}.name{font-weight:600;font-size:13px}"
        ".note{fill:#666}rect{stroke:#9aa5b1}</style>"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 30}" role="img" '
    head += 'aria-label="The layers of kiejobs, the highest first">'
    ground = f'<rect width="{WIDTH}" height="{y + 30}" fill="#fff" stroke="none"/>'
    return "\n".join([head, style, ground, *parts, "</svg>", ""])


def layers(container: str) -> list[tuple[str, ...]]:
    """The floors of a package, the highest first, as import-linter holds them."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    found = next(c for c in contracts if c["type"] == "layers" and c["containers"] == [container])
    return [tuple(name.strip() for name in layer.split("|")) for layer in found["layers"]]


def box(name: str, parent: str = "kiejobs") -> Box:
    folder = ROOT / parent / name
    if not folder.is_dir():
        return Box(name, _sentence(folder.with_suffix(".py")), ())
    rooms = sorted(path.name for path in folder.iterdir() if (path / "__init__.py").is_file())
    return Box(name, _sentence(folder / "__init__.py"), tuple(rooms))


def _sentence(module: Path) -> str:
    """The first sentence that a module says of itself."""
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def _core(parts: list[str], y: int) -> int:
    """The core is a house in the house: its floors stand in its box."""
    inside: list[str] = []
    top = y + 30
    for floor in layers("kiejobs.core"):
        boxes = [box(name, "kiejobs/core") for name in floor]
        top = _floor(inside, boxes, 2 * _EDGE, WIDTH - 4 * _EDGE, top, "#fff") + _GAP
    parts.append(_rect(_EDGE, y, WIDTH - 2 * _EDGE, top - y, _FILLS["core"]))
    parts.append(_text(_EDGE + 10, y + 20, "core", "name"))
    parts.append(_text(_EDGE + 50, y + 20, box("core").what, "note"))
    parts.extend(inside)
    return top + _GAP


def _floor(parts: list[str], boxes: list[Box], x: int, width: int, y: int, fill: str | None = None) -> int:
    """Boxes side by side; the y of their lower edge."""
    each = (width - _GAP * (len(boxes) - 1)) // len(boxes)
    lines = [_lines(one, each - 20) for one in boxes]
    height = 12 + _LINE * max(map(len, lines))
    for number, (one, words) in enumerate(zip(boxes, lines, strict=True)):
        left = x + number * (each + _GAP)
        parts.append(_rect(left, y, each, height, fill or _FILLS.get(one.name, "#fff")))
        for row, (text, kind) in enumerate(words):
            parts.append(_text(left + 10, y + 20 + _LINE * row, text, kind))
    return y + height


def _lines(one: Box, width: int) -> list[tuple[str, str]]:
    """The name; what it is, and its rooms, broken to the width."""
    found = [(one.name, "name")]
    found += [(line, "") for line in _wrapped(one.what, width)]
    return found + [(line, "note") for line in _wrapped(" · ".join(one.rooms), width)]


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) * _LETTER > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return [line for line in lines if line]


def _rect(x: int, y: int, width: int, height: int, fill: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}"/>'


def _text(x: int, y: int, text: str, kind: str) -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{named}>{escape(text)}</text>'


def main() -> None:
    DRAWING.write_text(drawing(), encoding="utf-8")
    sys.stdout.write(f"wrote {DRAWING.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
