"""The house as a drawing, made of the folders and of the contracts that hold them.

In: the layers in pyproject.toml's import-linter contracts, the folders of kiejobs/ and what their `__init__` says
they are. Out: an SVG. Touches nothing else.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.docs.drawing import LINE, WIDTH, rect, svg, text, wrapped

ROOT = Path(__file__).resolve().parents[2]

_EDGE = 8
_GAP = 8
_COLOURED = {"core", "adapters", "runner", "ports"}


@dataclass(frozen=True)
class Box:
    """One folder or module: its name, what it is, and the rooms in it."""

    name: str
    what: str
    rooms: tuple[str, ...]


def drawing() -> str:
    """The complete SVG."""
    parts, y = [], _EDGE
    for floor in layers("kiejobs"):
        if floor == ("core",):
            y = _core(parts, y)
        elif floor != ("__main__",):
            y = _floor(parts, [box(name) for name in floor], _EDGE, WIDTH - 2 * _EDGE, y) + _GAP
    parts.append(text(_EDGE, y + 14, "Imports go downward only.", "note"))
    return svg("The layers of kiejobs, the highest first", y + 26, parts)


def layers(container: str) -> list[tuple[str, ...]]:
    """The floors of a package, the highest first, as import-linter holds them."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(settings)["tool"]["importlinter"]["contracts"]
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
    opening = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(opening.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def _core(parts: list[str], y: int) -> int:
    """The core is a house in the house: its floors are in its box."""
    inside: list[str] = []
    top = y + 30
    for floor in layers("kiejobs.core"):
        boxes = [box(name, "kiejobs/core") for name in floor]
        top = _floor(inside, boxes, 2 * _EDGE, WIDTH - 4 * _EDGE, top) + _GAP
    parts.append(rect(_EDGE, y, WIDTH - 2 * _EDGE, top - y, "core"))
    parts.append(text(_EDGE + 10, y + 20, "core", "name"))
    parts.append(text(_EDGE + 50, y + 20, box("core").what, "note"))
    parts.extend(inside)
    return top + _GAP


def _floor(parts: list[str], boxes: list[Box], x: int, width: int, y: int) -> int:
    """Boxes side by side; the y of their lower edge."""
    each = (width - _GAP * (len(boxes) - 1)) // len(boxes)
    lines = [_lines(one, each - 20) for one in boxes]
    height = 12 + LINE * max(map(len, lines))
    for number, (one, words) in enumerate(zip(boxes, lines, strict=True)):
        left = x + number * (each + _GAP)
        parts.append(rect(left, y, each, height, one.name if one.name in _COLOURED else "plain"))
        for row, (line, kind) in enumerate(words):
            parts.append(text(left + 10, y + 20 + LINE * row, line, kind))
    return y + height


def _lines(one: Box, width: int) -> list[tuple[str, str]]:
    """The name; what it is, and its rooms, broken to the width."""
    found = [(one.name, "name")]
    found += [(line, "") for line in wrapped(one.what.replace("`", ""), width)]
    return found + [(line, "note") for line in wrapped(" · ".join(one.rooms), width)]
