"""A model by an axis or a template: what is bought is what jobs would buy that were written out one by one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.expanding import MODEL, SCHEMAS, expanded

if TYPE_CHECKING:
    from tests.support.expanding import Expanded

HAILUO = "hailuo/2-3-image-to-video-standard"
SCHEMA = json.loads((SCHEMAS / "models" / f"{HAILUO}.json").read_text(encoding="utf-8"))
INPUT = "{image_url: https://example.com/a.webp, prompt: a cup}"


def job_file(body: str, *, top: str = "") -> str:
    return f"version: 1\ncampaign: c\n{top}jobs:\n  j:\n{body}    input: {INPUT}\n"


def both_known(text: str) -> Expanded:
    return expanded(text, SCHEMA)


def requests(text: str) -> set[tuple[str, int, str]]:
    """What would be bought, and how it would be stored."""
    jobs = both_known(text).jobs
    return {(job.fingerprint, job.take, job.output.rpartition(".")[2]) for job in jobs}


WRITTEN_OUT = (
    "version: 1\ncampaign: c\njobs:\n"
    f"  a: {{model: {MODEL}, matrix: {{duration: [5, 10]}}, input: {INPUT}}}\n"
    f"  b: {{model: {HAILUO}, matrix: {{duration: [10]}}, input: {INPUT}}}\n"
)
EXCLUDED = f"exclude: [{{m: {HAILUO}, duration: 5}}]"


@pytest.mark.parametrize(
    "text",
    [
        job_file(
            f"    matrix: {{model: [{MODEL}, {HAILUO}], duration: [5, 10], {EXCLUDED.replace('m:', 'model:')}}}\n"
        ),
        job_file(
            f'    model: "{{{{ matrix.m }}}}"\n'
            f"    matrix: {{m: [{MODEL}, {HAILUO}], duration: [5, 10], {EXCLUDED}}}\n"
        ),
        job_file(
            '    model: "{{ vars[matrix.m] }}"\n'
            f"    matrix: {{m: [a, b], duration: [5, 10], {EXCLUDED.replace(HAILUO, 'b')}}}\n",
            top=f"vars: {{a: {MODEL}, b: {HAILUO}}}\n",
        ),
        job_file(
            f"    matrix: {{model: [{MODEL}, {HAILUO}], duration: [5, 10], {EXCLUDED.replace('m:', 'model:')}}}\n",
            top=f"defaults: {{model: {MODEL}}}\n",
        ),
        job_file(
            f"    matrix: {{model: [{HAILUO}], duration: ['10'], "
            f"include: [{{model: {MODEL}, duration: 5}}, {{model: {MODEL}, duration: 10}}]}}\n"
        ),
    ],
    ids=["axis", "template", "variables", "own axis over defaults", "include"],
)
def test_each_combination_is_bought_as_if_it_were_written_out(text: str) -> None:
    assert requests(text) == requests(WRITTEN_OUT)


def test_each_value_is_checked_by_the_schema_of_its_own_model() -> None:
    body = f"    matrix: {{model: [{MODEL}, {HAILUO}], resolution: [720p]}}\n"
    found = both_known(job_file(body)).only("invalid-field")
    assert 'one of 768P, 1080P, not "720p"' in found.message
    assert found.example == f"c/j[model={HAILUO.replace('/', '%2F')},resolution=720p]"


def test_a_field_that_one_model_lacks_is_left_out_by_a_template() -> None:
    resolution = "{{ '1080p' if matrix.model is eq vars.pro else omit }}"
    body = f"    matrix: {{model: [{MODEL}, {HAILUO}]}}\n"
    text = job_file(body, top=f"vars: {{pro: {MODEL}}}\n")
    jobs = both_known(text.replace("a cup", f'a cup, resolution: "{resolution}"')).jobs
    assert [job.input["resolution"] for job in jobs] == ["1080p", "768P"]


def test_with_a_model_next_to_it_the_axis_is_one_like_any_other() -> None:
    text = job_file(f"    model: {MODEL}\n    matrix: {{model: [sedan, suv]}}\n")
    text = text.replace("a cup", '"a {{ matrix.model }}"')
    jobs = both_known(text).jobs
    assert [(job.model, job.input["prompt"]) for job in jobs] == [(MODEL, "a sedan"), (MODEL, "a suv")]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (f"    matrix: {{model: [{MODEL[:-1]}]}}\n", "unknown-model 5:22 the model"),
        ('    model: "{{ vars.m }}"\n', "template 5:12 job `j`: `vars.m` is not defined"),
        ('    model: "{{ vars.m"\n', "template 5:12 job `j`: "),
        ("    matrix: {model: [{id: a}]}\n", "no-model 5:22 job `j`: what axis `model` lists"),
        (
            f"    matrix: {{include: [{{model: {MODEL}, duration: 5}}, {{duration: 10}}]}}\n",
            "no-model 4:3 job `j`: a combination names no model",
        ),
        (
            f"    model: {MODEL}\n    matrix: {{model: [a]}}\n",
            "unused-axis 6:14 axis `model` changes nothing",
        ),
    ],
)
def test_what_names_no_model_is_told_at_its_place(body: str, told: str) -> None:
    (found,) = both_known(job_file(body)).told
    assert found.startswith(told), found


def test_what_is_too_hard_to_work_out_is_not_walked_for_its_models() -> None:
    values = ", ".join(map(str, range(100)))
    body = (
        '    model: "{{ matrix.a }}"\n'
        f"    matrix: {{a: [{values}], b: [{values}], c: [{values}], d: [{values}]}}\n"
    )
    assert both_known(job_file(body)).codes == ["too-many-jobs"]
