"""GitOps with real git: the workflow files' own steps, from a pull request to videos and the ledger's branch.

What was paid is asked of the sandbox's charge log, never of kiejobs.
"""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.gitops.forge import KEY, Forge, forge_in, git

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

DONE = {"success"}


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with forge_in(tmp_path) as made:
        yield made


def both(*prompts: str) -> dict[str, int]:
    """Each prompt once in each resolution."""
    return {f"{prompt} {size}": 1 for prompt in prompts for size in ("720p", "1080p")}


def test_a_pull_request_plans_a_merge_runs_and_later_merges_buy_what_is_new(forge: Forge) -> None:
    forge.set_up(pour="Tea is poured")

    # A pull request: the plan is on it, once, however often it is pushed to.
    git(forge.dev, "checkout", "--quiet", "-b", "steam")
    forge.write({"pour": "Tea is poured", "steam": "Steam rises"})
    forge.commit("Steam")
    planned = forge.plan(forge.opened("steam"))
    assert planned.result == "success", planned.steps
    assert "+4 jobs, 104 credits ($0.52)" in forge.comments[0]["body"]
    assert "[Storyboard](https://forge.example/artifacts/storyboard)" in forge.comments[0]["body"]
    assert "storyboard/storyboard/index.html" in planned.artifacts
    forge.write({"pour": "Tea is poured", "steam": "Steam rises slowly"})
    forge.commit("Slower")
    planned = forge.plan(forge.opened("steam"))
    assert [comment["issue"] for comment in forge.comments] == ["1"]
    (digest,) = re.findall(r"Digest over all: `(\w+)`", forge.comments[0]["body"])
    assert "+4 jobs, 104 credits ($0.52)" in planned.summary
    assert not forge.charged

    # The merge buys what the comment said.
    merged = forge.merge("steam")
    ended = forge.run(merged)
    assert {job.result for job in ended.values()} == DONE, ended["run"].steps
    assert ended["plan"].outputs["digest"] == digest
    assert digest in ended["plan"].summary
    assert forge.charged == both("Tea is poured", "Steam rises slowly")
    assert forge.runs == ["run"]
    assert "4 succeeded" in ended["run"].summary
    videos = [name for name in ended["run"].artifacts if name.endswith(".mp4")]
    assert len(videos) == 4
    assert KEY not in "".join(text for job in ended.values() for text in job.steps.values())

    # The same commit again; then an edit of a comment.
    again = forge.run(merged, needs={"plan": ended["plan"]})
    assert again["run"].result == "success", again["run"].steps
    prompts = {"pour": "Tea is poured", "steam": "Steam rises slowly"}
    assert forge.run(forge.edit(prompts, "said otherwise"))["run"].result == "success"
    assert forge.runs == ["run"]  # nothing to buy, nothing to download, nothing to record
    assert sum(forge.charged.values()) == 4

    # One prompt: its combinations, nothing else.
    assert forge.run(forge.edit(prompts | {"pour": "Tea is spilt"}))["run"].result == "success"
    assert forge.charged == both("Tea is poured", "Steam rises slowly", "Tea is spilt")
    commits = {journal["source"]["git_commit"] for journal in forge.headers}
    assert len(commits) == 2
    assert merged.ref in commits
    assert forge.committers == {"Dev"}


def test_a_machine_that_is_lost_half_way_costs_nothing_twice(forge: Forge) -> None:
    forge.set_up(a="a", b="b", c="c")
    event = forge.pushed(git(forge.dev, "rev-parse", "HEAD"))
    killed = {"Buy": signalled(forge, 2, signal.SIGKILL)}
    first = forge.run(event, watch=killed, env={"KIEJOBS_RATE": "1/1s"})
    assert first["run"].code == -signal.SIGKILL
    assert 0 < sum(forge.charged.values()) < 6

    # Failed jobs run again at once, on another machine: what the lost one had claimed is not bought.
    again = forge.run(event, needs={"plan": first["plan"]})
    assert again["run"].code == 8, again["run"].steps["Buy"]
    assert max(forge.charged.values()) == 1

    # Two minutes later it is in doubt; the rest is bought by what was approved then.
    forge.expire()
    last = forge.run(event, needs={"plan": first["plan"]})
    assert last["run"].code == 4, last["run"].steps
    assert max(forge.charged.values()) == 1
    assert forge.committers == {"Dev"}


def test_a_cancelled_run_stops_buying_and_the_next_one_buys_the_rest(forge: Forge) -> None:
    forge.set_up(**{name: name for name in "abcdefgh"})
    event = forge.pushed(git(forge.dev, "rev-parse", "HEAD"))
    cancelled = {"Buy": signalled(forge, 2, signal.SIGINT)}
    first = forge.run(event, watch=cancelled, env={"KIEJOBS_RATE": "1/1s"})
    assert first["run"].code == 130, first["run"].steps
    bought = sum(forge.charged.values())
    assert 0 < bought < 8
    assert "credits charged" in first["run"].summary

    again = forge.run(event, needs={"plan": first["plan"]})
    assert again["run"].result == "success", again["run"].steps
    assert forge.charged == both(*"abcdefgh")


def test_several_job_files_are_one_plan_one_approval_and_one_run(forge: Forge) -> None:
    forge.set_up(pour="Tea is poured")
    forge.write({"cup": "A cup"}, name="cup")
    event = forge.pushed(forge.commit("Cup"))
    git(forge.dev, "push", "--quiet", "origin", "HEAD:main")
    cancelled = {"Buy": signalled(forge, 1, signal.SIGINT)}
    first = forge.run(event, watch=cancelled, env={"KIEJOBS_RATE": "1/1s"})
    assert "**+4 jobs, 104 credits ($0.52)** in 2 job files" in first["plan"].summary
    assert first["run"].code == 130
    assert "not started: 1 more job file" in first["run"].steps["Buy"]

    again = forge.run(event, needs={"plan": first["plan"]})
    assert again["run"].result == "success", again["run"].steps
    assert forge.charged == both("Tea is poured", "A cup")
    for campaign in ("cup", "tea"):
        assert f"### kiejobs run of `{campaign}`" in again["run"].summary


def signalled(forge: Forge, bought: int, number: int) -> Callable[[subprocess.Popen[bytes]], None]:
    """What a runner does to a step, once so many submissions are on record: it signals its first process alone."""

    def watch(step: subprocess.Popen[bytes]) -> None:
        while recorded(forge) < bought and step.poll() is None:
            os.sched_yield()
        step.send_signal(number)

    return watch


def recorded(forge: Forge) -> int:
    journals = forge.folder.glob("ci/*-run/*/.git/kiejobs/**/journal.jsonl")
    return sum(path.read_text().count('"type": "submitted"') for path in journals)


def test_two_merges_before_either_has_run_buy_each_their_own(forge: Forge) -> None:
    forge.set_up(pour="Tea is poured")
    first = forge.edit({"pour": "Tea is poured", "left": "Left"})
    second = forge.edit({"pour": "Tea is poured", "left": "Left", "right": "Right"})
    assert forge.run(first)["run"].result == "success"
    assert forge.charged == both("Tea is poured", "Left")
    assert forge.run(second)["run"].result == "success"
    assert forge.charged == both("Tea is poured", "Left", "Right")

    # Any clone, on any branch, knows all of it.
    fresh = forge.clone("fresh")
    git(fresh, "checkout", "--quiet", "-b", "old", "HEAD^")
    assert "Nothing to buy." in forge.kiejobs(fresh, "plan", "jobfiles", "--files-elsewhere")


def test_what_the_plan_handed_on_is_bought_and_nothing_where_it_handed_on_nothing(forge: Forge) -> None:
    forge.set_up(pour="Tea is poured")
    event = forge.pushed(git(forge.dev, "rev-parse", "HEAD"))
    planned = forge.runner.run(forge.workflow("run"), event)["plan"]  # without the key nothing is bought
    for digest, code in (("", 2), ("0" * 64, 6)):
        planned.outputs["digest"] = digest  # GitHub drops an output that holds a masked value
        ended = forge.run(event, needs={"plan": planned})["run"]
        assert ended.code == code, ended.steps
    assert not forge.charged


def test_nothing_is_bought_where_the_ledger_s_branch_is_protected(forge: Forge) -> None:
    forge.set_up(pour="Tea is poured")
    hook = forge.origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    ended = forge.run(forge.pushed(git(forge.dev, "rev-parse", "HEAD")))["run"]
    assert ended.result == "failure"
    assert "protected" in ended.steps["Buy"]
    assert not forge.charged


def test_nothing_is_bought_by_a_ledger_that_goes_with_the_machine(forge: Forge) -> None:
    forge.set_up(pour="Tea is poured")
    (forge.dev / "kiejobs.yaml").write_text("version: 1\n")
    event = forge.pushed(forge.commit("No ledger"))
    git(forge.dev, "push", "--quiet", "origin", "HEAD:main")
    ended = forge.run(event)["run"]
    assert ended.code == 6
    assert "the ledger is a folder of this CI job" in ended.steps["Buy"]
    assert not forge.charged
