"""A run as its report is to show it, for `run`, `collect` and `report`.

In: a workspace, a run's manifest, the ledger, how the run ended. Out: a `RunView`. Touches: disk, by
looking whether the run's document is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kiejobs.adapters.journal import JOURNAL
from kiejobs.commands.records import manifest_path
from kiejobs.reports.run_view import RunView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.commands.workspace import Workspace
    from kiejobs.core.ledger import Attempt, Ledger
    from kiejobs.core.types import Json


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


def view_of(
    space: Workspace, document: Mapping[str, Json], attempts: Sequence[Attempt], ending: Ending
) -> RunView:
    run_id = document["run_id"]
    return RunView(
        document,
        notes=ending.notes,
        stopped=ending.stopped,
        exit_code=ending.exit_code,
        attempts=attempts,
        flag=space.flag,
        rehearsal=space.sandbox,
        outputs=space.outputs.as_posix(),
        record=_record(space, run_id),
    )


def _record(space: Workspace, run_id: str) -> str | None:
    """The manifest; the journal, where a run was killed before it could write one."""
    manifest = manifest_path(space, run_id)
    there = (path for path in (manifest, manifest.with_name(JOURNAL)) if path.exists())
    found = next(there, None)
    return None if found is None else found.as_posix()
