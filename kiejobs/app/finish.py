"""The last step of `run`, `collect` and `listen`: manifests, report, exit code.

In: what was executed, and how it ended. Out: manifests in the ledger's home, a report, an exit code.
Touches: the ledger's home; the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.app.records import Ending, view_of
from kiejobs.core.diagnostics import ExitCode, JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import JournalRecord, Timed
from kiejobs.core.ledger.manifest import manifest
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action
from kiejobs.reports.documents import json_text
from kiejobs.reports.run.report import report_document, report_text
from kiejobs.runner import RunEnd, StopReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.app.execute import Execution
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.fold import History
    from kiejobs.core.ledger.ledger import Ledger

NOTHING_DONE = RunEnd({}, 0)
"""The end of a run that found nothing to do; its journal is never born, so it leaves nothing behind."""


def finish(
    execution: Execution, end: RunEnd, space: Workspace, screen: Screen, form: str
) -> ExitCode:
    """Publish the manifests, report, and say how it ended."""
    history = space.store.read()
    ledger, record = history.ledger(space.origin), _record(execution, history)
    document = manifest(record, ledger, also=_followed(execution))
    states = [_verdict(job, ledger) for job in document["jobs"].values()]
    code = _exit_code(states, end, execution)
    _end_journal(execution, code, screen)
    space.store.publish(record.run_id)
    view = view_of(space, record, ledger, document, _ending(execution, end, code))
    if any(attempt.conflicts for attempt in view.attempts):
        screen.say(
            f"a task was claimed that was not taken: `kiejobs status{space.flag}` shows which"
        )
    if form == "json":
        screen.show(json_text(report_document(view)))
    else:
        screen.show(report_text(view, color=screen.color_out))
    return code


def tell_others(execution: Execution, space: Workspace, screen: Screen) -> None:
    """Tasks of the campaign that are paid for and at the API, but not this run's to follow."""
    header = execution.journal.header
    ours = {
        change.attempt.attempt_id
        for change in execution.changes
        if change.attempt and change.action in {Action.RESUME, Action.ADOPT}
    }
    others = [
        attempt
        for attempt in space.ledger().attempts()
        if attempt.is_open
        and attempt.address.startswith(f"{header.campaign}/")
        and attempt.run_id != header.run_id
        and attempt.attempt_id not in ours
    ]
    if others:
        screen.say(
            f"{len(others)} more at the API, bought before and replaced or no longer wanted; "
            f"bring them home with `kiejobs collect{space.flag}`"
        )


def _record(execution: Execution, history: History) -> JournalRecord:
    """As it was written; of a run that had nothing to write down its header alone."""
    header = execution.journal.header
    return history.record(header.run_id) or JournalRecord(header.run_id, [Timed("", header)])


def _end_journal(execution: Execution, code: ExitCode, screen: Screen) -> None:
    stopped = execution.spending.stopped
    if execution.journal.is_born:
        try:
            end = e.RunFinished(int(code), None if stopped is None else str(stopped))
            execution.journal.append(end)
        except JournalProblem as problem:
            screen.say(f"warning: {problem.message}")
    execution.journal.close()


def _ending(execution: Execution, end: RunEnd, code: ExitCode) -> Ending:
    stopped = execution.spending.stopped
    why = None if stopped is None else (str(stopped), execution.spending.why or "")
    return Ending(int(code), why, end.notes)


def _followed(execution: Execution) -> list[str]:
    """The attempts of earlier runs that are this run's business.

    Of what nobody wants any more only a doubt is.
    """
    return [
        change.attempt.attempt_id
        for change in execution.changes
        if change.attempt is not None
        and not change.spends
        and (change.action is not Action.ORPHAN or change.attempt.state is State.IN_DOUBT)
    ]


def _verdict(job: Mapping[str, Json], ledger: Ledger) -> str | None:
    """A job's state, as far as the exit code goes.

    A conflict needs a person as a doubt does; what was made but can't be had is as good as failed.
    """
    attempt = ledger.attempt(job["attempt_id"] or "")
    if attempt is not None and attempt.conflicts:
        return State.IN_DOUBT
    is_gone = job["state"] == State.SUCCEEDED and job["error"] is not None
    return State.FAILED if is_gone else job["state"]


def _exit_code(states: Sequence[str | None], end: RunEnd, execution: Execution) -> ExitCode:
    """The first that holds; what needs a person comes before what only takes time."""
    stopped = execution.spending.stopped
    is_open = bool({State.SUBMITTED, State.RUNNING, State.RESERVED} & set(states))
    verdicts = (
        (stopped is StopReason.JOURNAL, ExitCode.JOURNAL),
        (State.IN_DOUBT in states, ExitCode.IN_DOUBT),
        (stopped is StopReason.INTERRUPTED, _interrupted(execution)),
        (stopped is not None, ExitCode.STOPPED),
        (bool({State.FAILED, State.REJECTED} & set(states)), ExitCode.SOME_FAILED),
        (end.unready > 0, ExitCode.SOME_FAILED),
        (is_open and not execution.settings.detach, ExitCode.STILL_RUNNING),
        (bool(end.notes) and not is_open, ExitCode.SOME_FAILED),
    )
    return next((code for holds, code in verdicts if holds), ExitCode.DONE)


def _interrupted(execution: Execution) -> ExitCode:
    """What listens until it is told to stop has then done what it was asked for."""
    return ExitCode.DONE if execution.settings.stay else ExitCode.INTERRUPTED
