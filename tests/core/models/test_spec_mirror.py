"""The mirrors in schemas/models and schemas/responses, and the tool that compares them with pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.core.document.checked import formats
from tests.docs.regenerate import SCHEMAS, models
from tests.support.mirror import (
    ABSENT,
    ALLOWED,
    Difference,
    covers,
    differences,
    mirror_facts,
    response_name,
    unexplained,
)
from tests.support.vendor_pages import file_facts, page_facts

DATA = Path(__file__).resolve().parents[2] / "data"
_DATA = {"diagnostics.json", "prices.json"}
ALL = sorted(path for path in SCHEMAS.rglob("*.json") if path.name not in _DATA)
"""All but the one file that is what codes mean, and no schema."""

MODEL = "bytedance/v1-pro-fast-image-to-video"
EXCHANGES = [json.loads(line) for line in (DATA / "exchanges.jsonl").read_text(encoding="utf-8").splitlines()]


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    """What the schema refuses, each as `path keyword`."""
    errors = Draft202012Validator(schema, format_checker=formats()).iter_errors(value)
    return sorted(f"{'.'.join(map(str, e.absolute_path))} {e.validator}".strip() for e in errors)


def request(**changes: Any) -> dict[str, Any]:
    """A request that the mirror takes, with input fields changed; None takes one away."""
    fields = {
        "prompt": "A kite climbs above dunes",
        "image_url": "https://example.com/kite.png",
        "resolution": "720p",
        "duration": "5",
        **changes,
    }
    return {"model": MODEL, "input": {k: v for k, v in fields.items() if v is not None}}


def answer(name: str) -> dict[str, Any]:
    return load(SCHEMAS / "responses" / f"{name}.json")


# --- all schemas ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_every_schema_is_one_and_has_a_name_of_its_own(path: Path) -> None:
    schema = load(path)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].startswith("urn:kiejobs:")
    assert schema["title"]
    assert schema["description"]


def test_no_two_schemas_share_a_name() -> None:
    ids = [load(path)["$id"] for path in ALL]
    assert len(ids) == len(set(ids))


# --- models --------------------------------------------------------------------------------------


def test_a_model_lies_where_its_id_says() -> None:
    for id_, schema in models().items():
        assert schema["$id"] == f"urn:kiejobs:model:{id_}"
        assert schema["properties"]["model"]["enum"] == [id_]
        assert schema["properties"]["model"]["default"] == id_


def test_fields_are_in_the_page_s_order() -> None:
    fields = list(models()[MODEL]["properties"]["input"]["properties"])
    assert fields == ["prompt", "image_url", "resolution", "duration", "nsfw_checker"]


@pytest.mark.parametrize(
    "body",
    [
        request(),
        request(resolution=None, duration=None),
        request(resolution="1080p", duration="10", nsfw_checker=True),
        request(prompt="字" * 10_000),
        {**request(), "callBackUrl": "https://hooks.example.com/done?attempt=1"},
    ],
)
def test_the_model_takes_what_the_page_allows(body: dict[str, Any]) -> None:
    assert problems(models()[MODEL], body) == []


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({}, [" required", " required"]),
        ({"model": MODEL}, ["required"]),
        ({**request(), "model": "bytedance/another"}, ["model enum"]),
        ({**request(), "callBackUrl": "not an address"}, ["callBackUrl format"]),
        ({**request(), "webhook": "https://example.com"}, ["unevaluatedProperties"]),
        (request(prompt=None), ["input required"]),
        (request(image_url=None), ["input required"]),
        (request(prompt="x" * 10_001), ["input.prompt maxLength"]),
        (request(prompt=5), ["input.prompt type"]),
        (request(image_url="kite.png"), ["input.image_url format"]),
        (request(resolution="480p"), ["input.resolution enum"]),
        (request(resolution="720P"), ["input.resolution enum"]),
        (request(duration="7"), ["input.duration enum"]),
        (request(duration=5), ["input.duration enum", "input.duration type"]),
        (request(nsfw_checker="no"), ["input.nsfw_checker type"]),
        (request(seed=1), ["input unevaluatedProperties"]),
    ],
)
def test_the_model_refuses_what_the_page_does_not_allow(body: dict[str, Any], refused: list[str]) -> None:
    assert problems(models()[MODEL], body) == [each.strip() for each in refused]


def test_a_field_without_a_default_keyword_is_not_given_one() -> None:
    fields = models()[MODEL]["properties"]["input"]["properties"]
    defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
    assert defaults == {"resolution": "720p", "duration": "5"}


# --- responses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda e: e["says"].replace(" ", "-"))
def test_an_answer_in_a_documented_or_observed_form_fits(exchange: dict[str, Any]) -> None:
    schema = answer(response_name(exchange["url"]))
    assert problems(schema, json.loads(exchange["response_body"])) == []


def test_every_route_has_an_answer_among_the_exchanges() -> None:
    seen = {response_name(exchange["url"]) for exchange in EXCHANGES}
    assert seen == {path.stem for path in (SCHEMAS / "responses").iterdir()} - {"callback"}


TASK = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "body", "refused"),
    [
        ("create-task", [], ["type"]),
        ("create-task", {"msg": "success"}, ["required"]),
        ("create-task", {"code": "200", "data": {"taskId": TASK}}, ["code enum", "code type"]),
        ("create-task", {"code": 299, "data": None}, ["code enum"]),
        ("create-task", {"code": 200, "msg": "success"}, ["required"]),
        ("create-task", {"code": 200, "data": None}, ["data type"]),
        ("create-task", {"code": 200, "data": {}}, ["data required"]),
        ("create-task", {"code": 200, "data": {"taskId": ""}}, ["data.taskId minLength"]),
        ("record-info", {"code": 200, "data": None}, ["data type"]),
        ("record-info", {"code": 200, "data": {"taskId": TASK}}, ["data required"]),
        (
            "record-info",
            {"code": 200, "data": {"taskId": TASK, "state": "napping"}},
            ["data.state enum"],
        ),
        (
            "record-info",
            {"code": 200, "data": {"taskId": TASK, "state": "success", "resultJson": ""}},
            ["data.resultJson minLength"],
        ),
        (
            "record-info",
            {"code": 200, "data": {"taskId": TASK, "state": "waiting", "param": {}}},
            ["data.param type"],
        ),
        ("credit", {"code": 200, "data": None}, ["data type"]),
        ("credit", {"code": 200, "data": "60"}, ["data type", "data type"]),
        ("download-url", {"code": 200, "data": None}, ["data type"]),
        ("upload", {"code": 200, "success": True, "data": {"fileName": "a"}}, ["data anyOf"]),
        ("callback", {"code": 200}, ["required"]),
        ("callback", {"code": 200, "data": {"state": "success"}}, ["data anyOf", "data required"]),
    ],
)
def test_an_answer_in_no_known_form_does_not_fit(name: str, body: Any, refused: list[str]) -> None:
    assert problems(answer(name), body) == refused


@pytest.mark.parametrize(
    "body",
    [
        {
            "code": 200,
            "msg": "well done",
            "data": {
                "taskId": TASK,
                "model": MODEL,
                "state": "success",
                "param": '{"model":"m","input":{}}',
                "resultJson": '{"resultUrls":["https://files.example.com/a.mp4"]}',
                "failCode": None,
                "failMsg": None,
                "costTime": 61,
                "completeTime": 1790000061000,
                "createTime": 1790000000000,
                "updateTime": 1790000061000,
                "creditsConsumed": 16,
            },
        },
        {
            "code": 501,
            "msg": "not done",
            "data": {"taskId": TASK, "state": "fail", "resultJson": None, "failCode": "500"},
        },
        {"code": 200, "data": {"task_id": TASK, "consumeCredits": 16, "remainedCredits": 84.5}},
    ],
)
def test_a_callback_in_a_documented_form_fits(body: dict[str, Any]) -> None:
    assert problems(answer("callback"), body) == []


def test_every_code_has_a_meaning() -> None:
    for path in (SCHEMAS / "responses").iterdir():
        code = load(path)["properties"]["code"]
        assert [int(known) for known in code["x-kiejobs-codes"]] == code["enum"], path.name


# --- comparing with a page -----------------------------------------------------------------------


def compared(page: str) -> list[Difference]:
    ours = mirror_facts(models()[MODEL], answer("create-task"))
    return unexplained(differences(page_facts(page), ours))


@pytest.fixture(params=["vendor_page.md", "vendor_page.zh.md"])
def page(request: pytest.FixtureRequest) -> str:
    return (DATA / request.param).read_text(encoding="utf-8")


def test_the_mirror_agrees_with_the_page(page: str) -> None:
    assert compared(page) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("10000", "9000", Difference("request.input.prompt", "maxLength", 9000, 10000)),
        (
            "10.0MB",
            "20.0MB",
            Difference("request.input.image_url", "max_bytes", 20 * 1024**2, 10 * 1024**2),
        ),
        (
            "image/webp",
            "image/gif",
            Difference(
                "request.input.image_url",
                "media_types",
                ["image/jpeg", "image/png", "image/gif"],
                ["image/jpeg", "image/png", "image/webp"],
            ),
        ),
    ],
)
def test_a_changed_fact_is_told_for_either_form(page: str, old: str, new: str, expected: Difference) -> None:
    assert compared(page.replace(old, new)) == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "`720p`, `1080p`",
            "`720p`, `1080p`, `4k`",
            Difference("request.input.resolution", "enum", ["720p", "1080p", "4k"], ["720p", "1080p"]),
        ),
        (
            "**默认值**: `5`",
            "**默认值**: `10`",
            Difference("request.input.duration", "default", "10", "5"),
        ),
        ("string<uri>", "string", Difference("request.callBackUrl", "format", ABSENT, "uri")),
        (
            "`500`, `501`",
            "`500`, `599`",
            Difference(
                "response.code",
                "enum",
                [200, 401, 402, 404, 422, 429, 455, 500, 599, 505],
                answer("create-task")["properties"]["code"]["enum"],
            ),
        ),
        (
            "#### input.resolution",
            "#### input.seed\n\n**类型**: `integer`\n**必需**: 否\n\n#### input.resolution",
            Difference("request.input.seed", "field", "there", ABSENT),
        ),
    ],
)
def test_a_changed_fact_of_the_headed_form_is_told(old: str, new: str, expected: Difference) -> None:
    text = (DATA / "vendor_page.zh.md").read_text(encoding="utf-8")
    assert expected in compared(text.replace(old, new))


def test_a_field_that_vanished_from_the_openapi_form_is_told() -> None:
    text = (DATA / "vendor_page.md").read_text(encoding="utf-8")
    assert compared(text.replace("prompt:", "text:", 1)) != []


def test_every_allowance_is_still_needed() -> None:
    ours = mirror_facts(models()[MODEL], answer("create-task"))
    pages = [path.read_text(encoding="utf-8") for path in DATA.glob("vendor_page*.md")]
    found = [each for text in pages for each in differences(page_facts(text), ours)]
    assert [one.reason for one in ALLOWED if not any(covers(one, each) for each in found)] == []


def test_a_page_in_neither_form_is_an_error() -> None:
    with pytest.raises(ValueError, match="neither"):
        page_facts("# Nothing here")


def test_prose_without_a_size_names_no_file() -> None:
    assert file_facts("takes image/png") == {}
