"""The ledger moved to another home, and the project's file changed to use it.

In: two homes; a line of kiejobs.yaml. Out: how many journals there are now; whether the file could be changed.
Touches: both homes; kiejobs.yaml.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from kiejobs.adapters.project.root import PROJECT_FILE
from kiejobs.adapters.storage.output_folder import write_atomically
from kiejobs.app.execute import new_run_id
from kiejobs.app.project import policy_at
from kiejobs.core.diagnostics import InvalidJobFile, JournalProblem, LedgerMoved, UsageProblem
from kiejobs.core.ledger.records import utc_text

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from kiejobs.adapters.project.root import Root
    from kiejobs.ports import LedgerStore

_LEDGER = re.compile(r"^ledger:[ \t]*[^\s#][^\n]*\n(?![ \t])", re.MULTILINE)
_VERSION = re.compile(r"^version:[^\n]*\n", re.MULTILINE)


def move_ledger(
    old: LedgerStore, new: LedgerStore, mark: bytes, now: datetime, *, setting: str, back_from: str | None
) -> int:
    """Nobody buys by either meanwhile. Raises JournalProblem: until its last step the old home stays in force.

    How many journals it had. `setting` is the line that uses the new home. `back_from` is the one that used the old
    home, the project's own; None for a folder that was left behind, whose journals came there since it moved.
    """
    by = new_run_id(now)
    with old.claim(by, utc_text(now)), new.claim(by, utc_text(now)):
        _require_in_force(old, None if back_from else setting)
        _require_in_force(new, back_from)
        old.mark_moved(None)
        others = sorted({*old.read().live_runs} - {by})
        if others:
            hint = "wait until it has submitted its last job"
            raise JournalProblem(f"{old.name} is in use by {old.owner(others[0])}", hint=hint)
        new.mark_moved(None)
        for run_id, data in old.journals():
            new.take_in(run_id, data)
        new.publish(every=True)
        if new.trouble:
            raise JournalProblem(f"nothing was moved: {new.trouble}")
        there = dict(new.journals())
        moved = dict(old.journals())
        different = [run_id for run_id, data in moved.items() if there.get(run_id) != data]
        if different:
            raise JournalProblem(
                f"nothing was moved: {', '.join(different)} is another journal in {new.name}"
            )
        old.mark_moved(mark)
        # Where several may buy at once, somebody may have in between; from the mark on nobody can.
        late = {run_id: data for run_id, data in old.journals() if moved.get(run_id) != data}
        for run_id, data in late.items():
            new.take_in(run_id, data)
        if late:
            new.publish(every=True)
    return len({*moved, *late})


def _require_in_force(home: LedgerStore, but: str | None) -> None:
    """Raises LedgerMoved where it moved away before, anywhere else than to `but`: two homes would be in force."""
    try:
        home.read()
    except LedgerMoved as moved_away:
        if moved_away.setting != but:
            raise


def use_in_project(root: Root, setting: str) -> bool:
    """Write the line into the project's file, where that is safe; False where it is left to a person."""
    path = root.path / PROJECT_FILE
    before = path.read_text(encoding="utf-8") if os.path.lexists(path) else "version: 1\n"
    line = f"{setting}\n"
    for place, form in ((_LEDGER, line), (_VERSION, f"\\g<0>{line}")):
        if len(place.findall(before)) == 1 and (place is _LEDGER or "ledger:" not in before):
            return _try(path, before, place.sub(form, before))
    return False


def _try(path: Path, before: str, after: str) -> bool:
    """Back to what it was, where the file would not be valid."""
    if path.is_symlink():
        return False
    was_there = path.exists()
    write_atomically(path, after.encode())
    try:
        policy_at(str(path))
    except (InvalidJobFile, UsageProblem):
        if was_there:
            write_atomically(path, before.encode())
        else:
            path.unlink()
        return False
    return True
