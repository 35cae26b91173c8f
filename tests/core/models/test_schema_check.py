"""A project's own schema, held to our form: what is taken, and what a stranger could try."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.adapters.project.files import read_schema
from kiejobs.core.document.nodes import Source
from kiejobs.core.models.schema_check import MOST_PROBLEMS, read_model, unsafe_reason
from kiejobs.core.models.spec import read_spec
from tests.docs.regenerate import models

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.models.spec import ModelReading

ID = "acme/clip-1"
FILE = "schemas/models/acme/clip-1.json"
FORM = read_schema("model.schema.json")


def schema(**fields: Any) -> dict[str, Any]:
    """A sound one; `fields` beside the prompt."""
    own = {"prompt": {"type": "string", "maxLength": 100}, **fields}
    return {
        "type": "object",
        "required": ["model", "input"],
        "properties": {
            "model": {"type": "string", "enum": [ID]},
            "input": {
                "type": "object",
                "required": ["prompt"],
                "properties": own,
                "unevaluatedProperties": False,
            },
        },
        "unevaluatedProperties": False,
    }


def reading(value: Any, model: str = ID) -> ModelReading:
    data = value if isinstance(value, bytes) else json.dumps(value, indent=1).encode()
    return read_model(Source(FILE, data), model, FORM)


def told(value: Any, model: str = ID) -> list[str]:
    found = reading(value, model)
    assert (found.schema is None) == bool(found.problems)
    return [problem.message for problem in found.problems]


def changed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    made = schema()
    change(made)
    return made


# --- what is taken ---------------------------------------------------------------------------------


def test_every_bundled_model_has_the_form() -> None:
    for model, bundled in models().items():
        assert told(bundled, model) == []


def test_what_has_the_form_is_a_json_schema_and_makes_a_spec() -> None:
    rule = {
        "title": "`seconds` 8 takes no `prompt`",
        "if": {"properties": {"seconds": {"const": 8}}, "required": ["seconds"]},
        "then": {"properties": {"prompt": False}},
    }
    made = schema(seconds={"type": "integer", "enum": [4, 8], "default": 4})
    made["properties"]["input"]["allOf"] = [rule]
    made["x-kiejobs-output"] = {"media_type": "video/mp4", "extension": ".mp4"}
    read = reading(made).schema
    assert read == made
    Draft202012Validator.check_schema(read)
    spec = read_spec(read)
    assert (spec.model, spec.extension, spec.defaults) == (ID, ".mp4", {"seconds": 4})


def test_the_form_itself_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(FORM)


@pytest.mark.parametrize("text", ["\\ud83d\\ude00", "\\/ \\u2028", "😀"])
def test_any_way_to_write_a_text_in_json_is_taken(text: str) -> None:
    data = json.dumps(schema()).replace('"type"', f'"title": "{text}", "type"', 1).encode()
    assert reading(data).schema is not None


def test_tabs_and_a_byte_order_mark_are_taken() -> None:
    assert reading(b"\xef\xbb\xbf" + json.dumps(schema(), indent="\t").encode()).schema is not None


# --- what is not -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "this is not JSON"),
        (b"type: object\n", "this is not JSON"),
        (b'{"type": "object",}', "this is not JSON"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (b'{"a": "\xff"}', "byte 0xff is not UTF-8"),
        (b"null", "the file is empty"),
        (b"[1]", "must be a mapping"),
        (b'{"a": NaN}', "`NaN` is not a JSON number"),
        (b'{"a": 1e999}', "`1e999` is too large"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[" * 40 + b"]" * 40, "nested more than 24 levels deep"),
        (b"[" * 400 + b"]" * 400, "nested more than"),
        (b"[" + b"1," * 30_000 + b"1]", "holds more than 20,000 values"),
        (b"9" * 6_000, "a number is too long"),
        (b'{"title": "\\ud800"}', "surrogate"),
    ],
)
def test_what_can_t_be_read_is_told(data: bytes, message: str) -> None:
    assert message in told(data)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("unevaluatedProperties"), "`unevaluatedProperties` is missing"),
        (
            lambda s: s["properties"]["input"].pop("unevaluatedProperties"),
            "`unevaluatedProperties` is missing in `properties.input`",
        ),
        (
            lambda s: s["properties"]["input"].update(unevaluatedProperties=True),
            "`properties.input.unevaluatedProperties` must be false, not true",
        ),
        (
            lambda s: s["properties"]["input"].update(additionalProperties={}),
            "unknown key `additionalProperties` in `properties.input`",
        ),
        (lambda s: s.update({"$ref": "https://example.com/a"}), "unknown key `$ref` in a model"),
        (lambda s: s.update({"$defs": {}}), "unknown key `$defs` in a model's schema"),
        (
            lambda s: s["properties"]["input"]["properties"].update(a={"$ref": "#"}),
            "unknown key `$ref` in `properties.input.properties.a`",
        ),
        (
            lambda s: s["properties"]["input"].update(allOf=[{"title": "x", "$ref": "#"}]),
            "unknown key `$ref` in `properties.input.allOf[0]`",
        ),
        (
            lambda s: s["properties"]["input"].update(allOf=[{"required": ["prompt"]}]),
            "`title` is missing in `properties.input.allOf[0]`",
        ),
        (
            lambda s: s["properties"]["input"]["properties"].update(a={"type": "text"}),
            "`properties.input.properties.a.type` must be one of",
        ),
        (
            lambda s: s["properties"]["input"]["properties"].update(a={"format": "regex"}),
            "`properties.input.properties.a.format` must be",
        ),
        (
            lambda s: s["properties"]["input"]["properties"].update({"a b": {}}),
            "the name `a b` in `properties.input.properties` has a form that is not allowed",
        ),
        (
            lambda s: s["properties"]["input"]["properties"].update(a={"enum": ["x"], "default": "y"}),
            'the default of `a` is "y", which the field refuses',
        ),
        (lambda s: s.update({"x-kiejobs-price": {}}), "prices are not read from a model's schema"),
        (
            lambda s: s["properties"]["input"].update(required=["promt"]),
            "`promt` is required, but there is no such field",
        ),
        (
            lambda s: s.update({"x-kiejobs-output": {"media_type": "video/mp4", "extension": "/../x"}}),
            "`x-kiejobs-output.extension` has a form that is not allowed",
        ),
        (
            lambda s: s["properties"]["input"]["properties"].update(
                a={"type": "string", "pattern": "^(a+)+$"}
            ),
            "`properties.input.properties.a.pattern` may hold characters",
        ),
    ],
)  # fmt: skip
def test_another_form_is_refused(change: Callable[[dict[str, Any]], None], message: str) -> None:
    found = told(changed(change))
    assert len(found) == 1
    assert message in found[0]


def test_all_problems_are_told_at_their_places() -> None:
    made = schema(a={"type": "text"}, b={"minlength": 3})
    made["properties"]["input"]["properties"]["prompt"]["maxLength"] = "many"
    found = reading(made)
    lines = {found.lines[problem.place.line - 1] for problem in found.problems if problem.place}
    marked = {line.strip() for line in lines}
    assert marked == {'"maxLength": "many"', '"type": "text"', '"minlength": 3'}
    assert [p.hint for p in found.problems if "minlength" in p.message] == ["did you mean `minLength`?"]


def test_a_key_that_is_there_twice_is_told() -> None:
    data = json.dumps(schema()).replace('"maxLength": 100', '"maxLength": 100, "maxLength": 9')
    assert told(data.encode()) == ["duplicate key `maxLength`"]


def test_very_many_problems_are_cut() -> None:
    made = schema(**{f"f{number}": {"banana": 1} for number in range(400)})
    found = told(made)
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1] == "300 more problems are not shown"


@pytest.mark.parametrize("model", ["acme/clip-2", "clip-1", "ACME/clip-1"])
def test_a_schema_under_another_name_is_refused(model: str) -> None:
    """Else what a policy allows would be one model, and what is bought another."""
    assert told(schema(), model) == [
        f"this is the schema of `{ID}`, and its path says `{model}`"
    ]  # fmt: skip


@pytest.mark.parametrize("model", ["a b", ".hidden", "a/../b", "a/b/c/d/e", "-x", "é"])
def test_not_everything_is_an_id(model: str) -> None:
    made = schema()
    made["properties"]["model"]["enum"] = [model]
    assert told(made, model) == [f"`{model}` is not a model id"]


# --- patterns --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    ["^#[0-9A-Fa-f]{6}$", r"^\d{1,3}\.\d{2}%$", "^[a-z]+$", "^asset://.*", "^a?b{2,9}$", "^", r"^\$x"],
)  # fmt: skip
def test_ordinary_patterns_are_tame(pattern: str) -> None:
    assert unsafe_reason(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    ["a", "(a+)+$", "^(a+)+$", "^(a|a)*$", "^a*a*$", "^.*.*$", "^a{1,99}a{1,99}$", "^a{0,}b+$",
     "^(?=a)", "^(?i)a", r"^(a)\1", r"^\bword", "^[z-a]", "^[[a]", "^[a--b]", "^a**", "^a{2}{3}",
     "^a|b", "^[a", "^a\\", "^(?#", "^a{9999,1}"],
)  # fmt: skip
def test_what_could_take_for_ever_is_not(pattern: str) -> None:
    assert unsafe_reason(pattern) is not None


@pytest.mark.parametrize("pattern", ["^[a-z]+$", "^.*b$", "^a?a?a?a?a?a?[a-z]*b$"])
def test_a_tame_pattern_comes_to_the_end_of_a_long_text(pattern: str) -> None:
    """One whose work grows with the square of the text would take hours."""
    made = schema(a={"type": "string", "pattern": pattern})
    validator = Draft202012Validator(reading(made).schema or {})
    text = "a" * 2_000_000 + "!"
    assert not validator.is_valid({"model": ID, "input": {"prompt": "", "a": text}})
