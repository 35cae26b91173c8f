"""The composite action, played like a workflow: a plan, what it says is bought, what is left collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import ROOT
from tests.support.gitops.forge import KEY, Forge, forge_in, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACTION = ROOT / "action.yml"


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with forge_in(tmp_path) as made:
        made.set_up(pour="Tea is poured")
        yield made


def test_the_action_plans_comments_and_buys_what_was_planned(forge: Forge) -> None:
    git(forge.dev, "checkout", "--quiet", "-b", "spill")
    forge.write({"pour": "Tea is spilt"})
    forge.commit("Spill")
    planned = forge.runner.act(ACTION, forge.opened("spill"), command="plan", since="HEAD^1")
    assert planned.result == "success", planned.steps
    assert "+2 jobs, 52 credits" in forge.comments[0]["body"]
    assert "[Storyboard](https://forge.example/artifacts/storyboard)" in forge.comments[0]["body"]
    assert "storyboard/storyboard/index.html" in planned.artifacts

    merged = forge.merge("spill")
    approved = planned.outputs["digest"]
    ran = forge.runner.act(ACTION, merged, command="run", expect=approved, key=KEY)
    assert ran.result == "success", ran.steps
    assert forge.charged == {"Tea is spilt 720p": 1, "Tea is spilt 1080p": 1}
    assert "2 succeeded" in ran.summary
    collected = forge.runner.act(ACTION, merged, command="collect", key=KEY)
    assert collected.result == "success", collected.steps
    assert forge.runs == ["run"]


def test_the_action_buys_nothing_but_what_was_approved(forge: Forge) -> None:
    event = forge.pushed(git(forge.dev, "rev-parse", "HEAD"))
    for expect, code in (("0" * 64, 6), ("", 2), ("a plan of something else", 2)):
        ran = forge.runner.act(ACTION, event, command="run", expect=expect, key=KEY)
        assert ran.code == code, ran.steps
    assert not forge.charged
    files = "jobfiles/tea.yaml\njobfiles"
    ran = forge.runner.act(ACTION, event, command="run", expect="any", budget="16", files=files, key=KEY)
    assert ran.code == 5
    assert sum(forge.charged.values()) == 1
