"""A result for the terminal, as it is measured.

In: what `turns` found. Out: text. Touches nothing.
"""

from __future__ import annotations

from typing import Any

_FIGURES = "  {cpu_s:>9.2f} s processor time  {wall_s:>9.2f} s wall  {memory_mb:>6} MB  {command}\n"


def lines(result: dict[str, Any]) -> str:
    """The title, a line for each of the two commands, and what comes of them."""
    parts = [f"{result['title']} (medians of {result['rounds']})\n"]
    parts.append(_FIGURES.format(**result["ours"]))
    if result["peer"]:
        parts.append(_FIGURES.format(**result["peer"]))
        parts.append(f"  {_ratio(result)}\n")
    if result["missing"]:
        parts.append(f"  not measured: {result['missing']}\n")
    return "".join([*parts, "\n"])


def _ratio(result: dict[str, Any]) -> str:
    ratio, goal = result["ratio"], result["goal"]
    spread = f"{ratio['least']:.3f} to {ratio['most']:.3f}"
    words = f"ratio of processor time {ratio['median']:.3f} ({spread})"
    words += f", of wall-clock time {result['wall_ratio']['median']:.3f}"
    if goal["ratio"]:
        words += f"; goal: at most {goal['ratio']:.3f}"
    if goal["memory_mb"]:
        words += f" and {goal['memory_mb']} MB"
    return words
