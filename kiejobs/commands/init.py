"""`kiejobs init [FOLDER]`: a job file to start from, that runs at once with --sandbox.

In: a folder. Out: kiejobs.yaml, a commented job file, the editor's schemas, `.gitignore`. Touches: disk;
nothing that is there is overwritten.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import STDIN, read_source, schema_folder
from kiejobs.adapters.project.root import PROJECT_FILE, Root, find_root
from kiejobs.app.project import has_ledger, journals_ignored_by, project_policy
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.reports.terminal import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.app.output import Screen

_PROJECT = """\
# yaml-language-server: $schema=schemas/policy.schema.json
# This folder is a project: one ledger for all job files in it and below.
version: 1
"""
_ON_A_BRANCH = """\
ledger: git # on the branch `kiejobs-ledger`, so that CI, every clone and every branch know what was bought
"""

_IGNORED = ("rehearsal/", "outputs/", "gallery/", "runs/.lock*")

_REQUIREMENTS = {"ci/kiejobs-requirements.txt": "ci/requirements.txt"}

_NEXT = {
    "github": """\
Then, on GitHub:
  - write the version of kiejobs to install into ci/kiejobs-requirements.txt, and push everything to the default branch
  - create the environments `kiejobs` and `kiejobs-collect`, each with the secret KIE_API_KEY;
    restrict both to the default branch; give `kiejobs` the reviewers who may spend
  - make the check `plan` of "kiejobs plan" required, and leave the branch `kiejobs-ledger` unprotected""",
    "gitlab": """\
Then, on GitLab:
  - write the version of kiejobs to install into ci/kiejobs-requirements.txt, and push everything to the default branch
  - include .gitlab/kiejobs.yml where there was a .gitlab-ci.yml already
  - set KIE_API_KEY, masked and protected, for the environments `kiejobs` and `kiejobs-collect`;
    protect `kiejobs`, let job tokens push, and schedule a pipeline that collects jobs which are still running""",
}

FLOWS = {
    "github": {
        ".github/workflows/kiejobs-plan.yml": "github/kiejobs-plan.yml",
        ".github/workflows/kiejobs-run.yml": "github/kiejobs-run.yml",
        ".github/workflows/kiejobs-collect.yml": "github/kiejobs-collect.yml",
    }
    | _REQUIREMENTS,
    "gitlab": {".gitlab/kiejobs.yml": "gitlab/kiejobs.yml", ".gitlab-ci.yml": "gitlab/gitlab-ci.yml"}
    | _REQUIREMENTS,
}
"""What each forge is given: where it goes in a repository, and its file below schemas/flows."""


def init(folder: str, screen: Screen, *, github: bool, gitlab: bool) -> ExitCode:
    """Raises UsageProblem where there is a job file already and no forge was named."""
    if folder == STDIN:
        raise UsageProblem("`init -`: a project is a folder", hint="name one: kiejobs init DIR")
    forges = [name for name, wanted in (("github", github), ("gitlab", gitlab)) if wanted]
    root = Path(folder)
    jobfile = root / "jobfiles" / "first.yaml"
    begins = not any(jobfile.parent.glob("*.yaml")) if forges else not jobfile.exists()
    if not begins and not forges:
        hint = "name another folder: kiejobs init DIR"
        raise UsageProblem(f"{jobfile} exists already", hint=hint)
    try:
        text = _PROJECT if begins else _PROJECT.partition("\n")[2]
        is_on_branch = _mark(root, text, screen, on_a_branch=bool(forges))
        if begins:
            _begin(root, jobfile, screen)
        _ignore(root / ".gitignore", screen, is_on_branch=is_on_branch)
        for forge in forges:
            _write_flows(root, FLOWS[forge], screen)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageProblem(f"can't write to {folder}: {error.strerror or error}") from error
    typed = quoted(jobfile.as_posix())
    if begins:
        screen.show(f"\nNext:\n  kiejobs plan {typed}\n  kiejobs run {typed} --sandbox")
    for forge in forges:
        screen.show(f"\n{_NEXT[forge]}")
    return ExitCode.DONE


def _begin(root: Path, jobfile: Path, screen: Screen) -> None:
    text = _given("first.yaml").replace("FILE", quoted(jobfile.as_posix()))
    _write(jobfile, text, screen)
    for name in ("jobfile.schema.json", "policy.schema.json", "prices.schema.json"):
        _write(root / "schemas" / name, _given(name), screen)


def _mark(root: Path, text: str, screen: Screen, *, on_a_branch: bool) -> bool:
    """Makes it a project's root, unless it is in a project that has a file of its own, or a ledger.

    With `on_a_branch` its ledger is to be on a branch of git: there from now on where nothing was bought yet, else
    that is for a person to do. Is it there now?
    """
    project = find_root(str(root))
    policy = project_policy(project)
    is_on_branch = policy is not None and policy.ledger.kind != "folder"
    if project.mark == PROJECT_FILE or (project.path != root.resolve() and has_ledger(project)):
        screen.show(f"kept {project.seen()} as the project's root")
    else:
        is_on_branch = on_a_branch and not has_ledger(Root(root.resolve(), None))
        _write(root / PROJECT_FILE, text + _ON_A_BRANCH if is_on_branch else text, screen)
    if on_a_branch and not is_on_branch:
        screen.show(
            "the ledger is in runs/: run `kiejobs ledger move --to git`, else CI does not know what was bought"
        )
    return is_on_branch


def _given(name: str) -> str:
    return (schema_folder() / name).read_text(encoding="utf-8")


def _write_flows(root: Path, files: Mapping[str, str], screen: Screen) -> None:
    for name, source in files.items():
        path = root / name
        if path.exists():
            screen.show(f"kept {path.as_posix()} as it is")
        else:
            _write(path, _given(f"flows/{source}"), screen)


def _write(path: Path, text: str, screen: Screen) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    screen.show(f"wrote {path.as_posix()}")


def _ignore(path: Path, screen: Screen, *, is_on_branch: bool) -> None:
    """Media and rehearsals stay out of git; journals in `runs/` belong in it."""
    there = read_source(str(path)).data.decode(errors="surrogateescape") if path.exists() else ""
    missing = [line for line in _IGNORED if line not in there.splitlines()]
    if missing:
        gap = "" if not there or there.endswith("\n") else "\n"
        path.write_bytes(f"{there}{gap}{chr(10).join(missing)}\n".encode(errors="surrogateescape"))
    line, runs = journals_ignored_by(path.parent / "runs"), (path.parent / "runs").as_posix()
    if line is not None and not is_on_branch:
        screen.say(
            f"warning: git ignores the journals in {runs} ({line}), the record of purchases: remove that line"
        )
    if missing:
        plain = line is not None or is_on_branch
        commit = "" if plain else " (commit runs/: it is the record of purchases)"
        screen.show(f"wrote {path.as_posix()}{commit}")
