"""Rules across fields: found in a schema, asked with their own fields only, told in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kiejobs.core.document.checked import formats
from kiejobs.core.models.rules import fields_named, rules_of
from kiejobs.core.models.spec import read_spec
from kiejobs.core.models.validator import RequestChecker
from tests.docs.editor_schema import input_schema
from tests.support.expanding import expanded
from tests.support.work import calls_of

NAMES = ("a", "b", "c", "d")
URL = "https://example.com/a.png"


def model(fields: dict[str, Any], **rules: Any) -> dict[str, Any]:
    """The request schema of a model of our own."""
    form = {"type": "object", "properties": fields, "unevaluatedProperties": False, **rules}
    return {"properties": {"model": {"enum": ["lab/clip"]}, "input": form}}


# --- the fast way and the whole schema -----------------------------------------------------------

values = st.sampled_from([0, 1, 1.0, 2, True, False, "", "x", "1", [], [0], [1, 2], {"k": 1}])
facts = st.sampled_from(
    [
        True, {}, {"const": 1}, {"enum": [0, "x"]}, {"type": "string", "minLength": 1},
        {"maximum": 1}, {"minItems": 1}, {"maxItems": 0}, {"contains": {"const": 1}}, False,
        {"not": {"const": "x"}},
    ]
)  # fmt: skip
fields = st.fixed_dictionaries(dict.fromkeys(NAMES, facts.filter(lambda form: isinstance(form, dict))))
some = st.lists(st.sampled_from(NAMES), unique=True, max_size=3)


def _one_rule(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.builds(lambda a, b, c: {"if": a, "then": b, "else": c}, inner, inner, inner),
        st.builds(lambda a, b: {"if": a, "then": b}, inner, inner),
        inner.map(lambda a: {"not": a}),
        several.map(lambda a: {"allOf": a}),
        several.map(lambda a: {"anyOf": a}),
        several.map(lambda a: {"oneOf": a}),
        st.builds(lambda name, a: {"dependentSchemas": {name: a}}, st.sampled_from(NAMES), inner),
    )


plain_rules = st.one_of(
    st.builds(lambda name, form: {"properties": {name: form}}, st.sampled_from(NAMES), facts),
    some.map(lambda names: {"required": names}),
    st.builds(lambda a, names: {"dependentRequired": {a: names}}, st.sampled_from(NAMES), some),
    st.sampled_from([True, False, {"maxProperties": 2}, {"minProperties": 1}]),
    st.just({"propertyNames": {"enum": ["a", "b", "c"]}}),
)
rules = st.recursive(plain_rules, _one_rule, max_leaves=5)
inputs = st.dictionaries(st.sampled_from((*NAMES, "unknown")), values)


@settings(max_examples=400, deadline=None)
@given(fields=fields, listed=st.lists(rules, max_size=3), beside=_one_rule(rules), value=inputs)
def test_asking_field_by_field_and_rule_by_rule_is_as_good_as_asking_the_whole(
    fields: dict[str, Any], listed: list[Any], beside: dict[str, Any], value: dict[str, Any]
) -> None:
    more = {"allOf": listed} if listed else {}
    schema = model(fields, required=["a"], **{**beside, **more})
    spec = read_spec(schema)
    whole = Draft202012Validator(spec.input_schema, format_checker=formats())
    assert rules_of(spec.input_schema) is not None
    checker = RequestChecker(spec)
    for _ in range(2):  # the second time from memory
        ours = {"blank", "control"}  # what no schema minds; a rule on such a field is not asked
        told = checker.problems(value)
        assert {one.keyword for one in told} <= ours if whole.is_valid(value) else told


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {}}, "not": {"required": ["a"]}},
        {"properties": {"a": {"$ref": "#/$defs/x"}}, "additionalProperties": False},
        {"properties": {"a": {}}, "patternProperties": {"b": {}}, "additionalProperties": False},
        {"oneOf": [{"properties": {"only": {}}}], "unevaluatedProperties": False},
    ],
    ids=["open", "with-references", "with-patterns", "fields-of-branches"],
)
def test_what_cannot_be_taken_apart_is_asked_as_a_whole(schema: dict[str, Any]) -> None:
    assert rules_of(schema) is None


def test_a_rule_is_asked_with_the_fields_that_it_names() -> None:
    rule = {
        "if": {"properties": {"a": {"properties": {"inner": {}}}}, "required": ["b"]},
        "then": {"anyOf": [{"dependentRequired": {"c": ["d"]}}, {"not": {"required": ["e"]}}]},
    }
    assert fields_named(rule) == {"a", "b", "c", "d", "e"}
    assert fields_named({"allOf": [rule, {"maxProperties": 2}]}) is None


def test_a_field_and_a_rule_are_asked_once_for_each_distinct_value() -> None:
    names = {f"f{number}": {"type": "integer"} for number in range(12)}
    pairs = [
        {"not": {"properties": {f"f{n}": {"const": 1}, f"f{n + 1}": {"const": 1}}}} for n in range(0, 12, 2)
    ]
    prompt = {"multipleOf": 1}  # of numbers: only jsonschema can say that it asks nothing of a text
    checker = RequestChecker(read_spec(model({**names, "prompt": prompt}, allOf=pairs)))
    requests = [
        {"prompt": str(n), **{name: (n >> bit) & 1 for bit, name in enumerate(names)}} for n in range(4_096)
    ]
    with calls_of("iter_errors") as asked:
        refused = sum(bool(checker.problems(request)) for request in requests)
    assert refused == 4_096 - 3**6
    # The prompts differ, each of the others has two values, each rule four: the rest is inside of rules.
    assert 4_096 < asked.count < 4_096 + 500


# --- words ---------------------------------------------------------------------------------------

CLIP = model(
    {
        "prompt": {"type": "string"},
        "duration": {"type": "string", "enum": ["6", "10"], "default": "6"},
        "resolution": {"type": "string", "enum": ["768P", "1080P"], "default": "768P"},
        "first": {"type": "string", "format": "uri"},
        "last": {"type": "string", "format": "uri"},
        "refs": {"type": "array", "items": {"type": "string"}},
        "videos": {"type": "array", "items": {"type": "string"}},
        "hd": {"type": "boolean"},
        "index": {"type": "integer"},
        "task_id": {"type": "string"},
    },
    required=["prompt"],
    allOf=[
        {
            "title": "at 1080P a clip lasts 6 seconds",
            "if": {"properties": {"resolution": {"const": "1080P"}}},
            "then": {"properties": {"duration": {"const": "6"}}},
        },
        {
            "title": "frames and references exclude each other",
            "if": {"anyOf": [{"required": ["first"]}, {"required": ["last"]}]},
            "then": {"properties": {"refs": {"maxItems": 0}, "videos": {"maxItems": 0}}},
        },
        {"dependentRequired": {"index": ["task_id"]}},
        {"not": {"properties": {"hd": {"const": True}}, "required": ["hd", "index"]}},
        {
            "title": "at most 2 of both together",
            "anyOf": [
                {"properties": {"refs": {"maxItems": 2 - n}, "videos": {"maxItems": n}}} for n in range(3)
            ],
        },
    ],
    anyOf=[
        {"required": ["first"]},
        {"required": ["refs"], "properties": {"refs": {"minItems": 1}}},
        {"required": ["task_id"]},
    ],
)


def told(body: str) -> list[str]:
    head = "version: 1\ncampaign: c\njobs:\n  a:\n    model: lab/clip\n"
    return expanded(head + "".join(f"    {line}\n" for line in body.splitlines()), CLIP).told


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            "duration: 10, resolution: 1080P, task_id: x",
            ("field-conflict 6:34 job `a`: `duration: 10` does not go with `resolution: 1080P`: "
            "at 1080P a clip lasts 6 seconds | write `duration: 6`, or write `resolution: 768P`"
            " | also 6:50 | x1 c/a"),
        ),
        (
            f"last: '{URL}', first: '{URL}', refs: [a]",
            ("field-conflict 6:101 job `a`: `refs` does not go with `first` and `last`: "
            "frames and references exclude each other | drop `refs` | also 6:66 | also 6:30 | x1 c/a"),
        ),
        (
            "index: 5, task_id: x, hd: true",
            ("field-conflict 6:31 job `a`: `index: 5` does not go with `hd: true`"
            " | drop `index`, or write `hd: false` | also 6:50 | x1 c/a"),
        ),
        (
            f"index: 5, first: '{URL}'",
            "missing-field 6:24 job `a`: `task_id` is missing; `index: 5` needs it | drop `index` | x1 c/a",
        ),
        (
            "hd: true",
            "missing-field 4:3 job `a`: one of `first`, `refs` or `task_id` is missing | x1 c/a",
        ),
        (
            "refs: []",
            "field-conflict 6:30 job `a`: `refs` is refused: `refs` is empty | add `first` or `task_id` | x1 c/a",
        ),
        (
            "refs: [a, b], videos: [a]",
            ("field-conflict 6:30 job `a`: `refs` and `videos` do not go together: "
            "at most 2 of both together | drop `videos` | also 6:46 | x1 c/a"),
        ),
    ],
)  # fmt: skip
def test_a_broken_rule_names_its_fields_and_their_places(fields: str, expected: str) -> None:
    assert told(f"input: {{prompt: a, {fields}}}") == [expected]


def test_a_combination_of_axes_can_be_left_out() -> None:
    axes = "matrix: {resolution: [768P, 1080P], duration: [6, 10]}\n"
    assert told(f"{axes}input: {{prompt: a, task_id: x}}") == [
        (
            "field-conflict 6:55 job `a`: `duration: 10` does not go with `resolution: 1080P`: "
            "at 1080P a clip lasts 6 seconds | write `duration: 6`, or write `resolution: 768P`; "
            "or leave the combination out with `exclude: [{duration: 10, resolution: 1080P}]`"
            " | also 6:33 | x1 c/a[duration=10,resolution=1080P]"
        )
    ]


def test_the_entry_that_leaves_a_combination_out_can_be_copied() -> None:
    """An address says `1%3A1` for `1:1`; an `exclude` with that would remove nothing."""
    fields = {name: {"type": "string", "enum": ["1:1", "16:9"]} for name in ("shape", "frame")}
    square = {"const": "1:1"}
    rule = {
        "title": "one square at most",
        "if": {"required": ["frame"], "properties": {"frame": square}},
        "then": {"properties": {"shape": {"not": square}}},
    }
    made = expanded(
        "version: 1\ncampaign: c\njobs:\n  a:\n    model: lab/clip\n"
        '    matrix: {shape: ["1:1", "16:9"], frame: ["1:1", "16:9"]}\n',
        model(fields, allOf=[rule]),
    )
    assert '`exclude: [{shape: "1:1", frame: "1:1"}]`' in made.told[0]


def test_a_rule_sees_the_defaults_that_will_be_sent() -> None:
    form = {"type": "string", "enum": ["768P", "1080P"], "default": "1080P"}
    fields = {**CLIP["properties"]["input"]["properties"], "resolution": form}
    rule = CLIP["properties"]["input"]["allOf"][0]
    made = expanded(
        "version: 1\ncampaign: c\njobs:\n  a:\n    model: lab/clip\n    input: {duration: 10}\n",
        model(fields, allOf=[rule]),
    )
    assert made.told == [
        (
            "field-conflict 6:23 job `a`: `duration: 10` does not go with `resolution: 1080P`: "
            "at 1080P a clip lasts 6 seconds | write `duration: 6`, or write `resolution: 768P`; "
            '`resolution` is "1080P" where the job file is silent | x1 c/a'
        )
    ]


def test_a_field_that_is_wrong_by_itself_breaks_no_rule_as_well() -> None:
    wrong = told("input: {prompt: a, task_id: x, duration: 7, resolution: 1080P}")
    assert [line.split(" ")[0] for line in wrong] == ["invalid-field"]
    misspelt = told(f"input: {{prompt: a, refss: ['{URL}']}}")
    assert [line.split(" ")[0] for line in misspelt] == ["unknown-field"]
    unrendered = told('input: {prompt: a, first: "{{ nothing }}"}')
    assert [line.split(" ")[0] for line in unrendered] == ["template"]


# --- what an editor is told ----------------------------------------------------------------------

TYPED = {
    "a": {"type": "string", "enum": ["1", "2", "10"]},
    "b": {"type": "integer"},
    "c": {"type": "boolean"},
    "d": {"type": "array", "items": {"type": "string"}},
}
VALUES: dict[str, list[Any]] = {
    "a": ["1", "2", "10"],
    "b": [0, 1, 5],
    "c": [True, False],
    "d": [[], ["x"], ["x", "y"]],
}
said = {
    "a": st.sampled_from([{"const": "10"}, {"enum": ["1", "2"]}, {"minLength": 2}, False, True]),
    "b": st.sampled_from([{"const": 5}, {"maximum": 1}, {"not": {"minimum": 1}}, {"enum": [0, 1]}]),
    "c": st.sampled_from([{"const": True}, {"enum": [False]}, {"not": {"const": True}}]),
    "d": st.sampled_from(
        [{"maxItems": 0}, {"minItems": 1}, {"items": {"const": "x"}}, {"contains": {"const": "y"}}]
    ),
}
typed_rules = st.recursive(
    st.one_of(
        *(form.map(lambda f, n=name: {"properties": {n: f}}) for name, form in said.items()),
        some.map(lambda names: {"required": names}),
        st.builds(lambda a, names: {"dependentRequired": {a: names}}, st.sampled_from(NAMES), some),
        st.sampled_from([True, False, {"maxProperties": 2}]),
    ),
    _one_rule,
    max_leaves=6,
)
whole_inputs = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(choices) for name, choices in VALUES.items()}
)


def _in_a_job_file(value: Any, how: int) -> Any:
    """Another spelling of a value that comes to the same, or a template; lists have templates inside."""
    if how == 1:
        return "{{ x }}"
    if how == 2 and isinstance(value, list) and value:
        return ["{{ y }}", *value[1:]]
    if how == 2:
        return str(value).lower() if isinstance(value, int) else int(value) if value else value
    return value


@settings(max_examples=400, deadline=None)
@given(
    rule=typed_rules.filter(lambda rule: isinstance(rule, dict)),
    request=whole_inputs,
    written=st.fixed_dictionaries({name: st.integers(0, 4) for name in NAMES}),
)
def test_an_editor_never_marks_what_may_yet_come_out_right(
    rule: dict[str, Any], request: dict[str, Any], written: dict[str, int]
) -> None:
    schema = model(TYPED, allOf=[rule])
    rendered = Draft202012Validator(schema["properties"]["input"])
    job = {name: _in_a_job_file(v, written[name]) for name, v in request.items() if written[name] < 4}
    marked = {"allOf": input_schema(schema).get("allOf", [True])}  # fields are somebody else's business
    assert not rendered.is_valid(request) or Draft202012Validator(marked).is_valid(job)


def editor(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(input_schema(schema))


@pytest.mark.parametrize(
    ("job", "right"),
    [
        ({"duration": 10, "resolution": "1080P"}, False),
        ({"duration": "10", "resolution": "1080P"}, False),
        ({"duration": 10, "resolution": "{{ matrix.size }}"}, True),
        ({"duration": 10}, True),
        ({"first": URL, "refs": ["a"]}, False),
        ({"first": "{{ matrix.image }}", "refs": ["{{ a }}"]}, False),
        ({"first": URL, "refs": []}, True),
        ({"first": URL, "refs": "{{ all }}"}, True),
        ({"hd": True, "index": 1}, False),
        ({"hd": "{{ a }}", "index": 1}, True),
        ({"index": 1}, True),
        ({"refs": ["a", "b"], "videos": ["a"]}, False),
        ({"refs": ["a"], "videos": ["a"]}, True),
    ],
)
def test_an_editor_marks_what_is_broken_for_certain(job: dict[str, Any], *, right: bool) -> None:
    assert editor(CLIP).is_valid(job) is right
