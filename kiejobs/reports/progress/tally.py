"""Which state each job is in, and a stream that may fail in silence: what both displays need.

In: states. Out: counts. Touches: the stream handed in.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TextIO

SETTLED = frozenset({
    "collected", "failed", "rejected", "in_doubt", "not collected", "not submitted",
})  # fmt: skip
"""The runner's words after which a job needs nothing more in this run."""


class Tally:
    """Which state each job is in, and how many have settled."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.states: Counter[str] = Counter()
        self._state_of: dict[str, str] = {}

    @property
    def settled(self) -> int:
        return sum(self.states[state] for state in SETTLED)

    def move(self, address: str, state: str) -> bool:
        """Note a job's state; is it another one than before?"""
        before = self._state_of.get(address)
        if before == state:
            return False
        if before is not None:
            self.states[before] -= 1
        self.states[state] += 1
        self._state_of[address] = state
        self.total = max(self.total, len(self._state_of))
        return True


class QuietStream:
    """A stream whose failures are nobody's business; what it can't encode is spelled out."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        fit = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        with suppress(OSError, ValueError):  # closed, full or gone: there is nowhere to say so
            self._stream.write(fit)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()
