"""What is happening, as it happens: how far a run is, in words; as lines for logs, and drawn for a terminal.

In: states and notes from the runner, the time, a stream. Out: lines. Touches: that stream only. What redraws a terminal
is in live_progress.py. Both never raise: a full disk or a closed pipe must not come between a purchase and its record.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING

from kiejobs.core.money import credits_text
from kiejobs.reports.terminal import Paint, inert, pad, sanitize, shortened, state_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

# --- how far it is -----------------------------------------------------------------------------------

SETTLED = frozenset({
    "collected", "detached", "failed", "rejected", "in_doubt", "gone", "not collected", "not submitted",
})  # fmt: skip
"""The runner's words after which a job needs nothing more in this run."""

_WORDS = {
    "reserved": "submitting",
    "not_accepted": "retrying",
    "succeeded": "downloading",
    "collected": "success",
    "failed": "fail",
}
_ORDER = dict.fromkeys((
    "not started", "retrying", "uploading", "submitting", "submitted",
    "waiting", "queuing", "generating", "running", "downloading", "success", "fail",
), 0)  # fmt: skip
_LATELY = 50  # jobs that have settled, of which the rate is
_EARLY = 5.0  # seconds in which a rate would be chance


@dataclass(slots=True)
class Tally:
    """Which state each job is in, credits, and how fast jobs settle.

    `prices`, by address, are of what this run buys; other jobs' money is not counted. `held` is for what was sent, or is
    being sent, and has no end yet; for what is in doubt, too. `begun`, and `now` everywhere, are seconds of one clock.
    """

    total: int
    prices: Mapping[str, Decimal | None] = field(default_factory=dict)
    begun: float = 0.0
    settled: int = 0
    charged: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    state_of: dict[str, str] = field(default_factory=dict)
    _states: Counter[str] = field(default_factory=Counter)
    _open: dict[str, Decimal] = field(default_factory=dict)
    _settled_at: list[float] = field(default_factory=list)
    _planned: str | None = None

    def move(self, address: str, state: str, now: float = 0.0, charged: Decimal | None = None) -> bool:
        """Note a job's state; is it another one than before? `charged` None: as planned."""
        before = self.state_of.get(address, "")
        if before == state:
            return False
        self._states[before] -= 1
        self._states[state] += 1
        self.state_of[address] = state
        self.total = max(self.total, len(self.state_of))
        self.settled += (state in SETTLED) - (before in SETTLED)
        if state in SETTLED and before not in SETTLED:
            self._settled_at.append(now)
        if state == "reserved":
            self._open[address] = self.prices.get(address) or Decimal(0)
            self.held += self._open[address]
        elif state in {"succeeded", "failed", "rejected", "not_accepted"} and address in self._open:
            price = self._open.pop(address)
            self.held -= price
            if state in {"succeeded", "failed"}:
                self.charged += price if charged is None else charged
        return True

    def counts(self) -> dict[str, str]:
        """`8 generating` by state: in the API's words, and in ours for what it has none for."""
        found = Counter(_ORDER)
        found["not started"] = self.total - len(self.state_of)
        for state, count in self._states.items():
            found[_WORDS.get(state, state_words(state))] += count
        words = {}
        for word, count in (+found).items():
            words[word] = f"{count:,} {sanitize(word)}"
        return words

    def figures(self, now: float) -> tuple[str, str, str]:
        """Credits, rate, time, in words; empty where there is nothing to say of them yet."""
        money = rate = ""
        if self._planned is None:  # once, since there may be 100,000 prices
            planned = sum(filter(None, self.prices.values()), Decimal(0))
            self._planned = "" if None in self.prices.values() else f" of {credits_text(planned)}"
        if self.prices:
            money = (
                f"{credits_text(self.charged)}{self._planned} credits charged, {credits_text(self.held)} held"
            )
        minutes, seconds = divmod(int(now - self.begun), 60)
        hours, minutes = divmod(minutes, 60)
        time = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
        lately = self._settled_at[-_LATELY:]
        since = lately[0] if len(lately) == _LATELY else self.begun
        if lately and now > since and now - self.begun >= _EARLY:
            rate = f"{60 * len(lately) / (now - since):.1f} jobs/min"
            left = (self.total - self.settled) * (now - since) / len(lately)
            time += f", about {_roughly(left)} left" if left else ""
        return money, rate, time


def _roughly(seconds: float) -> str:
    if seconds < 60:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


# --- lines for logs ----------------------------------------------------------------------------------

QUIET, NORMAL, VERBOSE = -1, 0, 1
"""How much is printed: errors only; how far the run is, and what needs a person; every state of every job."""

_PASSING = frozenset({"downloading", "uploading"})
"""Worth a glance on a terminal, not a line in a log."""

_ALIKE = frozenset({"not submitted", "not_accepted", "retrying"})
"""What keeps one job waiting keeps others, too: a log has it once for all of them."""

_STATE = 13
_LONGEST = 160
_EVERY = 5.0  # seconds between two lines on the run, at the least
_ALIVE = 300.0  # seconds after which a line is due without news: CI servers end what is silent for long


class LineProgress:
    """How far the run is, every few seconds in which something happened, and at once what needs a person:

        [3/8] 1 queuing, 4 generating, 2 success, 1 fail; 32 of 128 credits charged, 80 held; 1:10, about 2 min left
        [3/8] failed         ADDRESS  the prompt was refused

    With VERBOSE a line for each state that a job gets into. A remark that repeats is reported the first, the tenth,
    the hundredth time. `title` says which run it is.
    """

    moved = None
    """A log has no use for the bytes of a file that is on its way."""

    def __init__(
        self,
        stream: TextIO,
        total: int = 0,
        *,
        color: bool = False,
        verbosity: int = NORMAL,
        prices: Mapping[str, Decimal | None] | None = None,
        title: str = "",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._stream = stream
        self._paint = Paint(color)
        self._clock = clock
        self._verbosity = verbosity
        self._tally = Tally(total, prices or {}, clock())
        self._title = title
        self._next = self._tally.begun + _EVERY
        self._is_news = False
        self._reported: defaultdict[str | None, Counter[tuple[str, ...]]] = defaultdict(Counter)
        """By address, until it is settled: what was reported, and how often."""

    def job(
        self, address: str, state: str, note: str | None = None, *, charged: Decimal | None = None
    ) -> None:
        now = self._clock()
        if self._title and self._verbosity > QUIET:
            self._write(f"{self._done()} {self._title}")
        self._title = ""
        self._is_news |= self._tally.move(address, state, now, charged)
        if self._verbosity == VERBOSE:
            is_line = bool(note) or state not in _PASSING
        else:
            is_odd = bool(note) and state != "submitted"  # whose note is the task's id
            is_line = state in SETTLED - {"collected", "detached"} or (is_odd and self._verbosity == NORMAL)
        if is_line:
            self._job_line(address, state, note)
        if self._verbosity == NORMAL:
            self._summarize(now)
        if state in SETTLED:
            self._reported.pop(address, None)

    def note(self, message: str, *, minor: bool = False) -> None:
        if not minor or self._verbosity > QUIET:
            self._report(sanitize(message), None, (message,))

    def _job_line(self, address: str, state: str, note: str | None) -> None:
        words = pad(self._paint.status(state_words(sanitize(state))), _STATE)
        line = f"{self._done()} {words}  {sanitize(address)}"
        if note:
            line += f"  {self._paint.dim(shortened(sanitize(note), _LONGEST))}"
            whose = None if self._verbosity < VERBOSE and state in _ALIKE else address
            self._report(line, whose, (state, note))
        elif not self._reported[address][state,]:
            self._report(line, address, (state,))

    def _summarize(self, now: float) -> None:
        is_over = self._is_news and self._tally.settled == self._tally.total
        if not is_over and now < self._next + (0 if self._is_news else _ALIVE):
            return
        parts = (", ".join(self._tally.counts().values()), *self._tally.figures(now))
        self._write(f"{self._done()} {'; '.join(filter(None, parts))}")
        self._next, self._is_news = now + _EVERY, False

    def _done(self) -> str:
        total = str(self._tally.total)
        return f"[{self._tally.settled:{len(total)}}/{total}]"

    def _report(self, line: str, address: str | None, what: tuple[str, ...]) -> None:
        self._reported[address][what] += 1
        count = self._reported[address][what]
        if str(count).strip("0") == "1":
            self._write(line if count == 1 else f"{line} ({count:,} times)")

    def _write(self, line: str) -> None:
        with suppress(OSError, ValueError):  # closed, full or gone: there is nowhere to say so
            self._stream.write(inert(f"{line}\n"))
            self._stream.flush()
