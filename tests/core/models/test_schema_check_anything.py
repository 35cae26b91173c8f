"""Anything may stand in a project's schema: it is told or it is taken, and what is taken works everywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kiejobs.core.models.changes import model_changes
from kiejobs.core.models.newer import merged
from kiejobs.core.models.spec import complete, files_of, read_spec
from kiejobs.core.models.validator import RequestChecker
from kiejobs.reports.model_pages.changes import change_words
from kiejobs.reports.models import ModelView, list_text, show_document, show_text
from kiejobs.sandbox.jobs import Model
from tests.core.models.test_schema_check import ID, reading, schema
from tests.docs.editor_schema import input_schema
from tests.docs.regenerate import models

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYWORDS = sorted(
    {
        "type", "enum", "const", "default", "items", "properties", "required", "anyOf", "oneOf",
        "allOf", "not", "if", "then", "format", "pattern", "minimum", "maximum", "multipleOf",
        "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "title", "description",
        "unevaluatedProperties", "additionalProperties", "dependentRequired", "x-kiejobs-file",
        "x-kiejobs-note", "x-kiejobs-output", "x-kiejobs-source", "media_types", "max_bytes", "$ref",
        "contains", "deprecated", "examples", "prompt", "date", "page", "x-other",
    }
)  # fmt: skip
WORDS = ["string", "integer", "number", "boolean", "array", "object", "uri", "^a{2}$", "prompt", ""]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4),
    max_leaves=12,
)
BASE = {
    **schema(
        picture={
            "type": "string",
            "format": "uri",
            "x-kiejobs-note": ["In seconds."],
            "x-kiejobs-file": {"media_types": ["image/png"], "max_bytes": 5},
        },
        seconds={"type": "integer", "enum": [4, 8], "default": 4, "description": "How long."},
        shots={
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {"text": {"type": "string", "pattern": "^[a-z]+$"}},
                "unevaluatedProperties": False,
            },
        },
    ),
    "title": "Clips",
    "x-kiejobs-output": {"media_type": "video/mp4", "extension": ".mp4"},
    "x-kiejobs-source": [{"page": "a page", "sha256": "0" * 64, "date": "2026-11"}],
}


def spots(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place of a value."""
    inner: dict[str | int, Any] = {}
    if isinstance(value, dict):
        inner = dict(value)
    elif isinstance(value, list):
        inner = dict(enumerate(value))
    return [path, *(spot for key, item in inner.items() for spot in spots(item, (*path, key)))]


FIELDS = st.deferred(lambda: st.fixed_dictionaries({}, optional=PLAUSIBLE))
NUMBERS = st.integers(-5, 5) | st.floats(-5, 5)
COUNTS = st.integers(0, 5)
PLAUSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(WORDS[:6]),
    "enum": st.lists(LEAVES, min_size=1, max_size=3),
    "const": LEAVES,
    "default": st.none() | st.sampled_from(["x", 4, True, 0.5]) | st.just([]) | st.just({}),
    "items": FIELDS,
    "properties": st.dictionaries(st.sampled_from(["a", "b"]), FIELDS, max_size=2),
    "required": st.just(["a"]),
    "anyOf": st.lists(FIELDS, min_size=1, max_size=2),
    "format": st.just("uri"),
    "pattern": st.sampled_from(["^[a-z]+$", "^a{2}$"]),
    "minimum": NUMBERS,
    "maximum": NUMBERS,
    "exclusiveMinimum": NUMBERS,
    "multipleOf": st.sampled_from([1, 0.5, 1e-9, 1e300]),
    "minLength": COUNTS,
    "maxLength": COUNTS,
    "minItems": COUNTS,
    "maxItems": COUNTS,
    "uniqueItems": st.booleans(),
    "deprecated": st.booleans(),
    "description": st.text(max_size=9),
    "unevaluatedProperties": st.just(False),  # noqa: FBT003 - a value of the schema's
    "additionalProperties": st.just(False) | FIELDS,  # noqa: FBT003 - a value of the schema's
    "x-kiejobs-file": st.fixed_dictionaries(
        {"media_types": st.lists(st.sampled_from(["image/png", "video/mp4", "x/y"]), max_size=2)},
        optional={"max_bytes": st.integers(1, 2**32), "note": st.text(max_size=5)},
    ),
    "x-kiejobs-note": st.lists(st.sampled_from(["In seconds.", "x"]), max_size=2),
    "x-other": VALUES,
}
RULES = st.fixed_dictionaries(
    {"title": st.text(min_size=1, max_size=9)},
    optional={
        "required": st.just(["prompt"]),
        "not": st.booleans() | st.just({"required": ["seconds", "shots"]}),
        "if": st.just({"properties": {"seconds": {"const": 8}}, "required": ["seconds"]}),
        "then": st.just({"properties": {"shots": False}}),
        "dependentRequired": st.just({"picture": ["seconds"]}),
    },
)


@st.composite
def edited(draw: st.DrawFn) -> Any:
    """A sound schema with fields as they may be, or with some places replaced by anything."""
    made = json.loads(json.dumps(BASE))
    input_ = made["properties"]["input"]
    for name in draw(st.lists(st.sampled_from([*input_["properties"], "new"]), max_size=3)):
        input_["properties"][name] = draw(FIELDS)
    input_["allOf"] = draw(st.lists(RULES, max_size=2))
    made = json.loads(json.dumps(made))  # what was drawn is never changed
    for _ in range(draw(st.integers(0, 3)) if draw(st.booleans()) else 0):
        path = draw(st.sampled_from(spots(made)[1:]))
        holder = made
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = draw(VALUES)
    return made


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=150)
def test_any_bytes_are_told_or_taken(data: bytes) -> None:
    found = reading(data)
    assert (found.schema is None) == bool(found.problems)
    assert all(problem.place for problem in found.problems)


@given(edited(), st.dictionaries(st.sampled_from(["prompt", "picture", "seconds", "shots"]), VALUES))
@settings(max_examples=150)
def test_what_is_taken_works_in_every_room(made: Any, request_input: Mapping[str, Any]) -> None:
    found = reading(made).schema
    if found is None:
        return
    spec = read_spec(found)
    whole = complete(spec, request_input)
    RequestChecker(spec).problems(whole)
    list(files_of(spec, whole))
    input_schema(dict(found))
    Model(ID, found).problem(request_input)
    view = ModelView(spec)
    assert show_text(view)
    assert list_text([view])
    assert json.dumps(show_document(view))
    for other in (BASE, models()["bytedance/v1-pro-fast-image-to-video"]):
        for change in [*model_changes(other, found), *model_changes(found, other)]:
            assert change_words(change)
    merged(json.loads(json.dumps(BASE)), dict(found))
