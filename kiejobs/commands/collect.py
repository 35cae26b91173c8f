"""`kiejobs collect [FILE]`: follow what was bought, download what is done. Buys nothing.

In: the journals; a job file narrows it to one campaign. Out: doubts ended, videos, a report. Touches: the API
(asking only), the output folder, a journal of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.app.execute import NOTHING_DONE, Execution, execute, finish, new_journal
from kiejobs.app.project import mention_trouble, mention_two_ledgers, open_workspace, require_key
from kiejobs.app.records import doubts, lines_to_follow
from kiejobs.app.select import campaign_of, chosen
from kiejobs.core.diagnostics import ExitCode
from kiejobs.runner import Budget

if TYPE_CHECKING:
    from kiejobs.app.options import JobFileOptions, Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.runner import Settings


def collect(wanted: JobFileOptions, where: Locations, settings: Settings, screen: Screen) -> ExitCode:
    space = open_workspace(where, wanted.file)
    mention_two_ledgers(space, screen)
    campaign = campaign_of(wanted.file) if wanted.file else None
    space.store.publish()
    ledger = space.ledger()
    mention_trouble(space, screen)
    takes = chosen(wanted.select, wanted.file, space, ledger)
    lines = lines_to_follow(space, ledger, campaign, takes)
    journal = new_journal(space, "collect", campaign=campaign)
    if not lines:
        execution = Execution(journal, doubts(ledger, campaign), settings, Budget())
        return _nothing_to_do(execution, space, screen)
    key = require_key(space)
    space.folder.require()
    execution = Execution(journal, lines, settings, Budget(), uploads=ledger.uploads, ledger=ledger)
    end = execute(execution, space, key, screen)
    return finish(execution, end, space, screen)


def _nothing_to_do(execution: Execution, space: Workspace, screen: Screen) -> ExitCode:
    if screen.form == "json":
        return finish(execution, NOTHING_DONE, space, screen)
    screen.say("Nothing to collect.")
    if count := len(execution.changes):
        screen.say(f"{count} in doubt: `kiejobs status{space.flag}` shows what to do")
    return ExitCode.IN_DOUBT if count else ExitCode.DONE
