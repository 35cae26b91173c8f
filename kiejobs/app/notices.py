"""What else is going on around a run: other tasks at the API, other runs that have no end.

In: journals, an errand. Out: lines for people. Touches: the runs folder, by reading; the screen.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kiejobs.core.ledger import events as e
from kiejobs.core.plan.plan import Action
from kiejobs.reports.terminal import moment, sanitize

if TYPE_CHECKING:
    from kiejobs.app.execute import Execution
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.fold import JournalRecord
    from kiejobs.core.ledger.history import History
    from kiejobs.core.plan.plan import Change

_RECENT = timedelta(hours=1)


def tell_unfinished(history: History, space: Workspace, screen: Screen) -> None:
    """The lock is ours, so nobody else buys from this folder; but this may be a copy of another.

    What a run on the other copy buys from now on can't be known here: only git brings it together.
    """
    now = space.clock().now()
    for record in history.records:
        if _may_be_elsewhere(record, space.origin, now):
            screen.say(
                f"note: run {sanitize(record.run_id)} was last heard of at {moment(record.events[-1].at)} "
                "and has no end on record. Either it died, and this run goes on where it was; or it is "
                "at work on another copy of this folder: then press Ctrl-C and wait for its journal"
            )


def _may_be_elsewhere(record: JournalRecord, origin: str, now: datetime) -> bool:
    header = record.header
    if header is None or header.command != "run" or header.origin != origin:
        return False
    last = record.events[-1]
    if isinstance(last.event, e.RunFinished):
        return False
    return abs(now - datetime.fromisoformat(last.at)) < _RECENT


def tell_others(errand: Execution, space: Workspace, screen: Screen) -> None:
    """Tasks of the campaign that are paid for and at the API, but not this run's to follow."""
    ours = {line.attempt.attempt_id for line in errand.changes if line.attempt and _follows(line)}
    header = errand.journal.header
    others = [
        attempt
        for attempt in space.ledger().attempts()
        if attempt.is_open
        and attempt.address.startswith(f"{header.campaign}/")
        and attempt.run_id != header.run_id
        and attempt.attempt_id not in ours
    ]
    if others:
        screen.say(
            f"{len(others)} more at the API, bought before and replaced or no longer wanted; "
            f"bring them home with `kiejobs collect{space.flag}`"
        )


def _follows(line: Change) -> bool:
    return line.action in {Action.RESUME, Action.ADOPT}
