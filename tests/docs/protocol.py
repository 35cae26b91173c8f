"""How one job is bought and collected, as a drawing: who sends what to whom, and what a death in between leaves.

In: the names of the journal's events. Out: an SVG. Touches nothing.
"""

from __future__ import annotations

from kiejobs.core.ledger import events as e
from tests.docs.drawing import WIDTH, arrow, rect, svg, text

_LANES = {"kiejobs": 96, "journal (disk)": 350, "API": 640}
_RUN, _DISK, _API = _LANES
_STEP = 36

_MESSAGES = (
    (_RUN, _API, "connect, finish TLS"),
    (_RUN, _DISK, f"{e.Reserved.type} {{attempt id, request}}, fsync"),
    (_DISK, _RUN, "on disk"),
    (_RUN, _API, "POST createTask, the attempt id in callBackUrl"),
    (_API, _RUN, "taskId"),
    (_RUN, _DISK, f"{e.Submitted.type} {{attempt id, taskId}}, fsync"),
    (_DISK, _RUN, "on disk"),
    (_API, _RUN, "callback {taskId}: wakes a poll, proves nothing"),
    (_RUN, _API, "GET recordInfo, until it says success or fail"),
    (_API, _RUN, "state, result, what was sent"),
    (_RUN, _DISK, f"{e.Succeeded.type}, fsync"),
    (_RUN, _API, "fetch into .part, hash, fsync, rename"),
    (_RUN, _DISK, f"{e.Collected.type} {{path, sha256}}, fsync"),
)
_DEATHS = {
    1: ("A death up to here: nothing was sent, nothing is lost.", "good"),
    3: ("From here on: in doubt. It may be paid for.", "bad"),
    7: ("From here on: the id is on record, and nothing is lost.", "good"),
}
"""By the number of messages before it."""

_LABEL = (
    "The order of a purchase: connect; reserved is on disk; POST createTask; the answer's taskId is on disk as submitted; poll; "
    "succeeded is on disk; download; collected is on disk. A death between reserved and submitted leaves a doubt"
)


def drawing() -> str:
    parts, y = [], 52
    for number, message in enumerate(_MESSAGES):
        if number in _DEATHS:
            words, kind = _DEATHS[number]
            parts += [rect(16, y - 4, WIDTH - 32, 26, kind), text(WIDTH // 2, y + 13, words, "mid")]
            y += _STEP + 4
        parts.append(_message(*message, y + 12))
        y += _STEP
    lanes = [part for name, x in _LANES.items() for part in _lane(name, x, y)]
    return svg(_LABEL, y + 8, [*lanes, *parts])


def _lane(name: str, x: int, bottom: int) -> list[str]:
    line = f'<polyline class="arrow dashed" points="{x},36 {x},{bottom}"/>'
    return [line, rect(x - 62, 8, 124, 28, "quiet"), text(x, 27, name, "name mid")]


def _message(start: str, end: str, words: str, y: int) -> str:
    """Over the line of the journal where it passes it: on a ground of its own."""
    x, to_x = _LANES[start], _LANES[end]
    middle, half = (x + to_x) // 2, 3 * len(words) + 4
    ground = f'<rect class="ground" x="{middle - half}" y="{y - 19}" width="{2 * half}" height="16"/>'
    return "\n".join([arrow((x, y), (to_x, y)), ground, text(middle, y - 6, words, "mid")])
