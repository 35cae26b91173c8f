"""The composite action, played like a workflow: a plan, what it says is bought, what is left collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import ROOT
from tests.support.gitops.forge import KEY, Forge, git, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACTION = ROOT / "action.yml"


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with served(tmp_path / "sandbox") as url:
        made = Forge(tmp_path, url, tmp_path / "sandbox")
        made.set_up(pour="Tea is poured")
        yield made


def test_the_action_plans_comments_and_buys_what_was_planned(forge: Forge) -> None:
    git(forge.dev, "checkout", "--quiet", "-b", "spill")
    forge.write({"pour": "Tea is spilt"})
    forge.commit("Spill")
    planned = forge.runner.act(ACTION, forge.opened("spill"), command="plan")
    assert planned.result == "success", planned.steps
    assert "+2 jobs, 52 credits" in forge.comments[0]["body"]

    merged = forge.merge("spill")
    approved = planned.outputs["digests"]
    ran = forge.runner.act(ACTION, merged, command="run", approved=approved, key=KEY)
    assert ran.result == "success", ran.steps
    assert forge.charged == {"Tea is spilt 720p": 1, "Tea is spilt 1080p": 1}
    assert len(forge.journals) == 2


def test_the_action_buys_nothing_but_what_was_approved(forge: Forge) -> None:
    event = forge.pushed(git(forge.dev, "rev-parse", "HEAD"))
    for approved in (f"{'0' * 64} jobfiles/tea.yaml", "a plan of something else"):
        ran = forge.runner.act(ACTION, event, command="run", approved=approved, key=KEY)
        assert ran.code == 6, ran.steps
    assert not forge.charged


def test_a_stranger_s_pull_request_has_its_plan_in_the_summary_only(forge: Forge) -> None:
    git(forge.dev, "checkout", "--quiet", "-b", "spill")
    forge.write({"pour": "Tea is spilt"})
    forge.commit("Spill")
    planned = forge.plan(forge.opened("spill", fork=True))
    assert planned.result == "success"
    assert planned.outcomes["Comment"] == "skipped"
    assert "+2 jobs, 52 credits" in planned.summary
    assert forge.comments == []
    assert "kiejobs-plan/kiejobs-out/001.json" in planned.artifacts


def test_an_invalid_job_file_is_annotated_and_ends_the_plan(forge: Forge) -> None:
    git(forge.dev, "checkout", "--quiet", "-b", "slip")
    (forge.dev / "jobfiles" / "tea.yaml").write_text("version: 1\ncampaign: tea\njob: {}\n")
    forge.commit("Slip")
    planned = forge.plan(forge.opened("slip"))
    assert planned.code == 2
    assert "::error file=jobfiles/tea.yaml,line=3" in planned.steps["Validate"]
    assert planned.outcomes["Plan"] == "skipped"
