"""How a run ended: its manifests, its report, its exit code.

In: an errand that was carried out. Out: manifests on disk, a report, an exit code. Touches: the runs
folder; the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.app.run_view import Ending, view_of
from kiejobs.core.diagnostics import ExitCode, JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.fold import JournalRecord, Timed
from kiejobs.core.ledger.manifest import manifest
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action
from kiejobs.reports.documents import json_text
from kiejobs.reports.run.text import report_text
from kiejobs.reports.run.view import report_document
from kiejobs.runner import RunEnd, StopReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.app.execute import Execution
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change

NOTHING_DONE = RunEnd({}, 0)
"""The end of a run that found nothing to do; its journal is never born, so it leaves nothing behind."""


def conclude(
    errand: Execution, end: RunEnd, space: Workspace, screen: Screen, form: str
) -> ExitCode:
    """Write the manifests, tell the report, and say how it ended."""
    code, document, record, ledger = _outcome(errand, end, space)
    stopped = errand.spending.stopped
    if errand.journal.is_born:
        _finish(errand, code, screen)
    errand.journal.close()
    space.store.publish(errand.journal.run_id)
    told = None if stopped is None else (str(stopped), errand.spending.why or "")
    view = view_of(space, record, ledger, document, Ending(int(code), told, end.notes))
    if any(attempt.conflicts for attempt in view.attempts):
        screen.say(
            f"a task was claimed that was not taken: `kiejobs status{space.flag}` shows which"
        )
    if form == "json":
        screen.show(json_text(report_document(view)))
    else:
        screen.show(report_text(view, color=screen.color_out))
    return code


def _finish(errand: Execution, code: ExitCode, screen: Screen) -> None:
    stopped = errand.spending.stopped
    try:
        errand.journal.append(e.RunFinished(int(code), None if stopped is None else str(stopped)))
    except JournalProblem as problem:
        screen.say(f"warning: {problem.message}")


def _outcome(
    errand: Execution, end: RunEnd, space: Workspace
) -> tuple[ExitCode, dict[str, Json], JournalRecord, Ledger]:
    """The exit code and the run's manifest, from what the journals say now, which comes along."""
    history = space.store.read()
    ledger = history.ledger(space.origin)
    header = errand.journal.header
    record = history.record(header.run_id) or JournalRecord(header.run_id, [Timed("", header)])
    followed = [c.attempt.attempt_id for c in errand.changes if c.attempt and _counts(c)]
    document = manifest(record, ledger, also=followed)
    jobs = document["jobs"].values()
    states = [_verdict(job, ledger) for job in jobs]
    return _exit_code(states, end, errand), document, record, ledger


def _verdict(job: Mapping[str, Json], ledger: Ledger) -> str | None:
    """A job's state, as far as the exit code goes.

    A conflict needs a person as a doubt does; what was made but can't be had is as good as failed.
    """
    attempt = ledger.attempt(job["attempt_id"] or "")
    if attempt is not None and attempt.conflicts:
        return State.IN_DOUBT
    is_gone = job["state"] == State.SUCCEEDED and job["error"] is not None
    return State.FAILED if is_gone else job["state"]


def _counts(change: Change) -> bool:
    """Is its attempt this run's business? Of what nobody wants any more only a doubt is."""
    if change.action is Action.ORPHAN:
        return change.attempt is not None and change.attempt.state is State.IN_DOUBT
    return not change.spends


def _exit_code(states: Sequence[str | None], end: RunEnd, errand: Execution) -> ExitCode:
    """The first that holds; what needs a person comes before what only takes time."""
    stopped = errand.spending.stopped
    is_open = bool({State.SUBMITTED, State.RUNNING, State.RESERVED} & set(states))
    verdicts = (
        (stopped is StopReason.JOURNAL, ExitCode.JOURNAL),
        (State.IN_DOUBT in states, ExitCode.IN_DOUBT),
        (stopped is StopReason.INTERRUPTED, _interrupted(errand)),
        (stopped is not None, ExitCode.STOPPED),
        (bool({State.FAILED, State.REJECTED} & set(states)), ExitCode.SOME_FAILED),
        (end.unready > 0, ExitCode.SOME_FAILED),
        (is_open and not errand.settings.detach, ExitCode.STILL_RUNNING),
        (bool(end.notes) and not is_open, ExitCode.SOME_FAILED),
    )
    return next((code for holds, code in verdicts if holds), ExitCode.DONE)


def _interrupted(errand: Execution) -> ExitCode:
    """What listens until it is told to stop has then done what it was asked for."""
    return ExitCode.DONE if errand.settings.stay else ExitCode.INTERRUPTED
