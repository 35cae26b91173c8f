"""What `run` and `collect` have in common: carrying changes out, then telling how it ended.

In: changes, a workspace, a journal. Out: manifests on disk, a report, an exit code. Touches: the world
through the adapters; signals.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from kiejobs import __version__
from kiejobs.adapters.journal import FileJournal, read_journal
from kiejobs.commands.loading import media_type_of
from kiejobs.commands.opening import opened
from kiejobs.commands.planning import does_something
from kiejobs.commands.records import refresh_manifests
from kiejobs.commands.viewing import Ending, view_of
from kiejobs.core import events as e
from kiejobs.core.errors import ExitCode, JournalProblem
from kiejobs.core.fold import JournalRecord, Timed
from kiejobs.core.identity import FINGERPRINT_VERSION
from kiejobs.core.manifest import manifest
from kiejobs.core.plan import Action
from kiejobs.core.types import State
from kiejobs.ports import World
from kiejobs.reports.documents import json_text
from kiejobs.reports.progress import make_progress
from kiejobs.reports.run_report import report_document, report_text
from kiejobs.runner import RunEnd, Runner, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from kiejobs.adapters.system import Secret
    from kiejobs.commands.screen import Screen
    from kiejobs.commands.workspace import Workspace
    from kiejobs.core.ledger import Ledger
    from kiejobs.core.plan import Change
    from kiejobs.core.types import Job, Json
    from kiejobs.reports.progress import RunProgress
    from kiejobs.runner import Settings, Spending

_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""What stops spending, in the words of those who send it."""


NOTHING_DONE = RunEnd({}, 0)
"""The end of a run that found nothing to do; its journal is never born, so it leaves nothing behind."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One carrying-out: what is to be done, under which run, within which limits."""

    journal: FileJournal
    header: e.RunStarted
    changes: Sequence[Change]
    settings: Settings
    spending: Spending


def new_journal(
    space: Workspace,
    run_id: str,
    command: str,
    *,
    campaign: str | None = None,
    source: Mapping[str, Json] | None = None,
) -> tuple[FileJournal, e.RunStarted]:
    """A journal that will be born with its first event."""
    header = e.RunStarted(
        run_id=run_id,
        command=command,
        campaign=campaign,
        origin=space.origin,
        source=source,
        created_with=f"kiejobs {__version__}",
        fingerprint_version=FINGERPRINT_VERSION,
    )
    return FileJournal(space.runs, header, space.clock()), header


def carry_out(
    errand: Errand,
    space: Workspace,
    key: Secret,
    screen: Screen,
    job_of: Callable[[int], Job],
    all_reserved: Callable[[], None],
) -> RunEnd:
    """Run it to its end. The first Ctrl-C stops spending, the second leaves at once."""

    async def main() -> RunEnd:
        with _progress(errand, screen) as progress:
            async with opened(space, key) as doors, anyio.create_task_group() as group:
                clock = space.clock()
                world = World(doors.api, errand.journal, doors.artifacts, clock, progress)
                runner = Runner(
                    world,
                    settings=errand.settings,
                    spending=errand.spending,
                    media_type=media_type_of,
                )
                on_signal = _on_signals(errand, space, screen, progress.note)
                group.start_soon(on_signal)
                end = await runner.carry_out(errand.changes, job_of, all_reserved)
                group.cancel_scope.cancel()
        return end

    return anyio.run(main)


def _progress(errand: Errand, screen: Screen) -> RunProgress:
    total = sum(1 for change in errand.changes if does_something(change))
    return make_progress(screen.err, total, live=screen.live, color=screen.color_err)


def _on_signals(
    errand: Errand, space: Workspace, screen: Screen, note: Callable[[str], None]
) -> Callable[[], Coroutine[Any, Any, None]]:
    async def listen() -> None:
        if sys.platform == "win32":
            return  # there Ctrl-C ends the process, which the journal survives like any death
        with anyio.open_signal_receiver(*_SIGNALS) as signals:
            async for signum in signals:
                if errand.spending.stopped is Stop.INTERRUPTED:
                    screen.leave(f"left; go on with: kiejobs collect{space.flag}")
                errand.spending.stop(Stop.INTERRUPTED, _SIGNALS[signum])
                note("no more spending; still collecting. Press Ctrl-C again to leave at once")

    return listen


def conclude(errand: Errand, end: RunEnd, space: Workspace, screen: Screen, form: str) -> ExitCode:
    """Write the manifests, tell the report, and say how it ended."""
    code, document, ledger = _outcome(errand, end, space)
    stopped = errand.spending.stopped
    if errand.journal.is_born:
        _finish(errand, code, screen)
    errand.journal.close()
    refresh_manifests(space, errand.journal.run_id)
    told = None if stopped is None else (str(stopped), errand.spending.why or "")
    view = view_of(space, document, ledger, Ending(int(code), told, end.notes))
    if form == "json":
        screen.show(json_text(report_document(view)))
    else:
        screen.show(report_text(view, color=screen.color_out))
    return code


def _finish(errand: Errand, code: ExitCode, screen: Screen) -> None:
    stopped = errand.spending.stopped
    try:
        errand.journal.append(e.RunFinished(int(code), None if stopped is None else str(stopped)))
    except JournalProblem as problem:
        screen.say(f"warning: {problem.message}")


def _outcome(
    errand: Errand, end: RunEnd, space: Workspace
) -> tuple[ExitCode, dict[str, Json], Ledger]:
    """The exit code, the run's manifest and the ledger, from what the journals say now."""
    journals = space.journals()
    ledger = space.ledger(journals)
    if errand.journal.is_born:
        record = read_journal(errand.journal.path)
    else:
        record = JournalRecord(errand.header.run_id, [Timed("", errand.header)])
    followed = [c.attempt.attempt_id for c in errand.changes if c.attempt and _counts(c)]
    document = manifest(record, ledger, also=followed)
    states = [job["state"] for job in document["jobs"].values()]
    return _exit_code(states, end, errand), document, ledger


def _counts(change: Change) -> bool:
    """Is its attempt this run's business? Of what nobody wants any more only a doubt is."""
    if change.action is Action.ORPHAN:
        return change.attempt is not None and change.attempt.state is State.IN_DOUBT
    return not change.spends


def _exit_code(states: Sequence[str | None], end: RunEnd, errand: Errand) -> ExitCode:
    """The first that holds; what needs a person comes before what only takes time."""
    stopped = errand.spending.stopped
    is_open = bool({State.SUBMITTED, State.RUNNING, State.RESERVED} & set(states))
    verdicts = (
        (stopped is Stop.JOURNAL, ExitCode.JOURNAL),
        (State.IN_DOUBT in states, ExitCode.IN_DOUBT),
        (stopped is Stop.INTERRUPTED, ExitCode.INTERRUPTED),
        (stopped is not None, ExitCode.STOPPED),
        (bool({State.FAILED, State.REJECTED} & set(states)), ExitCode.SOME_FAILED),
        (is_open and not errand.settings.detach, ExitCode.STILL_RUNNING),
        (bool(end.notes) and not is_open, ExitCode.SOME_FAILED),
    )
    return next((code for holds, code in verdicts if holds), ExitCode.DONE)
