"""The ready-made flows as data: linted, held to the forges' schemas, safe with secrets; init writes them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import kiejobs
from kiejobs.adapters.project.files import schema_folder
from kiejobs.commands.init import FLOWS
from tests.docs.pages import ROOT
from tests.support.bench import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = Path(sys.executable).parent
GITHUB = sorted((schema_folder() / "flows" / "github").glob("*.yml"))
GITLAB = sorted((schema_folder() / "flows" / "gitlab").glob("*.yml"))
SCRIPT = schema_folder() / "flows" / "ci" / "kiejobs.sh"
ACTION = ROOT / "action.yml"
FROM_OUTSIDE = re.compile(r"\$\{\{")


def checked(*words: str | Path, folder: Path | None = None) -> str:
    """A linter's output; the programs beside this Python come first on its PATH."""
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    command = [str(PROGRAMS / words[0]), *map(str, words[1:])]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def init(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "kiejobs", "init", *words, str(folder)]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": PACKAGE}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What init writes, with our action beside it and a workflow that uses it."""
    init(tmp_path, "--github", "--gitlab")
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    shutil.copy(ACTION, tmp_path)
    steps = [{"uses": "./", "with": {"command": "plan", "comment": "false"}}]
    job = {"runs-on": "ubuntu-latest", "steps": steps}
    used = {"on": "push", "jobs": {"plan": job}}
    (tmp_path / ".github" / "workflows" / "uses.yml").write_text(yaml.safe_dump(used))
    return tmp_path


# --- linters ---------------------------------------------------------------------------------------


def test_actionlint_and_its_shellcheck_find_nothing(repository: Path) -> None:
    assert checked("actionlint", "-no-color", folder=repository) == ""


def test_actionlint_would_find_a_slip_in_yaml_and_one_in_a_script(repository: Path) -> None:
    workflow = repository / ".github" / "workflows" / "kiejobs-run.yml"
    text = workflow.read_text()
    workflow.write_text(text.replace("queue: max", "queue: most"))
    assert "most" in checked("actionlint", "-no-color", folder=repository)
    workflow.write_text(text.replace("bash ci/kiejobs.sh buy", "cat $UNQUOTED"))
    assert "SC2086" in checked("actionlint", "-no-color", folder=repository)


def test_shellcheck_finds_nothing_in_the_script() -> None:
    assert checked("shellcheck", SCRIPT) == ""


@pytest.mark.parametrize(
    ("schema", "files"),
    [("github-workflows", GITHUB), ("github-actions", [ACTION]), ("gitlab-ci", GITLAB)],
    ids=["workflows", "action", "gitlab"],
)
def test_the_forges_own_schemas_take_them(schema: str, files: list[Path]) -> None:
    assert checked("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files) == ""


def test_a_file_of_another_kind_would_not_be_taken() -> None:
    words = ("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", ACTION)
    assert "Schema validation errors" in checked(*words)


def test_pre_commit_takes_the_hooks() -> None:
    assert checked("pre-commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml") == ""


# --- what a linter does not know -----------------------------------------------------------------


def runs() -> Iterator[tuple[str, str]]:
    for file in (*GITHUB, ACTION):
        document = read(file)
        jobs = document["jobs"].values() if "jobs" in document else [document["runs"]]
        for job in jobs:
            yield from ((file.name, step["run"]) for step in job["steps"] if "run" in step)


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_nothing_from_outside_is_ever_part_of_a_script() -> None:
    found = list(runs())
    assert len(found) > 30
    assert [(file, script) for file, script in found if FROM_OUTSIDE.search(script)] == []


def test_a_pull_request_sees_no_secret_and_may_write_nothing_but_its_comment() -> None:
    text = (schema_folder() / "flows" / "github" / "kiejobs-plan.yml").read_text()
    document = yaml.safe_load(text)
    assert "secrets." not in text
    assert set(document[True]) == {"pull_request"}  # `on`, as YAML 1.1 reads it
    assert document["permissions"] == {"contents": "read"}
    (job,) = document["jobs"].values()
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}


@pytest.mark.parametrize("file", GITHUB, ids=lambda file: file.name)
def test_the_key_is_given_to_the_steps_that_speak_to_the_api_and_to_no_other(file: Path) -> None:
    document = read(file)
    for job in document["jobs"].values():
        assert "KIE_API_KEY" not in {**document.get("env", {}), **job.get("env", {})}
        for step in job["steps"]:
            needs = step.get("run", "").endswith(("kiejobs.sh buy", "kiejobs.sh collect"))
            assert ("KIE_API_KEY" in step.get("env", {})) == needs


def test_runs_queue_and_are_never_cancelled() -> None:
    run = read(schema_folder() / "flows" / "github" / "kiejobs-run.yml")
    assert run["concurrency"]["cancel-in-progress"] is False
    assert run["concurrency"]["queue"] == "max"
    assert "${{" not in run["concurrency"]["group"]  # one for the whole repository
    lab = read(schema_folder() / "flows" / "gitlab" / "kiejobs.yml")["kiejobs-run"]
    assert lab["resource_group"] == "kiejobs"
    assert lab["environment"] == "kiejobs"


def test_the_record_is_kept_and_uploaded_whatever_became_of_the_run() -> None:
    steps = read(schema_folder() / "flows" / "github" / "kiejobs-run.yml")["jobs"]["run"]["steps"]
    bought = next(n for n, step in enumerate(steps) if step.get("id") == "buy")
    after = [step for step in steps[bought + 1 :] if step.get("name") != "Collect"]
    assert len([step for step in after if step.get("run", "").endswith(" keep")]) == 2
    assert all(step["if"].startswith("always()") for step in after)


def test_nothing_is_installed_with_the_key_near_until_somebody_says_what() -> None:
    lines = (schema_folder() / "flows" / "ci" / "requirements.txt").read_text().splitlines()
    assert all(line.startswith("#") for line in lines)
    assert f"# kiejobs[media] == {kiejobs.__version__}" in lines


# --- init ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forge", FLOWS)
def test_init_writes_the_flows_of_a_forge_and_no_other(forge: str, tmp_path: Path) -> None:
    init(tmp_path, f"--{forge}")
    for name, source in FLOWS[forge].items():
        assert (tmp_path / name).read_bytes() == (schema_folder() / "flows" / source).read_bytes()
    others = {name for other in FLOWS for name in FLOWS[other]} - set(FLOWS[forge])
    assert not [name for name in others if (tmp_path / name).exists()]


def test_init_overwrites_nothing_and_adds_no_job_file_to_those_that_are_there(
    tmp_path: Path,
) -> None:
    mine = tmp_path / ".github" / "workflows" / "kiejobs-run.yml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine\n")
    (tmp_path / "jobfiles").mkdir()
    (tmp_path / "jobfiles" / "mine.yaml").write_text("mine\n")
    told = init(tmp_path, "--github")
    assert mine.read_text() == "mine\n"
    assert f"kept {mine.as_posix()} as it is" in told
    assert [path.name for path in (tmp_path / "jobfiles").iterdir()] == ["mine.yaml"]
    assert (tmp_path / "ci" / "kiejobs.sh").exists()


def test_every_flow_is_given_to_somebody_and_comes_with_the_package() -> None:
    folder = schema_folder() / "flows"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {source for files in FLOWS.values() for source in files.values()}
    ours = ROOT / "schemas" / "flows"
    assert there == {p.relative_to(ours).as_posix() for p in ours.rglob("*") if p.is_file()}
