"""`--select` by the real command line: one language, and what each verb can know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import Bench, bare

if TYPE_CHECKING:
    from tests.support.judge.server import Judge

HERO = {"tags": ["hero"]}


@pytest.fixture
def bought(table: tuple[Bench, Judge]) -> Bench:
    """`good` and `lost` succeeded (and the file of `lost` is gone), `bad` failed, `new` was added."""
    bench, _ = table
    bench.write({"good": "good", "lost": "lost", "bad": "bad [end=fail]"})
    assert bench.run().code == 1
    bench.write({"good": "good", "lost": "lost", "bad": "bad [end=fail]", "new": "new"})
    document = json.loads((bench.folder / "jobs.yaml").read_text())
    document["jobs"]["good"] |= HERO
    document["jobs"]["bad"] |= HERO
    (bench.folder / "jobs.yaml").write_text(json.dumps(document))
    (file,) = bench.folder.glob("outputs/**/lost*.mp4")
    file.unlink()
    return bench


@pytest.mark.parametrize(
    ("words", "jobs"),
    [
        ("state:succeeded", ["good", "lost"]),
        ("state:failed", ["bad"]),
        ("state:none", ["new"]),
        ("result:missing", ["lost"]),
        ("result:whole", ["good"]),
        ("tag:hero,state:failed", ["bad"]),
        ("state:new result:missing", ["lost", "new"]),
        ("file:jobs.yaml,state:succeeded", ["good", "lost"]),
        ("state:rejected", []),
    ],
)
def test_a_plan_knows_what_became_of_each_job(bought: Bench, words: str, jobs: list[str]) -> None:
    assert sorted(bought.plan("--select", words)) == jobs


def test_a_run_buys_what_is_selected_by_its_state_and_nothing_else(bought: Bench) -> None:
    before = bought.accepted_tasks()
    assert bought.run("--select", "state:failed", "--retry", "failed").code == 1
    assert len(bought.accepted_tasks() - before) == 1
    assert bought.run("--select", "state:in_doubt").code == 0, "nothing is in doubt: nothing to do"
    assert bought.run("--select", "result:missing").code == 0
    assert bought.plan("--select", "job:lost job:new") == {"lost": "keep", "new": "submit"}


def test_a_slip_beside_a_state_is_still_a_slip(bought: Bench) -> None:
    refused = bought.do("plan", "jobs.yaml", "--select", "job:nobody,state:failed")
    assert refused.code == 2
    assert "--select matches no job" in refused.err


def test_status_and_collect_know_states_files_and_where_the_job_file_is_named_tags(
    bought: Bench,
) -> None:
    def states(*words: str) -> dict[str, int]:
        counts = bought.do("status", *words, "--format", "json").json["counts"]
        return {state: count for state, count in counts.items() if count}

    assert states("--select", "state:failed job:good") == {"failed": 1, "succeeded": 1}
    assert states("--select", "file:jobs.yaml,result:missing") == {"succeeded": 1}
    assert bought.do("status", "--select", "file:other.yaml").code == 2
    assert states("jobs.yaml", "--select", "tag:hero") == {"failed": 1, "succeeded": 1}
    assert bought.do("collect", "jobs.yaml", "--select", "tag:hero").err == "Nothing to collect.\n"
    assert bought.do("collect", "--select", "result:missing").code == 0
    assert list(bought.folder.glob("outputs/**/lost*.mp4"))


@pytest.mark.parametrize("verb", [("status",), ("collect",)])
def test_tags_without_a_job_file_are_refused_with_what_to_do(bought: Bench, verb: tuple[str, ...]) -> None:
    refused = bought.do(*verb, "--select", "tag:hero")
    assert refused.code == 2
    assert "`--select tag:…` needs the job file" in refused.err


@pytest.mark.parametrize("verb", ["render", "validate"])
@pytest.mark.parametrize("word", ["state:failed", "result:whole"])
def test_verbs_without_a_ledger_refuse_to_be_asked_for_one(bought: Bench, verb: str, word: str) -> None:
    refused = bought.do(verb, "jobs.yaml", "--select", f"tag:hero {word}")
    assert refused.code == 2
    assert refused.out == ""
    assert f"{verb} reads the job file only" in refused.err


def test_validate_passes_over_files_without_such_jobs(bought: Bench) -> None:
    bought.write({"x": "x"}, name="other.yaml")
    words = ("validate", "jobs.yaml", "other.yaml", "--format", "json", "--select")
    assert [at["file"] for at in bought.do(*words, "tag:hero").json] == ["jobs.yaml"]
    assert [at["file"] for at in bought.do(*words, "file:other.yaml").json] == ["other.yaml"]
    assert bought.do(*words, "tag:nobody").code == 2


def test_a_report_is_narrowed_to_some_jobs(bought: Bench) -> None:
    ran = bought.do("report", "--select", "state:failed", "--format", "json").json
    text = json.dumps(ran)
    assert "judged/bad" in text
    assert "judged/good" not in text


def test_a_narrowed_report_still_says_what_the_run_bought(bought: Bench) -> None:
    all_ = bought.do("report").out
    line = next(one for one in all_.splitlines() if one.startswith("this run bought "))
    part = bought.do("report", "--select", "tag:hero job:good").out
    assert line in part.splitlines()
    assert "selected 2 of 3 jobs: " in part
    refused = bought.do("report", "--select", "tag:nobody")
    assert (refused.code, refused.out) == (2, "")
    assert "--select matches no job" in refused.err


def test_render_takes_the_same_words(bought: Bench) -> None:
    out = bought.do("render", "jobs.yaml", "--select", "tag:hero,file:jobs.yaml").out
    assert [bare(json.loads(line)["address"]) for line in out.splitlines()] == ["good", "bad"]


@pytest.mark.parametrize("verb", ["validate", "render", "plan", "run", "collect", "status"])
def test_a_key_that_is_not_known_is_told_by_every_verb(bought: Bench, verb: str) -> None:
    refused = bought.do(verb, "jobs.yaml", "--select", "tga:hero")
    assert refused.code == 2
    assert "did you mean `tag`?" in refused.err
