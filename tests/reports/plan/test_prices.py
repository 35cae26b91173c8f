"""How old prices are, and how plans tell it: the date of today is handed in."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from kiejobs.core.prices.table import AgedPrice, ModelPrice, PriceLine, PriceTable, aged_prices
from kiejobs.reports.markdown import plan_markdown
from kiejobs.reports.plan import needs_a_look, plan_json, plan_text, price_entry, prices_words
from tests.reports.plan.test_text import DIGEST, DONE, NEW, view_of

TODAY = date(2026, 11, 22)


def price(model: str, when: str, file: str | None = None, until: str | None = None) -> ModelPrice:
    lines = (PriceLine({}, Decimal(16)),)
    return ModelPrice(model, "video", lines, "made up", when, note="a guess", file=file, until=until)


def aged(*prices: ModelPrice | str) -> tuple[AgedPrice, ...]:
    """A text is a model without a price."""
    known = [one for one in prices if not isinstance(one, str)]
    models = [one if isinstance(one, str) else one.model for one in prices]
    return aged_prices(PriceTable({one.model: one for one in known}), models, TODAY)


@pytest.mark.parametrize(
    ("when", "days"),
    [
        ("2026-11-22", 0),
        ("2026-11-21", 1),
        ("2026-08-24", 90),
        ("2026-08-23", 91),
        ("2026-10", 52),
        ("2026-08", 113),
        ("2027-01", 0),
    ],
)
def test_a_price_is_old_after_ninety_days(when: str, days: int) -> None:
    (one,) = aged(price("a/b", when))
    assert (one.days, one.old) == (days, days > 90)


@pytest.mark.parametrize(
    ("prices", "words"),
    [
        (aged(price("a/b", "2026-10")), "bundled, 2026-10"),
        (aged(price("a/b", "2026-10"), price("a/c", "2026-10")), "bundled, 2026-10"),
        (aged(price("a/b", "2026-10"), price("a/c", "2026-09")), "bundled, 2026-09 to 2026-10"),
        (
            aged(price("a/b", "2026-11-03", "prices.yaml"), price("a/c", "2026-10")),
            "prices.yaml, 2026-11-03; bundled, 2026-10",
        ),
        (
            aged(price("a/b", "2026-02"), price("a/c", "2026-10")),
            "bundled, 2026-02 to 2026-10; older than 90 days: a/b (2026-02)",
        ),
        (aged("a/b", price("a/c", "2026-10")), "bundled, 2026-10; none for a/b"),
        (aged("a", "b", "c", "d", "e"), "none for a, b, c and 2 more"),
        (aged(price("a/b", "2026-10", until="2026-11-22")), "bundled, 2026-10"),
        (
            aged(price("a/b", "2026-10", until="2026-11-21")),
            "bundled, 2026-10; ran out, price since then unknown: a/b (2026-11-21)",
        ),
    ],
)
def test_one_line_says_where_prices_are_from(prices: tuple[AgedPrice, ...], words: str) -> None:
    assert prices_words(prices) == words
    assert needs_a_look(prices) == any(word in words for word in ("older", "none", "ran out"))


def test_what_a_file_says_of_its_prices_steers_no_terminal() -> None:
    found = prices_words(aged(price("a\x1b[2J", "2026-02", "\x1b[2Jprices.yaml"), "b\x1b[2J"))
    assert "\x1b" not in found


def test_plans_tell_the_prices_of_what_they_buy() -> None:
    prices = aged(price("a/b", "2026-10"), "a/c")
    told = "bundled, 2026-10; none for a/c"
    buys, rests = view_of([NEW], prices=prices), view_of([DONE], prices=prices)
    assert f"\nprices: {told}\n" in plan_text(buys)
    assert "prices:" not in plan_text(rests)
    assert f"\u26a0\ufe0f Prices: `{told}`." in plan_markdown(buys)
    assert "Prices:" not in plan_markdown(rests)


def test_a_plan_s_document_has_an_entry_for_each_model() -> None:
    known, unknown = map(price_entry, aged(price("a/b", "2026-02", "prices.yaml"), "a/c"))
    assert known == {
        "model": "a/b",
        "file": "prices.yaml",
        "date": "2026-02",
        "source": "made up",
        "note": "a guess",
        "old": True,
    }
    assert unknown == dict.fromkeys(known) | {"model": "a/c", "old": False}
    (over,) = map(price_entry, aged(price("a/b", "2026-02", until="2026-11-21")))
    assert (over["ended"], over["until"]) == (True, "2026-11-21")
    view = view_of([NEW], prices=aged(price("a/b", "2026-02")))
    assert '"prices": [{"date": "2026-02"' in plan_json(view)


def test_the_digest_knows_no_date() -> None:
    views = [view_of([NEW], prices=aged(price("a/b", when))) for when in ("2026-11", "2026-01")]
    first, second = map(plan_json, views)
    assert first != second
    assert json.loads(first)["digest"] == json.loads(second)["digest"] == DIGEST
