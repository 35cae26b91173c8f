"""`kiejobs validate FILE...`: every problem of a job file, at its place. No key, no network.

In: job files. Out: diagnostics, or how many jobs they make. Touches: disk, by reading.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.commands.loading import load
from kiejobs.commands.policy import check_against
from kiejobs.core.errors import ExitCode, InvalidJobFile, Problems
from kiejobs.core.policy import NO_POLICY, Policy
from kiejobs.reports.diagnostics import diagnostics_document, diagnostics_text
from kiejobs.reports.documents import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.commands.loading import Wanted
    from kiejobs.commands.screen import Screen


def validate(
    wanted: Wanted, files: Sequence[str], form: str, screen: Screen, policy: Policy = NO_POLICY
) -> ExitCode:
    """Exit 0 when all files are valid, 2 otherwise; all of them are looked at in any case."""
    documents = []
    valid = True
    for file in files:
        jobs, problems, lines = _look(replace(wanted, file=file), policy)
        valid = valid and jobs is not None
        documents.append(diagnostics_document(file, jobs, problems))
        if form == "text":
            _tell(file, jobs, problems, lines, screen)
    if form == "json":
        screen.show(json_text(documents if len(files) > 1 else documents[0]))
    return ExitCode.DONE if valid else ExitCode.INVALID


def _look(
    wanted: Wanted, policy: Policy
) -> tuple[int | None, Problems, Mapping[str, Sequence[str]]]:
    """How many jobs, or None; the problems; the lines to show them in."""
    try:
        loaded = load(wanted)
    except InvalidJobFile as invalid:
        return None, invalid.problems, invalid.lines
    jobs = len(loaded.expansion) if check_against(policy, loaded) else None
    return jobs, loaded.problems, {wanted.file: loaded.document.lines}


def _tell(
    file: str,
    jobs: int | None,
    problems: Problems,
    lines: Mapping[str, Sequence[str]],
    screen: Screen,
) -> None:
    if len(problems):
        screen.say(diagnostics_text(problems, lines, color=screen.color_err))
    if jobs is not None:
        screen.say(f"{file} is valid: {jobs:,} job{'' if jobs == 1 else 's'}")
