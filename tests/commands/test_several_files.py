"""Several job files in one command: one total, one digest, bought in their order under one budget."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import Bench, judged
from tests.support.judge.tasks import accepted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    assert "one: 2 to buy for 32 credits ($0.16)" in planned.out
    assert "two: 1 to buy for 16 credits ($0.08)" in planned.out
    total = planned.out.split("\n\n")[-1].splitlines()
    assert total[0] == "2 job files: 3 to buy for 48 credits ($0.24)"
    assert total[1] == f"digest: {(bench.folder / 'plan.digest').read_text().strip()}"
    page = (bench.folder / "plan.md").read_text()
    assert "**+3 jobs, 48 credits ($0.24)** in 2 job files" in page
    assert "table.yaml" not in planned.out + planned.err + page
    listed = bench.do("plan", "jobfiles", "--format", "json").json
    assert [one["campaign"] for one in listed] == ["one", "two"]


def test_the_digest_over_all_knows_no_order_and_sees_every_file(bench: Bench) -> None:
    assert digest(bench) == digest(bench, "jobfiles/2.yml", "jobfiles/1.yaml")
    assert digest(bench) != digest(bench, "jobfiles/1.yaml")


def test_one_that_is_invalid_does_not_hide_the_others_and_leaves_no_digest(
    bench: Bench,
) -> None:
    (bench.folder / "jobfiles" / "0.yaml").write_text("campaign: x\njobs: {}\n")
    planned = bench.do("plan", "jobfiles", "-o", "plan.md", "-o", "plan.digest")
    assert planned.code == 2
    assert "3 job files: 3 to buy for 48 credits ($0.24)" in planned.out
    assert "jobfiles/0.yaml" in planned.err
    assert "No plan** for `jobfiles/0.yaml`" in (bench.folder / "plan.md").read_text()
    assert not (bench.folder / "plan.digest").exists()


def test_a_plan_file_is_of_one_job_file(bench: Bench) -> None:
    planned = bench.do("plan", "jobfiles", "-o", "plan.json")
    assert planned.code == 2
    assert "a plan file is of one job file" in planned.err
    assert not (bench.folder / "plan.json").exists()
    assert bench.do("run", "jobfiles", "--plan", "plan.json").code == 2


# --- run ----------------------------------------------------------------------------------------------


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
    assert "not started: 1 more job file" in said
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
    assert "2 job files: 2 to buy for 32 credits ($0.16)" in planned.out
    assert "with 1 job that more than one of them wants, bought once" in planned.out
    assert run(bench, "--expect", (bench.folder / "all.digest").read_text())[0] == 0
    assert sorted(bought(bench)) == ["a", "b"]


def test_several_files_are_asked_for_once_and_their_runs_have_no_one_document(
    bench: Bench,
) -> None:
    asked = run(bench)
    assert asked[0] == 2
    assert "3 job(s) would be bought" in asked[1]
    assert run(bench, "--yes", "--format", "json")[0] == 2
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
