"""What may still be spent, and why nothing more is.

In: a budget, prices, reasons to stop. Out: yes or no to each reservation. Touches nothing.

A reservation takes its price before the request is sent; what settles for less gives the rest back;
what is in doubt stays taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kiejobs.core.money import UNPRICED

if TYPE_CHECKING:
    from decimal import Decimal


class StopReason(StrEnum):
    """Why nothing more is bought. Collecting always goes on."""

    BUDGET = "budget"
    FAILURES = "failures"
    CREDITS = "credits"
    KEY = "key"
    UNREACHABLE = "unreachable"
    DOUBTS = "doubts"
    INTERRUPTED = "interrupted"
    JOURNAL = "journal"
    BUG = "bug"


MOST_DOUBTS_IN_A_ROW = 10
"""After so many creates in a row without a readable answer nobody should pay for an eleventh."""


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """How many jobs may fail before nothing more is bought: a number, or a share of those to buy."""

    number: int | None = None
    percent: Decimal | None = None

    def of(self, jobs: int) -> int:
        """The failure at which to stop, of so many jobs."""
        if self.percent is None:
            return self.number or 1
        return max(1, math.ceil(self.percent * jobs / 100))


@dataclass(slots=True)
class Budget:
    """`left` is what remains of the budget, `most_failures` how many jobs may fail; None: no limit."""

    left: Decimal | None = None
    stopped: StopReason | None = None
    why: str | None = None
    doubts_in_a_row: int = 0
    most_failures: int | None = None
    failures: int = 0

    def has_stopped(self) -> bool:
        return self.stopped is not None

    def stop(self, reason: StopReason, why: str) -> None:
        """The first reason is the one that is told, but an interruption is always told."""
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
            self.stop(StopReason.BUDGET, f"the next job costs {price}, and {self.left} is left")
            return False
        self.left -= price
        return True

    def give_back(self, credits_: Decimal | None) -> None:
        if self.left is not None and credits_ is not None:
            self.left += credits_

    def failed(self, why: str) -> None:
        """A job failed or was rejected."""
        self.failures += 1
        if self.most_failures is not None and self.failures >= self.most_failures:
            self.stop(StopReason.FAILURES, f"{self.failures} failed; last: {why}")

    def doubted(self, why: str) -> None:
        self.doubts_in_a_row += 1
        if self.doubts_in_a_row >= MOST_DOUBTS_IN_A_ROW:
            self.stop(
                StopReason.DOUBTS, f"{self.doubts_in_a_row} creates in a row in doubt; last: {why}"
            )

    def understood(self) -> None:
        self.doubts_in_a_row = 0
