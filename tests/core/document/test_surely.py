"""What is surely fine is fine: jsonschema says so, too, of random values and of job files with a slip in them."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kiejobs.core.document.surely import is_surely
from tests.support.expanding import structure

NAMES = st.sampled_from(["a", "b", "x-c"])
SCALARS = st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from([0.5, 1.0, "", "a", "ab", "b1"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
FORMS = st.sampled_from(["^a", "b$", "^x-", "[0-9]"])
FEW = st.integers(0, 2)


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": KINDS | st.lists(KINDS, min_size=1, max_size=2, unique=True),
            "const": SCALARS,
            "enum": st.lists(SCALARS, min_size=1, max_size=3),
            "pattern": FORMS,
            "minLength": FEW,
            "maxLength": FEW,
            "minimum": FEW,
            "maximum": FEW,
            "exclusiveMinimum": FEW,
            "multipleOf": st.just(2),
            "minItems": FEW,
            "maxItems": FEW,
            "uniqueItems": st.booleans(),
            "items": inner,
            "minProperties": FEW,
            "required": st.lists(NAMES, max_size=2, unique=True),
            "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "patternProperties": st.dictionaries(FORMS, inner, max_size=2),
            "additionalProperties": inner,
            "propertyNames": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "not": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "$ref": st.sampled_from(["#/$defs/one", "#/$defs/two"]),
            "title": st.just("A title"),
        },
    )


PLAIN = st.booleans() | keywords(st.booleans())
ONES = st.recursive(PLAIN, keywords, max_leaves=4)
DEFINED = keywords(st.booleans()).map(lambda schema: {k: v for k, v in schema.items() if k != "$ref"})
JOBFILE: dict[str, Any] = {
    "version": 1,
    "campaign": "tea",
    "vars": {"style": "calm", "x-of": [1, None]},
    "budget": {"credits": "100", "per": "run"},
    "limits": {"max_jobs": 500},
    "defaults": {"model": "example/model", "input": {"resolution": "720p"}},
    "x-notes": ["a"],
    "jobs": {
        "pour": {
            "matrix": {
                "scene": {"from": "scenes.csv", "key": "id", "column": "mood"},
                "take": {"range": {"from": 1, "to": "3", "step": 1}},
                "image": {"glob": "*.webp"},
                "length": [5, "10", {"id": "long"}],
                "exclude": [{"length": 5}],
                "include": [{"length": 10, "light": "dawn"}],
                "zip": ["scene", ["image"]],
            },
            "tags": ["hero", "b"],
            "takes": 2,
            "output": "{{ job }}",
            "callBackUrl": "https://hooks.example.com/a",
            "correlate": True,
        },
        "idle": {"model": "example/model", "input": {}},
    },
}
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    1,
    101,
    2.0,
    "",
    "a b",
    "hero",
    [],
    ["a", "a"],
    {},
    {"promt": 1},
    {"from": "a"},
)


@given(ONES, st.fixed_dictionaries({"one": DEFINED, "two": DEFINED}), VALUES)
def test_what_is_surely_fine_is_fine(schema: Any, defined: Any, value: Any) -> None:
    whole = {**schema, "$defs": defined} if isinstance(schema, dict) else schema
    assert not is_surely(whole, value) or Draft202012Validator(whole).is_valid(value)


def test_a_job_file_that_uses_all_there_is_is_surely_fine() -> None:
    assert is_surely(structure(), JOBFILE)


@pytest.mark.parametrize("seed", range(40))
def test_a_slip_in_a_job_file_is_never_surely_fine(seed: int) -> None:
    dice, schema = random.Random(f"surely {seed}"), structure()
    validator = Draft202012Validator(schema)
    for _ in range(40):
        made = copy.deepcopy(JOBFILE)
        slip(dice, made)
        assert not is_surely(schema, made) or validator.is_valid(made), made


def slip(dice: random.Random, node: Any) -> None:
    """Something within is another value, gone, or there besides."""
    at = dice.choice(list(node) if isinstance(node, dict) else range(len(node)))
    if isinstance(node[at], dict | list) and node[at] and dice.random() < 0.8:
        slip(dice, node[at])
    elif isinstance(node, dict) and dice.random() < 0.2:
        node[dice.choice(["promt", "a b", "9", "x-more", "key", "to"])] = node.pop(at)
    else:
        node[at] = dice.choice(ODD)
