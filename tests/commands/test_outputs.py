"""`-o FILE`: several documents at once, beside what goes to stdout; by the real command line."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.support.bench import Bench
from tests.support.results import refused

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """With an API that nobody answers at: nothing here may need it."""
    return Bench(tmp_path, "http://127.0.0.1:9")


def text(bench: Bench, name: str) -> str:
    return (bench.folder / name).read_text(encoding="utf-8")


# --- plan -------------------------------------------------------------------------------------------


def test_a_plan_is_told_in_every_format_at_once(bench: Bench) -> None:
    bench.write({"one": "one", "two": "two"})
    plain = bench.do("plan", "jobs.yaml")
    outs = ("-o", "a/plan.md", "-o", "plan.json", "--out", "plan.txt")
    told = bench.do("plan", "jobs.yaml", *outs)
    assert (told.code, told.out, told.err) == (0, plain.out, "")
    assert text(bench, "plan.txt") == plain.out
    assert text(bench, "a/plan.md") == bench.do("plan", "jobs.yaml", "--format", "markdown").out
    assert text(bench, "a/plan.md").startswith("<!-- kiejobs plan: judged jobs.yaml -->\n")
    found = json.loads(text(bench, "plan.json"))
    assert refused("plan", found) == []
    shown = bench.do("plan", "jobs.yaml", "--format", "json").json
    assert {key: found[key] for key in shown} == shown
    assert "plan_id" in found
    assert "plan_id" not in shown


def test_files_change_nothing_about_the_exit_code(bench: Bench) -> None:
    bench.write({"one": "one"})
    assert bench.do("plan", "jobs.yaml", "-o", "plan.md", "--detailed-exitcode").code == 3
    assert "**+1 job, 16 credits ($0.08)**" in text(bench, "plan.md")


def test_a_policy_that_is_broken_stands_in_the_comment_too(bench: Bench) -> None:
    bench.write({"one": "one", "two": "two"})
    (bench.folder / "kiejobs.yaml").write_text("version: 1\nlimits: {credits_per_run: 20}\n")
    told = bench.do("plan", "jobs.yaml", "-o", "plan.md")
    assert told.code == 5
    assert "a run would refuse this plan" in text(bench, "plan.md")


def test_the_marker_names_the_job_file_from_the_root_of_the_repository(bench: Bench) -> None:
    (bench.folder / ".git").mkdir()
    (bench.folder / "jobs").mkdir()
    bench.write({"one": "one"}, name="jobs/tea.yaml")
    inside = Bench(bench.folder / "jobs", bench.url)
    for ran in (
        bench.do("plan", "jobs/tea.yaml", "--format", "markdown"),
        inside.do("plan", "tea.yaml", "--format", "markdown"),
    ):
        assert ran.out.startswith("<!-- kiejobs plan: judged jobs/tea.yaml -->\n")


# --- validate ---------------------------------------------------------------------------------------


def test_problems_are_told_in_every_format_at_once(bench: Bench) -> None:
    bench.write({"one": "{{ vars.x }}"}, name="bad.json")
    bench.write({"one": "one"}, name="good.json")
    names = ("bad.json", "good.json")
    plain = bench.do("validate", *names)
    outs = ("-o", "all.sarif", "-o", "all.json", "-o", "all.txt")
    told = bench.do("validate", *names, "--format", "github", *outs)
    assert (plain.code, told.code) == (2, 2)
    assert told.out.startswith("::error file=bad.json,line=1,col=")
    assert told.out.count("\n") == 1
    assert text(bench, "all.txt") == plain.err
    sarif = bench.do("validate", *names, "--format", "sarif")
    assert sarif.json == json.loads(text(bench, "all.sarif"))
    assert [result["ruleId"] for result in sarif.json["runs"][0]["results"]] == ["template"]
    shown = bench.do("validate", *names, "--format", "json").json
    assert json.loads(text(bench, "all.json")) == shown
    assert [document["valid"] for document in shown] == [False, True]


def test_a_valid_file_has_no_annotations_and_an_empty_log(bench: Bench) -> None:
    bench.write({"one": "one"})
    told = bench.do("validate", "jobs.yaml", "--format", "github", "-o", "x.sarif")
    assert (told.code, told.out) == (0, "")
    assert json.loads(text(bench, "x.sarif"))["runs"][0]["results"] == []


# --- report -----------------------------------------------------------------------------------------


def test_a_report_is_told_in_every_format_at_once(bench: Bench) -> None:
    bench.write({"one": "one"})
    assert bench.do("run", "jobs.yaml", "--sandbox", "--yes", "--speed", "1000").code == 0
    outs = ("-o", "r.md", "-o", "r.xml", "-o", "r.json", "-o", "r.txt")
    told = bench.do("report", "--sandbox", *outs)
    assert (told.code, told.out) == (0, "")
    assert text(bench, "r.md") == bench.do("report", "--sandbox", "--format", "markdown").out
    assert "| ✅ | `judged/one` | succeeded | 16 |" in text(bench, "r.md")
    assert ET.fromstring(text(bench, "r.xml")).find(".//testcase") is not None  # ours
    assert json.loads(text(bench, "r.json"))["jobs"][0]["standing"] == "succeeded"
    assert text(bench, "r.txt") == bench.do("report", "--sandbox").out


# --- what can't be written -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "endings"),
    [
        (("plan", "jobs.yaml", "-o", "x.sarif"), ".json, .md, .txt or .digest"),
        (("validate", "jobs.yaml", "-o", "x.md"), ".json, .sarif or .txt"),
        (("report", "-o", "report"), ".json, .md, .xml or .txt"),
    ],
)
def test_an_ending_that_a_verb_does_not_know_is_refused_at_once(
    bench: Bench, words: tuple[str, ...], endings: str
) -> None:
    bench.write({"one": "one"})
    told = bench.do(*words)
    assert (told.code, told.out) == (2, "")
    assert told.err == f"error: --out {words[-1]}: the extension must be {endings}\n"


def test_a_job_file_is_never_written_over(bench: Bench) -> None:
    name = bench.write({"one": "one"}, name="jobs.json")
    before = text(bench, name)
    for verb in ("plan", "validate"):
        told = bench.do(verb, name, "-o", f"./{name}")
        assert told.code == 2
        assert "that is the job file" in told.err
    assert text(bench, name) == before


def test_a_file_that_can_not_be_written_is_told_without_a_crash(bench: Bench) -> None:
    bench.write({"one": "one"})
    (bench.folder / "taken").write_text("")
    told = bench.do("plan", "jobs.yaml", "-o", "taken/plan.md")
    assert told.code == 2
    assert "error: can't write taken/plan.md: " in told.err


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_file_at_the_name_of_a_result_is_refused_before_anything_is_bought(
    bench: Bench, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write({"one": "one"})
    place = bench.folder / "outputs/judged/one/one.mp4"
    place.parent.mkdir(parents=True)
    monkeypatch.chdir(place.parent)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as bound:
        os.mkfifo(place) if kind == "pipe" else bound.bind(place.name)
        for verb in (("plan",), ("run", "--yes")):
            said = bench.do(verb[0], "jobs.yaml", *verb[1:])
            assert said.code == 2
            assert "judged/one/one.mp4 is a pipe, a socket or a device" in said.err
    assert bench.journals() == []
