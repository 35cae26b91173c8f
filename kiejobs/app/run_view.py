"""A run as its report is to show it, for `run`, `collect` and `report`.

In: a workspace, a run's manifest, the ledger, how the run ended. Out: a `RunView`. Touches: the ledger's
home, by looking whether the run's document is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kiejobs.core.ledger import events as e
from kiejobs.reports.run.view import RunView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.fold import JournalRecord
    from kiejobs.core.ledger.ledger import Attempt, Ledger


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its exit code (None where it has no end on record) and why spending stopped.

    `notes` are what went wrong on the way home, by address; nobody remembers them after the run.
    """

    exit_code: int | None
    stopped: tuple[str, str] | None
    notes: Mapping[str, str] = field(default_factory=dict)


def attempts_of(run_id: str, ledger: Ledger) -> list[Attempt]:
    """What a run reserved itself."""
    return [attempt for attempt in ledger.attempts() if attempt.run_id == run_id]


def settled_by(record: JournalRecord, ledger: Ledger) -> list[Attempt]:
    """What a run reserved or saw the end of: a detached run's jobs end in a later `collect`."""
    ends = (timed.event for timed in record.events)
    seen = {event.attempt_id for event in ends if isinstance(event, e.Succeeded)}
    own = record.run_id
    return [a for a in ledger.attempts() if a.run_id == own or a.attempt_id in seen]


def view_of(
    space: Workspace,
    record: JournalRecord,
    ledger: Ledger,
    document: Mapping[str, Json],
    ending: Ending,
) -> RunView:
    run_id = document["run_id"]
    return RunView(
        document,
        notes=ending.notes,
        stopped=ending.stopped,
        exit_code=ending.exit_code,
        attempts=attempts_of(run_id, ledger),
        settled=settled_by(record, ledger),
        flag=space.flag,
        rehearsal=space.sandbox,
        outputs=space.outputs.as_posix(),
        record=space.store.document(run_id),
    )
