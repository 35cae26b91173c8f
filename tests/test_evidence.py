"""The check behind `resolve --task`: is this task what we sent?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kiejobs.core.events import Reserved
from kiejobs.core.evidence import mismatch
from kiejobs.core.ledger import Attempt
from kiejobs.core.types import State

SENT = {"prompt": "p", "duration": "6", "sound": True, "urls": ["https://a"]}


def attempt_of(model: str, sent: dict[str, Any]) -> Attempt:
    reserved = Reserved("a" * 32, "c/j", "f" * 64, 1, model, sent, None, Decimal(1), "c/j.mp4")
    return Attempt("a" * 32, "r", reserved, "c/j", State.IN_DOUBT)


def test_the_same_request_is_recognised() -> None:
    assert mismatch(attempt_of("m", SENT), "m", SENT) is None


def test_filled_in_defaults_and_turned_numbers_are_no_difference() -> None:
    seen = {**SENT, "duration": 6, "sound": "true", "nsfw_checker": False}
    assert mismatch(attempt_of("m", SENT), "m", seen) is None


@pytest.mark.parametrize(
    ("model", "seen", "word"),
    [
        ("other", SENT, "model"),
        ("m", None, "does not say"),
        ("m", {**SENT, "prompt": "q"}, "`prompt`"),
        ("m", {**SENT, "urls": ["https://b"]}, "`urls`"),
        ("m", {"prompt": "p"}, "`duration`"),
    ],
)
def test_a_difference_is_named(model: str, seen: dict[str, Any] | None, word: str) -> None:
    found = mismatch(attempt_of("m", SENT), model, seen)
    assert found is not None
    assert word in found


def test_the_attempt_in_the_tasks_own_callback_url_tells_takes_apart() -> None:
    ours = attempt_of("m", SENT)
    assert mismatch(ours, "m", SENT, "a" * 32) is None
    assert mismatch(ours, "m", SENT, None) is None
    assert mismatch(ours, "m", SENT, "b" * 32) == "it was made by another create of ours"
