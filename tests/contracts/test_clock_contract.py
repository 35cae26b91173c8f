"""What a clock promises, whoever it is."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from kiejobs.adapters.system import SystemClock
from tests.contracts.fakes import FakeClock

if TYPE_CHECKING:
    from kiejobs.ports import Clock


@pytest.fixture(params=[SystemClock, lambda: SystemClock(50.0), FakeClock], ids=["real", "fast", "fake"])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


def test_it_tells_the_time_in_utc(clock: Clock) -> None:
    assert clock.now().tzinfo is UTC
    assert clock.now() - clock.now() <= timedelta(0)


def test_a_sleep_takes_its_time_on_its_own_scale(clock: Clock) -> None:
    before = clock.monotonic()
    anyio.run(clock.sleep, 0.05)
    assert clock.monotonic() - before >= 0.049


def test_sleeps_at_the_same_time_overlap(clock: Clock) -> None:
    async def both() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(clock.sleep, 0.1)

    before = clock.monotonic()
    anyio.run(both)
    assert clock.monotonic() - before >= 0.099


def test_it_never_goes_back(clock: Clock) -> None:
    times = [clock.monotonic() for _ in range(50)]
    assert times == sorted(times)
