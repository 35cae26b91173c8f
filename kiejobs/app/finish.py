"""The last step of `run`, `collect` and `listen`: manifests, report, exit code.

In: what was executed, and how it ended. Out: manifests in the ledger's home, a report, an exit code.
Touches: the ledger's home; the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.app.records import view_of
from kiejobs.core.diagnostics import ExitCode, JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import JournalRecord, Timed
from kiejobs.core.ledger.manifest import manifest
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action
from kiejobs.reports.run.report import report_document, report_text
from kiejobs.runner import RunEnd, StopReason

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kiejobs.app.execute import Execution
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Ledger

NOTHING_DONE = RunEnd({}, 0)
"""The end of a run that found nothing to do; its journal is never born, so it leaves nothing behind."""


def finish(execution: Execution, end: RunEnd, space: Workspace, screen: Screen) -> ExitCode:
    """Publish the manifests, report, and say how it ended."""
    history, header = space.store.read(), execution.journal.header
    ledger = history.ledger(space.origin)
    # Of a run that had nothing to write down there is its header alone.
    record = history.record(header.run_id) or JournalRecord(header.run_id, [Timed("", header)])
    document = manifest(record, ledger, also=_followed(execution))
    code = _exit_code({_verdict(job, ledger) for job in document["jobs"].values()}, end, execution)
    stopped, why = execution.spending.stopped, execution.spending.why or ""
    _end_journal(execution, code, screen)
    space.store.publish(record.run_id)
    view = view_of(
        space,
        record,
        ledger,
        document,
        exit_code=int(code),
        stopped=None if stopped is None else (str(stopped), why),
        notes=end.notes,
    )
    for attempt in view.attempts:
        if attempt.conflicts:
            screen.say(
                f"a task was claimed that was not taken: `kiejobs status{space.flag}` shows which"
            )
            break
    screen.answer(report_document, report_text, view)
    if header.command == "run" and end is not NOTHING_DONE:
        mention_others(execution, ledger, space, screen)
    return code


def mention_others(execution: Execution, ledger: Ledger, space: Workspace, screen: Screen) -> None:
    """Tasks of the campaign that are paid for and at the API, but not this run's to follow."""
    header = execution.journal.header
    others = set()
    for attempt in ledger.attempts():
        ours = attempt.run_id == header.run_id
        if attempt.is_open and not ours and attempt.address.startswith(f"{header.campaign}/"):
            others.add(attempt.attempt_id)
    for change in execution.changes:
        if change.attempt and change.action in {Action.RESUME, Action.ADOPT}:
            others.discard(change.attempt.attempt_id)
    if others:
        screen.say(
            f"{len(others)} more at the API, bought before and replaced or no longer wanted; "
            f"bring them home with `kiejobs collect{space.flag}`"
        )


def _end_journal(execution: Execution, code: ExitCode, screen: Screen) -> None:
    stopped = execution.spending.stopped
    if execution.journal.is_born:
        try:
            end = e.RunFinished(int(code), None if stopped is None else str(stopped))
            execution.journal.append(end)
        except JournalProblem as problem:
            screen.say(f"warning: {problem.message}")
    execution.journal.close()


def _followed(execution: Execution) -> list[str]:
    """The attempts of earlier runs that are this run's business.

    Of what nobody wants any more only a doubt is.
    """
    found = []
    for change in execution.changes:
        attempt = change.attempt
        if attempt is None or change.spends:
            continue
        if change.action is not Action.ORPHAN or attempt.state is State.IN_DOUBT:
            found.append(attempt.attempt_id)
    return found


def _verdict(job: Mapping[str, Json], ledger: Ledger) -> str | None:
    """A job's state, as far as the exit code goes.

    A conflict needs a person as a doubt does; what was made but can't be had is as good as failed.
    """
    attempt = ledger.attempt(job["attempt_id"] or "")
    if attempt is not None and attempt.conflicts:
        return State.IN_DOUBT
    is_gone = job["state"] == State.SUCCEEDED and job["error"] is not None
    return State.FAILED if is_gone else job["state"]


def _exit_code(states: Collection[str | None], end: RunEnd, execution: Execution) -> ExitCode:
    """The first that holds; what needs a person comes before what only takes time.

    What listens until it is stopped has then done what it was asked for.
    """
    stopped, settings = execution.spending.stopped, execution.settings
    is_open = not {State.SUBMITTED, State.RUNNING, State.RESERVED}.isdisjoint(states)
    failed = not {State.FAILED, State.REJECTED}.isdisjoint(states)
    interrupted = ExitCode.DONE if settings.stay else ExitCode.INTERRUPTED
    verdicts = (
        (stopped is StopReason.JOURNAL, ExitCode.JOURNAL),
        (State.IN_DOUBT in states, ExitCode.IN_DOUBT),
        (stopped is StopReason.INTERRUPTED, interrupted),
        (stopped is not None, ExitCode.STOPPED),
        (failed or end.unready > 0, ExitCode.SOME_FAILED),
        (is_open and not settings.detach, ExitCode.STILL_RUNNING),
        (bool(end.notes) and not is_open, ExitCode.SOME_FAILED),
    )
    for holds, code in verdicts:
        if holds:
            return code
    return ExitCode.DONE
