"""Events as lines of a journal and back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.ledger import events as e
from kiejobs.core.money import money
from tests.support.histories import BROKEN, BUSY, REFUSED, bought, failed, journal

if TYPE_CHECKING:
    from kiejobs.core.ledger.events import Event

EVENTS: list[Event] = [
    *(timed.event for timed in journal(1, *bought("a")).events),
    failed("a", None),
    e.Planned("tea/x", "f", 1, "m", "submit", "new", Decimal("12.50")),
    e.NotAccepted("a", BUSY),
    e.Rejected("a", REFUSED),
    e.InDoubt("a", BROKEN),
    e.UnusedAnswer("a", "create", '{"code":200}', "t9"),
    e.Adopted("tea/x", "tea/y", "f", 2),
    e.Resolved("a", "lost", None, "ruled"),
    e.Priced("a", Decimal(60)),
    e.RunFinished(4, "budget"),
    e.Approved("ab" * 32, "plan-1"),
    e.Uploaded("ab" * 32, "https://files.example.com/a.png", 9, "image/png", None, "images/a.png"),
    e.StillMissing("a", "last-frame", "https://f.example/l.png", "the result host answered HTTP 500"),
    e.Gone("a", "the result host answered HTTP 404"),
    e.Called("a", "t1", signed=True),
    e.Conflicted("a", "t2", "a second task", may_be_paid=True),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_reads_back_as_it_was_written(event: Event) -> None:
    assert e.from_json(json.loads(json.dumps(e.to_json(event)))) == event


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_what_an_event_holds_is_of_the_type_that_its_fields_are_annotated_with(
    event: Event,
) -> None:
    assert e.bad_field(event) is None


def test_every_kind_of_event_is_tried_here() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(e.Event))


def test_a_kind_that_a_later_version_writes_is_passed_over() -> None:
    assert e.from_json({"type": "annotated", "text": "x"}) is None


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_a_line_that_lacks_a_key_of_its_kind_is_refused(event: Event) -> None:
    line = e.to_json(event)
    for key in line:
        with pytest.raises((KeyError, TypeError, ValueError)):
            e.from_json({name: value for name, value in line.items() if name != key})


@pytest.mark.parametrize(
    ("key", "damaged"),
    [
        ("credits", "lots"),
        ("credits", []),
        ("credits", True),
        ("credits", "NaN"),
        ("failure", {"kind": "x"}),
        ("failure", None),
        ("files", [{"path": "x"}]),
        ("files", 5),
        ("urls", "https://files.example.com/x"),
        ("type", []),
    ],
)
def test_a_value_out_of_form_is_refused(key: str, damaged: Any) -> None:
    """With the errors that the journal's reader turns into a file and a line."""
    line = next(line for line in map(e.to_json, EVENTS) if key in line)
    with pytest.raises((KeyError, TypeError, ValueError)):
        e.from_json({**line, key: damaged})


@given(st.decimals("-1000000", "1000000", places=4))
def test_money_is_plain_decimal_text_that_reads_back(amount: Decimal) -> None:
    text = money(amount)
    assert Decimal(text) == amount
    assert "E" not in text
    assert not text.endswith((".", ".0"))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("16", "16"),
        ("16.0", "16"),
        ("60.620", "60.62"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("0.00", "0"),
    ],
)
def test_money_by_example(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text
