"""Where a command works: folders, API, whether it is a rehearsal.

In: the flags that say so. Out: a `Workspace`, which has what verbs have in common. Touches: the
environment through the system adapter; the ledger and the output folder through their adapters. Only
here is the ledger's home chosen: everybody else has it from the workspace.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.ledger.folder import FolderStore
from kiejobs.adapters.storage.output_folder import OutputFolder
from kiejobs.adapters.system import SystemClock, api_base, origin_of, upload_base
from kiejobs.core.ledger.records import utc_text
from kiejobs.core.plan.policy import NO_POLICY, Policy

if TYPE_CHECKING:
    from kiejobs.core.ledger.ledger import Attempt, Ledger
    from kiejobs.ports import LedgerClaim, LedgerStore, RunJournal

SANDBOX_BASE = "http://sandbox.invalid"
REHEARSAL = Path("rehearsal")


@dataclass(frozen=True, slots=True)
class Locations:
    """The flags that say where to work. Folders are None where not given."""

    runs: str | None = None
    outputs: str | None = None
    base_url: str | None = None
    sandbox: bool = False
    speed: float = 20.0
    faults: str | None = None
    policy: Policy = NO_POLICY
    files_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Workspace:
    """The ledger's home, an output folder, and the API whose purchases count here."""

    store: LedgerStore
    outputs: Path
    sandbox_folder: Path
    """Where a rehearsal's API keeps its memory: next to the journals."""
    base: str
    upload_base: str
    origin: str
    sandbox: bool
    speed: float
    faults: str | None
    flag: str
    """What to add to a command that is shown to a person, so that it works here."""
    policy: Policy = NO_POLICY
    files_elsewhere: bool = False
    """What came home once counts as whole where its file is not here: it was moved away on purpose."""

    @property
    def folder(self) -> OutputFolder:
        return OutputFolder(self.outputs)

    def clock(self) -> SystemClock:
        return SystemClock(self.speed if self.sandbox else 1.0)

    def ledger(self) -> Ledger:
        """The ledger of those journals that spoke to this API, as they are now."""
        return self.store.read().ledger(self.origin)

    def claim(self, journal: RunJournal) -> LedgerClaim:
        """Nobody else buys while this run may."""
        return self.store.claim(journal.run_id, utc_text(self.clock().now()))

    def condition(self, attempt: Attempt) -> str | None:
        """Are an attempt's files still whole?"""
        found = self.folder.condition(attempt.files, attempt.times["collected"])
        return None if found == "file_missing" and self.files_elsewhere else found


def open_workspace(where: Locations) -> Workspace:
    """A rehearsal lives under `rehearsal/` unless its folders are named on the command line."""
    base = SANDBOX_BASE if where.sandbox else api_base(where.base_url)
    runs = _folder("runs", where.runs, where.policy.runs, where)
    return Workspace(
        store=FolderStore(runs),
        outputs=_folder("outputs", where.outputs, where.policy.outputs, where),
        sandbox_folder=(runs.parent if runs.parent != Path() else REHEARSAL) / "sandbox",
        base=base,
        upload_base=base if where.sandbox else upload_base(base),
        origin=origin_of(base),
        sandbox=where.sandbox,
        speed=where.speed,
        faults=where.faults,
        flag=_as_flags(where),
        policy=where.policy,
        files_elsewhere=where.files_elsewhere,
    )


def _folder(name: str, flag: str | None, ruled: str | None, where: Locations) -> Path:
    """The flag's, else the rehearsal's, else the policy's, which is beside its file, else `name`."""
    if flag:
        return Path(flag)
    if where.sandbox:
        return REHEARSAL / name
    return Path(where.policy.file or "").parent / ruled if ruled else Path(name)


def _as_flags(where: Locations) -> str:
    """The flags again, as they would be typed."""
    policy = where.policy.file if where.policy.named else None
    named = {
        "--runs": where.runs,
        "--outputs": where.outputs,
        "--base-url": where.base_url,
        "--policy": policy,
    }
    words = [f" {name} {shlex.quote(value)}" for name, value in named.items() if value]
    switches = {"--sandbox": where.sandbox, "--files-elsewhere": where.files_elsewhere}
    return "".join([*(f" {name}" for name, on in switches.items() if on), *words])
