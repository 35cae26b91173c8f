"""`vars`, `--vars-file`, `--var`: which one wins, what a word means, how a slip is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import MODEL, Bench

if TYPE_CHECKING:
    from pathlib import Path

VARS = {
    "brand": "Aurora",
    "count": 5,
    "ratio": 0.5,
    "dark": True,
    "tags": ["warm"],
    "cup": {"of": "clay"},
    "mood": None,
}


def job_file(prompt: str, **more: object) -> str:
    given = {"image_url": "https://example.com/a.webp", "prompt": prompt}
    jobs = {"a": {"model": MODEL, "input": given}}
    return json.dumps({"version": 1, "campaign": "c", "vars": VARS, **more, "jobs": jobs})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, "http://127.0.0.1:9")


def prompt_of(bench: Bench, template: str, *words: str) -> str:
    (bench.folder / "jobs.yaml").write_text(job_file(template))
    ran = bench.do("render", "jobs.yaml", *words)
    assert ran.code == 0, ran.err
    prompt: str = json.loads(ran.out)["body"]["input"]["prompt"]
    return prompt


def refused(bench: Bench, *words: str, verb: str = "render") -> str:
    (bench.folder / "jobs.yaml").write_text(job_file("x"))
    ran = bench.do(verb, "jobs.yaml", *words)
    assert ran.code == 2
    return ran.err


def test_a_word_wins_over_files_and_a_later_file_over_an_earlier_one(bench: Bench) -> None:
    (bench.folder / "one.yaml").write_text("brand: one\nmood: one\nratio: 1.5\n")
    (bench.folder / "two.yaml").write_text("mood: two\nratio: 2.5\n")
    files = ("--vars-file", "one.yaml", "--vars-file", "two.yaml")
    said = prompt_of(
        bench,
        "{{ vars.brand }} {{ vars.mood }} {{ vars.ratio }} {{ vars.count }}",
        *("--var", "ratio=3.5", *files, "--var", "ratio=4.5"),
    )
    assert said == "one two 4.5 5"


@pytest.mark.parametrize(
    ("template", "word", "said"),
    [
        ("{{ vars.brand }}|{{ vars.brand is string }}", "brand=5", "5|true"),
        ("{{ vars.brand }}", "brand=a=b", "a=b"),
        ("{{ vars.brand | length }}", "brand=", "0"),
        ("{{ vars.count + 1 }}", "count=-7", "-6"),
        ("{{ vars.count * 2 }}", "count=0.5", "1.0"),
        ("{{ 'dark' if vars.dark else 'light' }}", "dark=false", "light"),
        ("{{ vars.tags | join('+') }}", 'tags=["a", "b"]', "a+b"),
        ("{{ vars.tags | join('+') }}", "tags=[a, b c]", "a+b c"),
        ("{{ vars.cup.of }}", "cup={of: glass}", "glass"),
        ("{{ vars.mood }}", "mood=12:30", "12:30"),
    ],
)
def test_a_word_is_of_the_kind_that_the_file_has(bench: Bench, template: str, word: str, said: str) -> None:
    assert prompt_of(bench, template, "--var", word) == said


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("count=five", "--var count=five: the job file has a number there"),
        ("count=true", "the job file has a number there"),
        ("count=05", "--var count=05: write the number as 5"),
        ("count=05", "where 05 is a text, put the variable's value in the job file in quotes, `count: \""),
        ("brand=a\x1bb", "--var brand has a control character, U+001B"),
        ("count=" + "9" * 30, "a whole number this large is not exact"),
        ("dark=yes", "--var dark=yes: the job file has true or false there"),
        ("dark=1", "the job file has true or false there"),
        ("tags=a,b", "the job file has a list there"),
        ("tags=[a", "the job file has a list there"),
        ("tags={a: 1}", "the job file has a list there"),
        ("cup=[1]", "the job file has a mapping there"),
        ("cup={a: 1, a: 2}", "the job file has a mapping there"),
        ("brnd=x", "the job file has no variable `brnd`"),
        ("brand", "--var brand: write it as name=value"),
    ],
)
def test_a_word_that_makes_no_sense_is_refused(bench: Bench, word: str, told: str) -> None:
    err = refused(bench, "--var", word)
    assert told in err
    assert "Traceback" not in err


def test_what_is_wrong_with_a_file_of_variables_is_told_at_its_place(bench: Bench) -> None:
    (bench.folder / "more.yaml").write_text("brand: x\nbrnd: y\n")
    (bench.folder / "list.yaml").write_text("- a\n")
    err = refused(bench, "--vars-file", "more.yaml", "--vars-file", "list.yaml", verb="validate")
    assert "error[unknown-variable] more.yaml:2:1: the job file has no variable `brnd`" in err
    assert "2 | brnd: y" in err
    assert "did you mean `brand`?" in err
    assert "error[variables-structure] list.yaml:1:1: variables are a mapping, not a list" in err
    assert "2 errors" in err


def test_a_file_of_variables_may_not_be_yaml_at_all(bench: Bench) -> None:
    (bench.folder / "more.yaml").write_text("brand: x\nbrand: y\n")
    assert "error[yaml-duplicate-key] more.yaml:2:1" in refused(bench, "--vars-file", "more.yaml")


# --- what is given is data ---


@pytest.mark.parametrize(
    "words",
    [
        ("--var", "brand={{ vars.mood }}"),
        ("--var", "brand={% if x %}y{% endif %}"),
        ("--var", "brand={#sale#}"),
        ("--var", 'tags=["{{ campaign }}"]'),
        ("--var", 'cup={of: "{{ campaign }}"}'),
        ("--vars-file", "given.yaml"),
    ],
)
@pytest.mark.parametrize("verb", ["validate", "plan", "render"])
def test_a_template_in_what_is_given_is_an_error_at_its_place(
    bench: Bench, verb: str, words: tuple[str, ...]
) -> None:
    (bench.folder / "given.yaml").write_text('brand: x\nmood: "{{ vars.brand }} in the morning"\n')
    said = refused(bench, *words, verb=verb)
    assert said.count("error[unrendered-template]") == 1
    assert ("given.yaml:2:7" if words[0] == "--vars-file" else f"--var {words[1][:3]}") in said


def test_text_that_yaml_drops_from_a_file_of_variables_is_a_warning(bench: Bench) -> None:
    (bench.folder / "given.yaml").write_text("brand: Cup of tea #cozy\nmood: &then a dog\n")
    (bench.folder / "jobs.yaml").write_text(job_file("{{ vars.brand }} {{ vars.mood }}"))
    ran = bench.do("plan", "jobs.yaml", "--vars-file", "given.yaml")
    assert (ran.code, ran.err.count("warning[lost-text] given.yaml:")) == (0, 2), ran.err
    assert bench.do("plan", "jobs.yaml", "--vars-file", "given.yaml", "--strict").code == 2


OWN = """
version: 1
campaign: c
vars: {brand: top, mood: top, light: top}
defaults:
  model: bytedance/v1-pro-fast-image-to-video
  vars: {mood: defaults, light: defaults}
  input:
    image_url: https://example.com/a.webp
    prompt: "{{ job }} {{ vars.brand }} {{ vars.mood }} {% include 'light.j2' %}"
jobs:
  a: {}
  b:
    vars: {light: job, brand: job}
"""


def prompts_of(bench: Bench, *words: str) -> list[str]:
    (bench.folder / "own.yaml").write_text(OWN)
    (bench.folder / "light.j2").write_text("{{ vars.light }}")
    ran = bench.do("render", "own.yaml", *words)
    assert ran.code == 0, ran.err
    return [json.loads(line)["body"]["input"]["prompt"] for line in ran.out.splitlines()]


def test_a_job_s_own_variables_go_over_those_of_defaults_and_these_over_the_file_s(bench: Bench) -> None:
    assert prompts_of(bench) == ["a top defaults defaults", "b job defaults job"]


def test_the_command_line_goes_over_all_of_them(bench: Bench) -> None:
    (bench.folder / "more.yaml").write_text("mood: file\n")
    given = ("--var", "light=word", "--vars-file", "more.yaml")
    assert prompts_of(bench, *given) == ["a top file word", "b job file word"]


def test_a_variable_of_a_job_that_nothing_reads_is_a_warning_at_its_place(bench: Bench) -> None:
    (bench.folder / "jobs.yaml").write_text(OWN.replace("light: job,", "light: job, lihgt: job,"))
    (bench.folder / "light.j2").write_text("{{ vars.light }}")
    ran = bench.do("validate", "jobs.yaml", "--strict")
    assert ran.code == 2
    assert ran.err.startswith(
        "error[unused-variable] jobs.yaml:14:24: no template reads the variable `lihgt`"
    )


def test_a_template_in_a_variable_of_a_job_is_an_error(bench: Bench) -> None:
    (bench.folder / "jobs.yaml").write_text(OWN.replace("light: job,", 'light: "{{ vars.mood }}",'))
    (bench.folder / "light.j2").write_text("{{ vars.light }}")
    ran = bench.do("validate", "jobs.yaml")
    assert ran.code == 2
    assert ran.err.startswith("error[unrendered-template] jobs.yaml:14:19: the variable `light`")
