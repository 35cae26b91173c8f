"""What guards the spending: a change to it is shown by `plan --base`, and an approval stands for tracked files only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.docs.regenerate import SCHEMAS
from tests.support.bench import MODEL, Bench, judged
from tests.support.repositories import git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.judge.server import Judge

GUARD = "version: 1\nlimits: {credits_per_run: 400, jobs: 20}\ncallback_hosts: [hooks.example.com]\n"
PRICES = (
    f"version: 1\nmodels:\n  {MODEL}: {{per: video, credits: 20, source: an invoice, date: 2026-11-03}}\n"
)
Set = tuple[Bench, "Judge"]


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Set]:
    """A project of one job that was bought once, all of it committed on `main`; then a branch."""
    bench, judge = judged(tmp_path)
    bench.write({"one": "one"}, budget={"credits": 40, "per": "run"})
    (tmp_path / "kiejobs.yaml").write_text(GUARD)
    (tmp_path / "prices.yaml").write_text(PRICES)
    (tmp_path / ".gitignore").write_text("runs/.lock*\noutputs/\naccepted.jsonl\n")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    assert bench.run().code == 0
    keep(tmp_path)
    git(tmp_path, "switch", "--quiet", "-c", "edit")
    yield bench, judge
    judge.close()


def keep(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "as it is")


def guards(bench: Bench) -> list[str]:
    ran = bench.do("plan", "jobs.yaml", "--base", "main", "--format", "json")
    assert ran.code in {0, 5}, ran.err
    return list(ran.json["guards"])


def test_a_change_of_jobs_alone_changes_no_guard(table: Set) -> None:
    bench, _ = table
    bench.write({"one": "one", "two": "two"}, budget={"credits": 40, "per": "run"})
    assert guards(bench) == []
    assert "CHANGED" not in bench.do("plan", "jobs.yaml", "--base", "main").out


def test_each_key_of_the_policy_and_of_the_prices_is_named(table: Set) -> None:
    bench, _ = table
    policy = "version: 1\nlimits: {credits_per_run: 4000}\ncallback_url: https://hooks.example.com/\n"
    (bench.folder / "kiejobs.yaml").write_text(policy)
    (bench.folder / "prices.yaml").write_text(PRICES.replace("credits: 20", "credits: 2"))
    assert guards(bench) == [
        "kiejobs.yaml: callback_hosts was hooks.example.com, is nothing",
        "kiejobs.yaml: callback_url was nothing, is https://hooks.example.com/",
        "kiejobs.yaml: limits.credits_per_run was 400, is 4000",
        "kiejobs.yaml: limits.jobs was 20, is nothing",
        f"prices.yaml: models.{MODEL}.credits was 20, is 2",
    ]
    shown = bench.do("plan", "jobs.yaml", "--base", "main", "--format", "markdown").out
    assert "**5 changes to what guards the spending**, since `main`:" in shown
    assert bench.do("plan", "jobs.yaml", "--base", "main").out.count("CHANGED SINCE main: ") == 5


def test_a_policy_that_is_gone_is_named(table: Set) -> None:
    bench, _ = table
    (bench.folder / "kiejobs.yaml").unlink()
    assert "kiejobs.yaml: limits.credits_per_run was 400, is nothing" in guards(bench)


def test_a_schema_a_budget_and_a_callback_host_of_the_job_file_are_named(table: Set) -> None:
    bench, _ = table
    schema = bench.folder / "schemas" / "models" / f"{MODEL}.json"
    schema.parent.mkdir(parents=True)
    schema.write_bytes((SCHEMAS / "models" / f"{MODEL}.json").read_bytes())
    defaults = {"model": MODEL, "callBackUrl": "https://evil.example/in"}
    bench.write({"one": "one"}, budget={"credits": 400, "per": "run"}, defaults=defaults)
    assert guards(bench) == [
        f"model schema: {MODEL}",
        "the job file's budget was 40 credits per run, is 400 credits per run",
        "jobs are called back at evil.example",
    ]


@pytest.mark.parametrize("what", ["removed", "edited", "added"])
def test_a_record_that_was_touched_is_named(table: Set, what: str) -> None:
    bench, _ = table
    (journal,) = bench.journals()
    if what == "removed":
        journal.unlink()
    elif what == "edited":
        journal.write_bytes(journal.read_bytes().replace(b"submitted", b"rejected", 1))
    else:
        bench.write({"two": "two"}, name="more.yaml")
        assert bench.do("run", "more.yaml", "--yes", "--poll", "50ms").code == 0
    ran = bench.do("plan", "jobs.yaml", "--base", "main", "--format", "json")
    if what == "added":
        assert ran.json["guards"] == ["the record of what was bought: 1 journal added"]
    else:
        assert ran.code == 7, "a record that can't be trusted has no plan at all"


def test_an_approval_does_not_stand_for_files_that_git_does_not_track(table: Set) -> None:
    bench, judge = table
    bench.write({"two": "{% include 'secret.txt' %}"})
    (bench.folder / "secret.txt").write_text("a cup")
    git(bench.folder, "add", "jobs.yaml")
    git(bench.folder, "commit", "--quiet", "-m", "an include")
    digest = json.loads(bench.do("plan", "jobs.yaml", "--format", "json").out)["digest"]
    refused = bench.run("--expect", digest)
    assert refused.code == 6
    assert "git doesn't track: secret.txt" in refused.err
    assert len(judge.creates) == 1
    keep(bench.folder)
    assert bench.run("--expect", digest).code == 0
    assert len(judge.creates) == 2


def test_of_several_files_all_are_tracked_before_any_is_bought(table: Set) -> None:
    bench, judge = table
    bench.write({"two": "two"}, name="second.yaml", campaign="second")
    git(bench.folder, "add", "second.yaml")
    bench.write({"three": "three"}, name="third.yaml", campaign="third")
    both = ("second.yaml", "third.yaml")
    digest = bench.do("plan", *both, "-o", "all.digest") and (bench.folder / "all.digest").read_text().strip()
    refused = bench.do("run", *both, "--yes", "--expect", digest, "--poll", "50ms")
    assert refused.code == 6
    assert "git doesn't track: third.yaml" in refused.err
    assert len(judge.creates) == 1, "none of them"
    assert bench.do("run", *both, "--yes", "--poll", "50ms").code == 0, "who says yes now has looked"
    assert len(judge.creates) == 3


def test_what_several_files_share_counts_once_under_a_limit(table: Set) -> None:
    bench, judge = table
    limits = "version: 1\nlimits: {credits_per_project: 40}\n"
    (bench.folder / "kiejobs.yaml").write_text(limits)
    for name in ("second", "third"):
        bench.write({"two": "two"}, name=f"{name}.yaml", campaign=name)
    ran = bench.do("run", "second.yaml", "third.yaml", "--yes", "--poll", "50ms")
    assert ran.code == 0, ran.err
    assert len(judge.creates) == 2


def test_a_record_in_a_folder_of_another_name_is_looked_at_too(table: Set) -> None:
    bench, _ = table
    git(bench.folder, "mv", "runs", "ledger")
    (bench.folder / "kiejobs.yaml").write_text("version: 1\nfolders: {runs: ledger}\n")
    keep(bench.folder)
    git(bench.folder, "branch", "--force", "main")
    bench.write({"two": "two"}, name="more.yaml")
    assert bench.do("run", "more.yaml", "--yes", "--poll", "50ms").code == 0
    assert "the record of what was bought: 1 journal added" in guards(bench)


def test_a_callback_address_of_the_command_line_keeps_to_the_policy_s_hosts(table: Set) -> None:
    bench, judge = table
    bench.write({"two": "two"})
    refused = bench.run("--public-url", "https://evil.example/in")
    assert refused.code == 5
    assert "https://evil.example/in is at a host that may not be called back" in refused.err
    assert len(judge.creates) == 1
    assert bench.run("--public-url", "https://hooks.example.com/in").code == 0
    assert len(judge.creates) == 2
