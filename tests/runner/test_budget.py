"""What may still be spent, and why nothing more is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.runner.limits import MOST_DOUBTS_IN_A_ROW, Budget, StopReason

CREDITS = st.decimals(0, 100, places=2)


@given(CREDITS, st.lists(st.tuples(CREDITS, st.booleans()), max_size=30))
def test_what_is_taken_less_what_is_given_back_never_exceeds_the_budget(
    budget: Decimal, wishes: list[tuple[Decimal, bool]]
) -> None:
    spending = Budget(budget)
    held = Decimal(0)
    for price, comes_back in wishes:
        if spending.take(price):
            held += price
            if comes_back:
                spending.give_back(price)
                held -= price
        assert held <= budget
        assert spending.left == budget - held


def test_without_a_budget_all_prices_are_taken_even_unknown_ones() -> None:
    spending = Budget()
    assert spending.take(Decimal(10**9))
    assert spending.take(None)
    spending.give_back(Decimal(1))
    assert spending.left is None


@pytest.mark.parametrize("price", [None, Decimal("10.01")])
def test_what_does_not_fit_stops_all_that_follows(price: Decimal | None) -> None:
    spending = Budget(Decimal(10))
    assert not spending.take(price)
    assert spending.stopped is StopReason.BUDGET
    assert not spending.take(Decimal(1))
    assert spending.left == 10


def test_the_first_reason_is_told_but_an_interruption_always() -> None:
    spending = Budget()
    spending.stop(StopReason.CREDITS, "no credits")
    spending.stop(StopReason.KEY, "no key")
    assert (spending.stopped, spending.why) == (StopReason.CREDITS, "no credits")
    spending.stop(StopReason.INTERRUPTED, "interrupted")
    assert spending.stopped is StopReason.INTERRUPTED


def test_doubts_in_a_row_stop_and_an_understood_answer_begins_anew() -> None:
    spending = Budget()
    for _ in range(3):
        for _ in range(MOST_DOUBTS_IN_A_ROW - 1):
            spending.doubted("ReadTimeout")
        spending.understood()
    assert spending.stopped is None
    for _ in range(MOST_DOUBTS_IN_A_ROW):
        spending.doubted("ReadTimeout")
    assert spending.stopped is StopReason.DOUBTS
    assert spending.why is not None
    assert "ReadTimeout" in spending.why


def test_so_many_failures_stop_spending_with_the_last_ones_words() -> None:
    spending = Budget(most_failures=2)
    spending.failed("tea/a: flagged")
    assert spending.stopped is None
    spending.failed("tea/b: too dark")
    assert spending.stopped is StopReason.FAILURES
    assert spending.why == "2 failed; last: tea/b: too dark"
    spending.failed("tea/c: too late")
    assert spending.why == "2 failed; last: tea/b: too dark"


def test_without_a_limit_any_number_may_fail() -> None:
    spending = Budget()
    for _ in range(1000):
        spending.failed("flagged")
    assert spending.take(None)
