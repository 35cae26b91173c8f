"""From a job file to a gallery, as a drawing: the steps, the rooms that do them, what each puts on record.

In: the kinds of events, the folders of kiejobs/. Out: an SVG. Touches nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

from kiejobs.core.ledger.events import Event
from tests.docs.drawing import LINE, WIDTH, arrow, rect, svg, text, wrapped
from tests.docs.pages import ROOT


@dataclass(frozen=True)
class Step:
    """`rooms` are folders or modules of kiejobs/, `events` what is written to the journal, `kind` its colour."""

    name: str
    what: str
    rooms: tuple[str, ...]
    events: tuple[str, ...] = ()
    kind: str = "core"


STEPS = (
    Step(
        "job file", "YAML, with tables, prompts and pictures next to it", ("core/document", "core/jobfile.py")
    ),
    Step(
        "expand",
        "Each combination of a matrix becomes one job: rendered, checked, priced",
        ("core/matrix", "core/template", "core/models", "core/prices", "core/expand"),
    ),
    Step(
        "plan",
        "Jobs meet the ledger: one line for each address, with its reason and its cost",
        ("core/ledger", "core/plan"),
        ("run_started", "approved", "planned", "adopted"),
    ),
    Step(
        "reserve",
        "The intention is on disk before the request leaves; local files are uploaded first",
        ("runner", "adapters/ledger"),
        ("uploaded", "reserved"),
        "runner",
    ),
    Step(
        "submit",
        "One request, never repeated where it may have been taken. Only here money leaves",
        ("runner", "adapters/kie"),
        ("submitted", "not_accepted", "rejected", "in_doubt", "unused_answer", "resolved"),
        "runner",
    ),
    Step(
        "follow",
        "Ask until the task ends; a callback only wakes the next question",
        ("runner", "adapters/kie"),
        ("called", "running", "priced", "succeeded", "failed", "conflicted"),
        "runner",
    ),
    Step(
        "collect",
        "Download into .part, verify, give it its name",
        ("runner", "adapters/storage"),
        ("collected", "still_missing", "gone"),
        "runner",
    ),
    Step(
        "manifest, report, gallery",
        "What is on record, for people and for programs; made from the journals, at any time",
        ("reports",),
        ("run_finished",),
        "adapters",
    ),
)
VERBS = {"validate": (0, 1), "plan": (0, 2), "run": (0, 7), "collect": (5, 7)}
"""The first and the last step of a command."""

_BAR, _LEFT, _WIDE, _EVENTS, _GAP = 24, 132, 366, 520, 20
_LABEL = "From a job file to a gallery: " + ", ".join(step.name for step in STEPS)


def drawing() -> str:
    """ValueError where a kind of event has no step, or a room is gone."""
    _check()
    parts = [text(16, 20, "command", "note"), text(_LEFT, 20, "what happens", "note")]
    parts.append(text(_EVENTS, 20, "events in the journal", "note"))
    edges, y = [], 32
    for step in STEPS:
        height = _height(step)
        parts += _row(step, y, height)
        edges.append((y, y + height))
        y += height + _GAP
    for (_, bottom), (top, _) in pairwise(edges):
        parts.append(arrow((_LEFT + _WIDE // 2, bottom), (_LEFT + _WIDE // 2, top)))
    for number, (verb, (first, last)) in enumerate(VERBS.items()):
        parts += _bar(verb, 8 + number * (_BAR + 4), edges[first][0], edges[last][1])
    return svg(_LABEL, y - _GAP + 12, parts)


def _check() -> None:
    kinds = sorted(kind.type for kind in get_args(Event))
    if kinds != sorted(event for step in STEPS for event in step.events):
        raise ValueError(f"each of these belongs to one step: {kinds}")
    gone = [room for step in STEPS for room in step.rooms if not (ROOT / "kiejobs" / room).exists()]
    if gone:
        raise ValueError(f"no longer there: {gone}")


def _height(step: Step) -> int:
    return 14 + LINE * max(len(_words(step)), len(_events(step)))


def _words(step: Step) -> list[tuple[str, str]]:
    """What is in its box, by line."""
    rooms = " · ".join(room.removesuffix(".py") for room in step.rooms)
    what = [(line, "") for line in wrapped(step.what, _WIDE - 20)]
    return [(step.name, "name"), *what, *((line, "note") for line in wrapped(rooms, _WIDE - 20))]


def _events(step: Step) -> list[str]:
    return wrapped(" · ".join(step.events), WIDTH - _EVENTS - 30)


def _row(step: Step, y: int, height: int) -> list[str]:
    parts = [rect(_LEFT, y, _WIDE, height, step.kind)]
    parts += [
        text(_LEFT + 10, y + 20 + LINE * row, line, kind) for row, (line, kind) in enumerate(_words(step))
    ]
    parts += [text(_EVENTS, y + 20 + LINE * row, line, "code") for row, line in enumerate(_events(step))]
    return parts


def _bar(verb: str, x: int, top: int, bottom: int) -> list[str]:
    """Its name is written along it."""
    middle = x + _BAR // 2 + 4
    turned = f'<g transform="rotate(-90 {middle} {top + 12})">{text(middle, top + 12, verb, "name end")}</g>'
    return [rect(x, top, _BAR, bottom - top, "quiet"), turned]
