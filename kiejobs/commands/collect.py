"""`kiejobs collect [FILE]`: follow what was bought, bring home what is done. Buys nothing.

In: the journals; a job file narrows it to one campaign. Out: videos, a report. Touches: the API
(asking only), the output folder, a journal of its own.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.adapters.journal import new_run_id
from kiejobs.commands.carrying import NOTHING_DONE, Errand, carry_out, conclude, new_journal
from kiejobs.commands.loading import campaign_of
from kiejobs.commands.opening import require_key
from kiejobs.commands.records import refresh_manifests
from kiejobs.commands.workspace import open_workspace
from kiejobs.core.errors import ExitCode
from kiejobs.core.plan import Action, Change
from kiejobs.core.selection import Selectable, read_selection
from kiejobs.core.types import State
from kiejobs.runner import Spending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.commands.loading import Wanted
    from kiejobs.commands.screen import Screen
    from kiejobs.commands.workspace import Where, Workspace
    from kiejobs.core.ledger import Attempt, Ledger
    from kiejobs.core.types import Job
    from kiejobs.runner import Settings


def collect(
    wanted: Wanted, where: Where, settings: Settings, form: str, screen: Screen
) -> ExitCode:
    space = open_workspace(where)
    campaign = campaign_of(wanted.file) if wanted.file else None
    journals = space.journals()
    ledger = space.ledger(journals)
    refresh_manifests(space)
    lines = list(_lines(space, ledger, campaign, wanted))
    run_id = new_run_id(space.clock().now())
    journal, header = new_journal(space, run_id, "collect", campaign=campaign)
    if not lines:
        doubts = list(_doubts(ledger, campaign))
        errand = Errand(journal, header, doubts, settings, Spending())
        return _nothing_to_do(errand, space, form, screen)
    key = require_key(space)
    errand = Errand(journal, header, lines, settings, Spending())
    end = carry_out(errand, space, key, screen, _no_job, lambda: None)
    return conclude(errand, end, space, screen, form)


def _lines(
    space: Workspace, ledger: Ledger, campaign: str | None, wanted: Wanted
) -> Iterator[Change]:
    """What is at the API, or done there and not whole here."""
    selection = read_selection(wanted.select)
    for attempt in ledger.attempts():
        if campaign is not None and not attempt.address.startswith(f"{campaign}/"):
            continue
        if not selection.takes(selectable(attempt)):
            continue
        if attempt.is_open:
            yield _change(attempt, Action.RESUME, "~", "in_flight")
        elif attempt.state is State.SUCCEEDED:
            collected = "collected" in attempt.times
            damage = space.condition(attempt) if collected else "file_missing"
            if damage is not None:
                yield _change(attempt, Action.COLLECT, "v", damage)


def selectable(attempt: Attempt) -> Selectable:
    """An attempt as a selection sees it; its tags are in the job file and not known here."""
    job, _, axes = attempt.address.partition("/")[2].partition("#")[0].partition("[")
    pairs = (axis.partition("=") for axis in axes.rstrip("]").split(",") if axis)
    return Selectable(attempt.address, job, (), tuple((name, value) for name, _, value in pairs))


def _change(attempt: Attempt, action: Action, sign: str, reason: str) -> Change:
    return Change(
        address=attempt.address,
        action=action,
        sign=sign,
        reason=reason,
        fingerprint=attempt.reserved.fingerprint,
        take=attempt.reserved.take,
        model=attempt.reserved.model,
        credits=Decimal(0),
        attempt=attempt,
    )


def _doubts(ledger: Ledger, campaign: str | None) -> Iterator[Change]:
    for attempt in ledger.current():
        mine = campaign is None or attempt.address.startswith(f"{campaign}/")
        if mine and attempt.state is State.IN_DOUBT:
            yield _change(attempt, Action.HOLD, "?", "in_doubt")


def _nothing_to_do(errand: Errand, space: Workspace, form: str, screen: Screen) -> ExitCode:
    if form == "json":
        return conclude(errand, NOTHING_DONE, space, screen, form)
    screen.say("Nothing to collect.")
    if not errand.changes:
        return ExitCode.DONE
    count = len(errand.changes)
    screen.say(f"{count} in doubt: `kiejobs status{space.flag}` shows what to do")
    return ExitCode.IN_DOUBT


def _no_job(number: int) -> Job:
    raise LookupError(number)  # collect has no line that spends
