"""`kiejobs validate FILE...`: every problem of job files, at its place. No key.

In: job files, a selection. Out: their problems, for people, editors or CI. Touches: disk; with
`--check-assets` the network.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.adapters.media.pictures import INSTALL, can_look
from kiejobs.adapters.project.files import STDIN, read_schema
from kiejobs.adapters.project.root import below_checkout
from kiejobs.app.by_git import are_many, job_files
from kiejobs.app.load import JobFolder, load
from kiejobs.app.output import files_by_ending, write
from kiejobs.app.plan import has_selected, nothing_selected, selection_of_file
from kiejobs.app.project import policy_in_force
from kiejobs.core.diagnostics import ExitCode, InvalidJobFile, Problems, StalePlan, UsageProblem
from kiejobs.reports.diagnostics import (
    CheckedFile,
    diagnostics_document,
    diagnostics_text,
    github_words,
    sarif_document,
)
from kiejobs.reports.documents import json_text
from kiejobs.reports.terminal import plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.options import JobFileOptions
    from kiejobs.app.output import Screen
    from kiejobs.core.diagnostics import KiejobsError
    from kiejobs.core.expand.job import Job
    from kiejobs.core.plan.policy import Policy


def validate(
    wanted: JobFileOptions,
    files: Sequence[str],
    screen: Screen,
    policy: Policy | None = None,
    since: str | None = None,
) -> ExitCode:
    """Exit 0 when all files are valid, 2 otherwise; all of them are looked at in any case.

    All are those that changed `since` a revision, where one is given, and where something is selected
    those that have such jobs or may have them. Raises StalePlan or
    UsageProblem where valid files are not what their locks say.
    """
    selection_of_file(wanted, "validate")
    many, files = are_many(files, since), job_files(files, wanted, since)
    targets = files_by_ending(screen.outs, ("text", "json", "sarif"), files)
    looked, unlike = [], []
    others: list[Job] = []
    for file in files:
        at, refusal = _look(replace(wanted, file=file), policy, screen, others)
        if at is None:
            continue
        looked.append(at)
        unlike += [refusal] if refusal is not None else []
        if screen.form == "text" and (at.problems or (refusal is None and not screen.quiet)):
            screen.say(_text(at, color=screen.color_err, wide=screen.wide_err))
    if not looked and files:
        raise nothing_selected(wanted.select, others)
    if not looked:
        screen.say(f"No job file changed since {since}.")
    if screen.form != "text":
        screen.show(_words(screen.form, looked, many=many))
    for path, kind in targets:
        write(path, _words(kind, looked, many=many))
    if any(at.jobs is None for at in looked):
        return ExitCode.INVALID
    if unlike:
        raise unlike[0]
    return ExitCode.DONE


def _look(
    wanted: JobFileOptions, policy: Policy | None, screen: Screen, others: list[Job]
) -> tuple[CheckedFile | None, KiejobsError | None]:
    """What there is to say of a file; what its lock says. Where nothing of it is selected its jobs go to `others`."""
    try:
        with screen.busy(f"reading {wanted.file}"):
            loaded = load(replace(wanted, strict=False), JobFolder(wanted.file, decode=True))
    except InvalidJobFile as invalid:
        problems = invalid.problems.as_errors() if wanted.strict else invalid.problems
        return CheckedFile(wanted.file, None, problems), None
    if not has_selected(loaded):
        others += loaded.expansion.jobs
        return None, None
    problems = loaded.problems
    policy = policy_in_force(loaded.folder.root, policy)
    if policy is not None:
        from kiejobs.core.plan.policy import check_file  # noqa: PLC0415 - most have no policy

        problems += Problems(check_file(policy, loaded.jobfile, loaded.expansion.jobs))
    problems = problems.as_errors() if wanted.strict else problems
    jobs = None if problems.fatal else len(loaded.expansion.jobs)
    if loaded.files.read and not screen.quiet and not can_look():
        files = plural(len(loaded.files.read), "local file")
        screen.say(
            f"{files} checked by type and size only: {INSTALL} decodes pictures, and measures videos and sound"
        )
    looked = CheckedFile(wanted.file, jobs, problems)
    try:
        if wanted.locked or wanted.check_assets:
            from kiejobs.app.approve import require_locked  # noqa: PLC0415 - where it is asked for

            require_locked(loaded, screen)
    except (StalePlan, UsageProblem) as refusal:
        return looked, refusal
    return looked, None


def _words(form: str, looked: Sequence[CheckedFile], *, many: bool) -> str:
    if form == "text":
        return "".join(f"{_text(at)}\n" for at in looked)
    if form == "github":
        return "".join(github_words(at, below_checkout) for at in looked)
    if form == "sarif":
        meanings = read_schema("diagnostics.json")
        return json_text(sarif_document(looked, below_checkout, meanings)) + "\n"
    documents = [diagnostics_document(at.file, at.jobs, at.problems) for at in looked]
    return json_text(documents if many else documents[0]) + "\n"


def _text(at: CheckedFile, *, color: bool = False, wide: int | None = None) -> str:
    told = [diagnostics_text(at.problems, at.problems.lines, color=color, wide=wide)] if at.problems else []
    if at.jobs is not None:
        name = "standard input" if at.file == STDIN else sanitize(at.file)
        told.append(f"{name} is valid: {plural(at.jobs, 'job')}")
    return "\n".join(told)
