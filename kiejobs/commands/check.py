"""`kiejobs check [JOBFILE]...`: hold the results against their checks. No key, no network; buys and deletes nothing.

In: the journals, the results; job files narrow it to their campaigns, and have the checks. Out: verdicts. Touches:
the results, by reading; what the checks found, next to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.adapters.media.installed import HAS_MEDIA
from kiejobs.adapters.media.pictures import INSTALL
from kiejobs.app.checks import checked, has_failed
from kiejobs.app.output import files_by_ending, write
from kiejobs.app.project import mention_trouble, open_workspace
from kiejobs.app.select import campaigns_of, chosen, given_files
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.reports.check_results import check_document, check_junit, check_text
from kiejobs.reports.documents import json_text
from kiejobs.reports.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kiejobs.app.options import JobFileOptions, Locations
    from kiejobs.app.output import Screen
    from kiejobs.reports.check_results import Found


def check(
    wanted: JobFileOptions, files: Sequence[str], where: Locations, screen: Screen, *, again: bool
) -> ExitCode:
    """Exit code 1 where a check failed that is an error."""
    if not HAS_MEDIA:
        raise UsageProblem("checks need the extra `media`", hint=INSTALL)
    files = given_files(files, wanted)
    targets = files_by_ending(screen.outs, _FORMS, files)
    space = open_workspace(where, files[0] if files else "")
    ledger = space.ledger()
    mention_trouble(space, screen)
    campaigns = campaigns_of(files)
    takes = chosen(wanted.select, files, space, ledger)
    attempts = [
        attempt
        for attempt in ledger.current()
        if takes(attempt) and (not campaigns or any(map(attempt.is_of, campaigns)))
    ]
    with screen.busy(f"checking the files of {plural(len(attempts), 'job')}"):
        found, _, samples = checked(space, ledger, attempts, again=again, files=files)
    for path, form in targets:
        write(path, _FORMS[form](found))
    if not targets or screen.form != "text":
        screen.show(
            _FORMS[screen.form](found) if screen.form != "text" else check_text(found, color=screen.color_out)
        )
    if samples:
        noun = "sample file is" if samples == 1 else "sample files are"
        screen.say(
            f"note: {samples} {noun} used as results; rehearse with the extra `media` for cards at full size"
        )
    return ExitCode.SOME_FAILED if has_failed(found) else ExitCode.DONE


_FORMS: dict[str, Callable[[Found], str]] = {
    "text": lambda found: f"{check_text(found)}\n",
    "json": lambda found: f"{json_text(check_document(found))}\n",
    "junit": check_junit,
}
