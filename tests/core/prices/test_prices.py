"""What requests cost by a table of prices, and the table that comes with kiejobs."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.adapters.project.files import read_schema, schema_folder
from kiejobs.adapters.project.models import bundled_prices
from kiejobs.app.load import KnownModels
from kiejobs.core.document.nodes import Source, plain_json
from kiejobs.core.document.reader import read_document
from kiejobs.core.prices.file import check_prices, read_prices
from kiejobs.core.prices.table import ModelPrice, PriceLine, PriceTable
from tests.support.expanding import line as told

SECOND = ModelPrice(
    "acme/clip",
    "second",
    (
        PriceLine({"size": "720p", "sound": "false"}, Decimal("2.8")),
        PriceLine({"size": "720p", "sound": "true"}, Decimal("5.6")),
        PriceLine({"size": "4k"}, Decimal(9), {"videos": False}),
    ),
    source="made up",
    date="2026-10",
    quantity="duration",
    minimum=Decimal(5),
)
SPOKEN = ModelPrice(
    "acme/voice",
    "1000 characters",
    (PriceLine({}, Decimal("12.5")),),
    source="made up",
    date="2026-10",
    quantity="text",
)


@pytest.mark.parametrize(
    ("request_input", "price"),
    [
        ({"size": "720p", "sound": False, "duration": "10"}, "28.0"),
        ({"size": "720p", "sound": True, "duration": 10}, "56.0"),
        ({"size": "720p", "sound": True, "duration": 10.0}, "56.0"),
        ({"size": "720p", "sound": True, "duration": 7.5}, "42.00"),
        ({"size": "720p", "sound": False, "duration": 3}, "14.0"),  # five are the least
        ({"size": "4k", "duration": 6}, "54"),
        ({"size": "4k", "duration": 6, "videos": []}, "54"),
        ({"size": "4k", "duration": 6, "videos": ["https://example.com/a.mp4"]}, None),
        ({"size": "720P", "sound": False, "duration": "10"}, None),
        ({"size": "720p", "sound": 0, "duration": "10"}, None),
        ({"size": "720p", "duration": "10"}, None),
        ({"size": "720p", "sound": False}, None),
        ({"size": "720p", "sound": False, "duration": "-1"}, None),
        ({"size": "720p", "sound": False, "duration": "1e3"}, None),
        ({"size": "720p", "sound": False, "duration": "long"}, None),
        ({"size": "720p", "sound": False, "duration": [5]}, None),
        ({"size": "720p", "sound": False, "duration": float("nan")}, None),
    ],
)
def test_a_rate_is_taken_times_the_field_that_says_how_many(
    request_input: dict[str, Any], price: str | None
) -> None:
    found = SECOND.credits(request_input)
    assert (None if found is None else str(found)) == price


def test_characters_are_counted_in_thousands() -> None:
    assert SPOKEN.credits({"text": "a" * 1234}) == Decimal("15.425")
    assert SPOKEN.credits({"text": "ä" * 1000}) == Decimal("12.5")
    assert SPOKEN.credits({}) is None
    assert SPOKEN.credits({"text": 12}) is None


def test_a_table_over_another_counts_model_by_model() -> None:
    lower = PriceTable({"acme/clip": SECOND, "acme/voice": SPOKEN})
    own = ModelPrice("acme/clip", "video", (PriceLine({}, Decimal(1)),), "mine", "2026-11")
    both = PriceTable({"acme/clip": own}).over(lower)
    assert both.price("acme/clip", {}) == 1
    assert both.of("acme/voice") is SPOKEN
    assert both.price("acme/other", {}) is None


# --- the table that comes with kiejobs ------------------------------------------------------------


def test_the_bundled_table_is_in_order() -> None:
    data = (schema_folder() / "prices.yaml").read_bytes()
    schema = json.loads((schema_folder() / "prices.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    document, found = read_document(Source("prices.yaml", data), exact=True)
    assert (found, document is None) == ([], False)
    assert document is not None
    _, problems = read_prices(document, schema)
    assert plain_json(document.root) == read_schema("prices.json"), "run `python tests/docs/regenerate.py`"
    known = KnownModels().catalogue()
    wrong = check_prices(document, known.models, known.spec)
    assert [told(problem) for problem in [*problems, *wrong] if problem.severity == "error"] == []


@pytest.mark.parametrize(
    ("model", "request_input", "price"),
    [
        ("bytedance/v1-pro-fast-image-to-video", {"resolution": "720p", "duration": "5"}, "16"),
        ("bytedance/v1-pro-fast-image-to-video", {"resolution": "720p", "duration": "10"}, "36"),
        ("bytedance/v1-pro-fast-image-to-video", {"resolution": "1080p", "duration": "5"}, "36"),
        ("bytedance/v1-pro-fast-image-to-video", {"resolution": "1080p", "duration": "10"}, "72"),
        ("bytedance/v1-pro-image-to-video", {"resolution": "480p", "duration": "5"}, "14"),
        ("bytedance/v1-pro-text-to-video", {"resolution": "1080p", "duration": "10"}, "140"),
        ("bytedance/v1-lite-image-to-video", {"resolution": "720p", "duration": "5"}, "22.5"),
        (
            "bytedance/seedance-1.5-pro",
            {"resolution": "480p", "duration": "4", "generate_audio": True},
            "14",
        ),
        ("bytedance/seedance-2", {"resolution": "720p", "duration": 5}, "205"),
        (
            "bytedance/seedance-2",
            {"resolution": "720p", "duration": 5, "reference_video_urls": ["https://e.com/a.mp4"]},
            None,
        ),
        ("bytedance/seedance-2-fast", {"resolution": "480p", "duration": 4}, "46.8"),
        ("bytedance/seedance-2-mini", {"resolution": "720p", "duration": 4}, "82"),
        ("kling-2.6/text-to-video", {"duration": "10", "sound": True}, "220"),
        ("kling/v2-1-master-text-to-video", {"duration": "5"}, "160"),
        ("kling-3.0/video", {"mode": "pro", "sound": True, "duration": "3"}, "81"),
        ("kling-3.0/video", {"mode": "4K", "sound": True, "duration": "3"}, "201"),
        ("wan/2-6-image-to-video", {"resolution": "1080p", "duration": "15"}, "315"),
        ("wan/2-7-text-to-video", {"resolution": "1080p", "duration": 2}, "48"),
        ("hailuo/2-3-image-to-video-standard", {"resolution": "768P", "duration": "10"}, "50"),
        ("hailuo/2-3-image-to-video-standard", {"resolution": "1080P", "duration": "10"}, None),
        ("hailuo/02-image-to-video-standard", {"resolution": "512P", "duration": "6"}, "12"),
        ("grok-imagine/image-to-video", {"resolution": "480p", "duration": "6"}, "14.4"),
        ("qwen/text-to-image", {}, None),
        ("topaz/video-upscale", {"upscale_factor": "2"}, None),  # a rate, and no length
        ("elevenlabs/text-to-speech-turbo-2-5", {"text": "a" * 500}, "3.000"),
        ("gemini-omni-video", {"resolution": "4k", "duration": "4", "video_list": [{}]}, "252"),
    ],
)
def test_the_bundled_prices_are_as_recorded(
    model: str, request_input: dict[str, Any], price: str | None
) -> None:
    found = bundled_prices().price(model, request_input)
    assert found == (None if price is None else Decimal(price))


def test_every_bundled_price_says_where_it_is_from() -> None:
    for price in bundled_prices():
        assert price.source, price.model
        assert price.usd_per_credit == Decimal("0.005"), price.model
        assert price.file is None
