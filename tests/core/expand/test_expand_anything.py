"""Any job file at all: expansion never breaks, and what it lets through may be bought."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kiejobs.core.fingerprint import fingerprint
from tests.core.expand.test_expand import PAIR, TINY
from tests.support.expanding import Expanded, expanded

MODELS = {"example/tiny": TINY, "example/pair": PAIR}

TEXTS = st.sampled_from(
    ["x", "", "a b", "5", "{{ matrix.a }}", "{{ vars.v }}", "{{ nope }}", "{% if %}", "https://example.com/a",
     "..", "a/b", "{{ take }}", "outputs/{{ axes }}", "{{ job }}-{{ matrix.b }}", "\u0000", "Ä", "true"]
)  # fmt: skip
SCALARS = TEXTS | st.integers(-1, 60) | st.booleans() | st.none() | st.sampled_from([0.5, 5.0, 1e300])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "weight", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)
FIELDS = st.sampled_from(
    ["text", "steps", "strength", "loop", "size", "links", "style", "first", "last", "seconds", "quality", "txt"]
)  # fmt: skip
AXES = st.sampled_from(["a", "b", "steps", "size", "text", "quality"])
MAPPINGS = st.dictionaries(st.sampled_from(["id", "name", "weight", "x"]), VALUES, max_size=3)
AXIS_VALUES = SCALARS.filter(lambda value: value is not None) | MAPPINGS
ENTRIES = st.lists(st.dictionaries(AXES | FIELDS, VALUES, min_size=1, max_size=3), max_size=3)
MATRICES = st.builds(
    dict.__or__,
    st.dictionaries(AXES, st.lists(AXIS_VALUES, min_size=1, max_size=3), max_size=3),
    st.fixed_dictionaries({}, optional={"include": ENTRIES, "exclude": ENTRIES}),
)
INPUTS = st.dictionaries(FIELDS, VALUES, max_size=3)
JOBS = st.fixed_dictionaries(
    {"model": st.sampled_from([*MODELS, "example/tinny"])},
    optional={
        "input": INPUTS,
        "matrix": MATRICES,
        "takes": st.integers(1, 3),
        "output": TEXTS.filter(bool),
        "callBackUrl": st.sampled_from(["https://h.example.com/{{ nope }}", "{{ job }}"]),
    },
)
FILES = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "campaign": st.just("c"),
        "jobs": st.dictionaries(st.sampled_from(["one", "two", "three"]), st.none() | JOBS, min_size=1),
    },
    optional={
        "vars": st.dictionaries(st.sampled_from(["v", "w"]), VALUES),
        "defaults": st.fixed_dictionaries({}, optional={"matrix": MATRICES, "input": INPUTS}),
        "limits": st.fixed_dictionaries({"max_jobs": st.integers(1, 30)}),
    },
)
SOUND_FILES = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "campaign": st.just("c"),
        "jobs": st.dictionaries(
            st.sampled_from(["one", "two"]),
            st.fixed_dictionaries(
                {"model": st.just("example/tiny"), "input": st.just({"text": "{{ job }} {{ matrix.values() | list | length }} {{ matrix.a }} {{ matrix.b }}"})},
                optional={"takes": st.integers(1, 3)},
            ),
            min_size=1,
        ),
        "defaults": st.fixed_dictionaries({
            "matrix": st.fixed_dictionaries(
                {"a": st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
                 "b": st.lists(st.sampled_from(["x", "y", "Z"]), min_size=1, max_size=3, unique=True)},
                optional={"size": st.lists(st.sampled_from([5, "10"]), min_size=1, unique=True),
                          "include": st.lists(st.fixed_dictionaries({"a": st.integers(0, 12), "b": st.sampled_from(["x", "w"])}, optional={"loop": st.booleans(), "steps": st.integers(1, 5)}), max_size=2)},
            )
        }),
    }
)  # fmt: skip

PATIENT = settings(suppress_health_check=[HealthCheck.too_slow])


def made_of(file: dict[str, Any]) -> Expanded:
    """JSON is YAML, but for the NUL, which the reader refuses before anything else."""
    return expanded(json.dumps(file, ensure_ascii=False).replace("\\u0000", "\\0"), *MODELS.values())


@given(FILES)
@PATIENT
def test_expansion_answers_with_problems_never_with_a_crash(file: dict[str, Any]) -> None:
    made = made_of(file)
    assert all(problem.place is not None and problem.message for problem in made.problems)
    if not made.problems.fatal:
        check(made)


@given(SOUND_FILES)
@PATIENT
def test_what_has_no_problem_may_be_bought(file: dict[str, Any]) -> None:
    made = made_of(file)
    if made.problems.fatal:
        assert set(made.codes) <= {"duplicate-row", "duplicate-request"}, made.told
    else:
        check(made)


def check(made: Expanded) -> None:
    jobs = made.jobs
    assert len(jobs) == len({job.address for job in jobs})
    assert len(jobs) == len({(job.fingerprint, job.take) for job in jobs})
    assert len(jobs) == len({job.output.casefold() for job in jobs})
    for job in jobs:
        schema = Draft202012Validator(MODELS[job.model])
        assert list(schema.iter_errors(job.body)) == []
        assert job.fingerprint == fingerprint(job.model, job.input)
        assert not job.output.startswith("/")
        assert not {"", ".", ".."}.intersection(job.output.split("/"))
