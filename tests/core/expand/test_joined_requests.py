"""Requests that are joined from parts, against the plain way: the same bytes, the same verdicts."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.docs.regenerate import models
from tests.support.expanding import expanded
from tests.support.plain_expansion import plain_requests, random_file

MODELS = models()
FILES = 40
"""For each model."""

ALIKE = {"duplicate-request", "duplicate-value"}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_the_joined_requests_of_any_job_file_are_the_plain_ones(model: str) -> None:
    dice, bought = random.Random(f"joined {model}"), 0
    for _ in range(FILES):
        bought += compare(random_file(dice, MODELS[model]), MODELS[model])
    assert bought >= 2


def compare(file: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Asserts that both agree. Could the file be bought?"""
    text = json.dumps(file, ensure_ascii=False)
    plain, made = plain_requests(file, schema), expanded(text, schema)
    assert made.expansion is not None, text
    if None in plain or made.problems.fatal:
        assert None in plain or set(made.codes) & ALIKE, f"{made.told} {text}"
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
    assert made.codes == ["duplicate-request"]
    assert made.expansion is not None
    assert [job.address for job in made.expansion.jobs] == ["c/a[x=1]", "c/a[x=2]"]
