"""`kiejobs status [FILE]`: what is open, in doubt, not collected. No key, no network.

In: the journals; a job file narrows them to one campaign. Out: a summary. Touches: disk.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from kiejobs.app.output import READING
from kiejobs.app.project import mention_trouble, mention_two_ledgers, open_workspace
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.ledger.ledger import expires_at, is_past_safety, latest_price_drifts
from kiejobs.core.ledger.records import State
from kiejobs.reports.run.status import Expiring, StatusView, status_document, status_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Attempt


def status(
    file: str | None,
    where: Locations,
    screen: Screen,
    *,
    exit_code: bool,
    expiring: float | None,
    select: Sequence[str] = (),
) -> ExitCode:
    """`expiring`: report what the vendor deletes within that many seconds."""
    space = open_workspace(where, file or "")
    mention_two_ledgers(space, screen)
    with screen.busy(READING):
        view = _view(space, file, select, expiring)
    mention_trouble(space, screen)
    text = partial(status_text, flag=space.flag, rehearsal=space.sandbox)
    screen.answer(status_document, text, view)
    if not exit_code:
        return ExitCode.DONE
    if view.in_doubt or view.conflicts:
        return ExitCode.IN_DOUBT
    return ExitCode.STILL_RUNNING if view.open else ExitCode.DONE


def _view(space: Workspace, file: str | None, select: Sequence[str], expiring: float | None) -> StatusView:
    campaign = None
    if file:
        from kiejobs.app.select import campaign_of  # noqa: PLC0415 - slow to import, and mostly all is shown

        campaign = campaign_of(file)
    history = space.store.read()
    ledger = history.ledger(space.origin)
    everywhere = list(ledger.attempts(campaign))
    if select:
        from kiejobs.app.select import chosen  # noqa: PLC0415 - as above

        everywhere = list(filter(chosen(select, [file] if file else [], space, ledger), everywhere))
    counting = {attempt.attempt_id for attempt in ledger.current()}
    mine = [attempt for attempt in everywhere if attempt.attempt_id in counting]
    open_ = [attempt for attempt in mine if attempt.is_open]
    space.look_ahead(mine)
    due = [attempt for attempt in mine if _is_due(space, attempt)]
    return StatusView(
        campaign=campaign,
        origin=space.origin,
        counts={state.value: [one.state for one in mine].count(state) for state in State},
        open=open_,
        in_doubt=[attempt for attempt in everywhere if attempt.state is State.IN_DOUBT],
        conflicts=[attempt for attempt in everywhere if attempt.conflicts],
        not_collected=due,
        gone=[attempt for attempt in mine if attempt.gone is not None],
        expiring=None if expiring is None else _expiring([*open_, *due], expiring, space),
        callbacks=sorted(a.times["called"] for a in everywhere if "called" in a.times),
        price_drifts=latest_price_drifts(everywhere),
        now=space.clock().now(),
        committed=sum((one.committed for one in everywhere), Decimal(0))
        if select
        else ledger.committed(campaign),
        runs=sorted(ledger.runs),
        live_runs=sorted(history.live_runs),
    )


def _is_due(space: Workspace, attempt: Attempt) -> bool:
    if attempt.state is not State.SUCCEEDED or attempt.gone is not None:
        return False
    return not attempt.is_collected or space.condition(attempt) is not None


def _expiring(attempts: Sequence[Attempt], within: float, space: Workspace) -> list[Expiring]:
    """The vendor's end of what is not home yet, the nearest first."""
    now = space.clock().now()
    near = [
        Expiring(attempt, end, may_be_gone=is_past_safety(attempt, now))
        for attempt in attempts
        if (end := expires_at(attempt)) is not None and end <= now + timedelta(seconds=within)
    ]
    return sorted(near, key=lambda one: (one.end, one.attempt.attempt_id))
