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
from kiejobs.app.execute import Execution, carry_out, new_journal
from kiejobs.app.finish import NOTHING_DONE, conclude
from kiejobs.app.load import load
from kiejobs.app.lock_check import require_locked
from kiejobs.app.notices import tell_others, tell_unfinished
from kiejobs.app.plan import (
    budget_left,
    does_something,
    make_plan,
    require_selected,
)
from kiejobs.app.plan_output import plan_view
from kiejobs.app.policy_check import require_allowed
from kiejobs.app.project import open_workspace
from kiejobs.app.purchases import aimed, intentions, recent_create_ages, reusable_uploads
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action
from kiejobs.reports.plan.text import plan_text
from kiejobs.reports.run.next_steps import doubts_text
from kiejobs.runner import Budget

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from kiejobs.app.callbacks import ListenAddress
    from kiejobs.app.job_file import JobFileOptions
    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Locations, Workspace
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change, PlanTotals
    from kiejobs.runner import FailureLimit, Settings


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


def run(wanted: JobFileOptions, where: Locations, how: RunOptions, screen: Screen) -> ExitCode:
    space = open_workspace(where)
    approval = expected(how.expect)
    if how.plan_file is not None:
        approval, wanted, retry = open_plan(how.plan_file, wanted)
        how = replace(how, retry=retry)
    loaded = load(wanted)
    require_selected(loaded, wanted)
    journal = new_journal(space, "run", campaign=loaded.jobfile.campaign, source=loaded.source)
    with space.claim(journal) as lock:
        space.store.publish()
        history = space.store.read()
        tell_unfinished(history, space, screen)
        ledger, elsewhere = history.ledger(space.origin), history.elsewhere(space.origin)
        require_locked(loaded, wanted, screen, base=space.base, ledger=ledger)
        lines, totals, left = _planned(loaded, wanted, how, space, ledger, screen)
        settings = replace(how.settings, lately=recent_create_ages(ledger, space))
        limit = how.most_failures
        most = limit.of(totals.actions[Action.SUBMIT]) if limit is not None else None
        errand = Execution(journal, lines, settings, Budget(left, most_failures=most))
        if totals.actions[Action.SUBMIT] and not how.allow_behind:
            _require_current(space, screen)
        if approval is not None:
            require_approved(approval, lines, ledger, space, screen)
        if not any(map(does_something, lines)):
            tell_others(errand, space, screen)
            return _nothing_to_do(errand, how, space, screen)
        key = require_key(space)
        if not space.sandbox and approval is None:
            _confirm(totals, how, screen)
        with listening(how.ear, how.callback_url, space, screen) as line:
            journal.append(*intentions(lines), *([approval.event] if approval else []))
            settings = replace(settings, callback_url=line.url)
            errand = replace(
                errand,
                changes=aimed(lines, ledger, elsewhere, line.url),
                settings=settings,
                callbacks=line.callbacks,
                folder=Path(wanted.file).parent,
                uploads=reusable_uploads(ledger),
            )
            end = carry_out(errand, space, key, screen, lock.release)
        code = conclude(errand, end, space, screen, how.form)
        tell_others(errand, space, screen)
        return code


def _require_current(space: Workspace, screen: Screen) -> None:
    """A rehearsal buys nothing that others could have bought."""
    for unknown in () if space.sandbox else space.store.require_current():
        screen.say(unknown)


def _planned(
    loaded: LoadedJobFile,
    wanted: JobFileOptions,
    how: RunOptions,
    space: Workspace,
    ledger: Ledger,
    screen: Screen,
) -> tuple[list[Change], PlanTotals, Decimal | None]:
    """The plan's lines, shown and within the policy; their totals; what is left of the budget."""
    made = make_plan(loaded, wanted, space, ledger, how.retry)
    left = budget_left(loaded, ledger, how.budget)
    lines = list(made.changes)
    tell, color = _teller(how, screen)
    view = plan_view(loaded, wanted, space, ledger, made, left)
    tell(plan_text(view, color=color))
    require_allowed(space.policy, loaded, ledger, lines, screen)
    return lines, made.totals, left


def _nothing_to_do(
    errand: Execution, how: RunOptions, space: Workspace, screen: Screen
) -> ExitCode:
    """What is held back still counts: a job in doubt or failed is not a finished campaign."""
    lines = errand.changes
    attempts = {line.attempt.attempt_id: line.attempt for line in lines if line.attempt}
    doubts = [attempt for attempt in attempts.values() if attempt.state is State.IN_DOUBT]
    if doubts:
        tell, color = _teller(how, screen)
        tell(doubts_text(doubts, color=color, flag=space.flag))
    if how.form == "json":
        return conclude(errand, NOTHING_DONE, space, screen, how.form)
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
