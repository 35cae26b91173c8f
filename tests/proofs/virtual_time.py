"""Time that passes only when everybody waits: minutes of pacing in a second.

In: a coroutine function. Out: what it returns. Touches nothing: an event loop whose clock jumps to the
next timer as soon as nothing else is left to do. It has no use for sockets or threads.
"""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_Answer = TypeVar("_Answer")
_START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


class Time:
    """Seconds that have passed: in one loop, or in several one after the other."""

    passed = 0.0


class _Jumping(selectors.DefaultSelector):
    """Never waits; lets the time pass that it was asked to."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and nobody for a time"
            self._time.passed += max(0.0, timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, time: Time) -> None:
        self._passing = time
        super().__init__(_Jumping(time))

    def time(self) -> float:
        return self._passing.passed


def run(main: Callable[[], Awaitable[_Answer]], time: Time | None = None) -> _Answer:
    """Run it to its end, on time of its own that begins at 0, or on the time given, which goes on."""
    passing = time or Time()
    return anyio.run(main, backend_options={"loop_factory": lambda: _Loop(passing)})


class LoopClock:
    """The runner's clock: the running loop's, which says 09:30 at 0."""

    def now(self) -> datetime:
        return _START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


def sandbox_now() -> float:
    """The same moments, as the sandbox wants them: epoch seconds."""
    try:
        passed = asyncio.get_running_loop().time()
    except RuntimeError:  # it is asked before the loop runs, too
        passed = 0.0
    return _START.timestamp() + passed
