"""One folder of the state machine's with all that belongs to it, and commands carried out on it.

In: commands, what goes wrong meanwhile. Out: what they came to; what was broken stands in `promises`.
Touches: a folder of its own, in memory where there is room for one.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from kiejobs.core.diagnostics import JournalProblem
from tests.proofs import virtual_time
from tests.proofs.machine_booth import Booth
from tests.proofs.machine_house import House
from tests.proofs.machine_jobfile import JobFile
from tests.proofs.machine_life import Killed, Life, Moment, MortalJournal
from tests.proofs.machine_model import Model
from tests.proofs.machine_place import How
from tests.proofs.machine_promises import Promises

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence

    from kiejobs.core.ledger.records import FileRecord
    from tests.proofs.machine_model import Line

    Command = Callable[[How, Life], Coroutine[Any, Any, Any]]
    Rules = Sequence[Mapping[str, Any]]

_MEMORY = Path("/dev/shm")
_SOMEWHERE = 12  # touches of the first command, until another one begins beside it


class Stage:
    """`wants` is the job file as it is now; `counts` are kept by whoever tells stories."""

    def __init__(self, counts: Counter[str], journal_of: type[MortalJournal]) -> None:
        memory = _MEMORY if _MEMORY.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="story-", dir=memory))
        self.counts = counts
        self.moment = Moment()
        self.model = Model(self._wrong_with)
        self.promises = Promises(self.model)
        self.booth = Booth(self.folder / "store", self.moment, self.promises.charged)
        self.promises.booth = self.booth
        self.house = House(self.folder, self.booth, self.moment, self.promises.saw, self._planned, journal_of)
        self.write(JobFile())

    def close(self) -> None:
        self.counts["charges"] += len(self.booth.charges)
        shutil.rmtree(self.folder)

    def write(self, wants: JobFile) -> None:
        self.wants = wants
        self.house.write(wants.text())

    def go(self, rules: Rules, command: Command, how: How, life: Life, beside: Command | None = None) -> None:
        """One command, or two where the second begins somewhere in the first."""
        self.moment.passed += 1.0
        self.house.app = self.booth.app(rules)

        async def both() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(self._to_its_end, command, how, life)
                if beside is not None:
                    await self._somewhere_in(life)
                    group.start_soon(self._to_its_end, beside, How(), Life())

        virtual_time.run(both, self.moment)
        self.booth.ear = None
        self.promises.died(life)
        self.counts["kills"] += life.dead
        if not life.dead:
            assert self.house.stale_manifests() == []

    async def _somewhere_in(self, life: Life) -> None:
        while life.touches < _SOMEWHERE and not life.over:  # noqa: ASYNC110 - touches tell nobody
            await anyio.sleep(0.05)

    async def _to_its_end(self, command: Command, how: How, life: Life) -> None:
        self.booth.ear = how.hears or self.booth.ear
        self.counts["commands"] += 1
        try:
            await command(how, life)
        except* Killed:
            self._leave_a_stale_note()
        except* JournalProblem:
            self.counts["refused"] += 1
        finally:
            life.over = True

    def _leave_a_stale_note(self) -> None:
        """The system lets go of a dead process's lock; who held it stays written there."""
        runs = self.folder / "runs"
        if runs.is_dir():
            (runs / ".lock.json").write_text('{"run_id": "a dead one", "pid": 1}')

    def rule(self, address: str, task_id: str | None) -> bool:
        """`resolve ADDRESS --task ID | --lost`. False where it is still in doubt."""
        self.counts["rulings"] += 1
        self.moment.passed += 1.0
        self.house.app = self.booth.app([])

        async def main() -> bool:
            return await self.house.resolve(address, task_id, Life())

        return virtual_time.run(main, self.moment)

    def plans(self, retry: Collection[str] = ()) -> tuple[list[Line], list[Line]]:
        """What `plan` says, and what the model says."""
        self.counts["plans"] += 1
        return self.house.plan(retry), self.model.plan(self.wants.rows(), retry)

    def files(self) -> list[str]:
        """Those under their final names."""
        outputs = self.house.outputs
        found = (path for path in outputs.rglob("*") if path.is_file() and path.suffix != ".part")
        return sorted(path.relative_to(outputs).as_posix() for path in found)

    def meddle(self, name: str, *, delete: bool) -> None:
        self.promises.meddled.add(name)
        path = self.house.outputs / name
        if delete:
            path.unlink()
        else:
            path.write_bytes(b"x" * path.stat().st_size)

    def _planned(self, lines: list[Line], how: How, run_id: str) -> None:
        self.counts["plans"] += 1
        expected = self.model.plan(self.wants.rows(), how.retry)
        self.promises.planned(lines, expected, self.wants, how, run_id)

    def _wrong_with(self, file: FileRecord) -> str | None:
        return self.promises.wrong_with(self.house.outputs, file)
