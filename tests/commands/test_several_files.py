"""Several job files in one command: one total, one digest, bought in their order under one budget."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bench import FAST, MODEL, Bench, judged
from tests.support.judge.tasks import accepted
from tests.support.results import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.forked import Ran

TABLE = "- {prompt: Tea}\n- {prompt: Milk}\n"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench, judge = judged(tmp_path)
    (tmp_path / "jobfiles").mkdir()
    bench.write({"a": "a", "b": "b"}, name="jobfiles/1.yaml", campaign="one")
    bench.write({"c": "c"}, name="jobfiles/2.yml", campaign="two")
    (tmp_path / "jobfiles" / "table.yaml").write_text(TABLE)
    yield bench
    judge.close()


def digest(bench: Bench, *names: str) -> str:
    planned = bench.do("plan", *(names or ("jobfiles",)), "-o", "all.digest")
    assert planned.code == 0, planned.err
    return (bench.folder / "all.digest").read_text().strip()


def document(bench: Bench, *words: str) -> dict[str, Any]:
    """Of several, as its schema wants it."""
    found = bench.do(*words, "--json").json
    assert refused("documents/several", found) == []
    assert isinstance(found, dict)
    return found


def run(bench: Bench, *words: str) -> tuple[int, str]:
    fast = ("--poll", "50ms", "--rate", "400/400ms")
    ran = bench.do("run", "jobfiles", *fast, *words)
    return ran.code, ran.out + ran.err


def bought(bench: Bench) -> list[str]:
    return [line["body"]["input"]["prompt"] for line in accepted(bench.log)]


# --- plan ---------------------------------------------------------------------------------------------


def test_a_folder_is_planned_as_one_and_what_is_no_job_file_is_left_alone(bench: Bench) -> None:
    planned = bench.do("plan", "jobfiles", "-o", "plan.md", "-o", "plan.digest")
    assert planned.code == 0
    assert "one: 2 jobs to buy for 32 credits ($0.16)" in planned.out
    assert "two: 1 job to buy for 16 credits ($0.08)" in planned.out
    total = planned.out.split("\n\n")[-1].splitlines()
    assert total[0] == "2 job files: 3 jobs to buy for 48 credits ($0.24)"
    assert total[2] == f"digest: {(bench.folder / 'plan.digest').read_text().strip()}"
    page = (bench.folder / "plan.md").read_text()
    assert "**+3 jobs, 48 credits ($0.24)** in 2 job files" in page
    assert "table.yaml" not in planned.out + planned.err + page
    listed = document(bench, "plan", "jobfiles")
    assert [one["campaign"] for one in listed["plans"]] == ["one", "two"]
    assert listed["digest"] == (bench.folder / "plan.digest").read_text().strip()
    totals = {key: listed["totals"][key] for key in ("jobs", "credits", "usd", "unpriced")}
    assert totals == {"jobs": 3, "credits": "48", "usd": "0.24", "unpriced": 0}


def test_the_digest_over_all_knows_no_order_and_sees_every_file(bench: Bench) -> None:
    assert digest(bench) == digest(bench, "jobfiles/2.yml", "jobfiles/1.yaml")
    assert digest(bench) != digest(bench, "jobfiles/1.yaml")


def test_one_that_is_invalid_does_not_hide_the_others_and_leaves_no_digest(
    bench: Bench,
) -> None:
    (bench.folder / "jobfiles" / "0.yaml").write_text("campaign: x\njobs: {}\n")
    planned = bench.do("plan", "jobfiles", "-o", "plan.md", "-o", "plan.digest")
    assert planned.code == 2
    assert "3 job files: 3 jobs to buy for 48 credits ($0.24)" in planned.out
    assert "jobfiles/0.yaml" in planned.err
    assert "No plan** for `jobfiles/0.yaml`" in (bench.folder / "plan.md").read_text()
    assert not (bench.folder / "plan.digest").exists()
    assert document(bench, "plan", "jobfiles")["digest"] is None


def test_a_plan_file_is_of_one_job_file(bench: Bench) -> None:
    planned = bench.do("plan", "jobfiles", "-o", "plan.json")
    assert (planned.code, planned.out) == (2, "")
    assert "a plan file is of one job file" in planned.err
    assert not (bench.folder / "plan.json").exists()
    assert bench.do("run", "jobfiles", "--plan", "plan.json").code == 2


# --- run ----------------------------------------------------------------------------------------------


def test_reports_of_several_runs_are_one_document(bench: Bench) -> None:
    for bought_now in (3, 0):  # the second one has nothing left to buy
        made = document(bench, "run", "jobfiles", "--yes", "--poll", "50ms", "-o", "all.json", "-o", "all.md")
        assert made == json.loads((bench.folder / "all.json").read_text())
        assert [one["campaign"] for one in made["reports"]] == ["one", "two"]
        assert {job["state"] for one in made["reports"] for job in one["jobs"]} == {"succeeded"}
        assert [one["run_id"] is None for one in made["reports"]] == [not bought_now] * 2
        assert (made["run"]["bought"], made["totals"]["jobs"]) == (bought_now, 3)
        page = (bench.folder / "all.md").read_text()
        assert page.count("\nRun `") == min(bought_now, 2)
        assert "**2 runs together: 3 jobs: 3 succeeded; 48 credits charged" in page
    assert sorted(bought(bench)) == ["a", "b", "c"]
    collected = document(bench, "collect", "jobfiles")
    assert [one["run_id"] for one in collected["reports"]] == [None]
    status = document(bench, "status", "jobfiles")
    assert [one["campaign"] for one in status["statuses"]] == ["one", "two"]
    assert (status["totals"]["counts"]["succeeded"], status["totals"]["committed"]) == (3, "48")


def test_what_was_approved_of_all_is_bought_in_order_and_once(bench: Bench) -> None:
    approved = digest(bench)
    code, said = run(bench, "--expect", approved, "-o", "report.md", "-o", "report.xml")
    assert code == 0, said
    assert bought(bench)[-1] == "c"
    assert sorted(bought(bench)) == ["a", "b", "c"]
    events = [event["digest"] for event in bench.events() if event["type"] == "approved"]
    assert events == [approved, approved]
    page = (bench.folder / "report.md").read_text()
    assert "kiejobs run of `one`" in page
    assert "kiejobs run of `two`" in page
    assert (bench.folder / "report.xml").read_text().count("<testsuite ") == 2
    assert run(bench, "--expect", approved)[0] == 0
    assert len(bought(bench)) == 3


def test_a_budget_is_one_over_all_and_the_rest_is_bought_by_the_same_approval(
    bench: Bench,
) -> None:
    approved = digest(bench)
    code, said = run(bench, "--expect", approved, "--budget", "32")
    assert code == 5, said
    assert sorted(bought(bench)) == ["a", "b"]
    assert run(bench, "--expect", approved)[0] == 0
    assert sorted(bought(bench)) == ["a", "b", "c"]


def test_after_a_stop_no_other_file_is_begun(bench: Bench) -> None:
    code, said = run(bench, "--yes", "--budget", "16")
    assert code == 5
    assert "not started: 1 more job file, jobfiles/2.yml" in said
    assert len(bought(bench)) == 1


def test_after_its_shell_is_gone_no_other_file_is_begun(tmp_path: Path) -> None:
    bench, judge = judged(tmp_path)
    for name in ("1", "2"):
        bench.write({name: f"{name} [end=held]"}, name=f"{name}.yaml", campaign=name)
    words = bench.command("run", "1.yaml", "2.yaml", "--yes", "--poll", "50ms")
    with judge, (tmp_path / "said.txt").open("wb") as said_here:
        outer = subprocess.Popen(
            ["sh", "-c", f"{shlex.join(words)}; true"],
            cwd=tmp_path,
            env=bench.environment(KIE_API_BASE=judge.url),
            stdin=subprocess.DEVNULL,
            stdout=said_here,
            stderr=subprocess.STDOUT,
        )
        judge.wait_until(lambda: len(judge.tasks) == 1)
        outer.kill()
        outer.wait()
        judge.let_go.set()
        while "not started: 1 more job file" not in (tmp_path / "said.txt").read_text():
            judge.wait_a_little()
    assert len(accepted(bench.log)) == 1


def test_something_else_in_any_file_is_refused_before_anything_is_bought(bench: Bench) -> None:
    approved = digest(bench)
    bench.write({"c": "c", "d": "d"}, name="jobfiles/2.yml", campaign="two")
    assert run(bench, "--expect", approved)[0] == 6
    (bench.folder / "jobfiles" / "2.yml").write_text("campaign: two\njobs: {}\n")
    assert run(bench, "--yes")[0] == 2
    assert bought(bench) == []


def test_what_two_files_want_is_counted_and_bought_once(bench: Bench) -> None:
    bench.write({"a": "a"}, name="jobfiles/2.yml", campaign="two")
    planned = bench.do("plan", "jobfiles", "-o", "all.digest")
    assert "2 job files: 2 jobs to buy for 32 credits ($0.16)" in planned.out
    assert "1 job is in more than one file; each is bought once" in planned.out
    assert run(bench, "--expect", (bench.folder / "all.digest").read_text())[0] == 0
    assert sorted(bought(bench)) == ["a", "b"]


def test_several_files_are_asked_for_once(bench: Bench) -> None:
    asked = run(bench)
    assert asked[0] == 2
    assert "3 jobs to buy" in asked[1]
    assert bought(bench) == []


# --- an empty variable is no choice -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["select", "expect", "plan", "budget", "max-failures"])
def test_what_limits_a_purchase_is_refused_where_it_is_empty(bench: Bench, name: str) -> None:
    variable = {f"KIEJOBS_{name.upper().replace('-', '_')}": " "}
    for empty in (
        bench.do("run", "jobfiles", "--yes", f"--{name}", ""),
        bench.do("run", "jobfiles", "--yes", **variable),
    ):
        assert empty.code == 2
        assert f"--{name} is empty" in empty.err
    assert bought(bench) == []


# --- the verbs that only read --------------------------------------------------------------------------------


def test_requests_of_several_files_are_rendered_one_after_the_other(bench: Bench) -> None:
    rendered = bench.do("render", "jobfiles")
    addresses = [json.loads(line)["address"] for line in rendered.out.splitlines()]
    assert addresses == ["one/a", "one/b", "two/c"]
    chosen = bench.do("render", "jobfiles", "--select", "two/c")
    assert len(chosen.out.splitlines()) == 1
    missed = bench.do("render", "jobfiles", "--select", "job:bb")
    assert (missed.code, missed.out) == (2, "")
    assert "did you mean `job:b`?" in missed.err


def test_each_file_gets_a_lock_of_its_own_and_none_where_one_is_wrong(bench: Bench) -> None:
    bench.write({"c": ""}, name="jobfiles/2.yml", campaign="two")
    bench.write({"d": ""}, name="jobfiles/3.yml", campaign="three")
    wrong = bench.do("lock", "jobfiles")
    assert wrong.code == 2
    assert wrong.err.count("error[missing-field]") == 2
    assert not list((bench.folder / "jobfiles").glob("*.lock"))
    (bench.folder / "jobfiles" / "3.yml").unlink()
    bench.write({"c": "c"}, name="jobfiles/2.yml", campaign="two")
    locked = bench.do("lock", "jobfiles")
    assert locked.code == 0
    assert locked.err.endswith("2 job files: 3 jobs locked\n")
    assert bench.do("validate", "jobfiles", "--locked").code == 0


def test_a_report_of_several_files_has_the_latest_run_of_each_and_one_total(bench: Bench) -> None:
    assert run(bench, "--yes")[0] == 0
    told = bench.do("report", "jobfiles")
    assert told.code == 0
    assert [told.out.count(f"of {name}\n") for name in ("one", "two")] == [1, 1]
    assert told.out.endswith("\n2 runs together: 3 jobs: 3 succeeded; 48 credits charged\n")
    assert len(document(bench, "report", "jobfiles")["reports"]) == 2
    bench.write({"x": "x"}, name="new.yaml", campaign="new")
    some = bench.do("report", "new.yaml", "jobfiles/2.yml")
    assert "no run of new (new.yaml) yet" in some.err
    assert some.out.count("run 20") == 1
    assert bench.do("report", "new.yaml").code == 2


def test_a_run_of_several_files_ends_with_what_they_come_to(bench: Bench) -> None:
    code, said = run(bench, "--yes")
    assert code == 0
    assert "2 runs together: 3 jobs: 3 succeeded; 48 credits charged\n" in said
    assert said.count("\n\n     address") == 1, "a blank line between two plans"


def test_results_of_several_campaigns_are_collected_in_one_run_with_a_table_for_each(bench: Bench) -> None:
    bench.write({"x": "x"}, name="other.yaml", campaign="other")
    assert run(bench, "--yes", "--detach")[0] == 0
    assert bench.do("run", "other.yaml", "--yes", "--detach", *FAST).code == 0
    done = bench.do("collect", "jobfiles", "--poll", "50ms", "-o", "all.json")
    assert done.code == 0, done.err
    each = json.loads((bench.folder / "all.json").read_text())
    assert [(one["campaign"], one["totals"]["jobs"]) for one in each["reports"]] == [("one", 2), ("two", 1)]
    assert each["totals"]["credits"]["charged"] == "48"
    assert "  one: 2 jobs: 2 succeeded; 32 credits charged\n" in done.out
    assert "  two: 1 job: 1 succeeded; 16 credits charged\n" in done.out
    assert "\n3 jobs: 3 succeeded; 48 credits charged\n" in done.out
    assert "other" not in done.out
    assert bench.do("status", "--exit-code").code == 8, "the other campaign is still to be collected"


def test_a_line_is_explained_by_whatever_names_it_alone(bench: Bench) -> None:
    bench.write({"a": "aa", "pour": "p"}, name="jobfiles/2.yml", campaign="two")
    for words in (("two/pour",), ("pour",), ("two/pour", "jobfiles"), ("jobfiles", "pour")):
        assert bench.do("explain", *words).out.startswith("two/pour\n"), words
    several = bench.do("explain", "a")
    assert several.code == 2
    assert "give one address: `one/a`, `two/a`" in several.err
    assert "can't read jobfiles/3.yaml: No such file" in bench.do("explain", "a", "jobfiles/3.yaml").err
    assert "name one address" in bench.do("explain", "jobfiles/").err
    for word in ("puor", "two/puor"):
        assert "did you mean `two/pour`?" in bench.do("explain", word, "jobfiles").err


# --- standard input ------------------------------------------------------------------------------------------


def piped(bench: Bench, *words: str) -> Ran:
    return bench.do(*words, given=(bench.folder / "jobfiles" / "1.yaml").read_text())


def test_a_job_file_may_come_from_standard_input(bench: Bench) -> None:
    assert piped(bench, "validate", "-").err == "standard input is valid: 2 jobs\n"
    assert "one: 2 jobs to buy for 32 credits ($0.16)" in piped(bench, "plan", "-").out
    assert len(piped(bench, "render", "-").out.splitlines()) == 2
    assert "3 jobs to buy for 48 credits" in piped(bench, "plan", "-", "jobfiles/2.yml").out
    explained = piped(bench, "explain", "one/a", "-").out
    assert explained.startswith("one/a\n")
    assert "write the job file to FILE first.\n    kiejobs run FILE --select one/a\n" in explained
    bench.write({"a": "{% include '../gone.j2' %}"}, name="jobfiles/1.yaml")
    assert "template `../gone.j2` is outside the current folder" in piped(bench, "validate", "-").err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("run", "-", "--yes"), "`run -`: purchases are recorded under the job file's name"),
        (("lock", "-"), "standard input has no lock"),
        (("validate", "-", "--locked"), "standard input has no lock"),
        (("plan", "-", "-o", "plan.json"), "a plan file names its job file"),
        (("plan", "-", "--changed-since", "HEAD"), "standard input has no name in git"),
        (("render", "-", "--diff", "HEAD"), "standard input has no name in git"),
        (("report", "-"), "no run of these job files"),
        (("init", "-"), "a project is a folder"),
    ],
)
def test_what_needs_a_name_refuses_standard_input_and_says_why(
    bench: Bench, words: tuple[str, ...], why: str
) -> None:
    ran = piped(bench, *words)
    assert ran.code == 2
    assert why in ran.err
    assert bought(bench) == []


def test_a_plan_that_no_budget_holds_ends_as_its_run_would(bench: Bench) -> None:
    assert bench.do("plan", "jobfiles", "--budget", "48").code == 0
    assert bench.do("plan", "jobfiles", "--budget", "47").code == 5
    bench.write({"a": "a", "b": "b"}, name="own.yaml", campaign="own", budget={"credits": 31})
    assert bench.do("plan", "own.yaml", "--detailed-exitcode").code == 5
    assert bench.do("run", "own.yaml", "--yes", *FAST).code == 5


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("run", "jobfiles", "--yes", "--select", "one/aa"), "`one/a`"),
        (("validate", "jobfiles", "--select", "job:bb"), "`job:b`"),
        (("plan", "jobfiles/1.yaml", "--select", "tag:hreo"), "`tag:hero`"),
        (("models", "show", "kling-2.6"), "`kling-2.6/text-to-video`, `kling-2.6/image-to-video` or `"),
        (("plan", "jobfiles", "--select", "one/bb*"), "`one/b*`"),
        (("gallery", "jobfiles", "--select", "tag:HERO"), "`tag:hero`"),
    ],
)
def test_what_was_probably_meant_is_suggested(bench: Bench, words: tuple[str, ...], meant: str) -> None:
    bench.write(
        {"a": "a", "b": "b"},
        name="jobfiles/1.yaml",
        campaign="one",
        defaults={"model": MODEL, "tags": ["hero"]},
    )
    ran = bench.do(*words)
    assert ran.code == 2
    assert f"did you mean {meant}" in ran.err
