"""Reading a price file: exact decimals, every problem at its place, bounded whatever it holds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.adapters.project.models import Prices, prices_in_force, read_price_file
from kiejobs.app.load import KnownModels
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.prices.table import PriceLine, PriceTable
from tests.support.expanding import line as told

MODEL = "bytedance/v1-pro-fast-image-to-video"
REST = "source: our invoice, date: 2026-11-03"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str | bytes, name: str = "prices.yaml") -> Prices:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_price_file(name, KnownModels().catalogue())


def table(text: str) -> PriceTable:
    prices = read(text)
    assert [told(problem) for problem in prices.problems] == []
    return prices.table


def wrong(text: str) -> list[str]:
    prices = read(text)
    assert list(prices.table) == [] or not prices.problems.fatal
    return [told(problem).replace("prices.yaml:", "") for problem in prices.problems]


def one(body: str) -> str:
    return f"version: 1\nmodels:\n  {MODEL}: {{{body}}}\n"


SOUND = one(f"per: video, credits: 1, {REST}")


# --- what it means ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "credits_"),
    [
        ("16", "16"),
        ("2.80", "2.80"),
        ("0.1", "0.1"),
        ("'209.5'", "209.5"),
        ("9007.199254", "9007.199254"),
        ("!!float 0.3", "0.3"),
        ("0", "0"),
    ],
)
def test_credits_are_the_decimals_that_were_written(written: str, credits_: str) -> None:
    price = table(one(f"per: video, credits: {written}, {REST}")).of(MODEL)
    assert price is not None
    assert str(price.lines[0].credits) == credits_


def test_a_list_of_values_stands_for_a_line_each() -> None:
    body = "per: video, credits: [{when: {resolution: [720p, 1080p], duration: 5}, credits: 7}], "
    price = table(one(body + REST)).of(MODEL)
    assert price is not None
    assert price.lines == (
        PriceLine({"resolution": "720p", "duration": "5"}, Decimal(7)),
        PriceLine({"resolution": "1080p", "duration": "5"}, Decimal(7)),
    )


def test_a_line_may_ask_whether_a_field_is_there() -> None:
    body = "per: video, credits: [{when: {nsfw_checker: {given: true}}, credits: 7}, "
    body += f"{{when: {{nsfw_checker: {{given: false}}}}, credits: 6}}], {REST}"
    found = table(one(body))
    assert found.price(MODEL, {"nsfw_checker": False}) == 7
    assert found.price(MODEL, {}) == 6


def test_an_own_dollar_price_counts_over_the_file_s(here: Path) -> None:
    del here
    text = "version: 1\nusd_per_credit: 0.005\nmodels:\n"
    text += f"  {MODEL}: {{per: video, credits: 1, {REST}, usd_per_credit: 0.0045}}\n"
    text += f"  bytedance/other: {{per: video, credits: 1, {REST}}}\n"
    found = read(text).table
    usd = [price.usd_per_credit for price in found]
    assert usd == [Decimal("0.0045"), Decimal("0.005")]


# --- what is wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("-1", '"-1"'),
        ("1e9", '"1e9"'),
        ("1e999999999", '"1e999999999"'),
        (".inf", '".inf"'),
        (".nan", '".nan"'),
        ("0x10", '"0x10"'),
        ("99999999", '"99999999"'),
        ("1.1234567", '"1.1234567"'),
        ("12 credits", '"12 credits"'),
        ("\uff11\uff12", '"\uff11\uff12"'),
        ("''", '""'),
    ],
)
def test_an_amount_that_is_none_is_told_at_its_place(amount: str, shown: str) -> None:
    text = one(f"per: video, credits: {amount}, {REST}")
    (found,) = wrong(text)
    column = text.splitlines()[2].index("credits: ") + len("credits: ") + 1
    assert found.startswith(f"price-structure 3:{column} ")
    assert shown in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1]", "price-structure 1:1 a price file is a mapping, not a list"),
        (SOUND.replace("version: 1", "version: 2"), "price-structure 1:10 `version` has a form"),
        ("version: 1", "price-structure 1:1 `models` is missing"),
        ("version: 1\nmodels: {}", "price-structure 2:9 `models` is empty"),
        (SOUND.replace("models", "model: {}\nmodels"), "unknown-key 2:1 unknown key `model` in a price file"),
        (one(f"per: video, credits: [], {REST}"), "`models." + MODEL + ".credits` is empty"),
        (one(f"per: second, credits: 1, {REST}"), "`quantity` is missing"),
        (one(f"per: hour, credits: 1, {REST}"), "must be one of request, video"),
        (one("per: video, credits: 1, source: x, date: 2026-13"), "date` has a form"),
        (one("per: video, credits: 1, source: x, date: 2026-02-30"), 'there is no "2026-02-30"'),
        (one("per: video, credits: 1, source: x, date: 0000-01"), 'there is no "0000-01"'),
        (one(f"per: video, credits: [{{when: {{duration: null}}, credits: 1}}], {REST}"), "not null"),
        (one(f"per: video, credits: [{{when: {{duration: {{}}}}, credits: 1}}], {REST}"), "`given`"),
        (one(f"per: second, quantity: second, credits: 1, {REST}"), "`second` is not a field of"),
        (one(f"per: video, quantity: nsfw_checker, credits: 1, {REST}"), "can't say how many: video"),
        (one(f"per: 1000 characters, quantity: duration, credits: 1, {REST}"), "can't say how many"),
        (one(f"per: 1 second, quantity: duration, credits: 1, {REST}"), "must be one of"),
        (one(f"per: video, credits: [{{when: {{duration: 7}}, credits: 1}}], {REST}"), 'is never "7"'),
    ],
)  # fmt: skip
def test_each_mistake_is_told_once(text: str, problem: str) -> None:
    (found,) = wrong(text)
    assert problem in found


def test_all_problems_are_told_at_once() -> None:
    lines = "[{when: {resolution: 720P}, credits: 1}, {when: {duration: 5}, credits: 2}]"
    text = one(f"per: video, credits: {lines}, {REST}")
    text += f"  acme/none: {{per: video, credits: 1, {REST}}}\n"
    codes = [found.split()[0] for found in wrong(text)]
    assert codes == ["price-value", "price-overlap", "price-model"]


def test_a_model_that_is_not_known_is_only_a_warning() -> None:
    prices = read(f"version: 1\nmodels: {{acme/none: {{per: video, credits: 1, {REST}}}}}")
    assert not prices.problems.fatal
    assert prices.table.price("acme/none", {}) == 1


@pytest.mark.parametrize(
    ("first", "second", "told_of"),
    [
        ("{resolution: 720p}", "{resolution: 1080p}", 0),
        ("{resolution: 720p}", "{duration: 5}", 1),
        ("{resolution: 720p, duration: 5}", "{duration: 10}", 0),
        ("{}", "{duration: 10}", 1),
        ("{duration: 5}", "{duration: '5'}", 1),
        ("{duration: [5, 10]}", "{duration: 10}", 1),
        ("{nsfw_checker: true}", "{nsfw_checker: {given: false}}", 0),
        ("{nsfw_checker: true}", "{nsfw_checker: {given: true}}", 1),
        ("{nsfw_checker: {given: true}}", "{nsfw_checker: {given: false}}", 0),
        ("{nsfw_checker: {given: true}}", "{nsfw_checker: {given: true}}", 1),
        ("{nsfw_checker: true}", "{nsfw_checker: false}", 0),
    ],
)  # fmt: skip
def test_two_lines_must_never_fit_one_request(first: str, second: str, told_of: int) -> None:
    lines = f"[{{when: {first}, credits: 1}}, {{when: {second}, credits: 2}}]"
    found = wrong(one(f"per: video, credits: {lines}, {REST}"))
    assert [line.split()[0] for line in found] == ["price-overlap"] * told_of


# --- hostile files ---------------------------------------------------------------------------------


def test_what_multiplies_into_the_millions_is_refused_before_it_is_multiplied() -> None:
    many = ", ".join(str(number) for number in range(100))
    when = ", ".join(f"f{number}: [{many}]" for number in range(20))
    found = wrong(one(f"per: video, credits: [{{when: {{{when}}}, credits: 1}}], {REST}"))
    assert [line.split(" ", 2)[2][:30] for line in found] == ["more than 100 price lines for "]


def test_many_models_with_many_lines_are_refused() -> None:
    values = ", ".join(f"v{number}" for number in range(100))
    body = f"{{per: video, credits: [{{when: {{a: [{values}]}}, credits: 1}}], {REST}}}"
    text = "version: 1\nmodels:\n" + "".join(f"  m{n}: {body}\n" for n in range(60))
    assert [line for line in wrong(text) if "more than 5,000" in line]


def test_a_file_that_is_too_large_is_not_read(here: Path) -> None:
    (here / "prices.yaml").write_bytes(b"#" * (2**18 + 1))
    with pytest.raises(UsageProblem, match="larger"):
        prices_in_force(KnownModels().catalogue())


def test_a_link_that_leads_out_is_not_followed(here: Path) -> None:
    (here / "prices.yaml").symlink_to("/proc/self/environ")
    with pytest.raises(UsageProblem, match="leads out"):
        prices_in_force(KnownModels().catalogue())


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_text_breaks_the_reader(text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    prices = read(data)
    assert len(prices.problems) > 0 or list(prices.table)
