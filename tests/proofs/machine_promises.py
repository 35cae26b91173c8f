"""The promises, as the state machine holds them against the charge log.

In: charges as they are made, events as they reach the disk, plans as they are about to be carried out.
Out: what was broken, in words. Touches nothing but files by reading.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kiejobs.core.ledger import events as e
from kiejobs.core.urls import attempt_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kiejobs.core.ledger.callbacks import Claim
    from kiejobs.core.ledger.records import FileRecord
    from tests.proofs.machine_booth import Booth, Charge
    from tests.proofs.machine_house import House
    from tests.proofs.machine_jobfile import JobFile
    from tests.proofs.machine_life import Life
    from tests.proofs.machine_model import Line, Model, Row, Try
    from tests.proofs.machine_place import How

_MOST_DOUBTS_OF_A_DEATH = 4  # creates in flight


class Promises:
    """`broken` is to stay empty.

    `written_off` are tasks that a person wrongly ruled lost, `meddled` paths where somebody spoilt files.
    """

    booth: Booth

    def __init__(self, model: Model) -> None:
        self._model = model
        self._runs: dict[str, tuple[How, JobFile, dict[str, str]]] = {}
        self._failures: Counter[str] = Counter()
        self._answered: set[str] = set()
        self._counted: set[str] = set()
        self.broken: list[str] = []
        self.written_off: set[str] = set()
        self.meddled: set[str] = set()

    # --- as it happens ---------------------------------------------------------------------------

    def planned(
        self,
        lines: Sequence[Line],
        expected: Sequence[Line],
        wants: JobFile,
        how: How,
        run_id: str,
    ) -> None:
        """A run is about to carry this out."""
        if list(lines) != list(expected):
            self.broken.append(f"the run's plan differs: {lines} instead of {expected}")
        canaries: dict[str, str] = {}
        for line in lines:
            if line.action == "submit":
                canaries.setdefault(line.address.partition("[")[0], line.address)
        self._runs[run_id] = (how, wants, canaries)

    def saw(self, event: e.Event, run_id: str) -> None:
        """An event is on disk."""
        if isinstance(event, e.Failed | e.Rejected):
            self._failures[run_id] += 1
        if isinstance(event, e.Collected):
            self.meddled -= {file.path for file in event.files}
        if isinstance(event, e.InDoubt):
            self._answered.add(event.attempt_id)
        self._model.saw(event, run_id)
        if isinstance(event, e.Reserved):
            self._may_be_bought(event, run_id)

    def _may_be_bought(self, event: e.Reserved, run_id: str) -> None:
        how, _, canaries = self._runs[run_id]
        limit = how.most_failures.number if how.most_failures else None
        if limit is not None and self._failures[run_id] >= limit:
            self.broken.append(f"{event.address} is bought after {limit} failures")
        canary = canaries[event.address.partition("[")[0]]
        if how.canary and event.address != canary:
            ours = [one for one in self._model.tries.values() if one.run_id == run_id]
            if not any(one.state == "made" and one.address == canary for one in ours):
                self.broken.append(f"{event.address} is bought before {canary} was made")

    def charged(self, charge: Charge) -> None:
        """The API has just charged for something."""
        one = self._model.tries.get(charge.attempt_id or "")
        if one is None:
            self.broken.append(f"{charge.task.input} is charged, and no reservation is on record")
            return
        how, wants, _ = self._runs[one.run_id]
        for earlier in self._charges_of(one):
            if earlier.task.task_id != charge.task.task_id and not self._is_excused(earlier, how):
                self.broken.append(f"{one.address} is bought twice")
        net = self._net(charge, one.run_id, wants.budget)
        limits = [] if how.budget is None else [(how.budget, self._net(charge, one.run_id, None))]
        limits += [] if wants.budget is None else [(Decimal(wants.budget[0]), net)]
        for limit, spent in limits:
            if spent > limit:
                self.broken.append(f"{one.address} makes it {spent} of {limit} credits")

    def _charges_of(self, one: Try) -> list[Charge]:
        same = {other.reserved.attempt_id for other in self._model.of(one.key)}
        return [c for c in self.booth.charges.values() if c.attempt_id in same]

    def _is_excused(self, earlier: Charge, how: How) -> bool:
        task_id = earlier.task.task_id
        one = self._model.tries[earlier.attempt_id or ""]
        failed = self.booth.state(task_id) == "fail" and "failed" in how.retry
        gone = one.gone and "gone" in how.retry
        return failed or gone or task_id in self.written_off

    def _net(self, latest: Charge, run_id: str, budget: tuple[int, str] | None) -> Decimal:
        """What was charged and not given back: of the campaign, or of one run."""
        of_run = budget is None or budget[1] == "run"
        counted = [
            c
            for c in self.booth.charges.values()
            if c is latest
            or (c.task.task_id not in self.written_off and self.booth.state(c.task.task_id) != "fail")
        ]
        ours = self._model.tries
        return sum(
            (c.task.credits for c in counted if not of_run or ours[c.attempt_id or ""].run_id == run_id),
            Decimal(0),
        )

    def died(self, life: Life) -> None:
        """How much a death leaves in doubt."""
        doubts = {one.reserved.attempt_id for one in self._model.doubts()} - self._answered
        new = doubts - self._counted
        self._counted |= doubts
        if len(new) > (_MOST_DOUBTS_OF_A_DEATH if life.dead else 0):
            self.broken.append(f"{len(new)} are in doubt since the last command")

    # --- afterwards ------------------------------------------------------------------------------

    def lost(self, house: House) -> list[str]:
        """Tasks that no journal knows, more than there are doubts at the same request."""
        place = house.place()
        ledger = place.ledger()
        known = {task for one in ledger.attempts() for task in (one.task_id, *one.other_task_ids)}
        in_doubt = Counter(a.reserved.fingerprint for a in ledger.attempts() if a.state == "in_doubt")
        unknown = Counter[str]()
        for task_id, charge in self.booth.charges.items():
            one = self._model.tries.get(charge.attempt_id or "")
            if task_id not in known | self.written_off and one is not None:
                unknown[one.reserved.fingerprint] += 1
        return sorted((unknown - in_doubt).elements())

    def untrue(self, names: Iterable[str], outputs: Path) -> list[str]:
        """Files under their final names that the API never made, but for those that were damaged."""
        true = {self.booth.digest(task_id) for task_id in self.booth.charges}
        return [name for name in names if name not in self.meddled and _digest(outputs / name) not in true]

    def spoilt(self, outputs: Path) -> list[str]:
        """Files that came home whole and are not so any more, though nobody meddled with them."""
        files = [file for one in self._model.tries.values() for file in one.files]
        mine = (file for file in files if file.path not in self.meddled)
        return [file.path for file in mine if self.wrong_with(outputs, file)]

    def unfinished(self, rows: Sequence[Row]) -> list[Line]:
        """What a run without any trouble should have done."""
        return [line for line in self._model.plan(rows) if not self._is_settled(line)]

    def _is_settled(self, line: Line) -> bool:
        if line.action in ("keep", "hold", "orphan"):
            return True
        best = self._model.best((line.fingerprint, line.take))
        charge = self.booth.charges.get(best.task_id or "") if best else None
        return charge is not None and charge.task.fate.end in ("stall", "vanish")

    def wrong_with(self, outputs: Path, file: FileRecord) -> str | None:
        path = outputs / file.path
        if not path.is_file():
            return "file_missing"
        return None if _digest(path) == file.sha256 else "file_damaged"

    # --- rulings ---------------------------------------------------------------------------------

    def was_charged(self, one: Try) -> bool:
        attempt_id = one.reserved.attempt_id
        return any(charge.attempt_id == attempt_id for charge in self.booth.charges.values())

    def write_off(self, one: Try) -> None:
        """A person says that nothing was made; where something was, the person is wrong."""
        fingerprint = one.reserved.fingerprint
        known = {one.task_id for one in self._model.tries.values()}
        same = {
            task_id
            for task_id, charge in self.booth.charges.items()
            if self._model.tries[charge.attempt_id or ""].reserved.fingerprint == fingerprint
        }
        self.written_off |= same - known

    def is_evidence(self, one: Try, task_id: str) -> bool:
        """Does the API show this task, nobody's yet, with the request of this try?"""
        charge = self.booth.charges.get(task_id)
        taken = any(other.task_id == task_id for other in self._model.tries.values())
        if charge is None or taken or charge.task.fate.end == "vanish":
            return False
        named = attempt_in(urlsplit(charge.task.callback_url or "").query)
        maker = self._model.tries[charge.attempt_id or ""]
        same = maker.reserved.fingerprint == one.reserved.fingerprint
        return same and named in (None, one.reserved.attempt_id)

    def ended_by(self, claims: Sequence[Claim]) -> list[Try]:
        """Doubts that one of these callbacks ends: the first that is right, before a wrong one."""
        ends: list[Try] = []
        for claim in claims:
            one = self._model.tries.get(claim.attempt_id)
            if one is not None and one.state == "doubt" and self.is_evidence(one, claim.task_id):
                ends.append(one)
        return ends


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
