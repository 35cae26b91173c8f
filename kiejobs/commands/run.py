"""`kiejobs run FILE...`: plan, confirm, submit, collect, report.

In: job files. Out: paid tasks, each on record before anything else; videos; a report. Touches: all of
the world that the adapters touch.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import STDIN
from kiejobs.adapters.system import variable
from kiejobs.app.execute import (
    NOTHING_DONE,
    Execution,
    does_something,
    execute,
    finish,
    intentions,
    mention_others,
    new_journal,
    without_jobs,
)
from kiejobs.app.load import load
from kiejobs.app.output import READING, files_by_ending
from kiejobs.app.plan import (
    aimed,
    budget_left,
    has_selected,
    make_plan,
    named_files,
    nothing_selected,
    plan_view,
    plans_view,
    recent_create_ages,
    require_selected,
    reusable_uploads,
)
from kiejobs.app.project import leave_to_workers, open_workspace, opened, require_key
from kiejobs.app.records import REPORT_FORMS, reports_in, unfinished_runs
from kiejobs.core.diagnostics import Cancelled, ExitCode, KiejobsError, StalePlan, UsageProblem
from kiejobs.core.ledger.events import Approved
from kiejobs.core.ledger.outcomes import Unanswered
from kiejobs.core.ledger.records import State
from kiejobs.core.money import price_text
from kiejobs.core.plan.plan import Action, Plan, together
from kiejobs.reports.plan import plan_text, plans_sum
from kiejobs.reports.run.report import reports_sum
from kiejobs.reports.run.view import doubts_text
from kiejobs.reports.terminal import Paint, few, moment, plural, sanitize
from kiejobs.runner import Budget, FailureLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from kiejobs.adapters.system import Secret
    from kiejobs.app.approve import Approval
    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.options import JobFileOptions, Locations, RunOptions
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change, PlanTotals
    from kiejobs.ports import Callbacks, LedgerClaim, RunJournal
    from kiejobs.reports.plan import PlanView
    from kiejobs.runner import RunEnd


_UNFINISHED = (
    "has no recorded end. If it was killed, this run continues where it stopped; if it is active on "
    "another copy of this folder, press Ctrl-C and wait for its journal"
)


@dataclass(frozen=True, slots=True)
class _Planned:
    """What is to be done, going by the ledger; `approval` is what of it was approved elsewhere."""

    loaded: LoadedJobFile
    approval: Approval | None
    changes: list[Change]
    totals: PlanTotals
    budget_left: Decimal | None
    ledger: Ledger
    elsewhere: Ledger
    view: PlanView | None = None


def run(
    wanted: JobFileOptions, files: Sequence[str], where: Locations, how: RunOptions, screen: Screen
) -> ExitCode:
    if STDIN in files:
        message = (
            "`run -`: purchases are recorded under the job file's name, which standard input doesn't have"
        )
        raise UsageProblem(
            message, hint="write it to a file; `validate -`, `plan -` and `render -` only read it"
        )
    wanted = replace(wanted, base_url=where.base_url, sandbox=where.sandbox)
    names = named_files(files, wanted) if files else ("",)
    if screen.outs:
        files_by_ending(screen.outs, REPORT_FORMS, names)
    if len(names) > 1:
        return _run_in_order(names, wanted, where, how, screen)
    loaded, approval, how = _load(replace(wanted, file=names[0]), how, screen)
    return _run(loaded, approval, where, how, screen)[0]


def _run(
    loaded: LoadedJobFile,
    approval: Approval | None,
    where: Locations,
    how: RunOptions,
    screen: Screen,
    *,
    shown: bool = True,
) -> tuple[ExitCode, Decimal]:
    """How it ended, and how much of a budget it used; without `shown` its plan was looked at before."""
    space = open_workspace(where, loaded.wanted.file)
    campaign, source = loaded.jobfile.campaign, loaded.source
    if how.settings.detach:
        leave_to_workers(space)
    journal = new_journal(space, "run", campaign=campaign, source=source)
    try:
        with space.claim(journal) as claim:
            planned = _plan(loaded, approval, how, space, screen, shown=shown)
            key = _approve(planned, how, space, screen)
            done, end = _execute(planned, key, journal, how, space, screen, claim)
            used = (planned.budget_left or Decimal(0)) - (done.spending.left or Decimal(0))
            if end is NOTHING_DONE:
                return _nothing_to_do(done, planned, space, screen), used
            del loaded, planned  # the jobs, and the ledger as it was before
            return finish(done, end, space, screen), used
    except KeyboardInterrupt:
        raise _interrupted(journal.run_id, space, screen) from None


def _interrupted(run_id: str, space: Workspace, screen: Screen) -> Cancelled:
    """By Ctrl-C where no run heeds it: before it starts, or when it has ended."""
    if any(attempt.run_id == run_id for attempt in space.ledger().attempts()):
        return Cancelled(f"Interrupted; continue with: kiejobs collect{space.flag}")
    more = "more " if any(view.bought for view in screen.reports) else ""
    return Cancelled(f"Cancelled; nothing {more}was bought.")


# --- several job files --------------------------------------------------------------------------------

_WORST = (
    ExitCode.JOURNAL, ExitCode.IN_DOUBT, ExitCode.INTERRUPTED, ExitCode.STALE_PLAN, ExitCode.STOPPED,
    ExitCode.INVALID, ExitCode.SOME_FAILED, ExitCode.STILL_RUNNING, ExitCode.DONE,
)  # fmt: skip
_LAST = {ExitCode.JOURNAL, ExitCode.INTERRUPTED, ExitCode.STALE_PLAN, ExitCode.STOPPED, ExitCode.INVALID}
"""Ends after which no other file is begun: somebody has to look first."""


def _run_in_order(
    names: Sequence[str], wanted: JobFileOptions, where: Locations, how: RunOptions, screen: Screen
) -> ExitCode:
    """All are planned and approved as one, then each is bought within what was seen of it; one budget over all."""
    if how.plan_file is not None:
        raise UsageProblem(f"--plan is for one job file, and these are {len(names)}")
    parent, parts = os.getppid(), _approved_together(names, wanted, where, how, screen)
    screen = replace(screen, several=len(parts) > 1)
    codes, budget = {ExitCode.DONE}, how.budget
    for count, (loaded, approval) in enumerate(parts):
        if codes & _LAST or os.getppid() != parent:
            codes.add(ExitCode.INTERRUPTED if not codes & _LAST else ExitCode.DONE)
            left = [sanitize(one.wanted.file) for one, _ in parts[count:]]
            screen.say(f"not started: {plural(len(left), 'more job file')}, {few(left, 5)}")
            break
        screen.note(f"\n{sanitize(loaded.wanted.file)}:")
        each = replace(how, yes=True, budget=budget)
        try:
            code, used = _run(loaded, approval, where, each, screen, shown=False)
        except KiejobsError as problem:
            screen.refuse(problem)
            code, used = problem.exit_code, Decimal(0)
        codes.add(code)
        budget = None if budget is None else max(budget - used, Decimal(0))
    if len(screen.reports) > 1:
        tell, paint = _teller(screen)
        tell(f"{_gap(screen)}{reports_sum(screen.reports, color=paint.color)}")
    if screen.form == "json" and screen.several:
        screen.show(reports_in("json", screen.reports, several=True))
    return min(codes, key=_WORST.index)


def _approved_together(
    names: Sequence[str], wanted: JobFileOptions, where: Locations, how: RunOptions, screen: Screen
) -> list[tuple[LoadedJobFile, Approval]]:
    """The job files, each with the approval of its part. Raises what keeps any of them from being bought."""
    from kiejobs.app.approve import Approval, expected  # noqa: PLC0415 - most buy one file

    approval = expected(how.expect)
    with screen.busy(f"reading {plural(len(names), 'job file')}"):
        every = [load(replace(wanted, file=name)) for name in names]
    loaded = list(filter(has_selected, every))
    if not loaded:
        raise nothing_selected(wanted.select, [job for one in every for job in one.expansion.jobs])
    del every
    parts: list[_Planned] = []
    for one in loaded:
        screen.warn(one.problems, one.wanted.file)
        space = open_workspace(where, one.wanted.file)
        ahead = [Plan(tuple(part.changes), part.totals) for part in parts]
        parts.append(_plan(one, None, how, space, screen, ahead=ahead))
    views = [part.view for part in parts if part.view is not None]
    plans = [Plan(tuple(part.changes), part.totals) for part in parts]
    changes = together(plans)
    tell, paint = _teller(screen)
    shown = plans_view(views, plans, how.budget)
    if not screen.quiet or not (how.yes or space.sandbox):
        tell(f"{_gap(screen)}{plans_sum(shown, color=paint.color, detail=screen.detail)}")
    lines = list(changes.changes)
    both = replace(
        parts[0],
        approval=approval, changes=lines, totals=changes.totals, view=shown.whole, budget_left=how.budget,
    )  # fmt: skip
    _approve(both, how, space, screen, loaded)
    on_record = approval.on_record if approval else None
    return [(part.loaded, Approval(part.totals.digest, on_record=on_record)) for part in parts]


# --- one job file -------------------------------------------------------------------------------------


def _load(
    wanted: JobFileOptions, how: RunOptions, screen: Screen
) -> tuple[LoadedJobFile, Approval | None, RunOptions]:
    """A plan file says what its plan was made of."""
    approval = None
    if how.plan_file is not None or how.expect is not None:
        from kiejobs.app.approve import expected, open_plan  # noqa: PLC0415 - most approve here

        approval = expected(how.expect)
        if how.plan_file is not None:
            approval, wanted, retry = open_plan(how.plan_file, wanted)
            how = replace(how, retry=retry)
    with screen.busy(f"reading {wanted.file}"):
        loaded = load(wanted)
    if wanted.select:
        require_selected(loaded)
    screen.warn(loaded.problems, wanted.file)
    return loaded, approval, how


def _plan(
    loaded: LoadedJobFile,
    approval: Approval | None,
    how: RunOptions,
    space: Workspace,
    screen: Screen,
    *,
    shown: bool = True,
    ahead: Sequence[Plan] = (),
) -> _Planned:
    """The plan, shown, within the policy and the lock. Raises StalePlan, SpendingStopped."""
    with screen.busy(READING):
        space.store.publish()
        history = space.store.read()
    for record in unfinished_runs(history, space):
        name, at = sanitize(record.run_id), moment(record.outline[-1].at, local=screen.err.isatty())
        screen.note(f"note: run {name} was last active at {at} and {_UNFINISHED}")
    ledger = history.ledger(space.origin)
    if loaded.wanted.locked or loaded.wanted.check_assets:
        from kiejobs.app.approve import require_locked  # noqa: PLC0415 - where it is asked for

        require_locked(loaded, screen, ledger=ledger)
    with screen.busy(f"planning {loaded.wanted.file}"):
        made = make_plan(loaded, space, ledger, how.retry)
        left = budget_left(loaded, ledger, made.changes, how.budget)
    if space.policy is not None or loaded.jobfile.budget is not None:
        from kiejobs.app.approve import limits_of  # noqa: PLC0415 - most have none

        space.store.limit(limits_of(space, loaded))
    view = plan_view(loaded, space, ledger, made, left)
    is_asked = made.totals.actions[Action.SUBMIT] and not (how.yes or space.sandbox)
    if shown and (is_asked or not screen.quiet):
        tell, paint = _teller(screen)
        between = "\n" if ahead and not screen.quiet else ""
        tell(between + plan_text(view, **{**screen.look, "color": paint.color}))
    if space.policy is not None:
        from kiejobs.app.approve import breaches_of, require_none  # noqa: PLC0415 - most have none

        broken = breaches_of(space, loaded, ledger, made.changes, ahead)
        require_none(broken, space.policy, screen)
    elsewhere = history.elsewhere(space.origin)
    return _Planned(loaded, approval, list(made.changes), made.totals, left, ledger, elsewhere, view)


def _approve(
    planned: _Planned, how: RunOptions, space: Workspace, screen: Screen, loaded: Sequence[LoadedJobFile] = ()
) -> Secret | None:
    """The key to act with, once it is approved; None where there is nothing to do. `loaded`: where there are several."""
    buys, approval = planned.totals.actions[Action.SUBMIT], planned.approval
    if buys and not space.sandbox and (problem := space.two_ledgers()):
        raise problem
    if buys and not how.allow_behind and not space.sandbox:
        _require_lasting(space)
        for unknown in space.store.require_current():
            screen.note(unknown)
    if approval is not None:
        from kiejobs.app.approve import require_approved  # noqa: PLC0415 - most approve here

        if buys and not space.sandbox and approval.is_by_another:
            from kiejobs.app.guards import require_tracked  # noqa: PLC0415 - as above

            for one in loaded or [planned.loaded]:
                require_tracked(one, space)
        require_approved(approval, planned.changes, planned.totals.terms, planned.ledger, space, screen)
    if not any(map(does_something, planned.changes)):
        return None
    key = require_key(space, buys=bool(buys))
    space.folder.require()
    if buys and (trouble := space.folder.unwritable()):
        raise UsageProblem(f"{space.folder.name}: {trouble}; nothing was bought")
    if not space.sandbox and approval is None:
        _confirm(planned, key, how, space, screen)
    return key


def _require_lasting(space: Workspace) -> None:
    """A CI job's folders go with its machine: what it bought would be on record nowhere. Raises StalePlan."""
    in_ci = "true" in {variable("GITHUB_ACTIONS"), variable("GITLAB_CI")}
    if in_ci and space.home == "folder":
        hint = (
            "`ledger: git` in kiejobs.yaml keeps it on a branch; --allow-behind if the job itself saves runs/"
        )
        raise StalePlan("the ledger is a folder of this CI job, and is lost with it", hint=hint)


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
    ledger, approval, most = planned.ledger, planned.approval, None
    if how.max_failures is not None:
        number, is_share = how.max_failures
        limit = FailureLimit(percent=number) if is_share else FailureLimit(int(number))
        most = limit.of(planned.totals.actions[Action.SUBMIT])
    budget = Budget(planned.budget_left, most_failures=most)
    if key is None:
        return Execution(journal, planned.changes, how.settings, budget), NOTHING_DONE
    with _listening(how, space, screen) as (url, callbacks):
        on_record = approval and approval.on_record
        approved = [Approved(on_record, approval.plan_id)] if approval and on_record else []
        journal.append(*intentions(planned.changes), *approved)
        ages = recent_create_ages(ledger, space)
        execution = Execution(
            journal,
            aimed(planned.changes, ledger, planned.elsewhere, url, renames=space.folder.renames),
            replace(how.settings, lately=ages, callback_url=url),
            budget,
            callbacks=callbacks,
            folder=planned.loaded.folder.path if planned.loaded.folder.has_local_files else None,
            uploads=reusable_uploads(ledger),
            media_type=planned.loaded.models.media_type,
            ledger=ledger,
        )
        end = execute(execution, space, key, screen, claim.release)
        return without_jobs(execution), end


def _listening(
    how: RunOptions, space: Workspace, screen: Screen
) -> AbstractContextManager[tuple[str | None, Callbacks | None]]:
    """Where callbacks come to: nowhere in most runs."""
    url = how.ear.public_url
    if not how.listen and url is None:
        return nullcontext((None, None))
    from kiejobs.app.callbacks import listening, require_allowed  # noqa: PLC0415 - as above

    if url is not None:
        require_allowed(url, space)

    return listening(how.ear if how.listen else None, url, space, screen)


def _gap(screen: Screen) -> str:
    return "" if screen.quiet else "\n"


def _nothing_to_do(done: Execution, planned: _Planned, space: Workspace, screen: Screen) -> ExitCode:
    """What is held back still counts: a job in doubt or failed is not a finished campaign."""
    mention_others(done, planned.ledger, space, screen)
    lines = done.changes
    attempts = {line.attempt.attempt_id: line.attempt for line in lines if line.attempt}
    doubts = [attempt for attempt in attempts.values() if attempt.state is State.IN_DOUBT]
    tell, paint = _teller(screen)
    if screen.quiet and planned.view is not None:  # which is shown only to whom is asked
        tell(plan_text(planned.view, **{**screen.look, "color": paint.color}))
    elif doubts:
        tell(doubts_text(doubts, paint, space.flag))
    if screen.form == "json" or screen.outs:
        return finish(done, NOTHING_DONE, space, screen)
    held = [line.attempt for line in lines if line.attempt and line.action is Action.HOLD]
    lacks = any(a.state in {State.FAILED, State.REJECTED} or a.gone is not None for a in held)
    others = sum(attempt.state is State.RESERVED for attempt in held)
    if others:
        screen.say(
            f"Another run is submitting {plural(others, 'job')} of this plan; run again when it has ended."
        )
    if doubts or lacks:
        return ExitCode.IN_DOUBT if doubts else ExitCode.SOME_FAILED
    return ExitCode.STILL_RUNNING if others else ExitCode.DONE


def _teller(screen: Screen) -> tuple[Callable[[str], None], Paint]:
    """Where the plan goes, and how it looks there: part of the text, or next to a JSON report."""
    if screen.form == "text":
        return screen.show, Paint(screen.color_out, screen.local_out)
    return screen.say, Paint(screen.color_err, screen.err.isatty())


def _confirm(planned: _Planned, key: Secret, how: RunOptions, space: Workspace, screen: Screen) -> None:
    """Raises Cancelled where the answer is no, UsageProblem where there is nobody to answer."""
    bought = planned.totals.actions[Action.SUBMIT]
    if how.yes or not bought:
        return
    if screen.ask is None:
        message = f"{plural(bought, 'job')} to buy, and no terminal to confirm on"
        raise UsageProblem(message, hint="review the plan, then add --yes")
    screen.say("\n".join(_funds(planned, key, space)))
    price = planned.view.price if planned.view is not None else price_text(planned.totals.credits)
    if not screen.ask(f"Buy {plural(bought, 'job')} for {price}?"):
        raise Cancelled("Cancelled; nothing was bought.")


def _funds(planned: _Planned, key: Secret, space: Workspace) -> Iterator[str]:
    """What there is to pay from: the account, by its own word, and what is left of a budget."""
    import anyio  # noqa: PLC0415 - where a person is asked

    async def ask() -> Decimal | Unanswered:
        async with opened(space, key) as (api, *_):
            return await api.balance()

    balance, wanted = anyio.run(ask), planned.totals.credits
    if isinstance(balance, Unanswered):
        yield f"Account: the balance is unknown ({sanitize(balance.message)})"
    else:
        too_little = "; less than the plan costs" if balance < wanted else ""
        yield f"Account: {price_text(balance)}{too_little}"
    if planned.budget_left is not None:
        too_little = "; buying stops when it is used up" if planned.budget_left < wanted else ""
        yield f"Budget: {price_text(planned.budget_left)} left{too_little}"
