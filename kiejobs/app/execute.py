"""Changes carried out, for `run`, `collect` and `listen`; manifests, report and exit code at the end.

In: an `Execution`. Out: how it ended; manifests in the ledger's home, a report, an exit code. Touches: the
world through the adapters; signals; the screen.
"""

from __future__ import annotations

import gc
import os
import secrets
import signal
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

import anyio

from kiejobs import __version__
from kiejobs.adapters.media.installed import HAS_MEDIA
from kiejobs.app.output import files_by_ending, write
from kiejobs.app.project import Workspace, mention_trouble, opened
from kiejobs.app.records import REPORT_FORMS, reports_in, view_of
from kiejobs.core.diagnostics import ExitCode, JournalProblem, KiejobsError
from kiejobs.core.fingerprint import FINGERPRINT_VERSION
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import JournalRecord, Timed
from kiejobs.core.ledger.manifest import manifest
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action, Change
from kiejobs.reports.progress import NORMAL, QUIET, VERBOSE, LineProgress
from kiejobs.reports.run.report import report_in, report_text
from kiejobs.reports.terminal import plural
from kiejobs.runner import Budget, RunEnd, Runner, Settings, StopReason, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from kiejobs.adapters.kie.client import KieApi, KieUploads
    from kiejobs.adapters.system import Secret
    from kiejobs.app.output import Screen
    from kiejobs.core.checks import CheckResult
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.events import Uploads
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.ports import Artifacts, Callbacks, Progress, RunJournal
    from kiejobs.reports.live_progress import LiveProgress
    from kiejobs.reports.run.view import RunView

    Doors = tuple[KieApi, Artifacts, KieUploads | None]

_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""What stops spending, in the words of those who send it."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What is to be done, under which run, within which limits.

    `ledger` as it was when the changes were decided on. `folder`: where local files are to be uploaded from; `media_type`: None where nobody read the models yet.
    """

    journal: RunJournal
    changes: Sequence[Change]
    settings: Settings
    spending: Budget
    callbacks: Callbacks | None = None
    folder: Path | None = None
    uploads: Uploads | None = None
    media_type: Callable[[str], str] | None = None
    ledger: Ledger | None = None


def intentions(lines: Sequence[Change]) -> list[e.Event]:
    """The plan on record, and after it the adoptions, which cost nothing and hold at once."""
    planned: list[e.Event] = []
    adopted: list[e.Event] = []
    for line in lines:
        if line.action is Action.ORPHAN:
            continue
        what = (line.address, line.fingerprint, line.take, line.model)
        planned.append(e.Planned(*what, str(line.action), line.reason, line.credits))
        if line.action is Action.ADOPT and line.attempt is not None:
            was = line.attempt.address
            adopted.append(e.Adopted(line.address, was, line.fingerprint, line.take))
    return planned + adopted


def new_journal(
    space: Workspace, command: str, *, campaign: str | None = None, source: Mapping[str, Json] | None = None
) -> RunJournal:
    """A journal that will be born with its first event. Raises UsageProblem where links are in the way."""
    space.require_no_links()
    header = e.RunStarted(
        run_id=new_run_id(space.clock().now()),
        command=command,
        campaign=campaign,
        origin=space.origin,
        source=source,
        created_with=f"kiejobs {__version__}",
        fingerprint_version=FINGERPRINT_VERSION,
    )
    return space.store.journal(header, space.clock())


def new_run_id(now: datetime) -> str:
    """An id that sorts by time and that no two machines make alike."""
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"


def execute(
    execution: Execution,
    space: Workspace,
    key: Secret,
    screen: Screen,
    all_reserved: Callable[[], None] = lambda: None,
) -> RunEnd:
    """Run it to its end, or a second Ctrl-C; `all_reserved` is called once nothing more can be bought."""
    gc.freeze()  # what was planned has no cycles to be looked for, over and over, while it is carried out
    gc.set_threshold(100_000)  # while answers and errors come and go, garbage is worth looking for
    try:
        return anyio.run(_execute, execution, space, key, screen, all_reserved)
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, KiejobsError | KeyboardInterrupt):  # no run that died
            _end_journal(execution, getattr(error, "exit_code", ExitCode.INTERRUPTED), screen)
        with suppress(Exception):  # this machine may be gone soon, and with it what only it knows
            space.store.publish(execution.journal.run_id)
        raise


async def _execute(
    execution: Execution, space: Workspace, key: Secret, screen: Screen, all_reserved: Callable[[], None]
) -> RunEnd:
    title = f"run {execution.journal.run_id}{' (rehearsal)' if space.sandbox else ''}"
    with progress_on(screen, execution.changes, title) as progress:
        async with (
            opened(
                space,
                key,
                calls_back=execution.settings.callback_url is not None,
                folder=execution.folder,
                moved=progress.moved,
                addresses=_addresses(execution) if space.sandbox and HAS_MEDIA else None,
            ) as doors,
            anyio.create_task_group() as group,
        ):
            runner = _runner(execution, space, doors, progress)
            group.start_soon(_heed_signals, execution, space, screen, progress.note)
            group.start_soon(_heed_parent, execution, space, progress.note)
            group.start_soon(space.store.keep)
            end = await runner.carry_out(execution.changes, all_reserved)
            group.cancel_scope.cancel()
    return end


def _runner(execution: Execution, space: Workspace, doors: Doors, progress: Progress) -> Runner:
    from kiejobs.app.load import media_types  # noqa: PLC0415 - schemas are slow to import

    api, artifacts, uploads = doors
    settings, callbacks, reread = execution.settings, execution.callbacks, None
    if callbacks is not None:
        from kiejobs.app.callbacks import LedgerReader  # noqa: PLC0415 - most runs take none

        reread = LedgerReader(space)
    judge = _judge(space) if settings.canary and settings.checks else None
    claims = space.store.claims()
    return Runner(
        World(api, execution.journal, artifacts, space.clock(), progress, callbacks, uploads, claims, judge),
        settings=settings,
        spending=execution.spending,
        media_type=execution.media_type or media_types(space.root),
        reread=reread,
        uploads=execution.uploads,
        ledger=execution.ledger,
    )


def _addresses(execution: Execution) -> dict[str, list[str]]:
    """By fingerprint, those of its takes in order."""
    found: dict[str, list[str]] = {}
    for change in sorted(execution.changes, key=attrgetter("take")):
        found.setdefault(change.fingerprint, []).append(change.address)
    return found


def _judge(space: Workspace) -> Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]:
    from kiejobs.app.checks import judged  # noqa: PLC0415 - most have no canary

    async def judge(addresses: Sequence[str]) -> Mapping[str, str]:
        return await anyio.to_thread.run_sync(judged, space, addresses)

    return judge


def progress_on(
    screen: Screen, changes: Sequence[Change] = (), title: str = ""
) -> AbstractContextManager[LineProgress | LiveProgress]:
    """On a terminal that can move its cursor a display that redraws itself, else lines."""
    kind: type[LineProgress | LiveProgress] = LineProgress
    if screen.live and not screen.quiet:
        from kiejobs.reports.live_progress import LiveProgress  # noqa: PLC0415 - rich is slow

        kind = LiveProgress
    progress = kind(
        screen.err,
        sum(map(does_something, changes)),
        color=screen.color_err,
        verbosity=QUIET if screen.quiet else VERBOSE if screen.verbose else NORMAL,
        prices=dict(map(attrgetter("address", "credits"), filter(attrgetter("spends"), changes))),
        title=title,
    )
    return nullcontext(progress) if isinstance(progress, LineProgress) else progress


def does_something(change: Change) -> bool:
    """Would it be acted on?"""
    return change.action in {Action.SUBMIT, Action.RESUME, Action.COLLECT, Action.ADOPT}


async def _heed_signals(
    execution: Execution, space: Workspace, screen: Screen, note: Callable[[str], None]
) -> None:
    """The first stops spending, the second leaves at once."""
    if sys.platform == "win32":
        return  # there Ctrl-C ends the process, which the journal survives like any death
    with anyio.open_signal_receiver(*_SIGNALS) as signals:
        async for signum in signals:
            if execution.spending.stopped is StopReason.INTERRUPTED:
                screen.leave(f"Interrupted; continue with: kiejobs collect{space.flag}")
            execution.spending.stop(StopReason.INTERRUPTED, _SIGNALS[signum])
            space.store.hurry()
            if not execution.settings.stay:
                note(
                    "Interrupted: nothing more is bought; downloads continue. Press Ctrl-C again to exit at once."
                )


async def _heed_parent(execution: Execution, space: Workspace, note: Callable[[str], None]) -> None:
    """A CI runner that cancels a step signals its shell only; what that has started must not go on buying.

    Who is to outlive its shell is started with `nohup`, or by init.
    """
    parent = os.getppid()
    if sys.platform == "win32" or parent == 1 or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    while os.getppid() == parent:  # noqa: ASYNC110 - there is no event for a parent's end
        await anyio.sleep(1.0)
    execution.spending.stop(StopReason.INTERRUPTED, "the process that started this run is gone")
    space.store.hurry()
    note("the process that started this run is gone: no more spending; still collecting")


# --- the last step ----------------------------------------------------------------------------------


def without_jobs(execution: Execution) -> Execution:
    """As much of it as `finish` asks about: the jobs are half of what a large run has in memory."""
    lines = [line._replace(job=None) for line in execution.changes if not line.spends]
    return replace(execution, changes=lines)


NOTHING_DONE = RunEnd({}, 0)
"""The end of a run that found nothing to do; its journal is never born, so it leaves nothing behind."""


def finish(execution: Execution, end: RunEnd, space: Workspace, screen: Screen) -> ExitCode:
    """Publish the manifests, report, and say how it ended."""
    history, header = space.store.read(), execution.journal.header
    ledger = history.ledger(space.origin)
    known = history.record(header.run_id)
    # Of a run that had nothing to write down there is its header alone.
    record = known or JournalRecord(header.run_id, [Timed("", header)])
    followed = _followed(execution)
    jobs = manifest(record, ledger, also=followed)["jobs"].values()
    looks = execution.settings.checks and HAS_MEDIA
    with screen.busy("checking the results"):
        checks, is_unfit = _checked(jobs, space, ledger) if looks else ({}, False)
    code = _exit_code({_verdict(job, ledger) for job in jobs}, end, execution, is_unfit=is_unfit)
    del jobs  # made again for the report: while manifests are written, 100,000 take much room
    reason, why = execution.spending.stopped, execution.spending.why or ""
    stopped = None if reason is None else (str(reason), why)
    _end_journal(execution, code, screen)
    space.store.publish(record.run_id)
    mention_trouble(space, screen)
    if space.store.trouble and execution.journal.is_born:
        code = ExitCode.JOURNAL  # others don't know yet what happened here, and this machine may be gone soon
    document = manifest(record, ledger, also=followed)
    if known is None:  # nothing was done, and no run is on record
        document["run_id"] = None
    own = (space, record, ledger, document)
    view = view_of(*own, exit_code=int(code), stopped=stopped, notes=end.notes)
    view = replace(view, checks=checks) if checks else view
    view = replace(view, canary=execution.settings.canary, against=end.against)
    if end.notes:
        again = {one.address for one in execution.changes if one.action is Action.COLLECT}
        view = replace(view, uncollected=again & end.notes.keys())
    if any(map(attrgetter("conflicts"), view.attempts)):
        where = f"`kiejobs status{space.flag}` shows which"
        screen.say(f"a claimed task was not accepted, or is on record twice: {where}")
    text = partial(report_text, detail=screen.detail, wide=screen.wide_out, local=screen.local_out)
    is_part = screen.several and header.command == "run"  # of several runs there is one document, at the end
    if screen.form != "json" or not is_part:
        screen.answer(lambda view: report_in([view], several=screen.several), text, view)
    if screen.outs or screen.several:
        _write_reports(view, screen)
    if header.command == "run" and end is not NOTHING_DONE:
        mention_others(execution, ledger, space, screen, end.notes)
    return code


def _write_reports(view: RunView, screen: Screen) -> None:
    """`-o FILE`: of all runs of this command so far, since it may buy several job files."""
    screen.reports.append(view)
    for path, form in files_by_ending(screen.outs, REPORT_FORMS):
        write(path, reports_in(form, screen.reports, several=screen.several, detail=screen.detail))


def mention_others(
    execution: Execution, ledger: Ledger, space: Workspace, screen: Screen, named: Collection[str] = ()
) -> None:
    """Tasks of the campaign that are paid for and at the API, but not this run's to follow, nor `named` by it."""
    header = execution.journal.header
    others = set()
    for attempt in ledger.attempts():
        ours = attempt.run_id == header.run_id or attempt.address in named
        if attempt.is_open and not ours and attempt.address.startswith(f"{header.campaign}/"):
            others.add(attempt.attempt_id)
    for change in execution.changes:
        if change.attempt and change.action in {Action.RESUME, Action.ADOPT}:
            others.discard(change.attempt.attempt_id)
    if others:
        screen.say(
            f"{plural(len(others), 'earlier task')} of this campaign still at the API, replaced or no longer wanted; "
            f"`kiejobs collect{space.flag}` downloads the files"
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
    """The attempts of earlier runs that are this run's business; of orphans only a doubt is."""
    found = []
    for change in execution.changes:
        attempt = None if change.spends else change.attempt
        if attempt and (change.action is not Action.ORPHAN or attempt.state is State.IN_DOUBT):
            found.append(attempt.attempt_id)
    return found


def _verdict(job: Mapping[str, Json], ledger: Ledger) -> str | None:
    """A job's state: a conflict needs a person as a doubt does; what can't be had is as good as failed."""
    attempt = ledger.attempt(job["attempt_id"] or "")
    if attempt is not None and attempt.conflicts:
        return State.IN_DOUBT
    is_gone = job["state"] == State.SUCCEEDED and job["error"] is not None
    return State.FAILED if is_gone else job["state"]


def _checked(
    jobs: Collection[Mapping[str, Json]], space: Workspace, ledger: Ledger
) -> tuple[Mapping[str, Sequence[CheckResult]], bool]:
    """The results of these jobs held against their checks, by address; did any fail that its job file states?"""
    from kiejobs.app.checks import checked  # noqa: PLC0415 - only where something can be looked at

    attempts = (ledger.attempt(job["attempt_id"]) for job in jobs if job["files"])
    found = checked(space, ledger, filter(None, attempts))
    return {address: results for (address, _), results in found.results.items()}, bool(found.failed)


def _exit_code(
    states: Collection[str | None], end: RunEnd, execution: Execution, *, is_unfit: bool
) -> ExitCode:
    """The first that holds; what needs a person comes before what only takes time."""
    stopped, settings = execution.spending.stopped, execution.settings
    is_open = not {State.SUBMITTED, State.RUNNING, State.RESERVED}.isdisjoint(states)
    failed = not {State.FAILED, State.REJECTED}.isdisjoint(states)
    # What listens until it is stopped has then done what it was asked for.
    interrupted = ExitCode.DONE if settings.stay else ExitCode.INTERRUPTED
    verdicts = (
        (stopped is StopReason.JOURNAL, ExitCode.JOURNAL),
        (State.IN_DOUBT in states, ExitCode.IN_DOUBT),
        (stopped is StopReason.INTERRUPTED, interrupted),
        (stopped is not None, ExitCode.STOPPED),
        (failed or end.unready > 0 or is_unfit, ExitCode.SOME_FAILED),
        ((is_open or end.held > 0) and not settings.detach, ExitCode.STILL_RUNNING),
        (bool(end.notes) and not is_open, ExitCode.SOME_FAILED),
    )
    for holds, code in verdicts:
        if holds:
            return code
    return ExitCode.DONE
