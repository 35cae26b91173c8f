"""How fast creates may go, on a clock that only moves when somebody waits."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiejobs.runner.limits import Rate, RateLimiter, ladder
from tests.contracts.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable


def never() -> bool:
    return False


def sent(pace: RateLimiter, clock: FakeClock, count: int, more: Callable[[int], None]) -> list[float]:
    """The moments at which so many creates were written; `more` says what becomes of each."""
    times: list[float] = []

    async def go() -> None:
        for number in range(count):
            slot = await pace.slot(never)
            assert slot is not None
            pace.written(slot)
            times.append(clock.monotonic())
            more(number)

    anyio.run(go)
    return times


def most_in(times: list[float], seconds: float) -> int:
    return max(sum(1 for t in times if start <= t < start + seconds) for start in times)


@given(
    st.lists(st.sampled_from(["ok", "slow", "429", "455 with 7"]), min_size=1, max_size=80),
    st.sampled_from([Rate(), Rate(3, 1.0), Rate(1, 5.0)]),
)
@settings(max_examples=60, deadline=None)
def test_no_window_ever_holds_more_than_the_rate(story: list[str], rate: Rate) -> None:
    clock = FakeClock()
    pace = RateLimiter(clock, rate)

    def become(number: int) -> None:
        what = story[number]
        if what == "slow":
            clock.passes(0.7)
        elif what == "ok":
            pace.answered(accepted=True)
        else:
            pace.refused(7.0 if "7" in what else None)

    times = sent(pace, clock, len(story), become)
    assert most_in(times, rate.seconds - 1e-6) <= rate.count
    if rate == Rate():
        assert most_in(times, 10.0) <= 20


def test_what_another_run_sent_lately_counts_in_the_first_window() -> None:
    clock = FakeClock()
    pace = RateLimiter(clock, Rate(3, 10.0), lately=[2.0, 4.0, 30.0])
    start = clock.monotonic()
    times = [at - start for at in sent(pace, clock, 2, lambda _: None)]
    assert times[0] == 0
    assert times[1] == pytest.approx(6.0)


def test_a_slot_counts_from_the_moment_it_is_written_in() -> None:
    clock = FakeClock()
    pace = RateLimiter(clock, Rate(2, 10.0))

    async def go() -> None:
        slow = await pace.slot(never)
        assert slow is not None
        clock.passes(12.0)  # a connection that takes longer than the window
        quick = await pace.slot(never)
        assert quick is not None
        pace.written(quick)
        pace.written(slow)
        third = await pace.slot(never)
        assert third is not None

    anyio.run(go)
    assert clock.monotonic() >= 22.0


def test_an_unused_slot_is_free_again() -> None:
    clock = FakeClock()
    pace = RateLimiter(clock, Rate(1, 10.0))

    async def go() -> None:
        for _ in range(5):
            slot = await pace.slot(never)
            assert slot is not None
            pace.give_back(slot)

    anyio.run(go)
    assert clock.monotonic() == 0.0


@pytest.mark.parametrize(("asked", "pause"), [(3.0, 3.0), (0.0, 0.0), (120.0, 120.0), (None, 10.5)])
def test_a_refusal_makes_everyone_pause_for_as_long_as_was_asked(asked: float | None, pause: float) -> None:
    clock = FakeClock()
    pace = RateLimiter(clock, Rate(count=1000))
    assert pace.refused(asked) == pause
    assert sent(pace, clock, 1, lambda _: None) == [pause]


def test_refusals_one_after_the_other_double_the_pause_up_to_a_minute() -> None:
    clock = FakeClock()
    pace = RateLimiter(clock, Rate())
    pauses = []
    for _ in range(5):
        pauses.append(pace.refused(None))
        clock.passes(pauses[-1])
    assert pauses == [10.5, 21.0, 42.0, 60.0, 60.0]


def test_a_burst_of_refusals_counts_once() -> None:
    clock = FakeClock()
    pace = RateLimiter(clock, Rate(16, 1.0))
    assert [pace.refused(None) for _ in range(4)] == [1.0] * 4
    times = sent(pace, clock, 9, lambda _: None)
    assert most_in(times, 0.999) == 8, "half the speed, and not a sixteenth"


def test_it_slows_down_and_recovers() -> None:
    clock = FakeClock()
    pace = RateLimiter(clock, Rate(8, 1.0))
    for _ in range(3):
        clock.passes(pace.refused(None))
    slow = sent(pace, clock, 3, lambda _: None)
    assert most_in(slow, 0.999) == 1
    recovering = sent(pace, clock, 60, lambda _: pace.answered(accepted=True))
    assert most_in(recovering, 0.999) == 8
    assert pace.refused(None) == 1.0, "the next pause is a short one again"


def test_waiting_ends_when_spending_stops() -> None:
    clock = FakeClock()
    pace = RateLimiter(clock, Rate(1, 1000.0))

    async def go() -> None:
        slot = await pace.slot(never)
        assert slot is not None
        pace.written(slot)
        assert await pace.slot(lambda: clock.monotonic() > 5) is None

    anyio.run(go)
    assert clock.monotonic() < 7


def test_without_a_connection_it_waits_a_little_longer_each_time() -> None:
    clock = FakeClock()
    pace = RateLimiter(clock, Rate())
    times = sent(pace, clock, 8, lambda _: pace.missed() and None)
    gaps = [round(later - sooner, 3) for sooner, later in pairwise(times)]
    assert gaps == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert pace.missed() == times[-1] - times[0]
    pace.answered(accepted=False)
    assert pace.missed() == 0.0


def test_the_ladder_is_the_vendors_advice() -> None:
    steps = [ladder(3.0, waited) for waited in (0, 29, 30, 119, 120, 5000)]
    assert steps == [3.0, 3.0, 7.5, 7.5, 21.0, 21.0]
