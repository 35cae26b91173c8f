"""`python -m tests.proofs.pace` in a second: the same 300 creates on time that only jumps."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from kiejobs.adapters.kie.client import KieApi
from kiejobs.adapters.project.files import read_schema
from kiejobs.adapters.project.models import bundled_prices
from kiejobs.adapters.sandbox import InProcess
from kiejobs.adapters.system import Secret
from kiejobs.core.diagnostics import Place
from kiejobs.core.expand.job import Job
from kiejobs.core.ledger.events import RunStarted
from kiejobs.core.plan.plan import Action, Change
from kiejobs.runner import Budget, Runner, Settings, World
from kiejobs.sandbox.app import Sandbox
from tests.contracts.fakes import MemoryArtifacts, MemoryJournal, Told
from tests.proofs.pace import Verdict, read, refusing
from tests.proofs.virtual_time import LoopClock, run, sandbox_now
from tests.support.bench import MODEL
from tests.support.sandbox_stage import make_faults

if TYPE_CHECKING:
    from pathlib import Path

    from tests.proofs.pace import Figures

BASE = "http://sandbox.invalid"
CREATES = 300


class Distant(httpx.AsyncBaseTransport):
    """A third of a second to connect and as long to answer."""

    def __init__(self, app: Sandbox) -> None:
        self._near = InProcess(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.sleep(0.3)
        answer = await self._near.handle_async_request(request)
        await anyio.sleep(0.3)
        return answer


def virtual(store: Path, rules: list[dict[str, Any]]) -> Figures:
    """Two runs on one account, the second of which knows when the first one's creates were."""
    clock = LoopClock()
    app = Sandbox(
        {MODEL: read_schema(f"models/{MODEL}.json")},
        store,
        now=sandbox_now,
        sleep=anyio.sleep,
        prices=bundled_prices(),
        faults=make_faults({"rules": rules}),
    )

    async def both() -> None:
        first = await one_run(app, clock, range(CREATES // 2), ())
        await anyio.sleep(1.0)  # what a command takes to start
        now = clock.now()
        ages = tuple((now - at).total_seconds() for at in first)
        await one_run(app, clock, range(CREATES // 2, CREATES), ages)

    run(both)
    return read(store)


async def one_run(
    app: Sandbox, clock: LoopClock, numbers: range, lately: tuple[float, ...]
) -> list[datetime]:
    """When its creates were reserved."""
    header = RunStarted("run", "run", "pace", BASE, None, "kiejobs 0", 1)
    journal = MemoryJournal(header, clock)
    api = KieApi(BASE, Secret("k"), transport=Distant(app))
    world = World(api, journal, MemoryArtifacts(), clock, Told())
    settings = Settings(lately=lately, detach=True)
    runner = Runner(world, settings=settings, spending=Budget(), media_type=lambda _: "video/mp4")
    end = await runner.carry_out(map(submit, numbers), lambda: None)
    await api.close()
    assert end.unsent == 0
    return [
        datetime.fromisoformat(timed.at)
        for timed in journal.record().events
        if timed.event.type == "reserved"
    ]


def job(number: int) -> Job:
    name = f"j{number}"
    return Job(
        address=f"pace/{name}", fingerprint=f"f{number}", take=1, campaign="pace",
        name=name, model=MODEL, input={"prompt": name, "image_url": "https://example.com/a.webp"},
        axes=(), tags=(), credits=Decimal(16), output=f"pace/{name}.mp4", callback_url=None,
        place=Place("f", 1, 1),
    )  # fmt: skip


def submit(number: int) -> Change:
    j = job(number)
    return Change(
        address=j.address, action=Action.SUBMIT, sign="+", reason="new", fingerprint=j.fingerprint,
        take=1, model=j.model, credits=j.credits, job=j,
    )  # fmt: skip


def test_300_creates_go_at_the_allowed_pace_without_a_refusal_and_recover_from_bursts(
    tmp_path: Path,
) -> None:
    verdict = Verdict(virtual(tmp_path / "calm", []), virtual(tmp_path / "shaken", refusing(CREATES)))
    assert verdict.undisturbed.creates == verdict.disturbed.creates == CREATES
    assert verdict.disturbed.refused >= 10
    assert verdict.well, verdict
