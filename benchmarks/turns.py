"""Two commands in turn, A B A B …, after a warm-up: medians, and the ratio of each round.

In: a measurement. Out: its result, as the JSON that is kept. Touches: what its commands touch.

A shared machine is faster in one minute than in the next. What runs in turn meets the same machine, so the ratio of
each round means more than two medians that were taken apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.process import Command, Used, measure

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Measurement:
    """A command of ours and its peer; `less` is measured too and subtracted from ours.

    `most` is the goal: the highest ratio of processor time, ours to the peer's; `most_memory` that of ours in MB.
    `missing` says why there is no peer.
    """

    title: str
    ours: Command
    peer: Command | None = None
    less: Command | None = None
    most: float | None = None
    most_memory: int | None = None
    missing: str | None = None


def in_turn(what: Measurement, rounds: int, *, warm_up: bool = True) -> dict[str, Any]:
    """All rounds of one measurement."""
    if warm_up:
        _round(what)
    used = [_round(what) for _ in range(rounds)]
    ours = [each[0] for each in used]
    peer = [each[1] for each in used if each[1] is not None]
    return {
        "title": what.title,
        "rounds": rounds,
        "ours": _medians(_words(what), ours),
        "peer": _medians(what.peer.shown, peer) if what.peer else None,
        "ratio": _ratio(ours, peer, lambda each: each.cpu_s) if peer else None,
        "wall_ratio": _ratio(ours, peer, lambda each: each.wall_s) if peer else None,
        "goal": {"ratio": what.most, "memory_mb": what.most_memory},
        "missing": what.missing,
    }


def _round(what: Measurement) -> tuple[Used, Used | None]:
    ours = measure(what.ours)
    if what.less is not None:
        less = measure(what.less)
        ours = Used(ours.cpu_s - less.cpu_s, ours.wall_s - less.wall_s, ours.memory_mb)
    return ours, measure(what.peer) if what.peer else None


def _words(what: Measurement) -> str:
    return what.ours.shown if what.less is None else f"{what.ours.shown}, less {what.less.shown}"


def _medians(shown: str, used: list[Used]) -> dict[str, Any]:
    return {
        "command": shown,
        "cpu_s": round(median(each.cpu_s for each in used), 3),
        "wall_s": round(median(each.wall_s for each in used), 3),
        "memory_mb": round(median(each.memory_mb for each in used)),
    }


def _ratio(ours: list[Used], peer: list[Used], of: Callable[[Used], float]) -> dict[str, float]:
    """The median of the rounds' ratios, and the lowest and highest of them."""
    ratios = sorted(of(a) / of(b) for a, b in zip(ours, peer, strict=True))
    return {
        "median": round(median(ratios), 3),
        "least": round(ratios[0], 3),
        "most": round(ratios[-1], 3),
    }
