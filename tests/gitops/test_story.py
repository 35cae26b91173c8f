"""GitOps with real git: the workflow files' own steps, from a pull request to videos and journals.

What was paid is asked of the sandbox's charge log, never of kiejobs.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.gitops.forge import KEY, Forge, git, served

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

DONE = {"success"}


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with served(tmp_path / "sandbox") as url:
        yield Forge(tmp_path, url, tmp_path / "sandbox")


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
    forge.write({"pour": "Tea is poured", "steam": "Steam rises slowly"})
    forge.commit("Slower")
    planned = forge.plan(forge.opened("steam"))
    assert [comment["issue"] for comment in forge.comments] == ["1"]
    (digest,) = re.findall(r"Digest: `(\w+)`", forge.comments[0]["body"])
    assert forge.comments[0]["body"] in planned.summary
    assert not forge.charged

    # The merge buys what the comment said.
    merged = forge.merge("steam")
    ended = forge.run(merged)
    assert {job.result for job in ended.values()} == DONE, ended["run"].steps
    assert ended["plan"].outputs["digests"] == f"{digest} jobfiles/tea.yaml"
    assert forge.charged == both("Tea is poured", "Steam rises slowly")
    assert len(forge.journals) == 2  # one that bought, one that collected
    assert "4 succeeded" in ended["run"].summary
    videos = [name for name in ended["run"].artifacts if name.endswith(".mp4")]
    assert len(videos) == 4
    assert KEY not in "".join(text for job in ended.values() for text in job.steps.values())

    # The same commit again, which does not have the journals; then an edit of a comment.
    again = forge.run(merged, needs={"plan": ended["plan"]})
    assert again["run"].result == "success"
    assert len(forge.journals) == 2  # nothing to buy, nothing to fetch, nothing to record
    prompts = {"pour": "Tea is poured", "steam": "Steam rises slowly"}
    assert forge.run(forge.edit(prompts, "said otherwise"))["run"].result == "success"
    assert sum(forge.charged.values()) == 4

    # One prompt: its combinations, nothing else.
    assert forge.run(forge.edit(prompts | {"pour": "Tea is spilt"}))["run"].result == "success"
    assert forge.charged == both("Tea is poured", "Steam rises slowly", "Tea is spilt")
    # Each journal names the commit whose job files it bought for, one that everybody has.
    commits = {journal["source"]["git_commit"] for journal in forge.headers if journal["source"]}
    assert len(commits) == 2
    assert merged.ref in commits


def test_a_run_that_is_killed_half_way_is_finished_by_the_same_commit(forge: Forge) -> None:
    forge.set_up(a="a", b="b", c="c")
    event = forge.pushed(git(forge.dev, "rev-parse", "HEAD"))
    killed = {"Buy": killed_after(forge, 2)}
    first = forge.run(event, watch=killed, env={"KIEJOBS_RATE": "1/1s"})
    assert first["run"].result == "failure"
    assert first["run"].code == 128 + signal.SIGKILL
    assert 0 < sum(forge.charged.values()) < 6
    assert len(forge.journals) == 2  # what was bought is on record, and it was collected

    # Failed jobs run again: what was approved then is expected now, and a part of it is left.
    again = forge.run(event, needs={"plan": first["plan"]})
    assert again["run"].result == "success", again["run"].steps
    assert forge.charged == both("a", "b", "c")


def killed_after(forge: Forge, bought: int):  # noqa: ANN201 - a watcher
    """Kill kiejobs itself, as a machine without memory would, once so many submissions are on record."""

    def watch(step: subprocess.Popen[bytes]) -> None:
        while recorded(forge) < bought and step.poll() is None:
            os.sched_yield()
        for child in children(step.pid):
            os.kill(child, signal.SIGKILL)

    return watch


def recorded(forge: Forge) -> int:
    journals = forge.folder.glob("ci/*-run/*/runs/*/journal.jsonl")
    return sum(path.read_text().count('"type": "submitted"') for path in journals)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_two_branches_at_once_buy_each_their_own_and_their_journals_meet(forge: Forge) -> None:
    forge.set_up(pour="Tea is poured")
    # Both are merged before either has run: neither checkout has the other's journals.
    first = forge.edit({"pour": "Tea is poured", "left": "Left"})
    second = forge.edit({"pour": "Tea is poured", "left": "Left", "right": "Right"})
    assert forge.run(first)["run"].result == "success"
    assert forge.charged == both("Tea is poured", "Left")
    assert forge.run(second)["run"].result == "success"
    assert forge.charged == both("Tea is poured", "Left", "Right")

    # Somebody pushes just when the journals are pushed: refused, and tried again on top of that.
    third = forge.edit({"pour": "Tea is poured", "left": "Left", "right": "Up"})
    ended = forge.run(third, prepare=lambda tree: overtaken(tree, forge))
    assert ended["run"].result == "success", ended["run"].steps
    assert "rejected" in ended["run"].steps["Keep the record of what was bought"]
    assert forge.charged == both("Tea is poured", "Left", "Right", "Up")
    assert len(forge.journals) == 6
    assert git(forge.origin, "show", "main:notes") == "somebody else"

    # A fresh clone knows all of it.
    fresh = forge.clone("fresh")
    assert len(list(fresh.glob("runs/*/journal.jsonl"))) == 6
    assert "6 to collect. Nothing to buy." in forge.kiejobs(fresh, "plan", "jobfiles/tea.yaml")


def overtaken(tree: Path, forge: Forge) -> None:
    """A hook in the runner's clone, by which somebody else pushes once, in between."""
    other = forge.folder / "other"
    if not other.exists():
        forge.clone("other")
        (other / "notes").write_text("somebody else\n")
        git(other, "add", "notes")
        git(other, "commit", "--quiet", "-m", "Notes")
    hook = tree / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    push = f"env -u GIT_DIR -u GIT_WORK_TREE git -C {other} push --quiet origin main 2> /dev/null"
    hook.write_text(f"#!/bin/sh\n{push}\nexit 0\n")
    hook.chmod(0o755)
