"""schemas/jobfile.schema.json: the structure that it demands, and what an editor makes of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.docs.editor_schema import GENERATED, editor_schema, input_schema
from tests.docs.regenerate import JOBFILE, models, regenerated
from tests.docs.regenerate import STRUCTURE as STRUCTURE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "bytedance/v1-pro-fast-image-to-video"
SCHEMA = json.loads(JOBFILE.read_text(encoding="utf-8"))
STRUCTURE = json.loads(STRUCTURE_FILE.read_text(encoding="utf-8"))


def problems(schema: dict[str, Any], text: str) -> list[str]:
    """What the schema refuses in this YAML, each as `path keyword`."""
    errors = Draft202012Validator(schema).iter_errors(yaml.safe_load(text))
    return sorted(f"{'.'.join(map(str, e.absolute_path))} {e.validator}".strip() for e in errors)


def jobfile(job: str = "{}", **top: str) -> str:
    """A small job file: one job in YAML flow form, and top-level keys to add or replace."""
    parts = {"version": "1", "campaign": "tea", "jobs": f"{{pour: {job}}}", **top}
    return "\n".join(f"{key}: {value}" for key, value in parts.items() if value)


# --- structure -----------------------------------------------------------------------------------

WHOLE = """
version: 1
campaign: tea
x-scenes: &scenes [{id: dawn, image: https://example.com/dawn.png}, {id: dusk, image: {}}]
vars: {brand: Aurora, deep: {list: [1, 2]}, nothing: null}
budget: {credits: 400.5, per: run}
limits: {max_jobs: 5000}
defaults:
  model: bytedance/v1-pro-fast-image-to-video
  matrix: {resolution: [720p, 1080p], duration: [5, "10"]}
  callBackUrl: https://hooks.example.com/done
jobs:
  pour:
  Steam-2.b:
    model: someone/else
    input: {image_url: "{{ matrix.scene.image }}", prompt: x, anything: [1, {a: b}]}
    matrix:
      scene: *scenes
      loud: [true, false]
      include: [{resolution: 720p, mood: {deep: 1}}]
      exclude: [{resolution: 1080p, duration: 10}]
    tags: [hero, "v1.2:final"]
    takes: 3
    output: "{{ matrix.scene.id }}.mp4"
    callBackUrl: "{{ vars.hook }}/done"
"""


def test_a_file_that_uses_every_key_fits() -> None:
    assert problems(STRUCTURE, WHOLE) == []


@pytest.mark.parametrize(
    "text",
    [
        jobfile(),
        jobfile(campaign="0.a_b-c"),
        jobfile(campaign="a" * 64),
        jobfile(budget="{credits: '12.50'}"),
        jobfile(budget="{credits: 1}"),
        jobfile(defaults="{}", vars="{}", limits="{}"),
        jobfile("{takes: 100, tags: []}"),
        jobfile("{matrix: {}}"),
        jobfile("{matrix: {include: [], exclude: []}}"),
    ],
)
def test_what_the_structure_allows(text: str) -> None:
    assert problems(STRUCTURE, text) == []


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("[]", ["type"]),
        ("{}", ["required", "required", "required"]),
        (jobfile(version="2"), ["version const"]),
        (jobfile(version="'1'"), ["version const"]),
        (jobfile(campaign="Tea Time"), ["campaign pattern"]),
        (jobfile(campaign="a/b"), ["campaign pattern"]),
        (jobfile(campaign="a" * 65), ["campaign maxLength"]),
        (jobfile(campaign="7"), ["campaign type"]),
        (jobfile(job="{}", job_s="{}"), ["additionalProperties"]),
        (jobfile(vars="[a]"), ["vars type"]),
        (jobfile(budget="400"), ["budget type"]),
        (jobfile(budget="{}"), ["budget required"]),
        (jobfile(budget="{credits: 0}"), ["budget.credits exclusiveMinimum"]),
        (jobfile(budget="{credits: '0.00'}"), ["budget.credits pattern"]),
        (jobfile(budget="{credits: '-5'}"), ["budget.credits pattern"]),
        (jobfile(budget="{credits: lots}"), ["budget.credits pattern"]),
        (jobfile(budget="{credits: true}"), ["budget.credits type"]),
        (jobfile(budget="{credits: 5, per: day}"), ["budget.per enum"]),
        (jobfile(limits="{max_jobs: 0}"), ["limits.max_jobs minimum"]),
        (jobfile(limits="{max_jobs: 1.5}"), ["limits.max_jobs type"]),
        (jobfile(defaults="{jobs: {}}"), ["defaults additionalProperties"]),
        (jobfile(defaults="null"), ["defaults type"]),
        (jobfile(jobs="{}"), ["jobs minProperties"]),
        (jobfile(jobs="{-a: {}}"), ["jobs pattern"]),
        (jobfile(jobs="{a b: {}}"), ["jobs pattern"]),
        (jobfile(jobs=f"{{{'a' * 65}: {{}}}}"), ["jobs maxLength"]),
        (jobfile("[]"), ["jobs.pour type"]),
        (jobfile("{prompt: x}"), ["jobs.pour additionalProperties"]),
        (jobfile("{model: 5}"), ["jobs.pour.model type"]),
        (jobfile("{model: ''}"), ["jobs.pour.model minLength"]),
        (jobfile("{input: [a]}"), ["jobs.pour.input type"]),
        (jobfile("{matrix: {a: []}}"), ["jobs.pour.matrix.a minItems"]),
        (jobfile("{matrix: {a: 5}}"), ["jobs.pour.matrix.a type"]),
        (jobfile("{matrix: {a: [[1]]}}"), ["jobs.pour.matrix.a.0 type"]),
        (jobfile("{matrix: {a: [null]}}"), ["jobs.pour.matrix.a.0 type"]),
        (jobfile("{matrix: {a-b: [1]}}"), ["jobs.pour.matrix additionalProperties"]),
        (jobfile("{matrix: {include: [5]}}"), ["jobs.pour.matrix.include.0 type"]),
        (jobfile("{matrix: {exclude: [{}]}}"), ["jobs.pour.matrix.exclude.0 minProperties"]),
        (jobfile("{tags: hero}"), ["jobs.pour.tags type"]),
        (jobfile("{tags: [a, a]}"), ["jobs.pour.tags uniqueItems"]),
        (jobfile("{tags: [a b]}"), ["jobs.pour.tags.0 pattern"]),
        (jobfile("{takes: 0}"), ["jobs.pour.takes minimum"]),
        (jobfile("{takes: 101}"), ["jobs.pour.takes maximum"]),
        (jobfile("{takes: two}"), ["jobs.pour.takes type"]),
        (jobfile("{output: ''}"), ["jobs.pour.output minLength"]),
        (jobfile("{callBackUrl: hooks.example.com}"), ["jobs.pour.callBackUrl pattern"]),
        (
            jobfile("{takes: 0, tags: [a b]}"),
            ["jobs.pour.tags.0 pattern", "jobs.pour.takes minimum"],
        ),
    ],
)
def test_what_the_structure_refuses(text: str, refused: list[str]) -> None:
    assert problems(STRUCTURE, text) == refused


def test_the_structure_leaves_inputs_to_the_deeper_look() -> None:
    text = jobfile(f"{{model: {MODEL}, input: {{resolution: 480p, colour: red}}}}")
    assert problems(STRUCTURE, text) == []


# --- what an editor checks -----------------------------------------------------------------------


def with_input(fields: str, *, inherited: bool = False) -> str:
    if inherited:
        return jobfile(f"{{input: {fields}}}", defaults=f"{{model: {MODEL}}}")
    return jobfile(f"{{model: {MODEL}, input: {fields}}}")


@pytest.mark.parametrize("inherited", [False, True], ids=["in-the-job", "in-defaults"])
@pytest.mark.parametrize(
    "fields",
    [
        "{}",
        "{prompt: x}",
        "{resolution: 1080p, duration: 5}",
        "{duration: '10'}",
        "{resolution: '{{ vars.size }}', duration: '{% if a %}5{% endif %}'}",
        "{nsfw_checker: true}",
        "{nsfw_checker: '{{ vars.strict }}'}",
        "{prompt: '{% include \"tea.j2\" %}'}",
    ],
)
def test_an_editor_takes_values_templates_and_gaps(fields: str, *, inherited: bool) -> None:
    assert problems(SCHEMA, with_input(fields, inherited=inherited)) == []


@pytest.mark.parametrize("inherited", [False, True], ids=["in-the-job", "in-defaults"])
@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ("{resolution: 480p}", ["jobs.pour.input.resolution anyOf"]),
        ("{duration: 7}", ["jobs.pour.input.duration anyOf"]),
        ("{nsfw_checker: maybe}", ["jobs.pour.input.nsfw_checker anyOf"]),
        ("{colour: red}", ["jobs.pour.input additionalProperties"]),
        (f"{{prompt: {'x' * 10_001}}}", ["jobs.pour.input.prompt anyOf"]),
    ],
)
def test_an_editor_marks_what_the_model_refuses(fields: str, refused: list[str], *, inherited: bool) -> None:
    assert problems(SCHEMA, with_input(fields, inherited=inherited)) == refused


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (MODEL, "{image_url: images/cup.png, prompt: 5}"),
        ("happyhorse/video-edit", '{video_url: a.mp4, prompt: x, seed: "5"}'),
        (
            "qwen/image-to-image",
            '{image_url: a.png, prompt: x, strength: "0.5", enable_safety_checker: "True"}',
        ),
    ],
)
def test_what_is_read_as_a_value_of_the_field_s_type_is_none_to_mark(model: str, fields: str) -> None:
    assert problems(SCHEMA, jobfile(f"{{model: {model}, input: {fields}}}")) == []


def test_inputs_in_defaults_are_marked_too() -> None:
    text = jobfile(defaults=f"{{model: {MODEL}, input: {{duration: 7}}}}")
    assert problems(SCHEMA, text) == ["defaults.input.duration anyOf"]


@pytest.mark.parametrize("defaults", ["", f"{{model: {MODEL}}}"])
def test_a_model_of_one_s_own_takes_any_input(defaults: str) -> None:
    text = jobfile("{model: mine/own, input: {colour: red, duration: 7}}", defaults=defaults)
    assert problems(SCHEMA, text) == []


def test_an_editor_misses_the_model() -> None:
    assert problems(SCHEMA, jobfile("{input: {prompt: x}}")) == ["jobs.pour required"]
    assert problems(SCHEMA, jobfile("{input: {prompt: x}}", defaults="{}")) == ["jobs.pour required"]


def test_an_axis_or_a_template_may_say_the_model() -> None:
    by_axis = f"{{matrix: {{model: [{MODEL}, kling/other]}}, input: {{image_urls: [x], prompt: x}}}}"
    assert problems(SCHEMA, jobfile(by_axis)) == []
    assert problems(SCHEMA, jobfile(by_axis, defaults=f"{{model: {MODEL}}}")) == []
    assert problems(SCHEMA, jobfile("{model: '{{ vars.m }}', vars: {m: a}, input: {n_frames: 5}}")) == []


def test_an_axis_named_like_a_field_takes_any_value() -> None:
    axes = "{resolution: [720p, 4k, {id: a}], duration: [5, '10', 7], prompt: [{id: a, text: b}]}"
    assert problems(SCHEMA, jobfile(f"{{model: {MODEL}, matrix: {axes}}}")) == []


# --- what an editor offers -----------------------------------------------------------------------


def applying(schema: Any, value: Any) -> Iterator[dict[str, Any]]:
    """The subschemas that apply to a value, branches of `anyOf` all taken, as an editor does."""
    if not isinstance(schema, dict):
        return
    yield schema
    if "$ref" in schema:
        yield from applying(pointed_at(schema["$ref"]), value)
    for branch in [*schema.get("allOf", []), *schema.get("anyOf", [])]:
        yield from applying(branch, value)
    if "if" in schema:
        holds = Draft202012Validator({**schema["if"], "$defs": SCHEMA["$defs"]}).is_valid(value)
        yield from applying(schema.get("then" if holds else "else"), value)


def pointed_at(reference: str) -> Any:
    node: Any = SCHEMA
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def at_path(text: str, *path: str | int) -> list[dict[str, Any]]:
    """The subschemas that apply at a path of a job file."""
    value = yaml.safe_load(text)
    schemas = list(applying(SCHEMA, value))
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = None
        below = [part for schema in schemas for part in children(schema, step)]
        schemas = [found for part in below for found in applying(part, value)]
    return schemas


def children(schema: dict[str, Any], step: str | int) -> list[Any]:
    if isinstance(step, int):
        return [schema["items"]] if "items" in schema else []
    if step in schema.get("properties", {}):
        return [schema["properties"][step]]
    matching = [s for p, s in schema.get("patternProperties", {}).items() if re.search(p, step)]
    return matching or [schema.get("additionalProperties")]


def values_offered(text: str, *path: str | int) -> list[Any]:
    return [choice for schema in at_path(text, *path) for choice in schema.get("enum", [])]


def keys_offered(text: str, *path: str | int) -> list[str]:
    return [key for schema in at_path(text, *path) for key in schema.get("properties", {})]


FIELDS = ["prompt", "image_url", "resolution", "duration", "nsfw_checker"]


def test_the_known_models_are_offered() -> None:
    assert values_offered(jobfile(), "jobs", "pour", "model") == sorted(models())
    assert values_offered(jobfile(), "defaults", "model") == sorted(models())


@pytest.mark.parametrize("inherited", [False, True], ids=["in-the-job", "in-defaults"])
def test_the_chosen_model_s_fields_and_values_are_offered(*, inherited: bool) -> None:
    text = with_input("{}", inherited=inherited)
    assert keys_offered(text, "jobs", "pour", "input") == FIELDS
    assert values_offered(text, "jobs", "pour", "input", "resolution") == ["720p", "1080p"]
    assert values_offered(text, "jobs", "pour", "input", "duration") == ["5", "10", 5, 10]


@pytest.mark.parametrize("model", sorted(models()))
def test_each_model_offers_its_own_fields_and_no_other_s(model: str) -> None:
    text = jobfile(f"{{model: {model}, input: {{}}}}")
    fields = models()[model]["properties"]["input"]["properties"]
    offered = dict.fromkeys(keys_offered(text, "jobs", "pour", "input"))  # rules name some again
    assert list(offered) == list(fields)


def test_the_schema_stays_small_enough_to_lie_in_every_project() -> None:
    """A hundred models in a line each; `init` writes it beside the job files."""
    assert JOBFILE.stat().st_size < 500_000


def test_without_a_known_model_no_field_is_offered() -> None:
    assert keys_offered(jobfile(), "jobs", "pour", "input") == []
    other = jobfile("{model: mine/own}", defaults=f"{{model: {MODEL}}}")
    assert keys_offered(other, "jobs", "pour", "input") == []


def test_axes_are_offered_the_fields_names_and_values() -> None:
    text = jobfile("{matrix: {resolution: [720p]}}", defaults=f"{{model: {MODEL}}}")
    assert keys_offered(text, "jobs", "pour", "matrix") == ["exclude", "include", "zip", *FIELDS]
    assert values_offered(text, "jobs", "pour", "matrix", "resolution", 0) == ["720p", "1080p"]


@pytest.mark.parametrize("path", [(), ("budget",), ("limits",), ("jobs", "pour"), ("jobs", "pour", "matrix")])
def test_every_key_of_ours_has_words_and_an_example_for_a_hover(path: tuple[str, ...]) -> None:
    text = with_input("{}")
    for key in set(keys_offered(text, *path)) - set(FIELDS):
        words = [s["description"] for s in at_path(text, *path, key) if "description" in s]
        assert "Example: `" in words[0], key


def test_every_field_has_words_for_a_hover() -> None:
    for field in FIELDS:
        hovered = at_path(with_input("{}"), "jobs", "pour", "input", field)
        assert any(schema.get("description") for schema in hovered), field


# --- the generated part --------------------------------------------------------------------------


def test_the_committed_schema_is_up_to_date() -> None:
    stale = "schemas/jobfile.schema.json is stale: run `python tests/docs/regenerate.py`"
    assert JOBFILE.read_text(encoding="utf-8") == regenerated(), stale


def test_the_structural_part_has_nothing_generated() -> None:
    assert GENERATED in json.dumps(SCHEMA)
    assert GENERATED not in json.dumps(STRUCTURE)
    assert "models" not in STRUCTURE["$defs"]
    Draft202012Validator.check_schema(STRUCTURE)


def test_the_given_schema_is_left_as_it_was() -> None:
    before = json.dumps(STRUCTURE)
    editor_schema(STRUCTURE, models())
    assert json.dumps(STRUCTURE) == before


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        node = list(node.values())
    for part in node if isinstance(node, list) else []:
        yield from references(part)


def test_the_schema_stands_alone() -> None:
    found = set(references(SCHEMA))
    assert all(reference.startswith("#/") for reference in found)
    assert all(pointed_at(reference) for reference in found)


# --- models of other shapes ----------------------------------------------------------------------


def takes(field: dict[str, Any], value: Any) -> bool:
    """Whether an editor does, for one field of a model made for the purpose."""
    schema = {"properties": {"input": {"type": "object", "properties": {"f": field}}}}
    return Draft202012Validator(input_schema(schema)).is_valid({"f": value})


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ({"type": "integer", "minimum": 1}, [1, "{{ n }}"], [0, "many", 1.5]),
        ({"type": "string", "enum": ["0.5", "1", "x"]}, [0.5, 1, "0.5", "x"], [2, "y"]),
        (
            {"type": "array", "items": {"type": "string", "enum": ["a"]}, "maxItems": 2},
            [["a"], ["{{ x }}", "a"], [], "{{ all }}"],
            [["b"], ["a", "a", "a"], "a"],
        ),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "boolean"}}},
            [{}, {"a": True}, {"a": "{{ x }}"}, "{{ all }}"],
            [{"a": "x"}, 5],
        ),
    ],
)
def test_a_field_of_any_shape_takes_its_values_or_a_template(
    field: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    assert [value for value in good if not takes(field, value)] == []
    assert [value for value in bad if takes(field, value)] == []


def test_fields_that_only_branches_know_are_offered() -> None:
    branches = [
        {"required": ["a"], "properties": {"a": {"type": "string", "enum": ["x"]}}},
        {"properties": {"a": {"type": "string", "enum": ["y"]}, "b": {"type": "boolean"}}},
    ]
    both = {"properties": {"c": {"type": "string", "enum": ["5", "6"]}}, "oneOf": branches}
    arms = {"if": {"required": ["c"]}, "then": {"properties": {"c": {"const": "5"}}}}
    model = {"properties": {"input": {**both, **arms}}}
    schema = input_schema(model)
    check = Draft202012Validator(schema)
    assert set(schema["properties"]) == {"a", "b", "c"}
    assert all(check.is_valid({"a": choice}) for choice in ("x", "y", "{{ z }}"))
    assert not check.is_valid({"a": "z"})
    assert check.is_valid({"c": 6})
    assert not check.is_valid({"c": 7})


def test_a_path_of_a_local_file_is_no_mistake_to_an_editor() -> None:
    """Editors and check-jsonschema know the format `uri`; a path is none."""
    assert '"uri"' not in JOBFILE.read_text(encoding="utf-8").partition('"models"')[2]
