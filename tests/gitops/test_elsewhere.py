"""The other flows, played: a schedule that collects, GitLab's jobs by their own scripts."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.gitops.comments import Comments
from tests.support.gitops.forge import KEY, LEDGER, Forge, forge_in, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with forge_in(tmp_path) as made:
        made.set_up(pour="Tea is poured")
        yield made


def test_a_schedule_collects_what_somebody_bought_and_buys_nothing(forge: Forge) -> None:
    words = ("jobfiles/tea.yaml", "--yes", "--detach", "--rate", "400/400ms")
    forge.kiejobs(forge.dev, "run", *words, key=KEY)
    event = forge.pushed(git(forge.dev, "rev-parse", "HEAD"))
    secrets = {"KIE_API_KEY": KEY}
    collected = forge.runner.run(forge.workflow("collect"), event, secrets=secrets)["collect"]
    assert collected.result == "success", collected.steps
    assert len([name for name in collected.artifacts if name.endswith(".mp4")]) == 2
    assert forge.runs == ["run", "collect"]
    assert sum(forge.charged.values()) == 2
    assert forge.committers == {"Dev"}


def test_gitlab_s_jobs_plan_and_run_by_their_own_scripts(forge: Forge) -> None:
    forge.kiejobs(forge.dev, "init", "--gitlab")
    forge.commit("GitLab")
    git(forge.dev, "push", "--quiet", "origin", "HEAD:main")
    merged = Job(forge, "lab")
    approved = merged.play("kiejobs-approve")
    assert "2 jobs to buy for 52 credits" in approved
    name, _, digest = (merged.clone / "kiejobs.env").read_text().strip().partition("=")
    assert name == "EXPECT"
    assert "--expect is empty" in Job(forge, "empty").play("kiejobs-run", 2, KIE_API_KEY=KEY, EXPECT="")
    assert not forge.charged
    assert "2 succeeded" in merged.play("kiejobs-run", KIE_API_KEY=KEY, EXPECT=digest)
    assert (merged.clone / "kiejobs-report.xml").read_text().count("<testcase ") == 2
    assert len(list(merged.clone.glob("outputs/**/*.mp4"))) == 2
    again = Job(forge, "again")
    assert "Nothing to buy" in again.play("kiejobs-run", KIE_API_KEY=KEY, EXPECT=digest)
    assert "Nothing to collect" in again.play("kiejobs-collect", KIE_API_KEY=KEY)
    assert sum(forge.charged.values()) == 2
    assert git(forge.origin, "branch", "--list", LEDGER)


def test_gitlab_s_merge_requests_are_planned_by_what_was_bought_and_have_a_note(forge: Forge) -> None:
    forge.kiejobs(forge.dev, "init", "--gitlab")
    base = forge.commit("GitLab")
    git(forge.dev, "push", "--quiet", "origin", "HEAD:main")
    forge.kiejobs(forge.dev, "run", "jobfiles", "--yes", "--rate", "400/400ms", "--poll", "50ms", key=KEY)
    git(forge.dev, "checkout", "--quiet", "-b", "edit")
    forge.write({"pour": "Tea is poured", "steam": "Steam"})
    (forge.dev / "ci" / "kiejobs-requirements.txt").write_text("evil == 1\n")
    forge.commit("Steam")
    git(forge.dev, "push", "--quiet", "origin", "edit")
    with Comments(token="kiejobs") as notes:
        request = {
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
            "CI_MERGE_REQUEST_IID": "3", "CI_PROJECT_ID": "7", "CI_API_V4_URL": notes.url, "GITLAB_TOKEN": "token",
            "CI_JOB_URL": "https://lab.example/jobs/1",
        }  # fmt: skip
        said = Job(forge, "lab", "edit").play("kiejobs-plan", **request)
        assert "evil" not in said
        assert "+2 jobs, 52 credits ($0.26); 2 done" in notes.kept[0]["body"]
        assert (
            "[Storyboard](https://lab.example/jobs/1/artifacts/browse/storyboard/)" in notes.kept[0]["body"]
        )


class Job:
    """Jobs of one pipeline: a clone, and the lines of their scripts as GitLab's runner joins them."""

    def __init__(self, forge: Forge, name: str, branch: str = "main") -> None:
        self._forge = forge
        self.clone = forge.clone(name)
        git(self.clone, "checkout", "--quiet", "--detach", f"origin/{branch}")

    def play(self, name: str, code: int = 0, **variables: str) -> str:
        document = yaml.safe_load((self.clone / ".gitlab" / "kiejobs.yml").read_text(encoding="utf-8"))
        base, job = document[".kiejobs"], document[name]
        assert job["extends"] == ".kiejobs"
        path = f"{self._forge.programs}{os.pathsep}{os.environ['PATH']}"
        here = {"GITLAB_CI": "true", "CI_COMMIT_SHA": git(self.clone, "rev-parse", "HEAD")}
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join([*base["before_script"], *job["script"]])],
            cwd=self.clone,
            env={**self._forge.machine, **base["variables"], "PATH": path, **here, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert KEY not in done.stdout + done.stderr
        return done.stdout + done.stderr
