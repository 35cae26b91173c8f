"""`kiejobs plan FILE...`: what would be bought, line by line, and for how much. No key, no network.

In: job files, the journals. Out: a table for each and one total, the document of schemas/plan.schema.json, or
Markdown for a pull request; the same in files, where one plan's document is a plan file; the digest over all.
Touches: disk; with `--comment` the API of GitHub or GitLab.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import STDIN
from kiejobs.app.load import load
from kiejobs.app.output import READING, files_by_ending, write
from kiejobs.app.plan import (
    budget_left,
    has_selected,
    make_plan,
    named_files,
    nothing_selected,
    plan_view,
    plans_in,
    plans_view,
    require_selected,
)
from kiejobs.app.project import mention_refusal, mention_trouble, mention_two_ledgers, open_workspace
from kiejobs.core.diagnostics import ExitCode, InvalidJobFile, KiejobsError, Problems, UsageProblem
from kiejobs.core.plan.plan import Action
from kiejobs.reports.plan import plan_json
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.options import JobFileOptions, Locations, PlanOptions
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.expand.job import Job
    from kiejobs.core.plan.plan import Plan
    from kiejobs.reports.plan import PlansView, PlanView

_FORMS = ("text", "json", "markdown", "digest")


@dataclass(frozen=True, slots=True)
class _Planned:
    loaded: LoadedJobFile
    space: Workspace
    made: Plan
    view: PlanView


def plan(
    wanted: JobFileOptions, files: Sequence[str], where: Locations, how: PlanOptions, screen: Screen
) -> ExitCode:
    """Exit 3 where asked to and something is to be done, 5 where a policy or the budget has something against it.

    No plan is made of a file that did not change `since` a revision. Of several files all are looked at: where one
    has no plan, the others are shown, on the pull request too, and it ends as that one did.
    """
    planned, refused = _plans(files, wanted, where, how, screen)
    _require_one_file(planned, refused, screen)
    shown = plans_view([one.view for one in planned], [one.made for one in planned], how.budget, refused)
    if planned:
        screen.show(plans_in(screen.form, shown, **screen.look))
    elif not refused:
        why = f"is unchanged since {how.since}" if how.since else "holds no job file"
        screen.say(f"{sanitize(', '.join(files))} {why}: no plan")
    for space in {
        one.space.root.path: one.space for one in planned if one.made.totals.actions[Action.SUBMIT]
    }.values():
        mention_refusal(space, screen)
    _write_files(shown, planned, how.retry, screen)
    if how.comment:
        from kiejobs.app.comment import comment  # noqa: PLC0415 - in CI

        shown = replace(shown, storyboard=how.storyboard)
        comment(shown, [one.loaded.wanted for one in planned], files[0], how.base, screen)
    _require_all(refused)
    _require_none_broken(planned, screen)
    if any(view.is_over_budget for view in (*shown.views, shown.whole)):
        return ExitCode.STOPPED
    if how.detailed_exitcode and shown.whole.totals.pending:
        return ExitCode.CHANGES_PENDING
    return ExitCode.DONE


def _plans(
    files: Sequence[str], wanted: JobFileOptions, where: Locations, how: PlanOptions, screen: Screen
) -> tuple[list[_Planned], list[tuple[str, KiejobsError]]]:
    """The plans, and which files have none, and why. Raises UsageProblem where nothing is selected in any."""
    planned: list[_Planned] = []
    refused: list[tuple[str, KiejobsError]] = []
    jobs: list[Job] = []
    try:
        names = named_files(files, wanted, how.since, how.base)
        files_by_ending(screen.outs, _FORMS, names)
    except UsageProblem as problem:
        return [], [(" ".join(files), problem)]
    for name in names:
        ahead = [one.made for one in planned]
        try:
            space = open_workspace(where, name)
            mention_two_ledgers(space, screen)
            with screen.busy(f"reading {name}"):
                loaded = load(replace(wanted, file=name, base_url=where.base_url, sandbox=where.sandbox))
            if len(names) == 1:
                require_selected(loaded)
            jobs += () if has_selected(loaded) else loaded.expansion.jobs
            if has_selected(loaded):
                screen.warn(loaded.problems, name)
                planned.append(_plan(loaded, space, how, screen, ahead))
        except KiejobsError as problem:
            refused.append((name, problem))
    if names and not planned and not refused:
        raise nothing_selected(wanted.select, jobs)
    return planned, refused


def _plan(
    loaded: LoadedJobFile, space: Workspace, how: PlanOptions, screen: Screen, ahead: Sequence[Plan]
) -> _Planned:
    """`ahead`: the plans of the files before it."""
    with screen.busy(READING):
        ledger = space.ledger()
    mention_trouble(space, screen)
    if loaded.wanted.locked or loaded.wanted.check_assets:
        from kiejobs.app.approve import require_locked  # noqa: PLC0415 - where it is asked for

        require_locked(loaded, screen, ledger=ledger)
    with screen.busy(f"planning {loaded.wanted.file}"):
        made = make_plan(loaded, space, ledger, how.retry)
        left = budget_left(loaded, ledger, made.changes, how.budget)
        view = plan_view(loaded, space, ledger, made, left)
    view = replace(view, own_schemas=loaded.own_schemas)
    if how.comment or "markdown" in {
        screen.form,
        *(kind for _, kind in files_by_ending(screen.outs, _FORMS)),
    }:
        from kiejobs.app.picks import pick_book  # noqa: PLC0415 - for a pull request

        view = replace(view, choice=pick_book(space, ledger).decisions(view.campaign))
    if how.base is not None:
        from kiejobs.app.guards import guards_changed  # noqa: PLC0415 - behind a flag

        view = replace(view, base=how.base, guards=guards_changed(loaded, space, how.base))
    if space.policy is not None:
        from kiejobs.app.approve import breaches_of  # noqa: PLC0415 - most have no policy

        view = replace(view, broken=breaches_of(space, loaded, ledger, made.changes, ahead))
    return _Planned(loaded, space, made, view)


def _require_one_file(
    planned: Sequence[_Planned], refused: Sequence[tuple[str, KiejobsError]], screen: Screen
) -> None:
    """Raises UsageProblem for a plan file of several job files, or of standard input, before anything is shown."""
    path = next((path for path, kind in files_by_ending(screen.outs, _FORMS) if kind == "json"), None)
    if path is None or not planned:
        return
    if len(planned) + len(refused) > 1:
        hint = "for several, approve the digest over all: `kiejobs run FILES --expect DIGEST`"
        raise UsageProblem(f"--out {path}: a plan file is of one job file", hint=hint)
    if planned[0].loaded.wanted.file == STDIN:
        hint = "write the job file to disk, and plan it by its name"
        raise UsageProblem(f"--out {path}: a plan file names its job file; this is standard input", hint=hint)


def _write_files(shown: PlansView, planned: Sequence[_Planned], retry: Sequence[str], screen: Screen) -> None:
    """A digest only where every file has a plan: what is approved by it must be all."""
    for path, kind in files_by_ending(screen.outs, _FORMS):
        if kind == "json" and planned:
            from kiejobs.app.approve import plan_file_keys  # noqa: PLC0415 - for a plan file only

            keys = plan_file_keys(planned[0].loaded, retry, planned[0].space)
            write(path, plan_json(planned[0].view, keys))
        elif kind == "digest" and not shown.refused:
            write(path, f"{shown.whole.totals.digest}\n")
        elif planned and kind != "digest":
            write(path, plans_in(kind, shown, detail=screen.detail))


def _require_all(refused: Sequence[tuple[str, KiejobsError]]) -> None:
    """Raises what kept a file from being planned: all that is invalid in one, else the first."""
    invalid = [problem.problems for _, problem in refused if isinstance(problem, InvalidJobFile)]
    if invalid:
        raise InvalidJobFile(sum(invalid, start=Problems()))
    for _, problem in refused:
        raise problem


def _require_none_broken(planned: Sequence[_Planned], screen: Screen) -> None:
    """Raises SpendingStopped where a policy has something against one of them."""
    broken = [breach for one in planned for breach in one.view.broken]
    policies = [one.space.policy for one in planned if one.view.broken and one.space.policy]
    if policies:
        from kiejobs.app.approve import require_none  # noqa: PLC0415 - most have no policy

        require_none(broken, policies[0], screen)
