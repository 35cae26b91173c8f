"""Time as the sandbox knows it.

In: nothing. Out: the `SandboxClock` protocol, and the real one. Touches the wall clock.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class SandboxClock(Protocol):
    """Wall time, and waiting. Compressing time is the sandbox's own business (`speed`)."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""

    async def sleep(self, seconds: float) -> None: ...


class RealClock:
    """The computer's."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def iso(moment: float) -> str:
    """Epoch seconds as `2026-11-22T09:30:00.123Z`: UTC, to the millisecond."""
    text = datetime.fromtimestamp(round(moment, 3), UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def from_iso(text: str) -> float:
    """The way back. Raises ValueError for anything else."""
    return datetime.fromisoformat(text).timestamp()
