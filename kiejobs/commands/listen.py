"""`kiejobs listen`: take the API's callbacks, end doubts by them, download what is done. Buys nothing.

In: the journals, callbacks. Out: a report. Touches: a listening socket, the API (asking only), the output
folder, a journal of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.app.callbacks import listening
from kiejobs.app.execute import Execution, execute, finish, new_journal
from kiejobs.app.project import open_workspace, require_key
from kiejobs.app.records import lines_to_follow
from kiejobs.core.diagnostics import ExitCode
from kiejobs.runner import Budget

if TYPE_CHECKING:
    from kiejobs.app.options import ListenAddress, Locations
    from kiejobs.app.output import Screen
    from kiejobs.runner import Settings


def listen(where: Locations, ear: ListenAddress, settings: Settings, screen: Screen) -> ExitCode:
    """Until Ctrl-C, or until nothing is at the API any more where the settings say so."""
    space = open_workspace(where)
    key = require_key(space)
    space.folder.require()
    space.store.publish()
    ledger = space.ledger()
    lines = lines_to_follow(space, ledger, None)
    journal = new_journal(space, "listen")
    with listening(ear, ear.public_url, space, screen) as (url, callbacks):
        settings = replace(settings, stay=True, callback_url=url)
        execution = Execution(journal, lines, settings, Budget(), callbacks, ledger=ledger)
        end = execute(execution, space, key, screen)
    if screen.form == "text" and not execution.journal.is_born:
        screen.say("Nothing came in.")
        return ExitCode.DONE
    return finish(execution, end, space, screen)
