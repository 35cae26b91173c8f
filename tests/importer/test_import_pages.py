"""Pages of our own making against what `read_page` makes of them."""

from __future__ import annotations

import html
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.core.document.checked import formats
from kiejobs.core.document.nodes import Source
from kiejobs.core.models.schema_check import read_model
from kiejobs.core.models.spec import complete, read_spec
from kiejobs.importer.languages import combined
from kiejobs.importer.page import ImportedModel, PageReading, read_page
from tests.docs.regenerate import SCHEMAS

PAGES = Path(__file__).resolve().parents[1] / "data" / "pages"
FORM = json.loads((SCHEMAS / "model.schema.json").read_text(encoding="utf-8"))
WORDS = {"title", "description", "x-kiejobs-note"}


@cache
def reading(name: str) -> PageReading:
    return read_page(name, (PAGES / name).read_text(encoding="utf-8"), imported="2026-11-22")


def model(name: str, id_: str) -> ImportedModel:
    return next(one for one in reading(name).models if one.model == id_)


def request_of(name: str, id_: str) -> dict[str, Any]:
    made: dict[str, Any] = model(name, id_).schema["properties"]["input"]
    return made


def field(name: str, id_: str, path: str) -> dict[str, Any]:
    """A field without its words; what is within it keeps them."""
    form = request_of(name, id_)
    for step in path.split("."):
        form = form["items"] if step == "[]" else form["properties"][step]
    return {key: value for key, value in form.items() if key not in WORDS}


def notes(name: str, id_: str, about: str) -> list[str]:
    return [note for note in model(name, id_).notes if note.startswith(about)]


# --- every page ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.iterdir()))
def test_what_is_made_of_a_page_is_in_our_form(page: str) -> None:
    assert reading(page).models
    for made in reading(page).models:
        Draft202012Validator.check_schema(made.schema)
        data = json.dumps(made.schema).encode()
        assert read_model(Source("made.json", data), made.model, FORM).problems == ()


@pytest.mark.parametrize(
    ("page", "ids"),
    [
        ("prose-only.md", ["acme/glide-2"]),
        ("components.yaml", ["shore/still", "shore/moving", "shore/moving-fast"]),
        ("discovery.json", ["tide-3.0/video"]),
        ("quirks.md", ["quill/1"]),
        ("hostile.yaml", ["loop/1", "loop/2"]),
        ("several.md", ["fern/seed", "fern/leaf", "fern/text-to-speech"]),
    ],
)
def test_ids_are_what_the_schema_of_model_says(page: str, ids: list[str]) -> None:
    assert [made.model for made in reading(page).models] == ids


# --- prose -----------------------------------------------------------------------------------------

GLIDE = ("prose-only.md", "acme/glide-2")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("prompt", {"type": "string", "minLength": 3, "maxLength": 1200}),
        ("negative_prompt", {"type": "string", "maxLength": 300}),
        ("caption", {"type": "string"}),
        ("speed", {"type": "number", "default": 1, "minimum": 0.5, "maximum": 2}),
        ("steps", {"type": "number", "minimum": 10, "maximum": 50, "multipleOf": 5}),
        ("seed", {"type": "integer", "minimum": 0, "maximum": 2147483647}),
        ("n", {"type": "integer", "minimum": 1, "maximum": 12}),
        ("quality", {"type": "string", "enum": ["draft", "fine", "finest"]}),
        ("mood", {"type": "string"}),
        ("size", {"type": "string", "enum": ["720p", "1080p"], "default": "720p"}),
        ("expand", {"type": "boolean"}),
        (
            "seconds",
            {
                "type": "integer",
                "default": 5,
                "anyOf": [{"const": -1}, {"minimum": 4, "maximum": 20}],
            },
        ),
    ],
)
def test_limits_that_only_prose_tells(name: str, form: dict[str, Any]) -> None:
    assert field(*GLIDE, name) == form


def test_what_is_from_prose_says_so() -> None:
    fields = request_of(*GLIDE)["properties"]
    assert fields["prompt"]["x-kiejobs-note"] == ["minLength 3, maxLength 1200: from the page's prose"]
    assert "Left out, it is true: from the page's prose." in fields["expand"]["x-kiejobs-note"]
    assert any("steps of 0.25" in note for note in fields["speed"]["x-kiejobs-note"])


def test_files_are_told_by_what_a_page_says_of_them() -> None:
    pictures = field(*GLIDE, "pictures")
    assert pictures["x-kiejobs-file"]["media_types"] == ["image/jpeg", "image/png"]
    assert pictures["x-kiejobs-file"]["max_bytes"] == 7_864_320
    assert "at least 256 x 256 pixels" in pictures["x-kiejobs-file"]["note"]
    assert (pictures["minItems"], pictures["maxItems"]) == (1, 4)
    assert pictures["items"] == {"type": "string", "format": "uri"}


def test_a_field_that_says_nothing_takes_what_the_page_says_of_such_files() -> None:
    clip = field(*GLIDE, "clip_url")
    assert clip["format"] == "uri"
    assert clip["x-kiejobs-file"]["media_types"] == ["video/quicktime", "video/mp4"]
    assert clip["x-kiejobs-file"]["max_bytes"] == 80 * 2**20


def test_a_blank_in_a_name_is_a_slip_of_the_page() -> None:
    assert request_of(*GLIDE)["required"] == ["prompt", "pictures"]
    assert notes(*GLIDE, "pictures: the page writes its name with blanks")
    assert notes(*GLIDE, "ghost: called required, but it is no field")


def test_where_prose_and_schema_differ_the_schema_counts_and_it_is_told() -> None:
    assert notes(*GLIDE, 'size: prose lists "720P", "1080P"')


def test_what_a_page_s_example_has_wrong_is_told() -> None:
    told = model(*GLIDE).notes
    assert "the page's example has colour, which its schema does not know" in told
    assert any("leaves clip_url empty" in note for note in told)


def test_no_sentence_of_a_page_is_taken_along() -> None:
    made = json.dumps(model(*GLIDE).schema)
    for sentence in ("What to show", "URL of the clip", "Left out, one is drawn", "A mood"):
        assert sentence not in made


# --- components, several models --------------------------------------------------------------------


def test_references_are_written_out_and_parts_of_all_of_both_count() -> None:
    prompt = field("components.yaml", "shore/still", "prompt")
    assert prompt == {"type": "string", "minLength": 1, "maxLength": 800}
    assert request_of("components.yaml", "shore/still")["required"] == ["prompt", "size"]
    assert field("components.yaml", "shore/still", "size.width")["multipleOf"] == 8
    assert field("components.yaml", "shore/still", "size.height")["exclusiveMinimum"] == 63


def test_null_is_never_sent_so_it_is_no_value() -> None:
    assert field("components.yaml", "shore/still", "style") == {
        "type": "string",
        "enum": ["ink", "oil"],
    }
    watermark = field("components.yaml", "shore/still", "watermark")
    assert watermark == {"type": "boolean", "default": False}


def test_several_types_are_a_choice() -> None:
    duration = field("components.yaml", "shore/moving", "duration")
    assert [choice["type"] for choice in duration["anyOf"]] == ["string", "integer"]


@pytest.mark.parametrize(
    ("given", "fine"),
    [
        ({"image_urls": ["https://example.com/a.png"]}, True),
        ({"image_urls": ["https://example.com/a.png"], "mode": "wild"}, True),
        ({"task_id": "t1"}, True),
        ({"task_id": "t1", "index": 5}, True),
        ({}, False),
        ({"index": 2}, False),
        ({"task_id": "t1", "image_urls": ["https://example.com/a.png"]}, False),
        ({"task_id": "t1", "mode": "calm"}, False),
        ({"image_urls": []}, False),
    ],
)
def test_an_input_of_several_shapes_keeps_them_apart(given: dict[str, Any], fine: bool) -> None:  # noqa: FBT001
    schema = model("components.yaml", "shore/moving").schema
    spec = read_spec(schema)
    request = complete(spec, {"prompt": "dusk", **given})
    checker = Draft202012Validator(spec.input_schema, format_checker=formats())
    assert checker.is_valid(request) == fine


def test_a_default_that_not_every_shape_has_is_never_sent() -> None:
    assert "default" not in field("components.yaml", "shore/moving", "mode")
    assert notes("components.yaml", "shore/moving", "mode: its default is left out")


def test_the_rule_over_several_fields_names_them() -> None:
    (rule,) = request_of("components.yaml", "shore/moving")["allOf"]
    assert "image_urls" in rule["title"]
    assert "task_id" in rule["title"]


# --- the discovery API's answer --------------------------------------------------------------------

TIDE = ("discovery.json", "tide-3.0/video")


def test_the_discovery_answer_is_a_page_too() -> None:
    assert field(*TIDE, "duration") == {"type": "string", "enum": ["3", "4", "5"], "default": "5"}
    assert request_of(*TIDE)["required"] == ["sound", "multi_shots"]


def test_nested_fields_are_closed_and_have_their_files() -> None:
    shot = field(*TIDE, "multi_prompt.[]")
    assert shot["required"] == ["prompt", "duration"]
    assert shot["unevaluatedProperties"] is False
    urls = field(*TIDE, "elements.[].element_input_urls")
    assert urls["x-kiejobs-file"]["media_types"] == ["image/jpeg", "image/png"]
    assert (urls["minItems"], urls["maxItems"]) == (2, 4)
    assert field(*TIDE, "elements")["maxItems"] == 3


# --- quirks ----------------------------------------------------------------------------------------

QUILL = ("quirks.md", "quill/1")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("prompt", {"type": "string", "minLength": 2, "maxLength": 400}),
        ("ratio", {"type": "string", "enum": ["16:9", "1:1", "4:3"]}),
        ("seconds", {"type": "string", "enum": ["5", "10"], "default": "10"}),
        ("level", {"type": "string", "enum": ["low", "high"], "default": "high"}),
        ("guidance", {"type": "number", "exclusiveMinimum": 0, "maximum": 20, "default": 7.5}),
        ("upside_down", {"type": "integer"}),
        ("count", {"type": "integer", "maximum": 4}),
        ("loud", {"type": "boolean", "default": False}),
        ("tags", {"type": "array", "uniqueItems": True, "items": {"type": "string"}}),
        ("anything", {}),
        ("guessed", {"type": "integer", "default": 3}),
        ("listed", {"type": "string", "enum": ["a", "b"]}),
        ("weird", {"type": "string", "enum": ["red", "blue"]}),
        ("evil", {"type": "string"}),
        ("code", {"type": "string", "pattern": "^#[0-9a-f]{6}$"}),
        ("either", {"anyOf": [{"type": "string"}, {"type": "integer", "maximum": 30}]}),
        ("seed", {"type": "integer"}),
    ],
)
def test_quirks_are_undone(name: str, form: dict[str, Any]) -> None:
    assert field(*QUILL, name) == form


@pytest.mark.parametrize(
    "about",
    [
        'ratio: its default "16:10" is none that the field takes',
        "seconds: its listed values are read as string",
        "level: it is called integer, but what is listed is string",
        'level: its default "HIGH" is listed as "high"',
        "upside_down: its minimum is above its maximum",
        "count: its minimum is no number",
        "evil: its pattern is left out",
        "seed: minimum 1, maximum 9 from the page's prose is passed over",
        "`no name!` can't be the name of a field",
        "the page names quill/1 (the schema, the operation), quill/one (the example); taken for quill/1",
        'the page\'s example has "2:1" for ratio, which its schema refuses',
    ],
)
def test_what_was_decided_is_told(about: str) -> None:
    assert notes(*QUILL, about)


def test_required_may_stand_at_the_field() -> None:
    assert request_of(*QUILL)["required"] == ["prompt"]


# --- several documents and operations --------------------------------------------------------------


def test_each_document_and_each_operation_of_a_page_counts() -> None:
    assert field("several.md", "fern/leaf", "prompt") == {"type": "string"}
    assert reading("several.md").problems == ()
    outputs = {made.model: made.schema["x-kiejobs-output"] for made in reading("several.md").models}
    assert outputs["fern/text-to-speech"] == {"media_type": "audio/mpeg", "extension": ".mp3"}
    assert outputs["fern/seed"]["forms"]["webp"] == {
        "media_type": "image/webp",
        "extension": ".webp",
    }


def test_a_copied_enum_is_overruled_by_two_witnesses() -> None:
    assert notes("several.md", "fern/leaf", "the page names fern/seed (the schema), fern/leaf (the example")


def test_of_two_descriptions_the_first_counts() -> None:
    assert field("several.md", "fern/seed", "prompt") == {"type": "string", "maxLength": 50}
    assert notes("several.md", "fern/seed", "the page describes it a second time")


# --- hostile ---------------------------------------------------------------------------------------


def test_references_that_lead_back_or_out_are_told_and_not_followed() -> None:
    told = "\n".join(model("hostile.yaml", "loop/1").notes)
    assert "#/components/schemas/Tree leads back to itself" in told
    assert "https://example.com/schema.json#/x leads out of the page" in told
    assert "file:///etc/passwd leads out of the page" in told
    assert field("hostile.yaml", "loop/1", "prompt") == {"type": "string"}


def test_names_that_are_no_models_are_problems() -> None:
    told = "\n".join(reading("hostile.yaml").problems)
    for name in ("../../escape", "/root"):
        assert f"`{name}` is no name for a model" in told


def test_a_place_is_in_the_page_not_in_its_block() -> None:
    text = "# Title\n\nWords\n\n```yaml\nopenapi: 3.0.1\npaths:\n  a: [1\n```\n"
    (problem,) = read_page("page.md", text, imported="2026-01-01").problems
    assert problem.startswith("page.md:8:6: ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no OpenAPI document"),
        ("# Only words", "no OpenAPI document"),
        ("{", "page.md:2:1"),
        ('{"code": 404, "msg": "no", "data": null}', "no OpenAPI document"),
        ('{"model": "a/b", "openapi": null}', "no OpenAPI document"),
        ("openapi: 3.0.1\npaths: {}", "no POST"),
        ("openapi: 3.0.1\npaths: {/x: {post: {}}}", "no `model` and no `input`"),
        ("x" * 4_000_001, "larger than"),
        ("[" * 100_000, "no OpenAPI document"),
        ('{"paths": ' + '{"a":' * 100_000, "nested"),
        ("openapi: 3.0.1\npaths: &a {b: *a}", "page.md:2"),
    ],
)
def test_a_page_that_gives_nothing_says_why(text: str, told: str) -> None:
    found = read_page("page.md", text, imported="2026-01-01")
    assert found.models == ()
    assert any(told in problem for problem in found.problems), found.problems


def test_references_that_multiply_end_early() -> None:
    schemas = {
        f"S{n}": {
            "type": "object",
            "properties": {x: {"$ref": f"#/components/schemas/S{n + 1}"} for x in "abcdefgh"},
        }
        for n in range(20)
    }
    body = {"properties": {"model": {"const": "a/b"}, "input": {"$ref": "#/components/schemas/S0"}}}
    content = {"content": {"application/json": {"schema": body}}}
    document = {
        "openapi": "3.1.0",
        "paths": {"/createTask": {"post": {"requestBody": content}}},
        "components": {"schemas": schemas},
    }
    found = read_page("bomb.json", json.dumps(document), imported="2026-01-01")
    assert found.models == ()
    assert "too large or nested too deeply" in found.problems[0]


# --- pages without an OpenAPI document ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("prompt", {"type": "string", "maxLength": 900}),
        ("size", {"type": "string", "enum": ["1K", "2K"], "default": "1K"}),
        (
            "seconds",
            {"type": "integer", "anyOf": [{"const": -1}, {"minimum": 4, "maximum": 15}]},
        ),
        ("shots.text", {"type": "string", "maxLength": 80}),
    ],
)
def test_headings_describe_fields_too(name: str, form: dict[str, Any]) -> None:
    assert field("headings.md", "acme/brook-image-to-video", name) == form


def test_a_page_of_headings_says_what_is_required_and_which_files() -> None:
    request = request_of("headings.md", "acme/brook-image-to-video")
    assert request["required"] == ["prompt", "image_url"]
    assert set(request["properties"]) == {"prompt", "image_url", "size", "seconds", "shots"}
    files = request["properties"]["image_url"]["x-kiejobs-file"]
    assert files["media_types"] == ["image/jpeg", "image/png"]
    assert files["max_bytes"] == 8 * 2**20
    assert "headings and tables" in str(
        model("headings.md", "acme/brook-image-to-video").schema["x-kiejobs-source"]
    )


def test_tables_describe_fields_too() -> None:
    request = request_of("table.md", "acme/dune-text-to-image")
    fields = request["properties"]
    assert list(fields) == ["prompt", "steps", "tiles", "seed", "scale", "sample_url"]
    assert request["required"] == ["prompt"]
    assert (fields["steps"]["minimum"], fields["steps"]["maximum"]) == (4, 40)
    assert fields["steps"]["default"] == 20
    assert (fields["tiles"]["minItems"], fields["tiles"]["maxItems"]) == (1, 3)
    assert fields["tiles"]["x-kiejobs-file"]["media_types"] == ["image/png", "image/jpeg"]
    assert (fields["scale"]["maximum"], fields["scale"]["default"]) == (1, 0.5)


@pytest.mark.parametrize(
    ("page", "id_", "name"),
    [
        ("headings.md", "acme/brook-image-to-video", "prompt"),
        ("table.md", "acme/dune-text-to-image", "sample_url"),
    ],
)
def test_what_a_page_fills_in_to_try_it_is_never_bought_unasked(page: str, id_: str, name: str) -> None:
    """Pages show a sample prompt and a sample picture as defaults; a default is always sent."""
    assert "default" not in field(page, id_, name)
    assert notes(page, id_, f"{name}: ")


def test_numbers_as_text_have_the_range_that_prose_gives() -> None:
    seconds = {"type": "string", "default": "6", "description": "between 6 and 9, in steps of 1"}
    found = read_page("moss", json.dumps(small({"const": "moss/1"}, seconds=seconds)), imported="2026-01-01")
    fields = found.models[0].schema["properties"]["input"]["properties"]
    assert fields["seconds"]["enum"] == ["6", "7", "8", "9"]


def test_fields_that_prose_ties_together_are_pointed_at() -> None:
    document = small(
        {"const": "moss/1"},
        last_frame={"type": "string", "description": "Only together with `first_frame`."},
        first_frame={"type": "string", "description": "Where it begins."},
        seconds={"enum": ["6", "10"], "description": "10 is not supported for 1080p."},
        size={"enum": ["720P", "1080P"]},
    )
    found = read_page("moss", json.dumps(document), imported="2026-01-01").models[0].notes
    assert [note.split(";")[0] for note in found if "prose ties" in note] == [
        "last_frame: prose ties it to first_frame",
        "seconds: prose ties it to size",
    ]


# --- forms of pages --------------------------------------------------------------------------------


def small(model: Any, **input_: Any) -> dict[str, Any]:
    """An OpenAPI document with one request."""
    schema = {"properties": {"model": model, "input": {"properties": {"prompt": {}, **input_}}}}
    body = {"content": {"application/json": {"schema": schema}}}
    post = {"summary": "Moss", "requestBody": body}
    return {"openapi": "3.1.0", "paths": {"/api/v1/jobs/createTask": {"post": post}}}


MOSS = json.dumps(small({"const": "moss/1"}))


@pytest.mark.parametrize(
    "text",
    [
        MOSS,
        f"\ufeff\n\n{MOSS}",
        json.dumps({"model": "moss/1", "openapi": MOSS}),
        f"---\ntitle: Moss\nopenapi: post /api/v1/jobs/createTask\n---\n\n````json post\n{MOSS}\n````\n",
        f"# Moss\r\n\r\n```json\r\n{MOSS}\r\n```\r\n",
        f"1. Moss\n\n   ~~~\n   {MOSS}\n   ~~~\n",
        f"# Moss\n\n```json\n{MOSS}\n",
        f"# Moss\r\r```json\r{MOSS}\r```\r",
        f"# Moss\n\n```yaml\nopenapi: 3.0.1\ninfo:\n\ttitle: Moss\npaths: {json.dumps(small({'const': 'moss/1'})['paths'])}\n```\n",
        html.escape(f"# Moss\n\n```json\n{MOSS}\n```\n"),
        f'<html><body><pre><code class="json">{html.escape(MOSS)}</code></pre></body></html>',
        f"info: {{title: Moss}}\nopenapi: 3.0.1\npaths: {json.dumps(small({'enum': ['moss/1']})['paths'])}",
        "```yaml\nopenapi: nothing\n```\n\n```yaml\n" + MOSS + "\n```",
    ],
)
def test_a_page_has_many_forms(text: str) -> None:
    found = read_page("moss", text, imported="2026-01-01")
    assert [made.model for made in found.models] == ["moss/1"]


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ({"const": "moss/1"}, None),
        ({"type": "string", "default": " moss/1 "}, None),
        ({"type": "string", "examples": ["moss/1"]}, None),
        ({"type": "string", "example": "moss/1"}, None),
        ({"type": "string", "description": "- Must be `moss/1` for this endpoint"}, None),
        ({"type": "string"}, "moss/1"),
    ],
)
def test_an_id_is_found_in_the_surest_place_that_names_one(model: Any, asked: str | None) -> None:
    answer = {"model": asked, "openapi": small(model)}
    found = read_page("moss", json.dumps(answer), imported="2026-01-01")
    assert [made.model for made in found.models] == ["moss/1"]


@pytest.mark.parametrize(
    "limit", [{"type": "int"}, {"minimum": {}}, {"maxLength": "5"}, {"enum": 5}, {"type": ["x"]}]
)
def test_a_rule_that_json_schema_refuses_is_left_out_and_told(limit: dict[str, Any]) -> None:
    first = {"a": {"type": "integer", "maximum": 9, "maxLength": 7}}
    found = shaped([{"properties": first}, {"properties": {"a": {**first["a"], **limit}}}])
    assert "allOf" not in found.schema["properties"]["input"]
    assert any("the page's own limits of them are malformed" in note for note in found.notes)


def test_a_name_that_is_required_twice_is_required_once() -> None:
    shapes = [{"properties": {"a": {}}, "required": ["a", "a"]}, {"properties": {"b": {}}}]
    found = shaped(shapes, dependentRequired={"b": ["prompt", "prompt"]})
    rules = found.schema["properties"]["input"]["allOf"]
    assert rules[0]["anyOf"][0]["required"] == ["a"]
    assert rules[1]["dependentRequired"] == {"b": ["prompt"]}


def shaped(shapes: list[dict[str, Any]], **more: Any) -> ImportedModel:
    """A model whose input has several shapes; an example of the page has a value for `a`."""
    document = small({"const": "moss/1"})
    content = document["paths"]["/api/v1/jobs/createTask"]["post"]["requestBody"]["content"]
    body = content["application/json"]
    body["schema"]["properties"]["input"] |= {"oneOf": shapes, **more}
    body["example"] = {"model": "moss/1", "input": {"prompt": "dusk", "a": 5}}
    return read_page("moss", json.dumps(document), imported="2026-01-01").models[0]


@pytest.mark.parametrize("odd", [["png"], {"png": 1}, 5])
def test_a_default_format_that_is_no_text_asks_for_no_format(odd: Any) -> None:
    output_format = {"enum": ["png", odd], "default": odd}
    document = small({"const": "moss/text-to-image"}, output_format=output_format)
    (made,) = read_page("moss", json.dumps(document), imported="2026-01-01").models
    assert made.schema["properties"]["input"]["properties"]["output_format"]["default"] == odd
    assert made.schema["x-kiejobs-output"]["extension"] == ".png"


def test_a_choice_of_one_type_has_it() -> None:
    choices = [{"type": "integer", "const": -1}, {"type": "integer", "minimum": 4, "maximum": 15}]
    text = "How long. Between 4 and 15, or -1."
    document = small({"const": "moss/1"}, seconds={"oneOf": choices, "description": text, "default": "-1"})
    seconds = read(document).models[0].schema["properties"]["input"]["properties"]["seconds"]
    assert seconds["type"] == "integer"
    assert seconds["anyOf"] == [{"enum": [-1]}, {"minimum": 4, "maximum": 15}]
    assert seconds["default"] == -1


def test_an_example_that_is_no_list_ends_nothing() -> None:
    words = {
        "type": "array",
        "items": {"type": "string"},
        "example": 5,
        "description": "Each up to 9 characters",
    }
    (made,) = read(small({"const": "moss/1"}, words=words)).models
    assert made.schema["properties"]["input"]["properties"]["words"]["items"]["maxLength"] == 9


def test_null_is_no_type() -> None:
    document = small({"const": "moss/1"}, nothing={"type": "null"})
    (made,) = read_page("moss", json.dumps(document), imported="2026-01-01").models
    assert "type" not in made.schema["properties"]["input"]["properties"]["nothing"]
    assert "nothing: `null` is no type" in made.notes


def test_a_key_given_twice_is_told_and_the_first_counts() -> None:
    fields = "{prompt: {type: string, maxLength: 5}, prompt: {type: string}}"
    schema = f"{{properties: {{model: {{const: moss/1}}, input: {{properties: {fields}}}}}}}"
    post = f"{{post: {{requestBody: {{content: {{application/json: {{schema: {schema}}}}}}}}}}}"
    text = f"openapi: 3.1.0\npaths:\n  /createTask: {post}\n"
    (made,) = read_page("moss.yaml", text, imported="2026-01-01").models
    assert made.schema["properties"]["input"]["properties"]["prompt"]["maxLength"] == 5
    assert any(note.endswith("duplicate key `prompt`") for note in made.notes)


def test_a_description_with_a_document_in_it_is_no_page_of_its_own() -> None:
    inner = "    ```yaml\n    openapi: 3.0.1\n    paths: {}\n    ```\n"
    text = f"openapi: 3.0.1\ninfo:\n  description: |\n{inner}{'paths: ' + json.dumps(small({'const': 'moss/1'})['paths'])}"
    found = read_page("moss", text, imported="2026-01-01")
    assert [made.model for made in found.models] == ["moss/1"]


def test_what_is_made_is_told_by_what_is_shown_where_nothing_else_does() -> None:
    document = small({"const": "moss/1"})
    post = document["paths"]["/api/v1/jobs/createTask"]["post"]
    post["responses"] = {"200": {"example": {"resultUrls": ["https://example.com/a.mp3"]}}}
    (made,) = read_page("moss", json.dumps(document), imported="2026-01-01").models
    assert made.schema["x-kiejobs-output"] == {"media_type": "audio/mpeg", "extension": ".mp3"}


def test_a_table_below_the_heading_of_one_field_describes_more_fields() -> None:
    table = "| name | type | description |\n|---|---|---|\n"
    text = (
        "# Moss\n\n## model\n\n- **Type**: string\n- **Description**: Must be `moss/1`\n\n## input\n\n"
        f"### seconds\n\n- **Type**: integer\n\n{table}| steps | integer | max 4 |\n\n"
        f"### shot\n\n- **Type**: object\n\n{table}| text | string | |\n"
    )
    (made,) = read_page("moss", text, imported="2026-01-01").models
    fields = made.schema["properties"]["input"]["properties"]
    assert (fields["seconds"].get("maximum"), fields["steps"]["maximum"]) == (None, 4)
    assert list(fields["shot"]["properties"]) == ["text"]


@pytest.mark.parametrize(
    "piece",
    [
        "### input.a\n\n**Type**: string\n\n",
        "**Example**: `",
        "| name | type |\n",
        "&lt;pre ",
        "```\n",
        "`",
        " ",
        "\n",
        "#\n",
        "```\nopenapi: 3\n```\n",
        "---\n",
    ],
)
def test_no_page_takes_long_to_be_taken_apart(piece: str) -> None:
    """Where the time grew with the square of the length, this would take minutes."""
    text = piece * (2_000_000 // len(piece))
    assert read_page("page.md", text, imported="2026-01-01").models == ()


# --- parts of a page that disagree -----------------------------------------------------------------


def read(document: dict[str, Any], **more: Any) -> PageReading:
    return read_page("moss", json.dumps(document), imported="2026-01-01", **more)


def named(model: Any, example: str | None, **operation: Any) -> dict[str, Any]:
    document = small(model)
    post = document["paths"]["/api/v1/jobs/createTask"]["post"]
    post |= operation
    if example:
        body = post["requestBody"]["content"]["application/json"]
        whole = {"model": example, "input": {"prompt": "dusk"}}
        body["example"] = example if example.startswith("{") else whole
    return document


MUST = {"enum": ["moss/1"], "description": "Must be `moss/2` for this endpoint"}


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        (named({"enum": ["moss/1"]}, "moss/1"), ["moss/1"]),
        (named(MUST, None), ["moss/2"]),
        (named(MUST, "moss/2", operationId="moss-1"), ["moss/2"]),
        (named({**MUST, "description": "必须使用 `moss/2` 模型"}, None), ["moss/2"]),
        (named(MUST, '{"model": "moss/2", "input": {oops}}', operationId="moss-1"), ["moss/2"]),
        (named(MUST, "moss/1", operationId="moss-1"), []),
        (named({"enum": ["moss/1"]}, "moss/2"), []),
        (named({"enum": ["moss/1"]}, "moss/2", operationId="moss-1"), ["moss/1"]),
        (named({"enum": ["moss/1"]}, "moss/2", operationId="moss-2"), ["moss/2"]),
        (named({**MUST, "description": "固定值\uff1amoss/2"}, None), ["moss/2"]),
        (named({**MUST, "description": 'Set to "moss/2".'}, None), ["moss/2"]),
        (named({**MUST, "description": "Should be moss/2"}, None), ["moss/2"]),
        (named({**MUST, "description": "Must be exactly `moss/2`."}, None), ["moss/2"]),
        (named({**MUST, "description": "One of `moss/2`"}, None), []),
        (named({"enum": ["moss/1"]}, None, description="Use the model `moss/2` here"), ["moss/2"]),
        (named({"enum": ["moss/1"], "default": "moss/2"}, None), []),
    ],
)
def test_parts_that_name_different_models_are_never_passed_over(
    document: dict[str, Any], ids: list[str]
) -> None:
    found = read(document)
    assert [made.model for made in found.models] == ids
    said = [*found.problems, *(note for made in found.models for note in made.notes)]
    text = json.dumps(document)
    assert ("the page names moss/1" in " ".join(said)) == ("moss/2" in text)
    if not ids:
        assert "choose one with --model" in said[0]
        for choice in ("moss/1", "moss/2"):
            assert [made.model for made in read(document, choice=choice).models] == [choice]
    assert read(document, choice="moss/9").models == ()


@pytest.mark.parametrize(
    ("operation", "is_asked"),
    [("moss-1", False), ("moss", False), ("createTask", False), ("moss-1-video", False), ("fern-2", True)],
)
def test_an_operation_with_another_models_name_is_asked_about(operation: str, *, is_asked: bool) -> None:
    found = read(named({"enum": ["moss/1"]}, None, operationId=operation))
    assert ("fern-2 (the operation); they disagree" in " ".join(found.problems)) == is_asked
    assert bool(found.models) != is_asked
    (made,) = read(named({"enum": ["moss/1"]}, "moss/1", operationId=operation)).models
    assert ("fern-2 (the operation); taken for moss/1" in " ".join(made.notes)) == is_asked


def test_what_an_example_leaves_out_is_not_required() -> None:
    mode = {"type": "boolean", "default": False}
    shots = {"type": "array", "items": {"type": "string"}, "description": "Takes effect when multi is true."}
    text = {"type": "string", "description": "The prompt. Takes effect when multi is false."}
    document = small({"const": "moss/1"}, prompt=text, multi=mode, shots=shots, seed={"type": "integer"})
    post = document["paths"]["/api/v1/jobs/createTask"]["post"]
    input_ = post["requestBody"]["content"]["application/json"]["schema"]["properties"]["input"]
    input_["required"] = ["prompt", "shots", "multi", "seed"]
    one, other = {"prompt": "x", "seed": 1}, {"multi": True, "shots": ["a"], "seed": 2}
    post["description"] = "".join(
        f"```json\n{json.dumps({'model': 'moss/1', 'input': body})}\n```\n" for body in (one, other)
    )
    (made,) = read(document).models
    request = made.schema["properties"]["input"]
    assert request["required"] == ["multi", "seed"]
    assert [rule["title"] for rule in request["allOf"]] == [
        "prompt is required when multi is false",
        "shots is required when multi is true",
    ]
    assert any(note.startswith("shots: called required, but an example") for note in made.notes)
    assert not any("the page's example" in note for note in made.notes)


@pytest.mark.parametrize(
    ("shapes", "fine", "wrong"),
    [
        ([{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}, "required": ["b"]}],
         [{"a": 1}, {"b": 1}], [{}, {"a": 1, "b": 1}]),
        ([{"required": ["a"]}, {"required": ["b"]}], [{"a": 1}, {"b": 1}], [{}, {"a": 1, "b": 1}]),
        ([{"properties": {"a": {"type": "number", "exclusiveMinimum": 0}}, "required": ["a"]},
          {"properties": {"a": {"type": "number"}, "b": {}}, "required": ["b"]}],
         [{"a": 1}, {"b": 1}, {"a": -1, "b": 1}], [{}, {"a": -1}]),
    ],
)  # fmt: skip
def test_fields_beside_the_shapes_go_with_each_of_them(shapes: Any, fine: Any, wrong: Any) -> None:
    document = small({"const": "moss/1"}, a={}, b={})
    post = document["paths"]["/api/v1/jobs/createTask"]["post"]
    input_ = post["requestBody"]["content"]["application/json"]["schema"]["properties"]["input"]
    own = {"prompt": {"type": "string"}} | ({"a": {}, "b": {}} if "properties" not in shapes[0] else {})
    input_ |= {"properties": own, "required": ["prompt"], "oneOf": shapes}
    checker = Draft202012Validator(read(document).models[0].schema["properties"]["input"])
    assert all(checker.is_valid({"prompt": "x", **one}) for one in fine)
    assert not any(checker.is_valid({"prompt": "x", **one}) for one in wrong)


@pytest.mark.parametrize(
    ("prose", "kind"),
    [
        ('The `resultJson` has:\n```json\n{"character_id": "c1"}\n```', "application/json"),
        (r'"resultJson": "{\"character_id\":\"c1\"}"', "application/json"),
        (r'"resultJson": "{\"resultUrls\":[\"https://example.com/a.mp4\"]}"', "video/mp4"),
    ],
)
def test_a_result_that_is_a_value_makes_json(prose: str, kind: str) -> None:
    document = named({"const": "moss/to-video"}, None, description=prose)
    assert read(document).models[0].schema["x-kiejobs-output"]["media_type"] == kind


def test_a_page_of_another_endpoint_says_so() -> None:
    document = small({"const": "moss/1"})
    flat = {"properties": {"model": {}, "prompt": {}}}
    post = {"requestBody": {"content": {"application/json": {"schema": flat}}}}
    document["paths"] = {"/api/v1/moss/generate": {"post": post}}
    assert "POST /api/v1/moss/generate is not createTask" in read(document).problems[0]
    document["paths"] = {
        "/api/v1/moss/generate": small({"const": "moss/1"})["paths"]["/api/v1/jobs/createTask"]
    }
    assert "POST /api/v1/moss/generate is not createTask" in read(document).problems[0]
    (asked,) = read_page("moss", json.dumps(document), imported="x", choice="moss/1").models
    assert any("POST /api/v1/moss/generate" in note for note in asked.notes)
    document["paths"] = {"/api/v1/jobs/recordInfo": {"get": {}}}
    assert "it describes GET /api/v1/jobs/recordInfo" in read(document).problems[0]
    text = "# Moss\n\nPOST https://example.com/api/v1/moss/generate\n"
    assert "/api/v1/moss/generate is not createTask" in read_page("moss", text, imported="x").problems[0]


# --- two languages ---------------------------------------------------------------------------------


def test_a_page_in_chinese_completes_the_one_in_english() -> None:
    item = {"type": "string", "format": "uri"}
    english = small(
        {"const": "moss/1"},
        text={"type": "string", "description": "What to show", "maxLength": 900},
        pictures={"type": "array", "items": item, "description": "Pictures"},
        seconds={"type": "integer", "description": "How long", "default": -1},
        pause={"type": "integer", "description": "-1, or 4 to 15"},
        count={"type": "string", "example": "5"},
        shot={"type": "object", "properties": {"text": {"type": "string"}}},
    )
    chinese = small(
        {"const": "moss/1"},
        text={"type": "string", "description": "提示词\uff0c最多 500 字符"},
        pictures={
            "type": "array",
            "items": item,
            "description": "最多 9 张图片\uff0c每张不超过 10MB\uff0c支持 png、jpg",
        },
        seconds={"type": "integer", "description": "时长 4 到 15 秒\uff0c或 -1"},
        pause={"type": "integer", "description": "4 到 15 秒"},
        count={"type": "integer", "minimum": 1, "maximum": 10**19},
        shot={"type": "object", "properties": {"text": {"type": "string", "description": "最多 500 字"}}},
        more={"type": "string", "description": "仅中文页面有"},
    )
    first, second = combined([read(english), read(chinese)])
    (made,) = first.models
    fields = made.schema["properties"]["input"]["properties"]
    assert (fields["text"]["maxLength"], fields["pictures"]["maxItems"]) == (900, 9)
    assert fields["pictures"]["x-kiejobs-file"]["max_bytes"] == 10 * 2**20
    assert fields["pictures"]["description"] == "Addresses of up to 9 pictures: PNG or JPEG, at most 10 MB."
    assert fields["seconds"]["anyOf"] == [{"const": -1}, {"minimum": 4, "maximum": 15}]
    assert (fields["pause"].get("minimum"), fields["pause"]["anyOf"]) == (None, fields["seconds"]["anyOf"])
    assert fields["shot"]["properties"]["text"]["maxLength"] == 500
    assert fields["count"].keys() == {"title", "type"}
    assert second.models == ()
    assert any("prose says maxLength 500, the schema 900" in note for note in made.notes)
    assert any(note.startswith("more: only") for note in made.notes)
    data = json.dumps(made.schema).encode()
    assert read_model(Source("made.json", data), made.model, FORM).problems == ()


def test_two_pages_in_one_language_stay_two() -> None:
    """The second may have the id by mistake."""
    readings = [read(small({"const": "moss/1"})), read(small({"const": "moss/1"}, more={"type": "string"}))]
    assert combined(readings) == readings
