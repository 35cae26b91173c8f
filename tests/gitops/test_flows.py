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
ACTION = ROOT / "action.yml"
PINNED = re.compile(
    r"\s+- uses: (?P<action>actions/[\w-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)"
)
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
    done = subprocess.run(command, env=env, cwd=folder.parent, capture_output=True, text=True, check=True)
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
    workflow.write_text(text.replace("exec kiejobs run", "cat $UNQUOTED"))
    assert "SC2086" in checked("actionlint", "-no-color", folder=repository)


def test_shellcheck_finds_nothing_in_gitlab_s_scripts(tmp_path: Path) -> None:
    (lab,) = (read(file) for file in GITLAB if file.name == "kiejobs.yml")
    for name, job in lab.items():
        lines = [*lab[".kiejobs"]["before_script"], *job.get("script", [])]
        script = tmp_path / f"{name}.sh"
        script.write_text("\n".join(["#!/usr/bin/env bash", *lines, ""]))
        assert checked("shellcheck", script) == ""


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
    yield from ((file, step["run"]) for file, step in steps() if "run" in step)


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in (*GITHUB, ACTION):
        document = read(file)
        jobs = document["jobs"].values() if "jobs" in document else [document["runs"]]
        for job in jobs:
            yield from ((file.name, step) for step in job["steps"])


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_nothing_from_outside_is_ever_part_of_a_script() -> None:
    found = list(runs())
    assert len(found) > 15
    assert [(file, script) for file, script in found if FROM_OUTSIDE.search(script)] == []


def test_actions_are_pinned_by_commit_with_their_version() -> None:
    pinned = set()
    for file in (*GITHUB, ACTION):
        for line in file.read_text(encoding="utf-8").splitlines():
            if "uses:" in line and not line.lstrip().startswith("#"):
                found = PINNED.fullmatch(line)
                assert found is not None, line
                pinned.add((found["action"], found["commit"], found["version"]))
    assert len({action for action, _, _ in pinned}) == len(pinned) == 3


def test_nothing_of_a_checkout_is_run_where_a_token_is() -> None:
    """Python is isolated, and kiejobs comes from the branch that is merged into, to a place of its own."""
    found = [*runs(), *((file.name, line) for file in GITLAB for line in lines_of(file))]
    for _, script in found:
        words = re.findall(r"(?:^|[\s/(])python3?\s+(\S+)", script)
        assert set(words) <= {"-I"}, script
        assert "kiejobs-out" not in script
    installs = [script for _, script in found if "pip install" in script]
    assert len(installs) == 6
    plan = next(script for file, script in found if file == "kiejobs-plan.yml" and "pip install" in script)
    assert "git archive HEAD^1 ci" in plan


def lines_of(file: Path) -> list[str]:
    jobs = [job for job in read(file).values() if isinstance(job, dict)]
    return [line for job in jobs for part in ("before_script", "script") for line in job.get(part, [])]


def test_a_run_is_its_step_s_last_word_so_that_a_signal_reaches_it() -> None:
    found = [script.rstrip().rpartition("\n")[2] for _, script in runs()]
    found += lines_of(schema_folder() / "flows" / "gitlab" / "kiejobs.yml")
    buying = [line for line in found if re.search(r"kiejobs (run|collect)\b", line)]
    assert len(buying) == 6
    assert all(line.startswith("exec kiejobs ") for line in buying)
    assert all("--expect" in line or "collect" in line or '"${how[@]}"' in line for line in buying)


def test_a_pull_request_sees_no_secret_and_may_write_nothing_but_its_comment() -> None:
    text = (schema_folder() / "flows" / "github" / "kiejobs-plan.yml").read_text()
    document = yaml.safe_load(text)
    assert "secrets." not in text
    assert document[True] == {
        "pull_request": None,
        "merge_group": None,
    }  # `on`, as YAML 1.1 reads it; no paths
    assert document["permissions"] == {"contents": "read"}
    (job,) = document["jobs"].values()
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "if" not in job  # a required check that is skipped for some would never report


@pytest.mark.parametrize("file", GITHUB, ids=lambda file: file.name)
def test_the_key_is_given_to_the_steps_that_speak_to_the_api_and_to_no_other(file: Path) -> None:
    document = read(file)
    for job in document["jobs"].values():
        assert "KIE_API_KEY" not in {**document.get("env", {}), **job.get("env", {})}
        for step in job["steps"]:
            needs = step.get("run", "").startswith(("exec kiejobs run", "exec kiejobs collect"))
            assert ("KIE_API_KEY" in step.get("env", {})) == needs
            assert not needs or job["environment"] in {"kiejobs", "kiejobs-collect"}
            assert not needs or job["permissions"] == {"contents": "write"}


def test_runs_queue_and_are_never_cancelled() -> None:
    run = read(schema_folder() / "flows" / "github" / "kiejobs-run.yml")
    assert run["concurrency"]["cancel-in-progress"] is False
    assert run["concurrency"]["queue"] == "max"
    assert "${{" not in run["concurrency"]["group"]  # one for the whole repository
    lab = read(schema_folder() / "flows" / "gitlab" / "kiejobs.yml")["kiejobs-run"]
    assert lab["resource_group"] == "kiejobs"
    assert lab["environment"] == "kiejobs"


def test_nothing_is_installed_with_the_key_near_until_somebody_says_what() -> None:
    lines = (schema_folder() / "flows" / "ci" / "requirements.txt").read_text().splitlines()
    assert all(line.startswith("#") for line in lines)
    assert f"# kiejobs[media] == {kiejobs.__version__}" in lines
    assert f"# ./ci/kiejobs-{kiejobs.__version__}-py3-none-any.whl[media]" in lines


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
    assert (tmp_path / "ci" / "kiejobs-requirements.txt").exists()


def test_with_flows_the_ledger_is_on_a_branch_unless_something_was_bought_in_a_folder(tmp_path: Path) -> None:
    init(tmp_path / "new", "--github")
    assert "\nledger: git #" in (tmp_path / "new" / "kiejobs.yaml").read_text()
    init(tmp_path / "plain")
    assert "ledger" not in (tmp_path / "plain" / "kiejobs.yaml").read_text().partition("version")[2]
    told = init(tmp_path / "plain", "--gitlab")
    assert "run `kiejobs ledger move --to git`" in told
    bought = tmp_path / "bought" / "runs" / "20261122T073612000Z-c0ffee" / "journal.jsonl"
    bought.parent.mkdir(parents=True)
    bought.write_text("{}\n")
    told = init(tmp_path / "bought", "--github")
    assert "run `kiejobs ledger move --to git`" in told
    assert "ledger: git" not in (tmp_path / "bought" / "kiejobs.yaml").read_text()


def test_every_flow_is_given_to_somebody_and_comes_with_the_package() -> None:
    folder = schema_folder() / "flows"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {source for files in FLOWS.values() for source in files.values()}
    ours = ROOT / "schemas" / "flows"
    assert there == {p.relative_to(ours).as_posix() for p in ours.rglob("*") if p.is_file()}
