"""The check behind `resolve --task`: is this task what we sent?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kiejobs.core.ledger.events import Reserved
from kiejobs.core.ledger.ledger import Attempt
from kiejobs.core.ledger.records import State
from kiejobs.core.ledger.uploads import mismatch
from tests.support.histories import upload

SENT = {"prompt": "p", "duration": "6", "sound": True, "urls": ["https://a"]}


def attempt_of(model: str, sent: dict[str, Any]) -> Attempt:
    reserved = Reserved("a" * 32, "c/j", "f" * 64, 1, model, sent, None, Decimal(1), "c/j.mp4")
    return Attempt("a" * 32, "r", reserved, "c/j", State.IN_DOUBT)


def test_the_same_request_is_recognised() -> None:
    assert mismatch(attempt_of("m", SENT), "m", SENT, uploads={}) is None


def test_filled_in_defaults_and_turned_numbers_are_no_difference() -> None:
    seen = {**SENT, "duration": 6, "sound": "true", "nsfw_checker": False}
    assert mismatch(attempt_of("m", SENT), "m", seen, uploads={}) is None


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
    found = mismatch(attempt_of("m", SENT), model, seen, uploads={})
    assert found is not None
    assert word in found


def test_the_attempt_in_the_tasks_own_callback_url_tells_takes_apart() -> None:
    ours = attempt_of("m", SENT)
    assert mismatch(ours, "m", SENT, "a" * 32, uploads={}) is None
    assert mismatch(ours, "m", SENT, None, uploads={}) is None
    found = mismatch(ours, "m", SENT, "b" * 32, uploads={})
    assert found == "it was made by another create of ours"


# --- local files ---------------------------------------------------------------------------------

CUP, JUG = "c" * 64, "d" * 64
AT = "https://files.example.com/kiejobs"
UPLOADS = {
    CUP: [upload(CUP, f"{AT}/{CUP}.png"), upload(CUP, "https://elsewhere.example.com/x.png")],
    JUG: [upload(JUG, f"{AT}/{JUG}.png")],
}
OURS = {
    "prompt": "p",
    "image_url": f"sha256:{CUP}",
    "image_urls": [f"sha256:{JUG}", "https://a", f"sha256:{CUP}"],
    "elements": [{"name": "jug", "images": [f"sha256:{JUG}"]}],
}
THEIRS = {
    "prompt": "p",
    "image_url": f"{AT}/{CUP}.png",
    "image_urls": [f"{AT}/{JUG}.png", "https://a", f"{AT}/{CUP}.png"],
    "elements": [{"name": "jug", "images": [f"{AT}/{JUG}.png"]}],
}


@pytest.mark.parametrize(
    "seen",
    [
        {},
        {"image_url": "https://elsewhere.example.com/x.png"},
        {"image_url": f"{AT}/{CUP}.png?sig=abc"},
        {"image_url": f"sha256:{CUP}"},
    ],
)
def test_a_file_is_the_address_that_it_was_uploaded_to(seen: dict[str, Any]) -> None:
    assert mismatch(attempt_of("m", OURS), "m", {**THEIRS, **seen}, uploads=UPLOADS) is None


@pytest.mark.parametrize(
    ("seen", "field"),
    [
        ({"image_url": f"{AT}/{JUG}.png"}, "image_url"),
        ({"image_url": f"{AT}/{CUP}"}, "image_url"),
        ({"image_url": None}, "image_url"),
        ({"image_urls": [f"{AT}/{JUG}.png", "https://a"]}, "image_urls"),
        ({"image_urls": [f"{AT}/{JUG}.png", "https://a", "https://a"]}, "image_urls"),
        ({"image_urls": [f"{AT}/{CUP}.png", "https://a", f"{AT}/{JUG}.png"]}, "image_urls"),
        ({"elements": [{"name": "cup", "images": [f"{AT}/{JUG}.png"]}]}, "elements"),
        ({"elements": [{"images": [f"{AT}/{JUG}.png"]}]}, "elements"),
        ({"prompt": f"{AT}/{CUP}.png"}, "prompt"),
    ],
)
def test_another_file_or_none_is_a_difference(seen: dict[str, Any], field: str) -> None:
    found = mismatch(attempt_of("m", OURS), "m", {**THEIRS, **seen}, uploads=UPLOADS)
    assert found == f"its `{field}` differs from what was sent"


def test_an_address_that_nothing_was_uploaded_to_is_a_difference() -> None:
    assert mismatch(attempt_of("m", OURS), "m", THEIRS, uploads={JUG: UPLOADS[JUG]}) is not None
