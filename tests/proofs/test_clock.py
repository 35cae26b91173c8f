"""A small session of `python -m tests.proofs.clock`, and the same with a clock of our own."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.kie.client import KieApi
from kiejobs.adapters.ledger.folder import FolderStore
from kiejobs.adapters.ledger.journal import FileJournal
from kiejobs.adapters.project.files import read_schema
from kiejobs.adapters.project.models import bundled_prices
from kiejobs.adapters.sandbox import InProcess
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.adapters.storage.output_folder import OutputFolder
from kiejobs.adapters.system import Secret
from kiejobs.app.execute import new_run_id
from kiejobs.app.load import load
from kiejobs.app.options import JobFileOptions
from kiejobs.core.ledger.events import RunStarted
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.manifest import manifest, to_bytes
from kiejobs.core.plan.plan import plan
from kiejobs.core.plan.selection import read_selection
from kiejobs.runner import Budget, Runner, Settings, World
from kiejobs.sandbox.app import Sandbox
from tests.contracts.fakes import Told
from tests.proofs.clock import library, set_clock
from tests.proofs.virtual_time import LoopClock, run, sandbox_now
from tests.support.bench import MODEL, Bench
from tests.support.sandbox_served import read_charges

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.plan.plan import Change

BASE = "http://sandbox.invalid"
JOBS = 12


class SetClock(LoopClock):
    """Somebody sets it again each time that it is looked at; what only grows does not mind."""

    def __init__(self, hours: Sequence[float]) -> None:
        self._hours = itertools.cycle(hours)

    def now(self) -> datetime:
        return super().now() + timedelta(hours=next(self._hours))


class Stage:
    """A campaign in a folder. Each of its runs has a clock of its own, each its own opinion."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        schemas = {MODEL: read_schema(f"models/{MODEL}.json")}
        self.store = folder / "store"
        self.app = Sandbox(
            schemas,
            self.store,
            now=sandbox_now,
            sleep=anyio.sleep,
            base_url=BASE,
            prices=bundled_prices(),
        )

    def write(self, name: str) -> None:
        prompts = {f"{name}{number}": f"shot {number}" for number in range(JOBS)}
        Bench(self.folder, BASE).write(prompts, campaign="clock")
        self.loaded = load(JobFileOptions(str(self.folder / "jobs.yaml")))

    def plan(self) -> list[Change]:
        made = plan(
            self.loaded.expansion.jobs,
            fold(FolderStore(self.folder / "runs").read().records, BASE),
            self._condition,
            campaign="clock",
            selection=read_selection(()),
            retry=frozenset(),
        )
        return list(made.changes)

    def _condition(self, attempt: Attempt) -> str | None:
        folder = OutputFolder(self.folder / "outputs")
        return folder.condition(attempt.files, attempt.times["collected"])

    async def run(self, clock: SetClock, *, detach: bool) -> None:
        header = RunStarted(new_run_id(clock.now()), "run", "clock", BASE, None, "kiejobs 0", 1)
        journal = FileJournal(self.folder / "runs", header, clock)
        api = KieApi(BASE, Secret("k"), transport=InProcess(self.app))
        rule = AddressRule(private_too=True)
        files = FileArtifacts(self.folder / "outputs", rule, InProcess(self.app))
        world = World(api, journal, files, clock, Told())
        settings = Settings(detach=detach)
        runner = Runner(world, settings=settings, spending=Budget(), media_type=lambda _: "video/mp4")
        await runner.carry_out(self.plan(), lambda: None)
        journal.close()
        await api.close()
        await files.close()

    def manifests(self) -> list[bytes]:
        journals = FolderStore(self.folder / "runs").read().records
        return [to_bytes(manifest(record, fold(journals, BASE))) for record in journals]


@pytest.mark.parametrize(
    "hours", [(5.0, 0.0), (0.0, -30.0), (-30.0, 5.0), (0.0, 5.0, -5.0, 30.0, -30.0)], ids=str
)
def test_a_clock_that_is_set_at_every_look_buys_nothing_twice_and_loses_nothing(
    tmp_path: Path, hours: tuple[float, ...]
) -> None:
    stage = Stage(tmp_path)
    stage.write("j")

    async def all_runs() -> None:
        for offset in hours:
            await stage.run(SetClock((offset, *hours)), detach=True)
        for offset in hours:
            await stage.run(SetClock((offset, *hours)), detach=False)

    run(all_runs)
    charges = read_charges(stage.store)
    assert sorted(task.input["prompt"] for task in charges) == sorted(
        f"shot {number}" for number in range(JOBS)
    )
    assert [change.action for change in stage.plan()] == ["keep"] * JOBS
    assert stage.manifests() == stage.manifests()
    known = {job["task_id"] for data in stage.manifests() for job in json.loads(data)["jobs"].values()}
    assert {task.task_id for task in charges} <= known
    stage.write("k")
    assert {change.action for change in stage.plan()} == {"adopt"}


@pytest.mark.skipif(library() is None, reason="libfaketime is not installed")
def test_with_the_clock_set_by_hours_under_real_processes_nothing_is_bought_twice_or_lost(
    tmp_path: Path,
) -> None:
    preload = library()
    assert preload is not None
    figures = set_clock(tmp_path, preload, commands=4, jobs=10, seed=2)
    assert figures.charged == 10
    assert figures.well, figures
