"""`kiejobs run FILE`: plan, confirm, submit, collect, report.

In: a job file. Out: paid tasks, each on record before anything else; videos; a report. Touches: all of
the world that the adapters touch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.app.approve import expected, open_plan, require_approved
from kiejobs.app.callbacks import listening
from kiejobs.app.connect import require_key
from kiejobs.app.execute import Execution, does_something, execute, new_journal
from kiejobs.app.finish import NOTHING_DONE, finish, tell_others
from kiejobs.app.load import load
from kiejobs.app.lock_check import require_locked
from kiejobs.app.plan import (
    budget_left,
    make_plan,
    require_selected,
)
from kiejobs.app.plan_output import plan_view
from kiejobs.app.policy_check import breaches_of, require_none
from kiejobs.app.project import open_workspace
from kiejobs.app.purchases import aimed, intentions, recent_create_ages, reusable_uploads
from kiejobs.app.records import unfinished_runs
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action
from kiejobs.reports.plan import plan_text
from kiejobs.reports.run.next_steps import doubts_text
from kiejobs.reports.terminal import moment, sanitize
from kiejobs.runner import Budget

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from kiejobs.adapters.system import Secret
    from kiejobs.app.approve import Approval
    from kiejobs.app.callbacks import ListenAddress
    from kiejobs.app.job_file import JobFileOptions
    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Locations, Workspace
    from kiejobs.core.ledger.events import JournalRecord
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change, PlanTotals
    from kiejobs.ports import LedgerClaim, RunJournal
    from kiejobs.runner import FailureLimit, RunEnd, Settings


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The flags that say how to run.

    `ear` is where to listen for callbacks, None for nowhere; `callback_url` is what creates carry whose
    jobs name no URL of their own. `plan_file` and `expect` say what was approved elsewhere.
    """

    settings: Settings
    yes: bool
    budget: Decimal | None
    retry: tuple[str, ...]
    form: str
    ear: ListenAddress | None = None
    callback_url: str | None = None
    most_failures: FailureLimit | None = None
    plan_file: str | None = None
    expect: str | None = None
    allow_behind: bool = False


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for: a job file, and with `approval` what of it was approved elsewhere."""

    wanted: JobFileOptions
    loaded: LoadedJobFile
    retry: tuple[str, ...]
    approval: Approval | None


@dataclass(frozen=True, slots=True)
class _Planned:
    """What is to be done for it, going by the ledger."""

    order: _Order
    changes: list[Change]
    totals: PlanTotals
    budget_left: Decimal | None
    ledger: Ledger
    elsewhere: Ledger


def run(wanted: JobFileOptions, where: Locations, how: RunOptions, screen: Screen) -> ExitCode:
    space = open_workspace(where)
    order = _load(wanted, how)
    journal = _journal(space, order)
    with space.claim(journal) as claim:
        planned = _plan(order, how, space, screen)
        key = _approve(planned, how, space, screen)
        done, end = _execute(planned, key, journal, how, space, screen, claim)
        return _finish(done, end, how, space, screen)


def _load(wanted: JobFileOptions, how: RunOptions) -> _Order:
    """A plan file says what its plan was made of."""
    approval, retry = expected(how.expect), how.retry
    if how.plan_file is not None:
        approval, wanted, retry = open_plan(how.plan_file, wanted)
    loaded = load(wanted)
    require_selected(loaded, wanted)
    return _Order(wanted, loaded, retry, approval)


def _journal(space: Workspace, order: _Order) -> RunJournal:
    campaign, source = order.loaded.jobfile.campaign, order.loaded.source
    return new_journal(space, "run", campaign=campaign, source=source)


def _plan(order: _Order, how: RunOptions, space: Workspace, screen: Screen) -> _Planned:
    """The plan, shown, within the policy and the lock. Raises StalePlan, SpendingStopped."""
    wanted, loaded = order.wanted, order.loaded
    space.store.publish()
    history = space.store.read()
    for record in unfinished_runs(history, space):
        screen.say(_unfinished_text(record))
    ledger = history.ledger(space.origin)
    require_locked(loaded, wanted, screen, base=space.base, ledger=ledger)
    made = make_plan(loaded, wanted, space, ledger, order.retry)
    left = budget_left(loaded, ledger, how.budget)
    tell, color = _teller(how, screen)
    tell(plan_text(plan_view(loaded, wanted, space, ledger, made, left), color=color))
    changes, elsewhere = list(made.changes), history.elsewhere(space.origin)
    require_none(breaches_of(space.policy, loaded, ledger, changes), space.policy, screen)
    return _Planned(order, changes, made.totals, left, ledger, elsewhere)


def _approve(planned: _Planned, how: RunOptions, space: Workspace, screen: Screen) -> Secret | None:
    """The key to act with, once it is approved; None where there is nothing to do."""
    approval = planned.order.approval
    buys = planned.totals.actions[Action.SUBMIT]
    if buys and not how.allow_behind and not space.sandbox:
        for unknown in space.store.require_current():
            screen.say(unknown)
    if approval is not None:
        require_approved(approval, planned.changes, planned.ledger, space, screen)
    if not any(map(does_something, planned.changes)):
        return None
    key = require_key(space)
    if not space.sandbox and approval is None:
        _confirm(planned.totals, how, screen)
    return key


def _execute(
    planned: _Planned,
    key: Secret | None,
    journal: RunJournal,
    how: RunOptions,
    space: Workspace,
    screen: Screen,
    claim: LedgerClaim,
) -> tuple[Execution, RunEnd]:
    """The plan goes on record first. The claim ends with the last reservation."""
    ledger, limit = planned.ledger, how.most_failures
    most = limit.of(planned.totals.actions[Action.SUBMIT]) if limit is not None else None
    budget = Budget(planned.budget_left, most_failures=most)
    if key is None:
        return Execution(journal, planned.changes, how.settings, budget), NOTHING_DONE
    order = planned.order
    folder = Path(order.wanted.file).parent if order.loaded.files.read else None
    with listening(how.ear, how.callback_url, space, screen) as line:
        approval = order.approval
        journal.append(*intentions(planned.changes), *([approval.event] if approval else []))
        ages = recent_create_ages(ledger, space)
        execution = Execution(
            journal,
            aimed(planned.changes, ledger, planned.elsewhere, line.url),
            replace(how.settings, lately=ages, callback_url=line.url),
            budget,
            callbacks=line.callbacks,
            folder=folder,
            uploads=reusable_uploads(ledger),
        )
        return execution, execute(execution, space, key, screen, claim.release)


def _finish(
    done: Execution, end: RunEnd, how: RunOptions, space: Workspace, screen: Screen
) -> ExitCode:
    if end is NOTHING_DONE:
        tell_others(done, space, screen)
        return _nothing_to_do(done, how, space, screen)
    code = finish(done, end, space, screen, how.form)
    tell_others(done, space, screen)
    return code


def _unfinished_text(record: JournalRecord) -> str:
    return (
        f"note: run {sanitize(record.run_id)} was last heard of at {moment(record.events[-1].at)} "
        "and has no end on record. Either it died, and this run goes on where it was; or it is "
        "at work on another copy of this folder: then press Ctrl-C and wait for its journal"
    )


def _nothing_to_do(done: Execution, how: RunOptions, space: Workspace, screen: Screen) -> ExitCode:
    """What is held back still counts: a job in doubt or failed is not a finished campaign."""
    lines = done.changes
    attempts = {line.attempt.attempt_id: line.attempt for line in lines if line.attempt}
    doubts = [attempt for attempt in attempts.values() if attempt.state is State.IN_DOUBT]
    if doubts:
        tell, color = _teller(how, screen)
        tell(doubts_text(doubts, color=color, flag=space.flag))
    if how.form == "json":
        return finish(done, NOTHING_DONE, space, screen, how.form)
    held = [line.attempt for line in lines if line.attempt and line.action is Action.HOLD]
    lacks = any(a.state in {State.FAILED, State.REJECTED} or a.gone is not None for a in held)
    failed = ExitCode.SOME_FAILED if lacks else ExitCode.DONE
    return ExitCode.IN_DOUBT if doubts else failed


def _teller(how: RunOptions, screen: Screen) -> tuple[Callable[[str], None], bool]:
    """Where the plan goes, and whether in colour: part of the text, or beside a JSON report."""
    if how.form == "text":
        return screen.show, screen.color_out
    return screen.say, screen.color_err


def _confirm(totals: PlanTotals, how: RunOptions, screen: Screen) -> None:
    bought = totals.actions[Action.SUBMIT]
    if how.yes or not bought:
        return
    if screen.ask is None:
        raise UsageProblem(
            f"{bought} job(s) would be bought and nobody is there to confirm it",
            hint="add --yes once the plan has been looked at",
        )
    unknown = f", {totals.unpriced} of them at an unknown price" if totals.unpriced else ""
    if not screen.ask(f"Buy {bought} job(s) for {totals.credits} credits{unknown}?"):
        raise UsageProblem("nothing was bought")
