"""Prices in prose: data where every word is understood, nothing where one is not."""

from __future__ import annotations

from typing import Any

import pytest

from kiejobs.core.models.spec import Spec, read_spec
from kiejobs.core.prices.prose import is_complete, price_in

SIZES = {"type": "string", "enum": ["720p", "1080p"]}
LENGTHS = {"type": "string", "enum": ["5", "10"]}
SOUND = {"type": "boolean"}


def spec(**fields: Any) -> Spec:
    own = {"prompt": {"type": "string"}, **fields}
    request = {"model": {"enum": ["acme/clip-1"]}, "input": {"properties": own}}
    return read_spec({"properties": request})


CLIP = spec(resolution=SIZES, duration=LENGTHS, generate_audio=SOUND, mode={"enum": ["std", "pro"]})
TITLE = "Acme Clip 4 Ultra"
BONUS = "High-tier top-ups (+10% bonus) bring effective pricing down to ~$0.72."


@pytest.mark.parametrize(
    ("text", "unit", "lines"),
    [
        (
            "A 5-second clip costs 160 credits ($0.80), and a 10-second video costs 320 credits ($1.60).\n"
            + BONUS,
            "video",
            {"5": 160, "10": 320},
        ),
        (
            "For Acme Clip 1, generating 1 second of video costs about 6 credits ($0.030) at 720p, and 14 credits at 1080P.",
            "second",
            {"720p": 6, "1080p": 14},
        ),
        (
            "11 credits/s ($0.055) for 720 p; 18 credits/s ($0.09) for 1080P",
            "second",
            {"720p": 11, "1080p": 18},
        ),
        (
            "720p: 3 credits/s no audio, 7 credits/s with audio; \n1080p: 8 credits/s no audio, 15 credits/s with audio.",
            "second",
            {"720p false": 3, "720p true": 7, "1080p false": 8, "1080p true": 15},
        ),
        (
            "Clip 4 Ultra costs 12 credits per image ($0.06), ~35% below the official price.",
            "image",
            {"": 12},
        ),
        ("14 credits per second for pro; 9 credits per second for std", "second", {"pro": 14, "std": 9}),
        ("now just 8 credits per video — roughly 40 % below the official price.", "video", {"": 8}),
    ],
)
def test_what_is_plainly_said_is_data(text: str, unit: str, lines: dict[str, float]) -> None:
    price = price_in(text, CLIP, "2026-11-30", TITLE)
    assert price is not None
    assert {" ".join(line.when.values()): float(line.credits) for line in price.lines} == lines
    assert (price.unit, price.quantity) == (unit, "duration" if unit == "second" else None)
    assert is_complete(price, CLIP)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "free",
        "Price ≈ $0.03 per image",
        "from 6 credits per video",
        "up to 6 credits per video",
        "not 6 credits per video",
        "until 2026-12-01 6 credits per video",
        "6 credits per video plus 3 credits per second",
        "6 credits",
        "Starting price: 6 credits per video",
        "With input video, 6 credits per video",
        "A weekend costs 6 credits per video",
        "Another clip costs 6 credits per video",
        "6 credits per megapixel",
        "6 credits ($0.99) per video",
        "6 credits per video at 480p",
        "6 credits per video for 7 s",
        "6 credits per second, twice as much at night",
        "5 / 10 credits for 5 / 10 s",
        "1e9 credits per video",
        "\x1b[31m6 credits per video",
        "6 credits per video " * 200,
        "10 credits per video, 50% off until Dec 31 2026, 20 credits after",
        "20 credits per video for 10s, 10 credits per video; 50% more with audio",
        "10 credits per video, double that with audio as in the official table",
        "10 credits per video, see below for 1080p",
        "10 credits per video, plus input seconds billed as in the table below",
        "20 credits per video with audio, 30% cheaper than official without audio",
        "10 credits per video. High-tier top-ups are needed for 1080p.",
        "about 10 credits per video",
        "approximately 10 credits (~$0.06) per video",
        "0 credits per video",
    ],
)
def test_what_is_not_certain_is_no_data(text: str) -> None:
    assert price_in(text, CLIP, "2026-11-30") is None


@pytest.mark.parametrize(
    "text", ["6 credits per video at 720p", "6 credits per video, 3 credits per video", "6 credits/s at 720p, 7 credits/s at 720p"]
)  # fmt: skip
def test_a_value_without_a_price_or_with_two_is_seen(text: str) -> None:
    price = price_in(text, CLIP, "2026-11-30")
    assert price is not None
    assert not is_complete(price, CLIP)


def test_seconds_are_counted_by_a_field_that_holds_them() -> None:
    for field in ({"type": "integer", "minimum": -1}, {"enum": ["5", "auto"]}):
        assert price_in("6 credits per second", spec(duration=field), "2026-11-30") is None
    for name in ("num_images", "number_of_images", "imageCount", "image_count", "batch_size", "outputs", "n"):
        for form in ({"type": "integer"}, {"enum": ["1", "2"]}):
            assert price_in("6 credits per image", spec(**{name: form}), "2026-11-30") is None
    for name, form in {"num_inference_steps": {"type": "integer"}, "images": {"type": "array"}}.items():
        assert price_in("6 credits per image", spec(**{name: form}), "2026-11-30") is not None
    rate = price_in("6 credits per second", spec(), "2026-11-30")
    assert rate is not None
    assert (rate.unstated, rate.credits({})) == (True, None), "no request says how long an input is"
