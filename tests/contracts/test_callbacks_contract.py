"""What the runner may expect of whoever hears callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import anyio
import httpx
import pytest

from kiejobs.adapters.callbacks import Receiver
from kiejobs.adapters.system import SystemClock
from kiejobs.core.ledger.callbacks import Claim
from tests.contracts.fakes import FakeCallbacks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from kiejobs.ports import Callbacks

ATTEMPT, OTHER = "0a" * 16, "0b" * 16
SOON = 100.0  # seconds; nobody waits for so long where all is well


class Stage(Protocol):
    """Who hears callbacks, and a way to make one come in."""

    callbacks: Callbacks

    def hear(self, attempt_id: str, task_id: str) -> None: ...


class OverTheWire:
    def __init__(self, receiver: Receiver) -> None:
        self.callbacks = receiver

    def hear(self, attempt_id: str, task_id: str) -> None:
        url = f"{self.callbacks.url}?attempt={attempt_id}"
        answer = httpx.post(url, json={"data": {"taskId": task_id}}, trust_env=False)
        assert answer.status_code == 200


class Scripted:
    def __init__(self) -> None:
        self.callbacks = FakeCallbacks()

    def hear(self, attempt_id: str, task_id: str) -> None:
        self.callbacks.hear(Claim(attempt_id, task_id, signed=False))


@pytest.fixture(params=["wire", "fake"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "fake":
        yield Scripted()
        return
    with Receiver("127.0.0.1", 0, key=None, clock=SystemClock()) as receiver:
        yield OverTheWire(receiver)


def play(scene: Callable[[], Awaitable[Any]]) -> Any:
    async def played() -> Any:
        with anyio.fail_after(SOON):
            return await scene()

    return anyio.run(played)


def names(callbacks: Callbacks, count: int) -> list[tuple[str, str]]:
    """The next claims."""

    async def told() -> list[tuple[str, str]]:
        claims = [await callbacks.next() for _ in range(count)]
        return [(claim.attempt_id, claim.task_id) for claim in claims]

    told_names: list[tuple[str, str]] = play(told)
    return told_names


def test_claims_are_told_in_the_order_in_which_they_came(stage: Stage) -> None:
    came = [(ATTEMPT, "task-1"), (OTHER, "task-2"), ("0c" * 16, "task-3")]
    for attempt_id, task_id in came:
        stage.hear(attempt_id, task_id)
    assert names(stage.callbacks, 3) == came


def test_nobody_is_told_of_a_callback_that_did_not_come(stage: Stage) -> None:
    async def scene() -> bool:
        with anyio.move_on_after(0.05) as patience:
            await stage.callbacks.next()
        return patience.cancelled_caught

    assert play(scene) is True


def test_one_that_comes_again_is_not_told_again(stage: Stage) -> None:
    stage.hear(ATTEMPT, "task-1")
    stage.hear(ATTEMPT, "task-1")
    assert names(stage.callbacks, 1) == [(ATTEMPT, "task-1")]
    stage.hear(ATTEMPT, "task-1")
    stage.hear(OTHER, "task-1")
    assert names(stage.callbacks, 1) == [(OTHER, "task-1")]


def test_a_second_task_for_one_attempt_is_told_since_it_is_a_conflict(stage: Stage) -> None:
    stage.hear(ATTEMPT, "task-1")
    stage.hear(ATTEMPT, "task-2")
    assert names(stage.callbacks, 2) == [(ATTEMPT, "task-1"), (ATTEMPT, "task-2")]


def test_whoever_waits_is_woken(stage: Stage) -> None:
    async def scene() -> Claim:
        found: list[Claim] = []

        async def wait() -> None:
            found.append(await stage.callbacks.next())

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert found == []
            stage.hear(ATTEMPT, "task-1")
        return found[0]

    assert play(scene) == Claim(ATTEMPT, "task-1", signed=False)


def test_a_wait_that_is_given_up_loses_no_claim(stage: Stage) -> None:
    async def scene() -> list[Claim]:
        found: list[Claim] = []

        async def wait() -> None:
            found.append(await stage.callbacks.next())

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            stage.hear(ATTEMPT, "task-1")
            group.cancel_scope.cancel()
        if not found:
            await wait()
        return found

    assert play(scene) == [Claim(ATTEMPT, "task-1", signed=False)]
