"""The commands of the state machine: `run`, `collect`, `listen` and `resolve` on a real folder.

In: a folder, the API's side, the model, how to go about it. Out: how a command ended. Touches: the
folder. The verbs are put together as `kiejobs.commands` does it, out of the same pieces; what differs is
the time, the API in process, and that each command may be killed at any touch.
"""

from __future__ import annotations

import io
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.kie.client import KieApi
from kiejobs.adapters.project.root import Root
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.adapters.storage.output_folder import OutputFolder
from kiejobs.adapters.system import Secret
from kiejobs.app.execute import Execution, does_something, finish, intentions, new_journal
from kiejobs.app.load import load
from kiejobs.app.options import JobFileOptions
from kiejobs.app.output import Screen
from kiejobs.app.plan import aimed, budget_left, make_plan, recent_create_ages
from kiejobs.app.records import lines_to_follow
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.outcomes import TaskRecord
from kiejobs.core.ledger.uploads import mismatch
from kiejobs.runner import Budget, Runner, StopReason, World
from tests.contracts.fakes import Told
from tests.proofs.machine_life import (
    Life,
    MortalApi,
    MortalArtifacts,
    MortalClock,
    MortalJournal,
    MortalStore,
    Wire,
)
from tests.proofs.machine_model import Line
from tests.proofs.machine_place import BASE, How, Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection
    from pathlib import Path

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change
    from kiejobs.runner import RunEnd
    from tests.proofs.machine_booth import Booth
    from tests.proofs.machine_life import Moment


@dataclass
class House:
    """`saw` is told of events on disk; `planned` of the plan that a run is about to carry out."""

    folder: Path
    booth: Booth
    moment: Moment
    saw: Callable[[e.Event, str], None]
    planned: Callable[[list[Line], How, str], None]
    journal_of: type[MortalJournal] = MortalJournal
    app: Callable[..., Any] = field(init=False)

    def __post_init__(self) -> None:
        self.jobfile = self.folder / "jobs.yaml"
        self.outputs = self.folder / "outputs"
        self.loaded: LoadedJobFile | None = None

    def place(self, life: Life | None = None) -> Place:
        life = life or Life()
        return Place(
            root=Root(self.folder, None),
            strays=(),
            store=MortalStore(self.folder / "runs", life, self._journal),
            outputs=self.outputs,
            folder=OutputFolder(self.outputs),
            sandbox_folder=self.folder / "sandbox",
            sandbox_credits=None,
            base=BASE,
            upload_base=BASE,
            origin=BASE,
            sandbox=False,
            speed=1.0,
            faults=None,
            flag="",
            moment=self.moment,
            life=life,
        )

    def _journal(self, header: e.RunStarted, life: Life) -> MortalJournal:
        return self.journal_of(self.folder / "runs", header, self.moment, life, self.saw)

    def write(self, text: str) -> None:
        self.jobfile.write_text(text)
        self.loaded = load(JobFileOptions(str(self.jobfile)))

    def plan(self, retry: Collection[str] = ()) -> list[Line]:
        """`kiejobs plan`."""
        place = self.place()
        return list(map(_foretold, self._changes(place, place.ledger(), retry)))

    def _changes(self, place: Place, ledger: Ledger, retry: Collection[str]) -> list[Change]:
        return list(make_plan(self._loaded, place, ledger, tuple(retry)).changes)

    @property
    def _loaded(self) -> LoadedJobFile:
        assert self.loaded is not None
        return self.loaded

    async def run(self, how: How, life: Life) -> ExitCode:
        """As in commands/run.py."""
        place, loaded = self.place(life), self._loaded
        journal = new_journal(place, "run", campaign=loaded.jobfile.campaign)
        with place.claim(journal) as lock:
            life.at_death.append(lock.release)
            history = place.store.read()
            ledger = history.ledger(BASE)
            place.store.publish()
            lines = self._changes(place, ledger, how.retry)
            self.planned(list(map(_foretold, lines)), how, journal.run_id)
            left = budget_left(loaded, ledger, lines, how.budget)
            errand = Execution(journal, lines, how.settings, Budget(), how.hears)
            settings = replace(errand.settings, lately=recent_create_ages(ledger, place))
            most = how.most_failures.of(sum(line.spends for line in lines)) if how.most_failures else None
            spending = Budget(left, most_failures=most)
            errand = replace(errand, settings=settings, spending=spending)
            if not any(map(does_something, lines)):
                return ExitCode.DONE
            errand.journal.append(*intentions(lines))
            changes = aimed(lines, ledger, history.elsewhere(BASE), how.callback_url)
            errand = replace(errand, changes=changes)
            end = await self._carry_out(errand, place, how, lock.release)
            return finish(errand, end, place, screen())

    async def collect(self, how: How, life: Life) -> ExitCode:
        """As in commands/collect.py; with something to hear, as in commands/listen.py."""
        place = self.place(life)
        ledger = place.ledger()
        place.store.publish()
        lines = lines_to_follow(place, ledger, None)
        journal = new_journal(place, "listen" if how.hears else "collect")
        errand = Execution(journal, lines, how.settings, Budget(), how.hears)
        if how.hears:
            errand = replace(errand, settings=replace(how.settings, stay=True, until_done=True))
        elif not lines:
            return ExitCode.DONE
        end = await self._carry_out(errand, place, how, lambda: None)
        return finish(errand, end, place, screen())

    async def resolve(self, address: str, task_id: str | None, life: Life) -> bool:
        """As in commands/resolve.py, where the address is in doubt. False where it stays in doubt."""
        place = self.place(life)
        journal = new_journal(place, "resolve")
        with place.claim(journal) as lock:
            life.at_death.append(lock.release)
            ledger = place.ledger()
            attempt = ledger.in_doubt_at(address)
            assert attempt is not None
            if task_id is not None:
                if any(one.task_id == task_id for one in ledger.attempts()):
                    return False
                record = await self._record(task_id, life)
                if record is None or mismatch(
                    attempt, record.model, record.input, record.attempt_id, uploads=ledger.uploads
                ):
                    return False
            word = "lost" if task_id is None else "task"
            journal.append(e.Resolved(attempt.attempt_id, word, task_id, "a person"))
            journal.close()
        place.store.publish(journal.run_id)
        return True

    async def _record(self, task_id: str, life: Life) -> TaskRecord | None:
        api = KieApi(BASE, Secret("k"), transport=Wire(self.app, life))
        try:
            record = await api.record(task_id)
        finally:
            await api.close()
        return record if isinstance(record, TaskRecord) else None

    async def _carry_out(
        self,
        errand: Execution,
        place: Place,
        how: How,
        all_reserved: Callable[[], None],
    ) -> RunEnd:
        """As in commands/carrying.py."""

        async def interrupt() -> None:
            if how.ctrl_c is not None:
                await anyio.sleep(how.ctrl_c)
                errand.spending.stop(StopReason.INTERRUPTED, "Ctrl-C")

        async def reread() -> Ledger:
            return place.ledger()

        async with self._world(errand, place) as world, anyio.create_task_group() as group:
            group.start_soon(interrupt)
            runner = Runner(
                world,
                settings=errand.settings,
                spending=errand.spending,
                media_type=lambda _: "video/mp4",
                reread=reread,
            )
            end = await runner.carry_out(errand.changes, all_reserved)
            group.cancel_scope.cancel()
        return end

    @asynccontextmanager
    async def _world(self, errand: Execution, place: Place) -> AsyncIterator[World]:
        wire = Wire(self.app, place.life)
        api = KieApi(BASE, Secret("k"), transport=wire)
        artifacts = FileArtifacts(place.outputs, AddressRule(private_too=True), wire, boot="the same")
        journal, life = errand.journal, place.life
        assert isinstance(journal, MortalJournal)
        try:
            yield World(
                MortalApi(api, life, journal),
                journal,
                MortalArtifacts(artifacts, life),
                MortalClock(self.moment, life),
                Told(),
                errand.callbacks,
            )
        finally:
            with anyio.CancelScope(shield=True):
                await api.close()
                await artifacts.close()

    def stale_manifests(self) -> list[str]:
        """Those that differ from what the journals call for."""
        place = self.place()
        history = place.store.read()
        return [
            place.store.manifest_place(one.run_id)
            for one in history.records
            if one.header and place.store.manifest(one.run_id) != history.manifest(one)
        ]


def _foretold(change: Change) -> Line:
    return Line(change.address, str(change.action), change.reason, change.fingerprint, change.take)


def screen() -> Screen:
    """Nobody looks."""
    return Screen(io.StringIO(), io.StringIO(), False, False, False, None, lambda _: None)  # noqa: FBT003
