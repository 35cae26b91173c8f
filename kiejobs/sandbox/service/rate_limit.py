"""The rate limit of createTask: 20 accepted calls in any 10 seconds per account (documented).

In: moments. Out: whether a call is let through. Touches nothing. Whether the service's window slides
is not known; this one does, which is the stricter reading.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CALLS, SECONDS = 20, 10.0


class AccountRate:
    """A sliding window; `speed` is how much faster than real time it slides; `calls` are
    those that were let through before, oldest first.
    """

    def __init__(self, speed: float, calls: Iterable[float] = ()) -> None:
        self._window = SECONDS / speed
        self._calls = deque(calls, maxlen=CALLS)

    def admit(self, now: float) -> bool:
        """Count a call at `now`, unless it is one too many. Refused calls don't count."""
        full = len(self._calls) == CALLS
        if full and now - self._calls[0] < self._window:
            return False
        self._calls.append(now)
        return True
