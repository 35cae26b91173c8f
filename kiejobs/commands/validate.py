"""`kiejobs validate FILE...`: every problem of a job file, at its place. No key, no network.

In: job files. Out: diagnostics, or how many jobs they make; for people, or as documents, annotations,
SARIF. Touches: disk, by reading, and the files that were asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.adapters.media.pictures import INSTALL, can_look
from kiejobs.adapters.project.files import below_root
from kiejobs.app.approve import require_locked
from kiejobs.app.by_git import are_many, job_files
from kiejobs.app.load import JobFolder, load
from kiejobs.app.output import files_by_ending, write
from kiejobs.app.plan import has_selected, selection_of_file
from kiejobs.core.diagnostics import ExitCode, InvalidJobFile, Problems, StalePlan, UsageProblem
from kiejobs.core.plan.policy import check_file
from kiejobs.reports.diagnostics import (
    CheckedFile,
    diagnostics_document,
    diagnostics_text,
    github_words,
    sarif_document,
)
from kiejobs.reports.documents import json_text
from kiejobs.reports.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.output import Screen
    from kiejobs.app.project import JobFileOptions
    from kiejobs.core.diagnostics import KiejobsError
    from kiejobs.core.plan.policy import Policy


def validate(
    wanted: JobFileOptions,
    files: Sequence[str],
    screen: Screen,
    policy: Policy | None = None,
    since: str | None = None,
    *,
    strict: bool = False,
) -> ExitCode:
    """Exit 0 when all files are valid, 2 otherwise; all of them are looked at in any case.

    Where it is `strict`, warnings are errors.

    All are those that changed `since` a revision, where one is given, and where something is selected
    those that have such jobs or can't tell. Raises StalePlan or UsageProblem where valid files are not
    what their locks say.
    """
    selection_of_file(wanted, "validate")
    many, files = are_many(files, since), job_files(files, wanted, since)
    targets = files_by_ending(screen.outs, ("text", "json", "sarif"), files)
    looked, unlike = [], []
    for file in files:
        at, refusal = _look(replace(wanted, file=file), policy, screen)
        if at is None:
            continue
        if strict and at.problems:
            at = replace(at, jobs=None, problems=at.problems.as_errors())
        looked.append(at)
        unlike += [refusal] if refusal is not None else []
        if screen.form == "text" and (at.problems or refusal is None):
            screen.say(_text(at, color=screen.color_err))
    if not looked:
        screen.say(_nothing(files, since))
    if screen.form != "text":
        screen.show(_words(screen.form, looked, many=many))
    for path, kind in targets:
        write(path, _words(kind, looked, many=many))
    if any(at.jobs is None for at in looked):
        return ExitCode.INVALID
    if unlike:
        raise unlike[0]
    return ExitCode.DONE


def _nothing(files: Sequence[str], since: str | None) -> str:
    """Raises UsageProblem where it is `--select` that took nothing."""
    if files:
        raise UsageProblem("--select matches no job", hint="`kiejobs plan` lists the addresses")
    return f"No job file changed since {since}."


def _look(
    wanted: JobFileOptions, policy: Policy | None, screen: Screen
) -> tuple[CheckedFile | None, KiejobsError | None]:
    """What there is to say of a file, None where nothing of it is selected; what its lock says."""
    try:
        loaded = load(wanted, JobFolder(wanted.file, decode=True))
    except InvalidJobFile as invalid:
        return CheckedFile(wanted.file, None, invalid.problems, invalid.problems.lines), None
    if not has_selected(loaded):
        return None, None
    problems = loaded.problems
    if policy is not None:
        problems += Problems(check_file(policy, loaded.jobfile, loaded.expansion.jobs))
    jobs = None if problems.fatal else len(loaded.expansion.jobs)
    _say_unseen(loaded, screen)
    looked = CheckedFile(wanted.file, jobs, problems, problems.lines)
    try:
        if wanted.locked or wanted.check_assets:
            require_locked(loaded, screen)
    except (StalePlan, UsageProblem) as refusal:
        return looked, refusal
    return looked, None


def _say_unseen(loaded: LoadedJobFile, screen: Screen) -> None:
    """That nobody could look whether the pictures decode, where that is so."""
    if loaded.files.read and not can_look():
        told = plural(len(loaded.files.read), "local file")
        screen.say(f"{told} checked by type and size only: {INSTALL} decodes pictures, too")


def _words(form: str, looked: Sequence[CheckedFile], *, many: bool) -> str:
    if form == "text":
        return "".join(f"{_text(at)}\n" for at in looked)
    if form == "github":
        return "".join(github_words(at, below_root) for at in looked)
    if form == "sarif":
        return json_text(sarif_document(looked, below_root)) + "\n"
    documents = [diagnostics_document(at.file, at.jobs, at.problems) for at in looked]
    return json_text(documents if many else documents[0]) + "\n"


def _text(at: CheckedFile, *, color: bool = False) -> str:
    told = [diagnostics_text(at.problems, at.lines, color=color)] if at.problems else []
    if at.jobs is not None:
        told.append(f"{at.file} is valid: {plural(at.jobs, 'job')}")
    return "\n".join(told)
