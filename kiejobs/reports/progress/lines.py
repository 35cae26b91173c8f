"""What is happening, as it happens: a line for each change of state, for logs.

In: states and notes from the runner, and a stream. Out: nothing. Touches: that stream only. The one
on a terminal is in progress_live.py.

Both never raise: a full disk or a closed pipe under stderr must not come between a purchase and its
record.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from kiejobs.ports import Progress
from kiejobs.reports.paint import Paint, state_words
from kiejobs.reports.progress.tally import QuietStream, Tally
from kiejobs.reports.terminal import pad, sanitize, shortened

if TYPE_CHECKING:
    from types import TracebackType


_PASSING = frozenset(
    {"downloading", "uploading"}
)  # worth a glance on a terminal, not a line in a log
_STATE = 13
_LONGEST = 160


class RunProgress(Progress, AbstractContextManager["RunProgress"], Protocol):
    """Progress that is on the screen between `with` and its end."""


def make_progress(
    stream: TextIO, total: int, *, live: bool = False, color: bool = False
) -> RunProgress:
    """`live` where the stream is a terminal that can move its cursor; the caller decides."""
    if live:
        from kiejobs.reports.progress.live import LiveProgress  # noqa: PLC0415 - rich is slow

        return LiveProgress(stream, total, color=color)
    return LineProgress(stream, total, color=color)


class LineProgress:
    """One line for each state that a job gets into: `[3/8] collected  ADDRESS`.

    Going back and forth between two states is told once, and a remark that repeats is told the first,
    the tenth, the hundredth time.
    """

    def __init__(self, stream: TextIO, total: int = 0, *, color: bool = False) -> None:
        self._stream = QuietStream(stream)
        self._paint = Paint(color)
        self._tally = Tally(total)
        self._told: Counter[tuple[str, ...]] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.flush()

    def job(self, address: str, state: str, note: str | None = None) -> None:
        self._tally.move(address, state)
        if note:
            said = self._paint.dim(shortened(sanitize(note), _LONGEST))
            self._tell(f"{self._line(address, state)}  {said}", (address, state, note))
        elif state not in _PASSING and not self._told[address, state]:
            self._tell(self._line(address, state), (address, state))

    def note(self, message: str) -> None:
        self._tell(sanitize(message), (message,))

    def _line(self, address: str, state: str) -> str:
        words = state_words(sanitize(state))
        total = str(self._tally.total)
        done = f"[{self._tally.settled:{len(total)}}/{total}]"
        blanks = pad("", _STATE - len(words))
        return f"{done} {self._paint.state(words)}{blanks}  {sanitize(address)}"

    def _tell(self, line: str, what: tuple[str, ...]) -> None:
        self._told[what] += 1
        count = self._told[what]
        if str(count).strip("0") == "1":
            self._say(line if count == 1 else f"{line} ({count:,} times)")

    def _say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()
