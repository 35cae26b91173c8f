"""`kiejobs worker`: follow what runs left to workers, download what is done. Buys nothing.

In: the ledger and its queue. Out: files; who had to be left. Touches: the API (asking only), the output folder, a journal
of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from kiejobs.app.execute import new_journal
from kiejobs.app.project import open_workspace, require_key, work_queue
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.ledger.events import RunFinished

if TYPE_CHECKING:
    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.runner import Settings


def worker(where: Locations, settings: Settings, screen: Screen, *, drain: bool) -> ExitCode:
    space = open_workspace(where)
    queue = work_queue(space)
    key = require_key(space)
    space.folder.require()
    from kiejobs.app.worker import Worker  # noqa: PLC0415 - schemas are slow to import

    journal = new_journal(space, "worker")
    one = Worker(space, queue, journal, settings, drain=drain)
    anyio.run(one.work, key, screen)
    code = ExitCode.STILL_RUNNING if one.left else ExitCode.DONE
    if journal.is_born:
        journal.append(RunFinished(int(code), None))
        space.store.publish(journal.run_id)
    screen.say(f"{len(one.left)} still due" if one.left else "Nothing is due." if drain else "Stopped.")
    return code
