"""The runs on record, as verbs ask for them.

In: what was read of the ledger's home. Out: runs by name. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import UsageProblem

if TYPE_CHECKING:
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.fold import JournalRecord
    from kiejobs.core.ledger.history import History


def find_run(space: Workspace, history: History, name: str | None) -> JournalRecord:
    """A run by its id or the beginning of it; the latest where no name is given.

    Raises UsageProblem.
    """
    known = [record for record in history.records if record.header is not None]
    if name is not None:
        known = [record for record in known if record.run_id.startswith(name)]
    if not known:
        what = "no run yet" if name is None else f"no run `{name}`"
        raise UsageProblem(f"{what} in {space.store.name}", hint="`kiejobs status` lists the runs")
    if name is not None and len(known) > 1:
        names = ", ".join(record.run_id for record in known)
        raise UsageProblem(f"`{name}` could be any of {names}")
    return known[-1]
