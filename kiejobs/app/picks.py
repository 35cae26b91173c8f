"""What people chose, for verbs: where a project's `picks.yaml` files are, and the state of each purchase by them.

In: a workspace, the ledger; a job file's name. Out: a `PickBook`, `Picks`. Touches: the files, by reading. A rehearsal has
one of its own, under `rehearsal/`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.picks import picks_in
from kiejobs.core.ledger.records import State
from kiejobs.core.picks import NO, NONE, PICK, STALE, UNDECIDED, YES, Pick, Picks
from kiejobs.reports.picks import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kiejobs.adapters.project.root import Root
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Attempt, Ledger


@dataclass(frozen=True, slots=True)
class PickBook:
    """All decisions of a project, against its ledger. `folders` are those whose `picks.yaml` were read."""

    picks: Picks
    ledger: Ledger
    folders: Mapping[Path, Picks]

    def word(self, attempt: Attempt) -> str:
        """The state of a purchase: YES, NO, NONE or STALE. What another one has replaced is undecided, or stale."""
        pick = self.pick(attempt)
        if pick is None or pick.verdict == UNDECIDED:
            return NONE
        newest = self.ledger.newest(attempt.address) or attempt
        if pick.fingerprint != newest.reserved.fingerprint:
            return STALE
        if attempt.reserved.fingerprint != pick.fingerprint:
            return NONE
        return YES if pick.verdict == PICK else NO

    def pick(self, attempt: Attempt) -> Pick | None:
        """The decision at a purchase's address, or on it under an address that it had before."""
        return self.picks.of(attempt.address, attempt.key)

    def decision(self, attempt: Attempt) -> Decision | None:
        """What is to be shown of it: a verdict, or a note without one."""
        pick = self.pick(attempt)
        if pick is None or (pick.verdict == UNDECIDED and not pick.note):
            return None
        return Decision(pick, self.word(attempt))

    def decisions(self, campaign: str) -> list[Decision]:
        """All of a campaign, by address; what is no purchase of this ledger any more is stale."""
        found = []
        for pick in self.picks:
            attempt = self.ledger.newest(pick.address) or self.ledger.bought(pick.fingerprint, pick.take)
            if pick.address.startswith(f"{campaign}/") and (pick.verdict != UNDECIDED or pick.note):
                found.append(Decision(pick, STALE if attempt is None else self.word(attempt)))
        return found

    def picked(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        """Those whose files were chosen."""
        return [one for one in attempts if one.state is State.SUCCEEDED and self.word(one) == YES]


def pick_book(space: Workspace, ledger: Ledger) -> PickBook:
    """Raises InvalidJobFile or UsageProblem where one of the files can't be read: a choice is never passed over."""
    folders = {folder: picks_in(folder) for folder in _folders(space, ledger)}
    return PickBook(Picks(pick for picks in folders.values() for pick in picks), ledger, folders)


def picks_for(file: str, space: Workspace | None) -> Picks:
    """Those next to a job file; with a workspace, in a rehearsal, the rehearsal's. Raises as `pick_book`."""
    return picks_in(rehearsal_folder(space) if space is not None and space.sandbox else Path(file).parent)


def _folders(space: Workspace, ledger: Ledger) -> Iterable[Path]:
    """Next to each job file on record, and in the usual places, as they are typed here."""
    if space.sandbox:
        return [rehearsal_folder(space)]
    sources = [str(run.source["file"]) for run in ledger.runs.values() if run.source]
    names = [os.path.dirname(name) for name in sources if not os.path.isabs(name)]  # noqa: PTH117, PTH120 - as recorded
    below = dict.fromkeys(["", "jobfiles", *names])
    folders = (Path(space.root.seen(name)) for name in below)
    return [folder for folder in folders if is_of(space.root, folder)]


def is_of(root: Root, folder: Path) -> bool:
    """Is it the project's, links followed? Journals and links come with strangers' branches."""
    return root.mark is None or Path(os.path.realpath(folder)).is_relative_to(root.path)


def rehearsal_folder(space: Workspace) -> Path:
    """Where a rehearsal keeps its decisions: next to its journals."""
    return space.sandbox_folder.parent
