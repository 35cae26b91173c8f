"""Requests that are joined from parts, against the plain way: the same bytes, the same verdicts."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from kiejobs.core.diagnostics import Place
from tests.docs.regenerate import models
from tests.support.expanding import expanded
from tests.support.plain_expansion import plain_requests, random_file

MODELS = models()
FILES = 16
"""For each model; more where few of them could be bought."""
MOST_FILES = 150

ALIKE = {"duplicate-request", "duplicate-value"}
NO_FAULT = {"unused-axis", "missing-field", "number-text", "output-collision"}
"""What the plain way takes: an idle axis, a required list without entries, 1e21 in a text, names alike but for case."""


@pytest.mark.parametrize("model", sorted(MODELS))
def test_the_joined_requests_of_any_job_file_are_the_plain_ones(model: str) -> None:
    dice, bought = random.Random(f"joined {model}"), 0
    for count in range(MOST_FILES):
        if bought >= 2 and count >= FILES:
            break
        bought += compare(random_file(dice, MODELS[model]), MODELS[model])
    assert bought >= 2


def compare(file: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Asserts that both agree. Could the file be bought?"""
    text = json.dumps(file, ensure_ascii=False)
    plain, made = plain_requests(file, schema), expanded(text, schema)
    assert made.expansion is not None, text
    if None in plain or made.problems.fatal:
        assert None in plain or set(made.codes) & (ALIKE | NO_FAULT), f"{made.told} {text}"
        assert made.problems.fatal, text
        return False
    assert [(job.input, job.fingerprint) for job in made.jobs] == plain, text
    assert [list(job.input) for job in made.jobs] == [list(one[0]) for one in plain if one], text
    return True


def test_rows_whose_request_has_no_field_are_not_lost() -> None:
    fields = {"type": "object", "additionalProperties": False, "properties": {}}
    model = {"properties": {"model": {"const": "example/none"}, "input": fields}}
    text = "version: 1\ncampaign: c\njobs: {a: {model: example/none, matrix: {x: [1, 2]}}}\n"
    made = expanded(text, model)
    assert made.codes == ["unused-axis"]
    assert made.expansion is not None
    assert [job.address for job in made.expansion.jobs] == ["c/a[x=1]", "c/a[x=2]"]


@pytest.mark.parametrize("model", sorted(MODELS))
def test_jobs_that_are_written_out_are_those_that_each_makes_alone(model: str) -> None:
    dice, jobs = random.Random(f"alike {model}"), {}
    inputs = [random_file(dice, MODELS[model])["jobs"]["j"]["input"] for _ in range(3 * FILES)]
    for number in range(3 * FILES):
        fields = inputs[number // 6]  # of six jobs that are alike, but for a seldom missing one
        given = {name: dice.choice([one[name] for one in inputs if name in one]) for name in fields}
        if given and dice.random() < 0.03:
            given.popitem()
        more = dice.choice([{"takes": 2}, {"output": "{{ job }}/a"}]) if dice.random() < 0.05 else {}
        jobs[f"j{number}"] = {"model": model, "input": given, **more}
    together = _made(jobs, MODELS[model])
    alone = [_made({name: job}, MODELS[model]) for name, job in jobs.items()]
    assert together[0] == [job for one in alone for job in one[0]]
    assert together[1] == {problem for one in alone for problem in one[1]}


def _made(jobs: dict[str, Any], schema: dict[str, Any]) -> tuple[list[Any], set[Any]]:
    """Its jobs and problems, without their places: all stand in one line."""
    text = json.dumps({"version": 1, "campaign": "c", "jobs": jobs}, ensure_ascii=False)
    # The words of the first of two equal numbers are those of both.
    made = expanded(text.replace("matrix.word", "job").replace("5.0", "5"), schema)
    assert made.expansion is not None
    problems = [one for one in made.problems if one.code not in ALIKE]
    broken, here = made.expansion.broken, Place("job.yaml", 1, 1)
    return (
        [(*job._replace(place=here), job.address in broken) for job in made.expansion.jobs],
        {(one.code, one.message, one.hint, one.example) for one in problems},
    )
