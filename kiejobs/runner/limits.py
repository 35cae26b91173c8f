"""How a run goes about its work: what may still be spent and how fast, why nothing more is, what is touched.

In: prices, reasons to stop, answers of the API. Out: yes or no to each reservation; slots to send in.
Touches: the clock; the journal, through its port.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import anyio

from kiejobs.core.diagnostics import OverLimit
from kiejobs.core.money import UNPRICED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from kiejobs.core.diagnostics import JournalProblem
    from kiejobs.core.ledger.events import Event
    from kiejobs.ports import Artifacts, Callbacks, Claims, Clock, GenerationApi, Journal, Progress, Uploads

_LONGEST_PAUSE = 60.0  # seconds, where the API gives no Retry-After
_FIRST_RETRY = 0.5  # seconds
_SLOWEST_RETRY = 15.0
LONGEST_NAP = 1.0  # seconds until who waits notices that spending has stopped


class StopReason(StrEnum):
    """Why nothing more is bought. Collecting always goes on."""

    BUDGET = "budget"
    FAILURES = "failures"
    CREDITS = "credits"
    KEY = "key"
    KEY_LIMIT = "key_limit"
    EDGE = "edge"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    DOUBTS = "doubts"
    INTERRUPTED = "interrupted"
    JOURNAL = "journal"
    BUG = "bug"


def reason_of(refused: JournalProblem) -> StopReason:
    """Why nothing more is bought once a reservation was refused."""
    return StopReason.BUDGET if isinstance(refused, OverLimit) else StopReason.JOURNAL


MOST_DOUBTS_IN_A_ROW = 10  # creates without a readable answer: nobody should pay for an eleventh


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """How many jobs may fail before nothing more is bought: a number, or a share of those to buy."""

    number: int | None = None
    percent: Decimal | None = None

    def of(self, jobs: int) -> int:
        """The failure at which to stop, of that many jobs."""
        if self.percent is None:
            return self.number or 1
        return max(1, math.ceil(self.percent * jobs / 100))


@dataclass(slots=True)
class Budget:
    """`left` is what remains of the budget, `most_failures` how many jobs may fail; None: no limit.

    What settles for less than its price gives the rest back; what is in doubt stays taken.
    """

    left: Decimal | None = None
    stopped: StopReason | None = None
    why: str | None = None
    doubts_in_a_row: int = 0
    most_failures: int | None = None
    failures: int = 0

    def has_stopped(self) -> bool:
        return self.stopped is not None

    def stop(self, reason: StopReason, why: str) -> None:
        """The first reason is the one that is reported, but an interruption always is."""
        if self.stopped is None or reason is StopReason.INTERRUPTED:
            self.stopped = reason
            self.why = why

    def take(self, price: Decimal | None) -> bool:
        """Take a price from the budget, or stop spending where it does not fit or is not known."""
        if self.stopped is not None:
            return False
        if self.left is None:
            return True
        if price is None:
            self.stop(StopReason.BUDGET, UNPRICED)
            return False
        if price > self.left:
            left = max(self.left, type(price)(0))  # tasks may cost more than was planned for them
            self.stop(StopReason.BUDGET, f"the next job costs {price} credits, and {left} are left")
            return False
        self.left -= price
        return True

    def fits(self, price: Decimal | None) -> bool:
        """Would it be taken?"""
        return self.left is None or (price is not None and price <= self.left)

    def give_back(self, credits_: Decimal | None) -> None:
        if self.left is not None and credits_ is not None:
            self.left += credits_

    def failed(self, why: str) -> None:
        self.failures += 1
        if self.most_failures is not None and self.failures >= self.most_failures:
            self.stop(StopReason.FAILURES, f"{self.failures} failed; last: {why}")

    def doubted(self, why: str) -> None:
        self.doubts_in_a_row += 1
        if self.doubts_in_a_row >= MOST_DOUBTS_IN_A_ROW:
            self.stop(StopReason.DOUBTS, f"{self.doubts_in_a_row} creates in a row in doubt; last: {why}")

    def understood(self) -> None:
        self.doubts_in_a_row = 0


# --- how fast ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` creates in any `seconds`. The API takes 20 in any 10 s per account. A limiter that counts
    starts can look double at the window's edge, so 18 go per 10.5 s, counted from when a request was written.
    """

    count: int = 18
    seconds: float = 10.5


@dataclass(slots=True)
class Permit:
    """A permission to send one create; `at` moves to when it was written. Until then it holds its place."""

    at: float
    used: bool = False


class RateLimiter:
    """One for all creates of a run."""

    def __init__(self, clock: Clock, rate: Rate, lately: Iterable[float] = ()) -> None:
        """`lately`: how many seconds ago other runs of this account sent their last creates."""
        self._clock = clock
        self._rate = rate
        self._allowed = rate.count
        now = clock.monotonic()
        self._slots = [Permit(now - age, used=True) for age in lately]
        self._paused_until = 0.0
        self._refusals = 0
        self._misses = 0
        self._missing_since: float | None = None
        self._refused_since: float | None = None
        self._turn = anyio.Lock()

    async def slot(self, stopped: Callable[[], bool]) -> Permit | None:
        """Wait for a place in the window and for the end of any pause; None once `stopped`."""
        async with self._turn:
            while (wait := self._wait()) > 0 and not stopped():
                await self._clock.sleep(min(wait, LONGEST_NAP))
            if stopped():
                return None
            slot = Permit(self._clock.monotonic())
            self._slots.append(slot)
            return slot

    def written(self, slot: Permit) -> None:
        """The slot's request is going over the wire now."""
        slot.at = self._clock.monotonic()
        slot.used = True

    def give_back(self, slot: Permit) -> None:
        """Nothing was written in this slot."""
        if slot in self._slots:
            self._slots.remove(slot)

    def refused(self, retry_after: float | None) -> float:
        """429 or 455: everyone pauses and goes on slower. The pause in seconds. Refused together counts once."""
        if self._refused_since is None:
            self._refused_since = self._clock.monotonic()
        if self._clock.monotonic() >= self._paused_until:
            self._refusals += 1
            self._allowed = max(1, self._allowed // 2)
        doubled = self._rate.seconds * 2 ** min(max(self._refusals - 1, 0), 8)
        pause = retry_after if retry_after is not None else min(doubled, _LONGEST_PAUSE)
        self.pause(pause)
        return pause

    def refused_for(self) -> float:
        """Seconds since a create was refused, with none taken since."""
        return 0.0 if self._refused_since is None else self._clock.monotonic() - self._refused_since

    def missed(self) -> float:
        """No connection: wait a little longer each time. For how long it has been so, in seconds."""
        now = self._clock.monotonic()
        if self._missing_since is None:
            self._missing_since = now
        self.pause(backoff(self._misses))
        self._misses += 1
        return now - self._missing_since

    def answered(self, *, accepted: bool) -> None:
        """The API can be reached. Does it take our creates? Then back to full speed, step by step."""
        self._misses = 0
        self._missing_since = None
        if accepted:
            self._refused_since = None
            self._refusals = 0
            self._allowed = min(self._rate.count, self._allowed + 1)

    def pause(self, seconds: float) -> None:
        """Nobody starts before that."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def _wait(self) -> float:
        now = self._clock.monotonic()
        horizon = now - self._rate.seconds
        self._slots = [slot for slot in self._slots if slot.at > horizon or not slot.used]
        wait = self._paused_until - now
        if len(self._slots) >= self._allowed:
            # What is not written yet may be written now.
            times = sorted(slot.at if slot.used else now for slot in self._slots)
            wait = max(wait, times[-self._allowed] + self._rate.seconds - now)
        return wait


def backoff(misses: int) -> float:
    """Seconds to wait after a connection that did not come about, with that many before it."""
    return min(_FIRST_RETRY * 2.0 ** min(misses, 8), _SLOWEST_RETRY)


def jittered(seconds: float) -> float:
    """A tenth more or less, so that a hundred tasks don't ask in the same instant."""
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - no secret


def ladder(first: float, waited: float) -> float:
    """Seconds until the next poll, after `waited` seconds of polling. The vendor's advice, for a first step of
    3 s: every 2-3 s for 30 s, every 5-10 s for two minutes, then every 15-30 s.
    """
    if waited < 10 * first:
        return first
    return 2.5 * first if waited < 40 * first else 7 * first


# --- how a run goes about its work, and what it touches ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run. Times in seconds.

    `wait` is our patience with one task; its end means `running`. `give_up` is how long the API may be out of
    reach before nothing more is bought. `lately` are the ages of the account's last creates. `callback_url` is
    where creates ask to be called back that name no URL of their own; `doubt_wait` is how long after a create
    its callback may still end a doubt (the slowest on record took 13 minutes). `canary`: the cheapest of each
    job first. `checks`: results are held against theirs. `stay`: go on until interrupted, or with `until_done` until nothing is at the API any more.
    """

    rate: Rate = field(default_factory=Rate)
    first_poll: float = 3.0
    wait: float = 3600.0
    in_flight: int = 100
    creates: int = 4
    uploads: int = 4
    downloads: int = 8
    give_up: float = 60.0
    lately: tuple[float, ...] = ()
    detach: bool = False
    once: bool = False
    canary: bool = False
    stay: bool = False
    until_done: bool = False
    checks: bool = True
    callback_url: str | None = None
    doubt_wait: float = 900.0

    @property
    def safety_net(self) -> float:
        """Between two polls of a task, as long as callbacks arrive: a minute by default."""
        return 20 * self.first_poll


@dataclass(slots=True)
class RetryingJournal:
    """What the disk refused is written before what comes after it: else a paid task could look settled."""

    _journal: Journal
    deferred: list[Event] = field(default_factory=list)
    """Written with whatever can be written next."""

    def append(self, *events: Event) -> str:
        """All that was deferred and these, in one go or not at all; JournalProblem if that failed."""
        at = self._journal.append(*self.deferred, *events)
        self.deferred.clear()
        return at


@dataclass(frozen=True, slots=True)
class World:
    """All that the runner touches, handed over in one piece. `uploads`: for jobs with local files; `claims`: where
    reservations have to be published ahead; `judge`: what is wrong with which of these addresses' results, in words.
    """

    api: GenerationApi
    journal: Journal
    artifacts: Artifacts
    clock: Clock
    progress: Progress
    callbacks: Callbacks | None = None
    uploads: Uploads | None = None
    claims: Claims | None = None
    judge: Callable[[Sequence[str]], Awaitable[Mapping[str, str]]] | None = None
