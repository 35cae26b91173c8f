"""Which jobs are bought first, at how many failures to stop, when results go away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.ledger import expires_at, is_past_safety, submitted_at
from kiejobs.core.plan.plan import Action, Change, canaries, job_address
from kiejobs.runner import FailureLimit
from tests.support.histories import BROKEN, bought, journal, reserved, submitted

if TYPE_CHECKING:
    from kiejobs.core.ledger.ledger import Attempt


def line(address: str, price: str | None, action: Action = Action.SUBMIT) -> Change:
    credits_ = None if price is None else Decimal(price)
    return Change(address, action, "+", "new", "f", 1, "m", credits_)


@pytest.mark.parametrize(
    "address", ["tea/pour", "tea/pour#2", "tea/pour[d=5,r=720p]", "tea/pour[scene=a#b]#3"]
)
def test_a_canary_speaks_for_all_combinations_and_takes_of_its_job(address: str) -> None:
    assert job_address(address) == "tea/pour"


def test_the_cheapest_of_each_job_goes_first_and_of_equals_the_first() -> None:
    lines = [
        line("tea/a[d=10]", "36"),
        line("tea/a[d=5]", "16"),
        line("tea/a[d=6]", "16.0"),
        line("tea/b#2", "9"),
        line("tea/b", "9"),
    ]
    assert canaries(lines) == {"tea/a": "tea/a[d=5]", "tea/b": "tea/b#2"}


def test_what_has_no_known_price_goes_first_only_where_nothing_has_one() -> None:
    unknown = [line("tea/a[d=5]", None), line("tea/b[d=5]", None), line("tea/b[d=6]", None)]
    assert canaries([*unknown, line("tea/a[d=10]", "900")]) == {
        "tea/a": "tea/a[d=10]",
        "tea/b": "tea/b[d=5]",
    }


def test_only_what_is_to_be_bought_can_be_a_canary() -> None:
    others = [line(f"tea/a[n={n}]", "0", action) for n, action in enumerate(Action)]
    spends = [one for one in others if one.action is Action.SUBMIT]
    assert canaries([one for one in others if one not in spends]) == {}
    assert canaries([*others, line("tea/b", "1")])["tea/a"] == spends[0].address


@pytest.mark.parametrize(
    ("limit", "jobs", "at"),
    [
        (FailureLimit(number=3), 100, 3),
        (FailureLimit(number=3), 0, 3),
        (FailureLimit(percent=Decimal(50)), 4, 2),
        (FailureLimit(percent=Decimal(50)), 5, 3),
        (FailureLimit(percent=Decimal(10)), 3, 1),
        (FailureLimit(percent=Decimal("0.1")), 10_000, 10),
        (FailureLimit(percent=Decimal(100)), 7, 7),
        (FailureLimit(percent=Decimal(10)), 0, 1),
    ],
)
def test_at_how_many_failures_nothing_more_is_bought(limit: FailureLimit, jobs: int, at: int) -> None:
    assert limit.of(jobs) == at


def attempt(*told: e.Event, later: tuple[e.Event, ...] = ()) -> Attempt:
    (found,) = fold([journal(8, reserved("a"), *told), journal(20, *later)]).attempts()
    return found


BORN = datetime(2026, 11, 22, 8, 1, tzinfo=UTC)


def test_a_result_is_kept_for_14_days_and_may_be_gone_after_one() -> None:
    made = attempt(submitted("a"))
    assert expires_at(made) == BORN + timedelta(days=14)
    assert not is_past_safety(made, BORN + timedelta(hours=23, minutes=59))
    assert is_past_safety(made, BORN + timedelta(hours=24))


def test_a_task_that_was_found_late_expires_as_early_as_any_other() -> None:
    """What its create was in doubt about may have been made right then."""
    found = attempt(e.InDoubt("a", BROKEN), later=(e.Resolved("a", "task", "t", "seen"),))
    assert found.times["submitted"].startswith("2026-11-22T20")
    assert expires_at(found) == BORN + timedelta(days=14)


def test_what_has_no_task_never_expires_and_comes_last() -> None:
    doubt = attempt(e.InDoubt("a", BROKEN))
    assert expires_at(doubt) is None
    assert not is_past_safety(doubt, datetime.max.replace(tzinfo=UTC))
    (old,) = fold([journal(1, *bought("b"))]).attempts()
    assert submitted_at(old) < submitted_at(doubt)
