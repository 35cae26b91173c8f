"""`kiejobs status [FILE]` and `kiejobs report [RUN]`: what is open, and what a run came to. No key, no network.

In: the journals; a job file narrows them to one campaign; a run's id (the latest where not named). Out: a
summary; a report on stdout, or in files whose endings say the format. Touches: disk.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from kiejobs.app.output import files_by_ending, write
from kiejobs.app.project import open_workspace
from kiejobs.app.records import find_run, of_campaign, view_of
from kiejobs.app.select import campaign_of, chosen, narrowed
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.ledger import expires_at, is_past_safety, latest_price_drifts
from kiejobs.core.ledger.manifest import manifest
from kiejobs.core.ledger.records import State
from kiejobs.reports.documents import json_text
from kiejobs.reports.markdown import report_markdown
from kiejobs.reports.run.report import report_document, report_junit, report_text
from kiejobs.reports.run.status import Expiring, StatusView, status_document, status_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.output import Screen
    from kiejobs.app.project import Locations, Workspace
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.reports.run.view import RunView


def status(
    file: str | None,
    where: Locations,
    screen: Screen,
    *,
    exit_code: bool,
    expiring: float | None,
    select: Sequence[str] = (),
) -> ExitCode:
    """`expiring`: tell what the vendor throws away within so many seconds."""
    space = open_workspace(where)
    view = _view(space, file, select, expiring)
    text = partial(status_text, flag=space.flag, rehearsal=space.sandbox)
    screen.answer(status_document, text, view)
    if not exit_code:
        return ExitCode.DONE
    if view.in_doubt or view.conflicts:
        return ExitCode.IN_DOUBT
    return ExitCode.STILL_RUNNING if view.open else ExitCode.DONE


def _view(
    space: Workspace, file: str | None, select: Sequence[str], expiring: float | None
) -> StatusView:
    campaign = campaign_of(file) if file else None
    history = space.store.read()
    ledger = history.ledger(space.origin)
    takes = chosen(select, file, space, ledger)
    everywhere = [attempt for attempt in of_campaign(ledger, campaign) if takes(attempt)]
    counting = {attempt.attempt_id for attempt in ledger.current()}
    mine = [attempt for attempt in everywhere if attempt.attempt_id in counting]
    open_ = [attempt for attempt in mine if attempt.is_open]
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
        live_run=history.live_run,
    )


def _is_due(space: Workspace, attempt: Attempt) -> bool:
    if attempt.state is not State.SUCCEEDED or attempt.gone is not None:
        return False
    return "collected" not in attempt.times or space.condition(attempt) is not None


def _expiring(attempts: Sequence[Attempt], within: float, space: Workspace) -> list[Expiring]:
    """The vendor's end of what is not home yet, the nearest first."""
    now = space.clock().now()
    near = [
        Expiring(attempt, end, may_be_gone=is_past_safety(attempt, now))
        for attempt in attempts
        if (end := expires_at(attempt)) is not None and end <= now + timedelta(seconds=within)
    ]
    return sorted(near, key=lambda one: (one.end, one.attempt.attempt_id))


def report(
    name: str | None, where: Locations, screen: Screen, select: Sequence[str] = ()
) -> ExitCode:
    targets = files_by_ending(screen.outs, ("text", "json", "junit", "markdown"))
    space = open_workspace(where)
    history = space.store.read()
    record = find_run(space, history, name)
    ledger = history.ledger_of(record)
    ends = [timed.event for timed in record.events if isinstance(timed.event, e.RunFinished)]
    code, why = (ends[-1].exit_code, ends[-1].stopped) if ends else (None, None)
    stopped, made = (why, "") if why else None, manifest(record, ledger)
    view = view_of(space, record, ledger, made, exit_code=code, stopped=stopped, notes={})
    if select:
        view = narrowed(view, select, space, ledger)
    for path, kind in targets:
        write(path, _words(kind, view, color=False))
    if not targets or screen.form != "text":
        screen.show(_words(screen.form, view, color=screen.color_out))
    return ExitCode.DONE


def _words(form: str, view: RunView, *, color: bool) -> str:
    if form == "text":
        return f"{report_text(view, color=color)}\n"
    if form == "json":
        return f"{json_text(report_document(view))}\n"
    return (report_junit if form == "junit" else report_markdown)(view)
