"""The latest benchmarks as a chart.

In: benchmarks/latest.json. Out: an SVG. Touches nothing else. Above: each ratio as a bar, the peer's time being the line
at 1. Below: how a plan grows, on logarithmic axes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tests.docs.drawing import svg, text
from tests.docs.reference.benchmarks import latest

if TYPE_CHECKING:
    from collections.abc import Callable

_LEFT, _RIGHT = 400, 690  # where the bars begin and end
_WIDEST = 2.0  # the ratio at the right end; a longer bar is cut there and says its number
_NUMBER = 45  # pixels of a ratio in figures
_ROW = 30
_PLOT = 220  # height of the lower half's axes
_OURS, _PEER, _GOAL = "#2f7d4f", "#9aa5b1", "#c2410c"


def drawing() -> str:
    """The complete SVG."""
    document = latest()
    parts: list[str] = []
    y = _bars(parts, document["measurements"], 16)
    y = _growth(parts, document["growth"]["plan"], y + 30)
    label = "Benchmarks: the processor time of kiejobs relative to its peers, and how a plan grows"
    return svg(label, y, parts)


def _bars(parts: list[str], measurements: dict[str, Any], y: int) -> int:
    """A bar for each ratio; a mark where its goal is. The y below them."""
    parts.append(text(16, y + 14, "Processor time of kiejobs; the peer's is 1", "name"))
    top = y + 30
    shown = [result for result in measurements.values() if _has_peer(result)]
    bottom = top + _ROW * len(shown)
    parts.append(_line(_at(1), top - 4, _at(1), bottom, _PEER))
    for row, result in enumerate(shown):
        _bar(parts, result, top + _ROW * row)
    ticks = (0, 0.5, 1, 1.5, 2)
    parts += [text(_at(ratio), bottom + 14, f"{ratio:g}", "note mid") for ratio in ticks]
    parts.append(_line(16, bottom + 26, 34, bottom + 26, _GOAL))
    parts.append(text(40, bottom + 30, "goal: no longer than this", "note"))
    return bottom + 34


def _has_peer(result: dict[str, Any]) -> bool:
    """Not where kiejobs is compared with itself."""
    return result["peer"] is not None and not result["peer"]["command"].startswith("kiejobs")


def _bar(parts: list[str], result: dict[str, Any], y: int) -> None:
    ratio, goal = result["ratio"]["median"], result["goal"]["ratio"]
    width = max(1, _at(min(ratio, _WIDEST)) - _LEFT)
    number = f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"
    parts.append(text(_LEFT - 10, y + 15, result["title"], "end"))
    parts.append(f'<rect x="{_LEFT}" y="{y + 3}" width="{width}" height="16" fill="{_OURS}"/>')
    end = _LEFT + width
    if goal:
        parts.append(_line(_at(goal), y, _at(goal), y + 22, _GOAL))
    for mark in (_at(1), _at(goal or 0)):
        end = mark if end < mark < end + _NUMBER else end
    parts.append(text(end + 6, y + 15, number, "name"))


def _at(ratio: float) -> int:
    return round(_LEFT + (_RIGHT - _LEFT) * ratio / _WIDEST)


def _growth(parts: list[str], plan: dict[str, Any], y: int) -> int:
    """Seconds over jobs, both logarithmic: a line that rises by one step for each step grows in proportion."""
    parts.append(text(16, y + 14, "Processor time of a plan, by its number of jobs", "name"))
    jobs = sorted(map(int, plan))
    lines = {
        name: [(number, used["cpu_s"]) for number in jobs if (used := plan[str(number)][side])]
        for name, side in (("plain_plan.py", "peer"), ("kiejobs plan", "ours"))
    }
    seconds = [value for points in lines.values() for _, value in points]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    across = _scale(jobs[0], jobs[-1], 60, 560)
    up = _scale(10**low, 10**high, y + 30 + _PLOT, y + 30)
    for power in range(low, high + 1):
        parts.append(_line(60, up(10**power), 560, up(10**power), "#80808040"))
        parts.append(text(54, up(10**power) + 4, f"{10**power:g} s", "note end"))
    below = y + 48 + _PLOT
    parts += [text(across(number), below, f"{number:,}", "note mid") for number in jobs]
    for (name, points), colour in zip(lines.items(), (_PEER, _OURS), strict=True):
        path = " ".join(f"{across(number)},{up(value)}" for number, value in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [_point(across(number), up(value), colour) for number, value in points]
        number, value = points[-1]
        shift, kind = (10, "") if number == jobs[-1] else (-8, "end")
        parts.append(text(across(number) + shift, up(value) - 6, f"{name}: {value:.1f} s", kind))
    return y + 64 + _PLOT


def _scale(low: float, high: float, start: int, end: int) -> Callable[[float], int]:
    """From a value to its place, by powers of ten."""
    per_unit = (end - start) / math.log10(high / low)
    return lambda value: round(start + per_unit * math.log10(value / low))


def _point(x: int, y: int, colour: str) -> str:
    return f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>'


def _line(x: int, y: int, to_x: int, to_y: int, colour: str) -> str:
    return f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{colour}" stroke-width="2"/>'
