"""What differs between two schemas of a model: each kind of change, and whether it breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.core.fingerprint import fingerprint
from kiejobs.core.models.changes import model_changes
from kiejobs.core.models.spec import complete, read_spec
from kiejobs.reports.model_pages.changes import change_words
from tests.core.models.test_schema_check import ID, schema
from tests.docs.regenerate import models

TEXT = {"type": "string"}
URL = {"type": "string", "format": "uri"}


def changes(was: dict[str, Any] | None, now: dict[str, Any] | None, field: str = "a") -> list[str]:
    """`!` before what breaks; None is a field that is not there."""
    made = [schema(**({} if form is None else {field: form})) for form in (was, now)]
    return [
        f"{'!' if change.breaking else ''}{change.field} {change_words(change)}"
        for change in model_changes(*made)
    ]


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (TEXT, None, ["!a is gone"]),
        (None, TEXT, ["a is new"]),
        (
            None,
            {"enum": ["x"], "default": "x"},
            ["!a is new; x is sent where a job file leaves it out"],
        ),
        (TEXT, {"type": "integer"}, ["!a is a whole number now, was text"]),
        ({"type": "integer"}, {"type": "number"}, ["a is a number now, was a whole number"]),
        ({"type": "number"}, {"type": "integer"}, ["!a is a whole number now, was a number"]),
        (TEXT, {}, ["!a is anything now, was text"]),
        ({"enum": ["x", "y"]}, {"enum": ["y"]}, ["!a takes no x any more"]),
        ({"enum": ["x"]}, {"enum": ["y", "x"]}, ["a takes y too"]),
        ({"enum": ["x", "y"]}, {"enum": ["y", "z"]}, ["!a takes no x any more", "a takes z too"]),
        ({"enum": ["x"]}, {}, ["a takes anything now, was one of x"]),
        ({}, {"enum": ["x", 5, ""]}, ['!a takes only x, 5, "" now']),
        ({"const": "x"}, {"enum": ["x"]}, []),
        ({"enum": [5]}, {"enum": ["5"]}, ["!a takes no 5 any more", "a takes 5 too"]),
        ({"enum": ["x", "y"]}, {"enum": ["y", "x"]}, []),
        ({"maxLength": 1000}, {"maxLength": 500}, ["!a at most 500 characters now, was 1,000"]),
        ({"maxLength": 500}, {"maxLength": 1000}, ["a at most 1,000 characters now, was 500"]),
        ({}, {"maxLength": 500}, ["!a at most 500 characters now, was without a limit"]),
        ({"maxLength": 500}, {}, ["a without a limit now, was at most 500 characters"]),
        ({"minLength": 1}, {"minLength": 3}, ["!a at least 3 characters now, was 1"]),
        ({"minimum": 4}, {"minimum": 2}, ["a at least 2 now, was 4"]),
        ({"maximum": 4}, {"maximum": 4.0}, []),
        ({"exclusiveMinimum": 0}, {"exclusiveMinimum": 1}, ["!a more than 1 now, was 0"]),
        ({"exclusiveMaximum": 0}, {"exclusiveMaximum": 1}, ["a less than 1 now, was 0"]),
        ({"maxItems": 9}, {"maxItems": 3}, ["!a at most 3 entries now, was 9"]),
        ({"minItems": 1}, {}, ["a without a limit now, was at least 1 entries"]),
        ({"multipleOf": 0.1}, {"multipleOf": 0.5}, ["!a in steps of 0.5 now, was 0.1"]),
        ({"multipleOf": 0.5}, {"multipleOf": 0.1}, ["a in steps of 0.1 now, was 0.5"]),
        ({}, {"pattern": "^a"}, ["!a like ^a now, was without a limit"]),
        (TEXT, URL, ["!a must be a URL now"]),
        (URL, TEXT, ["a need not be a URL any more"]),
        ({}, {"uniqueItems": True}, ["!a must not hold anything twice now"]),
        ({}, {"deprecated": True}, ["a is deprecated now"]),
        ({"anyOf": [TEXT]}, {"anyOf": [{"type": "integer"}]}, ["!a may have other forms than before"]),
        ({"anyOf": [TEXT]}, {"anyOf": [{**TEXT, "title": "Other words"}]}, []),
        ({"default": "x"}, {"default": "y"}, ["!a has another default: y, was x"]),
        ({}, {"default": False}, ["!a has a default now: false"]),
        ({"default": None}, {}, ["!a has no default any more, was null"]),
        ({"default": "5"}, {"default": 5}, ['!a has another default: 5, was "5"']),
        ({"title": "A", "description": "b"}, {"title": "C", "x-kiejobs-note": "d"}, []),
    ],
)  # fmt: skip
def test_a_field_that_changed(
    was: dict[str, Any] | None, now: dict[str, Any] | None, told: list[str]
) -> None:
    assert changes(was, now) == told


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ({"media_types": ["image/png"]}, {"media_types": ["image/png", "image/webp"]},
         ["a takes image/webp files too"]),
        ({"media_types": ["image/png", "image/webp"]}, {"media_types": ["image/png"]},
         ["!a takes no image/webp files any more"]),
        ({}, {"media_types": ["image/png"]}, ["!a takes only image/png files now"]),
        ({"media_types": ["image/png"]}, {}, ["a takes files of any type now, was image/png"]),
        ({"max_bytes": 10485760}, {"max_bytes": 5242880},
         ["!a files of at most 5 MB now, was 10 MB"]),
        ({"max_bytes": 1000}, {"max_bytes": 2000}, ["a files of at most 2,000 bytes now, was 1,000 bytes"]),
    ],
)  # fmt: skip
def test_the_files_that_a_field_takes(was: dict[str, Any], now: dict[str, Any], told: list[str]) -> None:
    assert changes({**URL, "x-kiejobs-file": was}, {**URL, "x-kiejobs-file": now}) == told


def test_what_lies_deeper_is_told_by_its_path() -> None:
    shot = {"type": "object", "properties": {"text": TEXT}, "unevaluatedProperties": False}
    longer = {**shot, "properties": {"text": {**TEXT, "maxLength": 9}, "seconds": TEXT}}
    was, now = ({"type": "array", "items": one} for one in (shot, {**longer, "required": ["seconds"]}))
    assert changes(was, now) == [
        "!a[].text at most 9 characters now, was without a limit",
        "!a[].seconds is new, and needed",
    ]
    assert changes(shot, {**shot, "unevaluatedProperties": True}) == ["a takes keys of other names now"]


@pytest.mark.parametrize(
    ("form", "needed", "told"),
    [
        (TEXT, True, ["!a is needed now"]),
        ({**TEXT, "default": "x"}, True, ["a is needed now"]),
        (TEXT, False, ["a can be left out now"]),
    ],
)
def test_what_is_needed(form: dict[str, Any], told: list[str], *, needed: bool) -> None:
    without, with_it = schema(a=form), schema(a=form)
    with_it["properties"]["input"]["required"] = ["prompt", "a"]
    was, now = (without, with_it) if needed else (with_it, without)
    assert [
        f"{'!' if change.breaking else ''}{change.field} {change_words(change)}"
        for change in model_changes(was, now)
    ] == told


def test_another_kind_of_output_breaks() -> None:
    was, now = schema(), schema()
    was["x-kiejobs-output"] = {"media_type": "video/mp4", "extension": ".mp4"}
    now["x-kiejobs-output"] = {"media_type": "image/png", "extension": ".png"}
    assert [(c.field, c.breaking, change_words(c)) for c in model_changes(was, now)] == [
        ("", True, "gives files of type image/png now, was video/mp4"),
        ("", True, "gives files named .png now, was .mp4"),
    ]


def test_rules_and_sources_are_not_compared() -> None:
    was, now = schema(), schema()
    now["properties"]["input"]["allOf"] = [{"title": "never", "not": {"required": ["prompt"]}}]
    now["x-kiejobs-source"] = [{"page": "a page", "date": "2026-11"}]
    assert model_changes(was, now) == []


@pytest.mark.parametrize("model", sorted(models()))
def test_a_bundled_model_differs_from_nothing_of_itself(model: str) -> None:
    one = models()[model]
    assert model_changes(one, json.loads(json.dumps(one))) == []


def says_something(value: Any) -> bool:
    """A rule for files that names no type and no size takes any file."""
    if isinstance(value, dict):
        return bool(value["media_types"]) or "max_bytes" in value
    return value is not None


@pytest.mark.parametrize("model", sorted(models()))
def test_whatever_is_taken_away_is_told(model: str) -> None:
    """Without its defaults, its lists and its limits a schema says something else of each field."""
    one = models()[model]
    fields = one["properties"]["input"]["properties"]
    for key in ("default", "enum", "maxLength", "maxItems", "maximum", "x-kiejobs-file"):
        other = json.loads(json.dumps(one))
        had = [name for name in fields if says_something(fields[name].get(key))]
        for name in had:
            del other["properties"]["input"]["properties"][name][key]
        found = model_changes(one, other)
        assert list(dict.fromkeys(change.field for change in found)) == had
        assert all(change.breaking is (key == "default") for change in found)


# --- what breaking means ---------------------------------------------------------------------------

FORMS: list[dict[str, Any] | None] = [
    None,
    TEXT,
    {"type": "integer"},
    {"type": "number"},
    {"enum": ["x", "y"]},
    {"enum": ["x"]},
    {"type": "integer", "minimum": 2},
    {"type": "integer", "minimum": 2, "maximum": 5},
    {"type": "number", "multipleOf": 0.5},
    {"type": "number", "minimum": 3},
    {**TEXT, "maxLength": 3},
    {**TEXT, "default": "x"},
    {"enum": ["x", "y"], "default": "x"},
    {"enum": ["x", "y"], "default": "y"},
]
VALUES = [None, "x", "y", "long text", 1, 2, 5, 6, 2.5, 2.25, True]


def request(form: dict[str, Any] | None, value: Any) -> str | None:
    """The fingerprint of a job file's request, None where it is refused; no value is no field."""
    spec = read_spec(schema(**({} if form is None else {"a": form})))
    given = {"prompt": "tea", **({} if value is None else {"a": value})}
    made = complete(spec, given)
    valid = Draft202012Validator(dict(spec.input_schema)).is_valid(made)
    return fingerprint(ID, made) if valid else None


@pytest.mark.parametrize("was", FORMS, ids=str)
@pytest.mark.parametrize("now", FORMS, ids=str)
def test_what_is_called_harmless_changes_no_job_file(
    was: dict[str, Any] | None, now: dict[str, Any] | None
) -> None:
    made = [schema(**({} if form is None else {"a": form})) for form in (was, now)]
    before = {value: request(was, value) for value in VALUES}
    after = {value: request(now, value) for value in VALUES}
    broken = [value for value in VALUES if before[value] and before[value] != after[value]]
    if not any(change.breaking for change in model_changes(*made)):
        assert broken == []
