"""What an API adapter promises to the runner: in words, on the sandbox, on sockets."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from kiejobs.adapters.kie.client import KieApi
from kiejobs.adapters.sandbox import InProcess
from kiejobs.adapters.system import Secret
from kiejobs.core.ledger import outcomes
from kiejobs.sandbox.app import Sandbox
from tests.contracts.fakes import FakeApi
from tests.support.judge.server import KEY, Judge
from tests.support.sandbox_served import serving
from tests.support.sandbox_stage import MODEL, PRICES, SCHEMA, create_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from kiejobs import ports

    Scene = Callable[[ports.GenerationApi], Awaitable[Any]]
    Play = Callable[[Scene], Any]

BODY = create_body(MODEL, prompt="A kettle sings")


def sandbox(folder: Path) -> Sandbox:
    return Sandbox({MODEL: SCHEMA}, folder, speed=100_000.0, prices=PRICES)


@asynccontextmanager
async def closing(api: KieApi) -> AsyncIterator[KieApi]:
    try:
        yield api
    finally:
        await api.close()


def played(make: Callable[[], KieApi]) -> Play:
    async def run(scene: Scene) -> Any:
        async with closing(make()) as api:
            return await scene(api)

    return lambda scene: anyio.run(run, scene)


@contextmanager
def fake(_folder: Path) -> Iterator[Play]:
    api = FakeApi()
    yield lambda scene: anyio.run(scene, api)


@contextmanager
def in_process(folder: Path) -> Iterator[Play]:
    transport = InProcess(sandbox(folder))
    yield played(lambda: KieApi("http://sandbox.invalid", Secret("k"), transport=transport))


@contextmanager
def on_a_socket(folder: Path) -> Iterator[Play]:
    with serving(sandbox(folder)) as url:
        yield played(lambda: KieApi(url, Secret("k")))


@contextmanager
def at_the_judge(folder: Path) -> Iterator[Play]:
    with Judge(folder / "log") as judge:
        yield played(lambda: KieApi(judge.url, Secret(KEY)))


@pytest.fixture(params=[fake, in_process, on_a_socket, at_the_judge])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Play]:
    with request.param(tmp_path) as made:
        yield made


async def nothing() -> None: ...


async def bought(api: ports.GenerationApi) -> str:
    outcome = await api.create(BODY, nothing)
    assert isinstance(outcome, outcomes.Accepted)
    return outcome.task_id


async def ended(api: ports.GenerationApi, task_id: str) -> outcomes.PollOutcome:
    for _ in range(200):
        outcome = await api.poll(task_id)
        if not isinstance(outcome, outcomes.StillRunning):
            return outcome
    return outcome


def test_it_names_where_purchases_are_made(play: Play) -> None:
    async def scene(api: ports.GenerationApi) -> None:
        scheme, _, host = api.origin.partition("://")
        assert scheme in {"http", "https"}
        assert host == host.lower()
        assert "/" not in host

    play(scene)


def test_it_reserves_once_for_each_create(play: Play) -> None:
    async def scene(api: ports.GenerationApi) -> None:
        times = []

        async def reserve() -> None:
            times.append(1)

        answers = [await api.create(BODY, reserve) for _ in range(2)]
        ids = [outcome.task_id for outcome in answers if isinstance(outcome, outcomes.Accepted)]
        assert len(set(ids)) == len(times) == 2

    play(scene)


def test_where_the_reservation_fails_nothing_is_made_and_its_reason_comes_through(
    play: Play,
) -> None:
    async def scene(api: ports.GenerationApi) -> None:
        async def refuse() -> None:
            raise LookupError("the disk is full")

        with pytest.raises(LookupError, match="the disk is full"):
            await api.create(BODY, refuse)
        task_id = await bought(api)
        assert isinstance(await api.record(task_id), outcomes.TaskRecord)

    play(scene)


def test_a_task_runs_and_then_ends_with_its_files(play: Play) -> None:
    async def scene(api: ports.GenerationApi) -> None:
        outcome = await ended(api, await bought(api))
        assert isinstance(outcome, outcomes.TaskSucceeded)
        assert len(outcome.urls) == 1
        assert outcome.urls[0].startswith("http")
        assert outcome.charged == 16

    play(scene)


def test_a_task_that_nobody_knows_is_no_verdict(play: Play) -> None:
    async def scene(api: ports.GenerationApi) -> None:
        for answer in (await api.poll("f" * 32), await api.record("f" * 32)):
            assert isinstance(answer, outcomes.Unanswered)
            assert answer.code == "422"

    play(scene)


def test_a_record_shows_what_was_sent(play: Play) -> None:
    async def scene(api: ports.GenerationApi) -> None:
        task_id = await bought(api)
        record = await api.record(task_id)
        assert isinstance(record, outcomes.TaskRecord)
        assert (record.task_id, record.model) == (task_id, MODEL)
        assert record.input is not None
        assert record.input.items() >= BODY["input"].items()

    play(scene)


def test_a_balance_is_exact(play: Play) -> None:
    async def scene(api: ports.GenerationApi) -> None:
        assert isinstance(await api.balance(), Decimal)

    play(scene)
