"""A GitHub runner for tests: it runs a workflow file's own `run:` steps with bash, in order.

In: a workflow file, an event, secrets, a forge (where clones come from). Out: how each job ended, what its
steps printed, its summary, its outputs, its artifacts. Touches: a folder for each job, processes.

Real: bash, git, kiejobs, `$GITHUB_ENV` and its like, conditions, environments of steps, secrets that only
those steps see that name them, cancelling (a signal to the step's shell alone, then a second). Stood in for:
`uses:` (a real clone for checkout, copies for artifacts, nothing for setup-python), `python -m venv` and pip (they
say what they would install, and put this Python's kiejobs there), the forge's API (comments.py), and the queue: who
calls decides what runs when.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.forked import WITHOUT_MEDIA
from tests.support.gitops.workflow_expressions import Status, filled, holds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Watcher = Callable[[subprocess.Popen[bytes]], None]

LONGEST = 120  # seconds for a step
CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd"


@dataclass
class Ended:
    """One job. `steps` maps the names of those that ran to what they printed."""

    folder: Path
    result: str = "success"
    code: int = 0
    steps: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""

    @property
    def artifacts(self) -> set[str]:
        """Paths of all files that were kept, each below its artifact's name."""
        top = self.folder / "artifacts"
        return {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Event:
    """What happened: `github` is the context of that name, `ref` what a checkout gets."""

    github: Mapping[str, Any]
    ref: str
    inputs: Mapping[str, str] = field(default_factory=dict)


class Runner:
    """`clone(ref, depth, folder)` is what checkout does; `env` is what the machine has anyway."""

    def __init__(self, folder: Path, clone: Callable[[str, int, Path], None], env: Mapping[str, str]) -> None:
        self._folder = folder
        self._clone = clone
        self._env = env
        self._count = 0

    def run(
        self,
        workflow: Path,
        event: Event,
        *,
        secrets: Mapping[str, str] | None = None,
        needs: Mapping[str, Ended] | None = None,
        watch: Mapping[str, Watcher] | None = None,
        env: Mapping[str, str] | None = None,
        prepare: Callable[[Path], None] | None = None,
    ) -> dict[str, Ended]:
        """Every job of it by name. Those in `needs` are not run again, as where a person has failed jobs
        run again. `watch` is called beside the step of that name; `prepare` with each fresh checkout.
        """
        document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
        ended = dict(needs or {})
        for name, job in document["jobs"].items():
            if name not in ended:
                folder = self._new(f"{workflow.stem}-{name}")
                one = _Job(folder, job, event, secrets or {}, self._env | (env or {}))
                one.watch, one.prepare, one.clone = watch or {}, prepare, self._clone
                ended[name] = one.run(document.get("env", {}), ended)
        return ended

    def act(self, action: Path, event: Event, **given: str) -> Ended:
        """A composite action's steps after a checkout, with these inputs (`_` for `-`)."""
        document = yaml.safe_load(action.read_text(encoding="utf-8"))
        told = {name.replace("_", "-"): value for name, value in given.items()}
        contexts = {"github": event.github}
        inputs = {
            name: told.get(name, filled(one.get("default", ""), contexts))
            for name, one in document["inputs"].items()
        }
        job = {
            "steps": [{"uses": CHECKOUT, "with": {"fetch-depth": 2}}, *document["runs"]["steps"]],
            "outputs": {name: one["value"] for name, one in document["outputs"].items()},
        }
        env = {**self._env, "GITHUB_ACTION_PATH": str(action.parent)}
        one = _Job(self._new("action"), job, Event(event.github, event.ref, inputs), {}, env)
        one.watch, one.prepare, one.clone = {}, None, self._clone
        return one.run({}, {})

    def _new(self, name: str) -> Path:
        self._count += 1
        return self._folder / f"{self._count}-{name}"


class _Job:
    watch: Mapping[str, Watcher]
    prepare: Callable[[Path], None] | None
    clone: Callable[[str, int, Path], None]

    def __init__(
        self,
        folder: Path,
        job: Mapping[str, Any],
        event: Event,
        secrets: Mapping[str, str],
        env: Mapping[str, str],
    ) -> None:
        self._job, self._event, self._env = job, event, env
        self._tree = folder / "work"
        self._ended = Ended(folder)
        self._status = Status()
        self._contexts: dict[str, Any] = {
            "github": {**event.github, "token": "ghs_token"},
            "inputs": dict(event.inputs),
            "runner": {"temp": str(folder / "temp")},
            "secrets": dict(secrets),
            "steps": {},
        }
        self._tree.mkdir(parents=True)
        (folder / "temp").mkdir()
        (folder / "event.json").write_text(json.dumps(event.github["event"]), encoding="utf-8")
        put_programs(folder / "bin")

    def run(self, env: Mapping[str, str], before: Mapping[str, Ended]) -> Ended:
        needs = [self._job["needs"]] if "needs" in self._job else []
        done = {n: {"outputs": before[n].outputs, "result": before[n].result} for n in needs}
        self._contexts["needs"] = done
        failed = any(before[name].result != "success" for name in needs)
        if not holds(self._job.get("if"), self._contexts, Status(failed=failed)):
            self._ended.result = "skipped"
            return self._ended
        env = {**env, **self._job.get("env", {})}
        self._base = {name: filled(str(text), self._contexts) for name, text in env.items()}
        for step in self._job["steps"]:
            self._step(step)
        for name, text in self._job.get("outputs", {}).items():
            self._ended.outputs[name] = filled(text, self._contexts)
        return self._ended

    def _step(self, step: Mapping[str, Any]) -> None:
        outcome = "skipped"
        if holds(step.get("if"), self._contexts, self._status):
            code = self._uses(step) if "uses" in step else self._runs(step)
            outcome = "failure" if code else "success"
            if code and not step.get("continue-on-error"):
                self._status = Status(failed=True)
                self._ended.result = "failure"
                self._ended.code = self._ended.code or code
        outputs = _pairs(self._ended.folder / "output") if "id" in step else {}
        if "id" in step:
            self._contexts["steps"][step["id"]] = {"outcome": outcome, "outputs": outputs}
        self._ended.outcomes[step.get("name", step.get("uses", ""))] = outcome

    def _uses(self, step: Mapping[str, Any]) -> int:
        action = step["uses"].partition("@")[0]
        given = step.get("with", {})
        if action == "actions/checkout":
            self.clone(self._event.ref, given.get("fetch-depth", 1), self._tree)
            if self.prepare is not None:
                self.prepare(self._tree)
        elif action == "actions/upload-artifact":
            for name in filled(given["path"], self._contexts).split():
                _copied(self._tree / name, self._ended.folder / "artifacts" / given["name"] / Path(name).name)
            url = f"https://forge.example/artifacts/{given['name']}"
            (self._ended.folder / "output").write_text(f"artifact-url={url}\n")
        else:
            assert action == "actions/setup-python", action
        return 0

    def _runs(self, step: Mapping[str, Any]) -> int:
        (self._ended.folder / "output").write_text("")
        for name in ("summary", "path"):
            (self._ended.folder / name).touch()
        env = {**self._base}
        for name, text in step.get("env", {}).items():
            env[name] = filled(str(text), self._contexts)
        assert "${{" not in step["run"], "nothing from outside may stand in a script"
        log = self._ended.folder / "log"
        with (
            log.open("wb") as out,
            subprocess.Popen(
                ["bash", "-e", "-c", step["run"]],
                cwd=self._tree / filled(step.get("working-directory", "."), self._contexts),
                env={**self._machine(), **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            if step["name"] in self.watch:
                self.watch[step["name"]](process)
            try:
                code = process.wait(LONGEST)
            finally:
                _end(process)
        self._ended.steps[step["name"]] = log.read_text(encoding="utf-8")
        self._ended.summary = (self._ended.folder / "summary").read_text(encoding="utf-8")
        return code

    def _machine(self) -> dict[str, str]:
        folder, github = self._ended.folder, self._event.github
        added = (folder / "path").read_text(encoding="utf-8").split()
        return {
            **self._env,
            "PATH": os.pathsep.join([*reversed(added), str(folder / "bin"), os.environ["PATH"]]),
            "HOME": str(folder),
            "PYTHONPATH": WITHOUT_MEDIA,
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": github["repository"],
            "GITHUB_ACTOR": github.get("actor", "dev"),
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_PATH": str(folder / "path"),
            "GITHUB_WORKSPACE": str(self._tree),
            "RUNNER_TEMP": str(folder / "temp"),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        }


_PYTHON = """\
#!/bin/sh
# python -I -m venv FOLDER, and FOLDER/bin/python -I -m pip install WORD...: nothing that is not isolated
case "$1 $2 $3" in
  "-I -m venv") mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
  "-I -m pip")
    shift 3
    echo "pip $*"
    for word; do if [ -f "$word" ]; then grep '^[^#]' "$word"; fi; done
    printf '#!/bin/sh\\nexec "{python}" -P -m kiejobs "$@"\\n' > "$(dirname "$0")/kiejobs"
    chmod +x "$(dirname "$0")/kiejobs"
    ;;
  *) echo "python $*: not isolated"; exit 1 ;;
esac
"""


def put_programs(folder: Path) -> None:
    """The machine's own `python`, which installs this Python's kiejobs wherever it is asked to."""
    folder.mkdir(parents=True)
    (folder / "python").write_text(_PYTHON.replace("{python}", sys.executable), encoding="utf-8")
    (folder / "python").chmod(0o755)


def _pairs(file: Path) -> dict[str, str]:
    """$GITHUB_OUTPUT: `name=value`, or `name<<END`, lines, `END`."""
    found: dict[str, str] = {}
    lines = iter(file.read_text(encoding="utf-8").splitlines() if file.exists() else [])
    for line in lines:
        name, heredoc, end = line.partition("<<")
        if heredoc:
            value = []
            for inner in lines:
                if inner == end:
                    break
                value.append(inner)
            found[name] = "\n".join(value)
        else:
            name, _, value_ = line.partition("=")
            found[name] = value_
    return found


def _copied(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
