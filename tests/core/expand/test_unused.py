"""Warnings: what nothing reads, and texts near their limit. Said, lived with, and never told wrongly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bench import Bench
from tests.support.expanding import MODEL, Expanded, expanded, line

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = "https://example.com/a.webp"
TEMPLATES = {
    "look.j2": "{{ vars.inside }} {{ matrix.inside }}",
    "all.j2": "{{ vars | tojson }}",
    "macros.j2": "{% macro m(v) %}{{ v.brand }}{% endmacro %}",
    "broken.j2": "{% if %}",
}


def made(
    prompt: str = "x",
    *,
    names: dict[str, Any] | None = None,
    matrix: dict[str, Any] | None = None,
    **more: Any,
) -> Expanded:
    """`names` are the file's variables; `more` goes into the one job, `defaults` beneath it."""
    defaults = {"model": MODEL, "input": {"image_url": IMAGE}, **more.pop("defaults", {})}
    given = {"prompt": prompt, **more.pop("input", {})}
    job = {"input": given, **({"matrix": matrix} if matrix else {}), **more}
    text = {"version": 1, "campaign": "c", "vars": names or {}, "defaults": defaults}
    return expanded(json.dumps({**text, "jobs": {"a": job}}), load=TEMPLATES.get)


def warned(found: Expanded) -> list[str]:
    assert not found.problems.fatal, found.told
    return [f"{each.code} {each.message.split('`')[1]}" for each in found.problems]


@pytest.mark.parametrize(
    ("prompt", "unused"),
    [
        ("x", ["brand", "mood"]),
        ("{{ vars.brand }}", ["mood"]),
        ("{{ vars['brand'] }}", ["mood"]),
        ("{% if vars.mood is defined %}{{ vars.brand }}{% endif %}", []),
        ("{{ vars[vars.brand] | default('x') }}", []),
        ("{{ vars | tojson }}", []),
        ("{% for k, v in vars.items() %}{{ v }}{% endfor %}", []),
        ("{% set v = vars %}{{ v.brand }}", []),
        ("{% include 'all.j2' %}", []),
        ("{% include 'look.j2' ignore missing %}", ["brand", "mood"]),
        ("{% include 'lo' ~ 'ok.j2' %}", []),
        ("{% include 'none.j2' ignore missing %}", ["brand", "mood"]),
        ("{% if false %}{% include 'broken.j2' %}{% endif %}x", []),
        ("{% from 'macros.j2' import m %}{{ m(vars) }}", []),
        ("{% import 'macros.j2' as vars %}x", ["brand", "mood"]),
    ],
)
def test_a_variable_that_nothing_reads_is_told(prompt: str, unused: list[str]) -> None:
    names = {"brand": "x", "mood": "y", "inside": "i", "x-free": 1}
    found = made(f"a {prompt}", names=names, matrix={"inside": ["a"]}, output="{{ matrix.inside }}")
    told = [each for each in warned(found) if not each.endswith(" inside")]
    assert told == [f"unused-variable {name}" for name in unused]


@pytest.mark.parametrize(
    "more",
    [
        {"output": "{{ vars.brand }}.mp4"},
        {"callBackUrl": "https://example.com/{{ vars.brand }}"},
        {"input": {"resolution": "{{ vars.brand }}"}},
        {"matrix": {"resolution": ["{{ vars.brand }}"]}},
    ],
)
def test_a_variable_may_be_read_anywhere(more: dict[str, Any]) -> None:
    assert warned(made(names={"brand": "720p"}, **more)) == []


def test_braces_in_a_value_of_an_axis_are_an_error() -> None:
    """They would be put into the prompt as they are."""
    scenes = [{"id": "s", "words": "{{ vars.brand }}"}]
    found = made("{{ matrix.scene.words }}", names={"brand": "x"}, matrix={"scene": scenes})
    assert found.codes == ["unrendered-template"]


@pytest.mark.parametrize(
    ("prompt", "more", "told"),
    [
        ("x", {}, True),
        ("{{ matrix.mood }}", {}, False),
        ("{{ matrix.mood.x | default('') }}", {}, False),
        ("{{ matrix | tojson }}", {}, False),
        ("{% include 'all.j2' %}", {}, True),
        ("{% set inside = 1 %}{% include vars.name %}", {}, False),
        ("x", {"output": "{{ matrix.mood }}.mp4"}, False),
        ("x", {"output": "{{ axes }}.mp4"}, False),
        ("x", {"output": "a/{{ address | replace('/', '-') }}.mp4"}, False),
        ("x", {"output": "a.mp4"}, True),
        ("x", {"callBackUrl": "https://example.com/{{ matrix.mood }}"}, False),
    ],
)
def test_an_axis_that_changes_nothing_is_told(prompt: str, more: dict[str, Any], *, told: bool) -> None:
    names = {"name": "all.j2"}
    found = made(prompt + "{{ vars.name }}", names=names, matrix={"mood": ["calm"]}, **more)
    assert found.codes == (["unused-axis"] if told else [])


def test_an_axis_that_include_or_exclude_names_has_a_use() -> None:
    include = [{"light": "dusk", "mood": "calm"}]
    matrix = {"light": ["dusk"], "include": include}
    assert warned(made("{{ matrix.mood }}", matrix=matrix)) == []


def test_an_axis_named_like_a_field_has_a_use() -> None:
    assert warned(made(matrix={"duration": [5]})) == []


def test_an_axis_of_the_defaults_counts_as_used_where_one_job_uses_it() -> None:
    jobs = {
        "a": {"input": {"prompt": "{{ matrix.mood }}"}},
        "b": {"input": {"prompt": "x"}},
    }
    matrix = {"mood": ["calm"], "idle": ["y"]}
    defaults = {"model": MODEL, "input": {"image_url": IMAGE}, "matrix": matrix}
    text = {"version": 1, "campaign": "c", "defaults": defaults, "jobs": jobs}
    assert "axis `idle`" in expanded(json.dumps(text)).only("unused-axis").message


def test_an_axis_that_makes_no_difference_is_told_and_not_that_requests_are_alike() -> None:
    found = made("{{ matrix.light }}", matrix={"light": ["a", "b"], "mood": ["calm", "wild"]})
    assert "axis `mood`" in found.only("unused-axis").message


def test_two_rows_with_one_request_are_told_with_the_axis_that_tells_them_apart() -> None:
    prompt = "{{ matrix.light }}{% if matrix.mood == 'odd' %}!{% endif %}"
    found = made(prompt, matrix={"light": ["a", "b"], "mood": ["calm", "wild"]})
    problem = found.only("duplicate-request")
    assert problem.message == (
        "job `a`: axis `mood` makes no difference between `c/a[light=a,mood=calm]` and "
        "`c/a[light=a,mood=wild]`: they are the same request"
    )
    assert problem.count == 2


def test_where_several_axes_tell_them_apart_none_is_blamed() -> None:
    include = [{"light": "a", "mood": "calm"}, {"light": "b", "mood": "wild"}]
    found = made("{% if matrix.light == matrix.mood %}x{% endif %}y", matrix={"include": include})
    assert "the same request is wanted twice" in found.only("duplicate-request").message


def test_no_warning_is_told_beside_an_error() -> None:
    assert made("{{ vars.brnd }}", names={"brand": "x"}).codes == ["template"]


# --- texts near their limit ------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "told"), [(8_999, False), (9_000, True), (10_000, True), (10, False)])
def test_a_prompt_near_its_limit_is_told(length: int, *, told: bool) -> None:
    found = made("x" * length)
    assert warned(found) == (["near-limit prompt"] if told else [])


def test_prompts_near_their_limit_are_folded_with_the_longest_as_the_example() -> None:
    found = made("{{ 'x' * matrix.n }}", matrix={"n": [9_100, 9_900, 9_500, 20]})
    assert line(found.only("near-limit")) == (
        "near-limit 1:197 `prompt` has up to 9,900 of the 10,000 characters that it may have | "
        "a longer word in `vars` or on an axis makes it too long; shorten what all share | "
        "x3 c/a[n=9900] | warning"
    )


def test_a_prompt_that_is_too_long_is_an_error_and_nothing_else() -> None:
    assert made("x" * 10_001).codes == ["invalid-field"]


# --- on the command line ---------------------------------------------------------------------------

FILE = json.dumps(
    {
        "version": 1,
        "campaign": "c",
        "vars": {"brand": "x"},
        "jobs": {"a": {"model": MODEL, "input": {"image_url": IMAGE, "prompt": "x"}}},
    },
    indent=1,
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "jobs.yaml").write_text(FILE)
    return Bench(tmp_path, "http://127.0.0.1:9")


def test_a_warning_is_said_and_lived_with(bench: Bench) -> None:
    ran = bench.do("validate", "jobs.yaml")
    assert ran.code == 0
    assert "warning[unused-variable] jobs.yaml:5:3: no template reads" in ran.err
    assert ran.err.endswith("1 warning\njobs.yaml is valid: 1 job\n")
    assert bench.do("plan", "jobs.yaml").code == 0


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_strict_takes_a_warning_for_an_error(bench: Bench, how: str) -> None:
    if how == "flag":
        ran = bench.do("validate", "jobs.yaml", "--strict")
    else:
        ran = bench.do("validate", "jobs.yaml", KIEJOBS_STRICT="1")
    assert ran.code == 2
    assert "error[unused-variable]" in ran.err
    assert "is valid" not in ran.err


def test_every_format_knows_a_warning_from_an_error(bench: Bench) -> None:
    document = bench.do("validate", "jobs.yaml", "--format", "json").json
    assert (document["valid"], document["jobs"]) == (True, 1)
    assert [found["severity"] for found in document["problems"]] == ["warning"]
    strict = bench.do("validate", "jobs.yaml", "--strict", "--format", "json").json
    assert (strict["valid"], strict["jobs"]) == (False, None)
    told = bench.do("validate", "jobs.yaml", "--format", "github").out
    assert told.startswith("::warning file=jobs.yaml,line=5,col=3,")
    run = bench.do("validate", "jobs.yaml", "--format", "sarif").json["runs"][0]
    assert [result["level"] for result in run["results"]] == ["warning"]
    levels = {rule["id"]: rule["defaultConfiguration"]["level"] for rule in run["tool"]["driver"]["rules"]}
    assert levels["unused-variable"] == "warning"
    assert levels["unknown-field"] == "error"
