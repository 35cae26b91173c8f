"""The states of one attempt at a job, as a drawing: which event leads where, and what the next plan does with it.

In: the fold of journals and the plan themselves, asked about short stories. Out: an SVG. Touches nothing.
Places are chosen here; names, arrows' ends and plans are what the program says.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Place
from kiejobs.core.expand.job import Job
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import plan
from tests.docs.drawing import arrow, rect, svg, text
from tests.support import histories as h

if TYPE_CHECKING:
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change

Story = tuple[e.Event, ...]

_RESERVED = (h.reserved("a"),)
_SUBMITTED = (*_RESERVED, h.submitted("a"))
_RUNNING = (*_SUBMITTED, e.Running("a", "generating"))
_SUCCEEDED = (*_RUNNING, h.succeeded("a"))
_IN_DOUBT = (*_RESERVED, e.InDoubt("a", h.BROKEN))

STEPS: tuple[tuple[Story, e.Event], ...] = (
    (_RESERVED, h.submitted("a")),
    (_RESERVED, e.InDoubt("a", h.BROKEN)),
    (_RESERVED, e.NotAccepted("a", h.BUSY)),
    (_RESERVED, e.Rejected("a", h.REFUSED)),
    (_IN_DOUBT, e.Resolved("a", "task", "task-a", "recordInfo")),
    (_IN_DOUBT, e.Resolved("a", "lost", None, "a person")),
    (_SUBMITTED, e.Running("a", "generating")),
    (_RUNNING, h.succeeded("a")),
    (_RUNNING, h.failed("a")),
    (_SUCCEEDED, h.collected("a")),
)
"""What had happened, and what happens next."""

_WIDE, _HIGH, _GAP = 122, 66, 78
_COLUMN = [8 + number * (_WIDE + _GAP) for number in range(4)]
_ROW = [34, 168, 302]
_PLACES = {
    "nothing made": (0, 0, "quiet"),
    "in_doubt": (1, 0, "bad"),
    "reserved": (0, 1, "paid"),
    "submitted": (1, 1, "calm"),
    "running": (2, 1, "calm"),
    "succeeded": (3, 1, "good"),
    "rejected": (0, 2, "bad"),
    "failed": (2, 2, "bad"),
    "collected": (3, 2, "good"),
}
_NOTES = (
    "An event that comes late, or twice, leads nowhere back: the furthest counts. Running may be left out.",
    "reserved, and its run is dead: in_doubt. Whatever is bought later for the same job is another attempt.",
)
_LABEL = (
    "The states of an attempt: reserved; from there submitted, in doubt, rejected or nothing was made; from in doubt, by a "
    "ruling, submitted or nothing was made; then running, and succeeded or failed; then collected"
)


def drawing() -> str:
    """KeyError for a state that has no place here."""
    nodes = {node(story): story for story in (_RESERVED, *((*before, event) for before, event in STEPS))}
    parts = [text(8, 20, "Arrows are events in the journal. In each box: what the next plan does.", "note")]
    parts += [_arrow(node(before), node((*before, event)), label(event)) for before, event in STEPS]
    parts += [_box(name, next_plan(ledger(story))) for name, story in nodes.items()]
    missing = {*map(str, State)} - {*nodes}
    if missing:
        raise KeyError(*missing)
    below = _ROW[-1] + _HIGH + 24
    parts += [text(8, below + 17 * row, note, "note") for row, note in enumerate(_NOTES)]
    return svg(_LABEL, below + 17 * len(_NOTES) + 2, parts)


def ledger(story: Story) -> Ledger:
    """Of a run that is at work."""
    return fold([h.journal(7, *story, live=True)])


def node(story: Story) -> str:
    """Where the story leaves the attempt: at a state, or past the last with its file."""
    (attempt,) = ledger(story).attempts()
    if attempt.state is None:
        return "nothing made"
    return "collected" if attempt.is_collected else str(attempt.state)


def label(event: e.Event) -> str:
    return f"{event.type}: {event.ruling}" if isinstance(event, e.Resolved) else event.type


def next_plan(known: Ledger) -> Change:
    """What a plan says of the same job, its files being there once they were collected."""
    job = Job(
        address="tea/pour", fingerprint="f1", take=1, campaign="tea", model=h.MODEL, input={}, credits=Decimal(16),
        output="x.mp4", callback_url=None, place=Place("f", 1, 1), name="pour", tags=(), axes=(),
    )  # fmt: skip
    (line,) = plan([job], known, lambda _attempt: None, campaign="tea").changes
    return line


def _box(name: str, line: Change) -> str:
    column, row, kind = _PLACES[name]
    x, y = _COLUMN[column], _ROW[row]
    words = [text(x + 10, y + 20, name, "name"), text(x + 10, y + 39, f"{line.sign}  {line.action}")]
    return "\n".join([rect(x, y, _WIDE, _HIGH, kind), *words, text(x + 10, y + 56, line.reason, "note")])


def _arrow(start: str, end: str, words: str) -> str:
    """From the side of a box that faces the other one."""
    (from_column, from_row, _), (to_column, to_row, _) = _PLACES[start], _PLACES[end]
    across, down = to_column - from_column, to_row - from_row
    points = [(_edge(from_column, from_row, across, down)), (_edge(to_column, to_row, -across, -down))]
    (x, y), (to_x, to_y) = points
    middle = ((x + to_x) // 2, (y + to_y) // 2)
    if not down:
        lines = words.replace(": ", ":\n").split("\n")
        near = [text(middle[0], middle[1] - 7 + 21 * row, one, "note mid") for row, one in enumerate(lines)]
    else:
        near = [text(middle[0] + 8, middle[1] + (14 if across else 4), words, "note")]
    return "\n".join([arrow(*points), *near])


def _edge(column: int, row: int, across: int, down: int) -> tuple[int, int]:
    """Where an arrow in that direction leaves a box: the middle of a side, or a corner."""
    x, y = _COLUMN[column], _ROW[row]
    return x + _WIDE * (1 + across) // 2, y + _HIGH * (1 + down) // 2
