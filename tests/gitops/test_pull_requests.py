"""Pull requests whose plan may not be trusted to them: from forks, invalid, with code of their own, with edits undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gitops.forge import KEY, Forge, forge_in, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with forge_in(tmp_path) as made:
        made.set_up(pour="Tea is poured")
        git(made.dev, "checkout", "--quiet", "-b", "edit")
        yield made


def test_a_stranger_s_pull_request_has_its_plan_in_the_summary_only(forge: Forge) -> None:
    forge.write({"pour": "Tea is spilt"})
    forge.commit("Spill")
    planned = forge.plan(forge.opened("edit", fork=True))
    assert planned.result == "success", planned.steps
    assert "+2 jobs, 52 credits" in planned.summary
    assert "it is from a fork" in planned.steps["Plan"]
    assert forge.comments == []


def test_an_invalid_job_file_is_annotated_and_its_comment_says_so(forge: Forge) -> None:
    forge.write({"pour": "Tea is spilt"})
    forge.commit("Spill")
    forge.plan(forge.opened("edit"))
    (forge.dev / "jobfiles" / "tea.yaml").write_text("version: 1\ncampaign: tea\njob: {}\n")
    forge.commit("Slip")
    planned = forge.plan(forge.opened("edit"))
    assert planned.code == 2
    assert "::error file=jobfiles/tea.yaml,line=3" in planned.steps["Validate"]
    (comment,) = forge.comments
    assert "No plan** for `jobfiles/tea.yaml`" in comment["body"]
    assert "+2 jobs" not in comment["body"]


def test_an_edit_that_is_undone_and_a_file_that_is_deleted_leave_no_old_comment(forge: Forge) -> None:
    buy_all(forge)
    forge.write({"cup": "A cup"}, name="cup")
    forge.commit("Cup")
    forge.plan(forge.opened("edit"))
    assert "+2 jobs" in forge.comments[0]["body"]
    (forge.dev / "jobfiles" / "cup.yaml").unlink()
    forge.commit("No cup")
    for _ in range(2):
        planned = forge.plan(forge.opened("edit"))
        assert planned.result == "success", planned.steps
        assert "Nothing to buy" in forge.comments[0]["body"]
        git(forge.dev, "rm", "--quiet", "-r", "--ignore-unmatch", "jobfiles")
        forge.commit("No jobs") if git(forge.dev, "status", "--porcelain") else None


def buy_all(forge: Forge) -> None:
    fast = ("--yes", "--rate", "400/400ms", "--poll", "50ms")
    forge.kiejobs(forge.dev, "run", "jobfiles", *fast, key=KEY)


def test_a_comment_shows_every_change_to_what_guards_the_spending(forge: Forge) -> None:
    buy_all(forge)
    (forge.dev / "kiejobs.yaml").write_text("version: 1\nledger: git\ncallback_url: https://evil.example/x\n")
    forge.commit("Callback")
    planned = forge.plan(forge.opened("edit"))
    assert planned.result == "success", planned.steps
    assert "to what guards the spending" in forge.comments[0]["body"]
    assert "evil.example" in forge.comments[0]["body"]
    assert "Nothing to buy" in forge.comments[0]["body"]


def test_what_changes_no_job_file_gets_no_comment_and_a_check_all_the_same(forge: Forge) -> None:
    (forge.dev / "notes").write_text("notes\n")
    forge.commit("Notes")
    assert forge.plan(forge.opened("edit")).result == "success"
    assert forge.comments == []


def test_tables_and_both_endings_are_told_apart(forge: Forge) -> None:
    git(forge.dev, "mv", "jobfiles/tea.yaml", "jobfiles/tea.yml")
    (forge.dev / "jobfiles" / "table.yaml").write_text("- {prompt: Tea}\n")
    forge.commit("Table")
    planned = forge.plan(forge.opened("edit"))
    assert planned.result == "success", planned.steps
    assert "in 1 job file" in forge.comments[0]["body"]


def test_nothing_of_a_pull_request_is_run_or_installed(forge: Forge, tmp_path: Path) -> None:
    forge.write({"pour": "Tea is spilt"})
    for name in ("json", "kiejobs", "venv", "pip", "sitecustomize", "httpx", "jinja2", "typing"):
        (forge.dev / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').write({name!r})\n")
    (forge.dev / "ci" / "kiejobs-requirements.txt").write_text("evil == 1\n")
    (forge.dev / "plan.md").write_text("forged")
    forge.commit("Spill")
    planned = forge.plan(forge.opened("edit"))
    assert planned.result == "success", planned.steps
    assert "evil" not in planned.steps["Install kiejobs"]
    assert "kiejobs[media] ==" in planned.steps["Install kiejobs"]
    assert not (tmp_path / "ran").exists()
    assert "+2 jobs, 52 credits" in forge.comments[0]["body"]
    assert "forged" not in planned.summary
