"""Claims on their way from the receiver's thread to the run's event loop.

In: claims, from any thread. Out: each of them once, to whoever waits on an asyncio loop (the runner's
anyio runs on one). Touches nothing; its memory is bounded both ways, so that no flood can eat it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

import anyio.lowlevel

if TYPE_CHECKING:
    from kiejobs.core.ledger.outcomes import Claim


class Inbox:
    """Holds at most `room` claims that nobody took yet, and remembers the last `remembered` ones."""

    def __init__(self, room: int, remembered: int) -> None:
        self._room = room
        self._remembered = remembered
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._claims: deque[Claim] = deque()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._lock = threading.Lock()

    def put(self, claim: Claim) -> bool:
        """Take it in, or leave it where it was told already. False where there was no room for it.

        One that found no room isn't remembered: it may come again.
        """
        name = (claim.attempt_id, claim.task_id)
        with self._lock:
            if name in self._told:
                self._told.move_to_end(name)
                return True
            if len(self._claims) >= self._room:
                return False
            self._remember(name)
            self._claims.append(claim)
            for event, loop in self._waiting.items():
                loop.call_soon_threadsafe(event.set)
        return True

    async def next(self) -> Claim:
        """The oldest claim; waits for one. A wait that is cancelled takes none away."""
        await anyio.lowlevel.checkpoint()
        event = asyncio.Event()
        try:
            while (claim := self._take(event)) is None:
                await event.wait()
                event.clear()
        finally:
            with self._lock:
                self._waiting.pop(event, None)
        return claim

    def _take(self, event: asyncio.Event) -> Claim | None:
        with self._lock:
            if self._claims:
                return self._claims.popleft()
            self._waiting[event] = asyncio.get_running_loop()
            return None

    def _remember(self, name: tuple[str, str]) -> None:
        self._told[name] = None
        if len(self._told) > self._remembered:
            self._told.popitem(last=False)
