"""`kiejobs status [FILE]...`: what is open, in doubt, not collected. No key, no network.

In: the journals; job files narrow them to their campaigns. Out: a summary of each, and of all. Touches: disk.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from kiejobs.app.output import READING
from kiejobs.app.project import mention_trouble, mention_two_ledgers, open_workspace
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.ledger.fold import runs_of
from kiejobs.core.ledger.ledger import expires_at, is_past_safety, latest_price_drifts
from kiejobs.core.ledger.records import State
from kiejobs.reports.run.status import (
    Expiring,
    StatusView,
    status_document,
    status_text,
    statuses_document,
    statuses_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.fold import History
    from kiejobs.core.ledger.ledger import Attempt


def status(
    files: Sequence[str],
    where: Locations,
    screen: Screen,
    *,
    exit_code: bool,
    expiring: float | None,
    select: Sequence[str] = (),
) -> ExitCode:
    """Of each campaign that is named, or that job files name, then of all of them; `expiring`: report what the vendor deletes within that many seconds."""
    space = open_workspace(where, files[0] if files else "")
    mention_two_ledgers(space, screen)
    campaigns: list[str] = []
    with screen.busy(READING):
        history = space.store.read()
        if files:
            from kiejobs.app.select import campaigns_of  # noqa: PLC0415 - slow to import, and mostly all is shown

            campaigns = list(campaigns_of(files, history, space.flag))
            files = [name for name in files if name not in campaigns]
        of_each = partial(_view, space, history, files=files, select=select, expiring=expiring)
        whole = of_each(campaigns)
    mention_trouble(space, screen)
    text = partial(
        status_text, flag=space.flag, rehearsal=space.sandbox, detail=screen.detail, local=screen.local_out
    )
    if len(campaigns) < 2:
        screen.answer(status_document, text, whole)
    else:
        views = [of_each([campaign]) for campaign in campaigns]
        texts = partial(statuses_text, text=text, whole=whole)
        screen.answer(partial(statuses_document, whole=whole), texts, views)
    if not exit_code:
        return ExitCode.DONE
    if whole.in_doubt or whole.conflicts:
        return ExitCode.IN_DOUBT
    return ExitCode.STILL_RUNNING if whole.open else ExitCode.DONE


def _view(
    space: Workspace,
    history: History,
    campaigns: Sequence[str],
    *,
    files: Sequence[str],
    select: Sequence[str],
    expiring: float | None,
) -> StatusView:
    """Of some campaigns, or of all where none is named."""
    ledger = history.ledger(space.origin)
    everywhere = [one for one in ledger.attempts() if not campaigns or any(map(one.is_of, campaigns))]
    if select:
        from kiejobs.app.select import chosen  # noqa: PLC0415 - as above

        everywhere = list(filter(chosen(select, files, space, ledger), everywhere))
    counting = {attempt.attempt_id for attempt in ledger.current()}
    mine = [attempt for attempt in everywhere if attempt.attempt_id in counting]
    open_ = [attempt for attempt in mine if attempt.is_open]
    space.look_ahead(mine)
    due = [attempt for attempt in mine if _is_due(space, attempt)]
    return StatusView(
        campaign=", ".join(campaigns) or None,
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
        committed=sum((one.committed for one in everywhere), Decimal(0)),
        runs=[one.run_id for one in runs_of(history, campaigns) if one.run_id in ledger.runs],
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
