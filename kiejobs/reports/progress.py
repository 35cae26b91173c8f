"""What is happening, as it happens: a line for each change of state, for logs.

In: states and notes from the runner, and a stream. Touches: that stream only. The display on a terminal is in
live_progress.py. Both never raise: a full disk or a closed pipe must not come between a purchase and its record.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

from kiejobs.reports.terminal import Paint, inert, pad, sanitize, shortened, state_words

_PASSING = frozenset({"downloading", "uploading"})
"""Worth a glance on a terminal, not a line in a log."""

_STATE = 13
_LONGEST = 160


class LineProgress:
    """One line for each state that a job gets into: `[3/8] collected  ADDRESS`.

    Going back and forth between two states is reported once, and a remark that repeats is reported the first,
    the tenth, the hundredth time.
    """

    def __init__(self, stream: TextIO, total: int = 0, *, color: bool = False) -> None:
        self._stream = QuietStream(stream)
        self._paint = Paint(color)
        self._tally = Tally(total)
        self._reported: defaultdict[str | None, Counter[tuple[str, ...]]] = defaultdict(Counter)
        """By address, until it is settled: what was reported, and how often."""

    def job(self, address: str, state: str, note: str | None = None) -> None:
        self._tally.move(address, state)
        if note:
            text = self._paint.dim(shortened(sanitize(note), _LONGEST))
            self._report(f"{self._line(address, state)}  {text}", address, (state, note))
        elif state not in _PASSING and not self._reported[address][state,]:
            self._report(self._line(address, state), address, (state,))
        if state in SETTLED:
            self._reported.pop(address, None)

    def note(self, message: str) -> None:
        self._report(sanitize(message), None, (message,))

    def _line(self, address: str, state: str) -> str:
        words = pad(self._paint.status(state_words(sanitize(state))), _STATE)
        total = str(self._tally.total)
        done = f"[{self._tally.settled:{len(total)}}/{total}]"
        return f"{done} {words}  {sanitize(address)}"

    def _report(self, line: str, address: str | None, what: tuple[str, ...]) -> None:
        self._reported[address][what] += 1
        count = self._reported[address][what]
        if str(count).strip("0") == "1":
            times = "" if count == 1 else f" ({count:,} times)"
            self._stream.write(inert(f"{line}{times}\n"))
            self._stream.flush()


# --- what both displays need ----------------------------------------------------------------------

SETTLED = frozenset({
    "collected", "failed", "rejected", "in_doubt", "not collected", "not submitted",
})  # fmt: skip
"""The runner's words after which a job needs nothing more in this run."""


@dataclass(slots=True)
class Tally:
    """Which state each job is in, and how many have settled."""

    total: int
    states: Counter[str] = field(default_factory=Counter)
    state_of: dict[str, str] = field(default_factory=dict)

    @property
    def settled(self) -> int:
        return sum(map(self.states.__getitem__, SETTLED))

    def move(self, address: str, state: str) -> bool:
        """Note a job's state; is it another one than before?"""
        before = self.state_of.get(address)
        if before == state:
            return False
        if before is not None:
            self.states[before] -= 1
        self.states[state] += 1
        self.state_of[address] = state
        self.total = max(self.total, len(self.state_of))
        return True


@dataclass(frozen=True, slots=True)
class QuietStream:
    """A stream whose failures are nobody's business; what it can't encode is spelled out."""

    stream: TextIO

    @property
    def encoding(self) -> str:
        return getattr(self.stream, "encoding", None) or "utf-8"

    def fileno(self) -> int:  # old consoles of Windows are drawn on by it
        return self.stream.fileno()

    def write(self, text: str) -> int:
        fit = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        with suppress(OSError, ValueError):  # closed, full or gone: there is nowhere to say so
            self.stream.write(fit)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self.stream.flush()
