"""`kiejobs status [FILE]`: what is in flight, what is in doubt, what it costs. No key, no network.

In: the journals; a job file narrows it to one campaign. Out: a summary. Touches: disk, by reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.adapters.lock import live_run
from kiejobs.commands.loading import campaign_of
from kiejobs.commands.workspace import open_workspace
from kiejobs.core.errors import ExitCode
from kiejobs.core.types import State
from kiejobs.reports.documents import json_text
from kiejobs.reports.status_report import StatusView, status_document, status_text

if TYPE_CHECKING:
    from kiejobs.commands.screen import Screen
    from kiejobs.commands.workspace import Where, Workspace
    from kiejobs.core.ledger import Attempt


def status(
    file: str | None, where: Where, form: str, screen: Screen, *, exit_code: bool
) -> ExitCode:
    space = open_workspace(where)
    view = _view(space, campaign_of(file) if file else None)
    if form == "json":
        screen.show(json_text(status_document(view)))
    else:
        color, flag = screen.color_out, space.flag
        screen.show(status_text(view, color=color, flag=flag, rehearsal=space.sandbox))
    if not exit_code:
        return ExitCode.DONE
    if view.in_doubt:
        return ExitCode.IN_DOUBT
    return ExitCode.STILL_RUNNING if view.open else ExitCode.DONE


def _view(space: Workspace, campaign: str | None) -> StatusView:
    ledger = space.ledger(space.journals())
    mine = [
        attempt
        for attempt in ledger.current()
        if campaign is None or attempt.address.startswith(f"{campaign}/")
    ]
    everywhere = [
        attempt
        for attempt in ledger.attempts()
        if campaign is None or attempt.address.startswith(f"{campaign}/")
    ]
    return StatusView(
        campaign=campaign,
        origin=space.origin,
        counts={
            state.value: sum(1 for attempt in mine if attempt.state is state) for state in State
        },
        open=[attempt for attempt in mine if attempt.is_open],
        in_doubt=[attempt for attempt in everywhere if attempt.state is State.IN_DOUBT],
        not_collected=[attempt for attempt in mine if _is_due(space, attempt)],
        committed=ledger.committed(campaign),
        runs=sorted(ledger.runs),
        live_run=live_run(space.runs),
    )


def _is_due(space: Workspace, attempt: Attempt) -> bool:
    if attempt.state is not State.SUCCEEDED:
        return False
    return "collected" not in attempt.times or space.condition(attempt) is not None
