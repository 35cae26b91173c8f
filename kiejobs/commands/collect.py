"""`kiejobs collect [FILE]...`: follow what was bought, download what is done. Buys nothing.

In: the journals; job files narrow it to their campaigns. Out: doubts ended, videos, a report. Touches: the API
(asking only), the output folder, a journal of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.adapters.project.root import find_root
from kiejobs.app.execute import NOTHING_DONE, Execution, execute, finish, new_journal
from kiejobs.app.output import READING
from kiejobs.app.project import mention_trouble, mention_two_ledgers, open_workspace, require_key
from kiejobs.app.records import doubts, lines_to_follow
from kiejobs.app.select import campaigns_of, chosen, given_files
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.reports.terminal import plural
from kiejobs.runner import Budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.options import JobFileOptions, Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.runner import Settings


def collect(
    wanted: JobFileOptions, files: Sequence[str], where: Locations, settings: Settings, screen: Screen
) -> ExitCode:
    """All campaigns in one run. Raises UsageProblem for files of several projects: each has a ledger of its own."""
    names = given_files(files, wanted)
    roots = {find_root(name).path: name for name in names}
    if len(roots) > 1:
        message = f"{' and '.join(list(roots.values())[:2])} belong to two projects, each with its own ledger"
        raise UsageProblem(message, hint="collect them separately")
    space = open_workspace(where, names[0] if names else "")
    mention_two_ledgers(space, screen)
    campaigns: list[str | None] = [*campaigns_of(names)] or [None]
    screen = replace(screen, several=len(campaigns) > 1)
    with screen.busy(READING):
        space.store.publish()
        ledger = space.ledger()
    mention_trouble(space, screen)
    takes = chosen(wanted.select, names, space, ledger)
    found = [line for one in campaigns for line in lines_to_follow(space, ledger, one, takes)]
    lines = list({line.attempt.attempt_id: line for line in found if line.attempt}.values())
    journal = new_journal(space, "collect", campaign=campaigns[0] if len(campaigns) == 1 else None)
    if not lines:
        held = [line for one in campaigns for line in doubts(ledger, one)]
        execution = Execution(journal, held, settings, Budget())
        return _nothing_to_do(execution, space, screen)
    key = require_key(space)
    space.folder.require()
    execution = Execution(journal, lines, settings, Budget(), uploads=ledger.uploads, ledger=ledger)
    end = execute(execution, space, key, screen)
    return finish(execution, end, space, screen)


def _nothing_to_do(execution: Execution, space: Workspace, screen: Screen) -> ExitCode:
    if screen.form == "json":
        return finish(execution, NOTHING_DONE, space, screen)
    if count := len(execution.changes):
        screen.say(f"{plural(count, 'job')} in doubt: `kiejobs status{space.flag}` shows what to do")
    screen.say("Nothing to collect.")
    return ExitCode.IN_DOUBT if count else ExitCode.DONE
