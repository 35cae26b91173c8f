"""The other flows, played: a schedule that collects, GitLab's jobs, a record that can't be kept."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.gitops.forge import KEY, Forge, git, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with served(tmp_path / "sandbox") as url:
        made = Forge(tmp_path, url, tmp_path / "sandbox")
        made.set_up(pour="Tea is poured")
        yield made


def test_a_schedule_collects_what_somebody_bought_and_buys_nothing(forge: Forge) -> None:
    words = ("jobfiles/tea.yaml", "--yes", "--detach", "--rate", "400/400ms")
    forge.kiejobs(forge.dev, "run", *words, key=KEY)
    event = forge.pushed(forge.commit("Bought"))
    git(forge.dev, "push", "--quiet", "origin", "HEAD:main")
    secrets = {"KIE_API_KEY": KEY}
    collected = forge.runner.run(forge.workflow("collect"), event, secrets=secrets)["collect"]
    assert collected.result == "success", collected.steps
    assert len([name for name in collected.artifacts if name.endswith(".mp4")]) == 2
    assert len(forge.journals) == 2
    assert sum(forge.charged.values()) == 2


def test_nothing_is_bought_where_the_record_could_not_be_kept(forge: Forge) -> None:
    hook = forge.origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    ended = forge.run(forge.pushed(git(forge.dev, "rev-parse", "HEAD")))["run"]
    assert ended.result == "failure"
    assert "could not be pushed" in ended.steps["Show that the record can be kept"]
    assert ended.outcomes["Buy"] == "skipped"
    assert not forge.charged


def test_gitlab_s_jobs_plan_and_run_by_their_own_scripts(forge: Forge) -> None:
    forge.kiejobs(forge.dev, "init", "--gitlab")
    forge.commit("GitLab")
    git(forge.dev, "push", "--quiet", "origin", "HEAD:main")
    jobs = yaml.safe_load((forge.dev / ".gitlab" / "kiejobs.yml").read_text(encoding="utf-8"))
    clone = forge.clone("lab")
    assert "2 to buy for 52 credits" in played(forge, clone, jobs["kiejobs-plan"]["script"])
    told = played(forge, clone, jobs["kiejobs-run"]["script"], KIE_API_KEY=KEY)
    assert "2 succeeded" in told
    assert len(list(clone.glob("kiejobs-out/*.xml"))) == 1
    assert len(list(clone.glob("outputs/**/*.mp4"))) == 2
    assert len(forge.journals) == 2
    again = played(forge, forge.clone("again"), jobs["kiejobs-run"]["script"], KIE_API_KEY=KEY)
    assert "Nothing to buy" in again
    assert sum(forge.charged.values()) == 2


def played(forge: Forge, clone: Path, script: list[str], **variables: str) -> str:
    """A GitLab job's lines in a clone, as its runner joins them."""
    path = f"{forge.programs}{os.pathsep}{os.environ['PATH']}"
    lines = "\n".join(script)
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", lines],
        cwd=clone,
        env={**forge.machine, "PATH": path, "BRANCH": "main", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr
    return done.stdout
