"""A loaded file against the ledger: what would be done, and what of it goes on record before it is.

In: a loaded job file, a workspace, flags. Out: a `Plan`, prices, budgets, their view; the lines as they are
carried out, the events that record them. Touches: journals and the output folder, by reading; the clock.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.project.root import below_checkout, find_root
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.ledger.records import State, sibling_path
from kiejobs.core.models.spec import complete
from kiejobs.core.money import money
from kiejobs.core.plan.plan import Action, Change, FieldChange, Plan, Terms, difference, plan, together
from kiejobs.core.prices.table import AgedPrice, aged_prices
from kiejobs.core.template.renderer import is_template
from kiejobs.reports.plan import PlanRow, PlansView, PlanView, plan_json, plan_text, plans_json, plans_text
from kiejobs.reports.terminal import plural, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.options import JobFileOptions
    from kiejobs.app.project import Workspace
    from kiejobs.core.diagnostics import KiejobsError
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.job import Job
    from kiejobs.core.ledger.events import Uploads
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.selection import Selection

_STAYS = "stays, and the result goes next to it"
_LATEST = 1_000  # attempts whose age can still matter to any sensible rate


def named_files(
    names: Sequence[str], wanted: JobFileOptions, since: str | None = None, base: str | None = None
) -> Sequence[str]:
    """The job files that are named, and those in folders; of these what changed `since`. Raises UsageProblem."""
    if "" in names:
        raise UsageProblem("the name of a job file is empty", hint="is a variable of the shell not set?")
    if since is None and len(names) == 1 and Path(names[0]).is_file():
        return names
    from kiejobs.app.by_git import job_files  # noqa: PLC0415 - most name one file

    return job_files(names, wanted, since, base)


def selection_of(wanted: JobFileOptions, space: Workspace | None = None) -> Selection:
    """`--select`, for verbs that see both the job file and the ledger. Raises InvalidJobFile for broken picks."""
    from kiejobs.core.plan.selection import read_selection  # noqa: PLC0415 - behind a flag

    file = find_root(wanted.file).below(wanted.file) or Path(wanted.file).as_posix()  # as the ledger has it
    selection = read_selection(wanted.select, file=file)
    if "pick" not in selection.keys:
        return selection
    from kiejobs.app.picks import picks_for  # noqa: PLC0415 - behind a flag

    return replace(selection, picks=picks_for(wanted.file, space))


def selection_of_file(wanted: JobFileOptions, verb: str) -> Selection:
    """For verbs that look at the job file alone. Raises UsageProblem for `state:` and `result:`."""
    selection = selection_of(wanted)
    for key in selection.ledger_keys:
        others = "`kiejobs plan --select` and `kiejobs status --select` know it"
        hint = f"{others}; {verb} takes tag:, job:, axis:, file: and addresses"
        message = f"`--select {key}:…`: {verb} reads the job file only and knows no {key}"
        raise UsageProblem(message, hint=hint)
    return selection


def has_selected(loaded: LoadedJobFile) -> bool:
    """Could `--select` take any of the file's jobs, whatever becomes of them?"""
    if not loaded.wanted.select:
        return True
    selection = selection_of(loaded.wanted).without_ledger()
    return any(map(selection.takes_job, loaded.expansion.jobs)) or not selection.terms


def require_selected(loaded: LoadedJobFile) -> None:
    """Raises UsageProblem where `--select` could take none of the file's jobs, whatever their states."""
    if not has_selected(loaded):
        raise nothing_selected(loaded.wanted.select, loaded.expansion.jobs)


def nothing_selected(words: Sequence[str], jobs: Sequence[Job]) -> UsageProblem:
    """What is wrong where `--select` takes none of these jobs, of one file or of several."""
    from kiejobs.core.plan.selection import meant, selectable  # noqa: PLC0415 - behind a flag

    listing = "`kiejobs plan` without --select lists the addresses"
    return UsageProblem("--select matches no job", hint=meant(words, list(map(selectable, jobs)), listing))


def make_plan(loaded: LoadedJobFile, space: Workspace, ledger: Ledger, retry: Sequence[str]) -> Plan:
    """Raises UsageProblem where its results would be written through a link."""
    space.look_ahead(ledger.attempts(loaded.jobfile.campaign))
    made = plan(
        loaded.expansion.jobs,
        ledger,
        space.condition,
        campaign=loaded.jobfile.campaign,
        selection=selection_of(loaded.wanted, space) if loaded.wanted.select else None,
        retry=frozenset(retry),
        terms=_terms(loaded, space),
        today=lambda model, sent: complete(loaded.expansion.spec_of[model], sent),
    )
    space.require_no_links(made.changes)
    taken = space.folder.occupied(made.changes)
    return replace(made, changes=tuple(_noting(made.changes, taken, space, ledger))) if taken else made


def _noting(
    lines: Iterable[Change], taken: Mapping[str, str], space: Workspace, ledger: Ledger
) -> Iterator[Change]:
    """With a word where what has the name of a result is not as kiejobs wrote it. Raises UsageProblem for what is no file."""
    ours = {file.path: (a, file) for a in ledger.attempts() for file in a.files}
    for line in lines:
        words = [line.detail] if line.detail else []
        for path in filter(taken.__contains__, line.writes):
            if taken[path] != "file" and line.spends:
                hint = "rename it, or give the job another `output`"
                kind = "a folder" if taken[path] == "folder" else "a pipe, a socket or a device"
                what = f"{path} is {kind} in the outputs, and {line.address} needs that name"
                raise UsageProblem(what, hint=hint)
            attempt, file = ours.get(path, (None, None))
            if attempt is None or file is None:
                words.append(f"what is not from kiejobs {_STAYS}: {path}")
            elif space.folder.condition([file], attempt.times["collected"]):
                words.append(f"what was edited since it was collected {_STAYS}: {path}")
        yield line._replace(detail="; ".join(words)) if words else line


def _terms(loaded: LoadedJobFile, space: Workspace) -> Terms:
    budget = loaded.jobfile.budget
    return Terms(
        None if budget is None else f"{money(budget.credits)} credits per {budget.per}",
        space.policy.callback_url if space.policy else None,
        {model: spec.meaning for model, spec in sorted(loaded.expansion.spec_of.items())},
    )


def diff_of(loaded: LoadedJobFile, change: Change, ledger: Ledger) -> list[FieldChange] | None:
    """The fields that differ from what was bought under this address; None where that is no matter."""
    if change.reason != "input_changed" or change.attempt is None or change.job is None:
        return None
    job, reserved = change.job, change.attempt.reserved
    was, now = dict(reserved.input), job.input
    files = ChainMap(loaded.files.paths, dict(_paths_then(was, ledger)))
    if reserved.model != job.model:
        was, now = {"model": reserved.model, **was}, {"model": job.model, **now}
    return difference(was, now, files)


def _paths_then(was: dict[str, Json], ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Where the local files of a request lay when they were uploaded."""
    from kiejobs.core.expand.job import refs_in  # noqa: PLC0415 - behind a difference

    for _, ref in refs_in(was):
        for told in ledger.uploads.get(ref.removeprefix("sha256:"), ()):
            yield ref, told.path


def budget_left(
    loaded: LoadedJobFile, ledger: Ledger, changes: Iterable[Change], flag: Decimal | None
) -> Decimal | None:
    """Credits that may still be spent, by the file's budget and `--budget`; None where nobody set a limit."""
    limits = [flag] if flag is not None else []
    budget = loaded.jobfile.budget
    if budget is not None:
        held = held_by(loaded.jobfile.campaign, ledger, changes) if budget.per == "campaign" else 0
        limits.append(max(budget.credits - held, Decimal(0)))
    return min(limits) if limits else None


def held_by(campaign: str, ledger: Ledger, changes: Iterable[Change]) -> Decimal:
    """Credits that a campaign holds, with what this plan adopts for it."""
    moved = (change.attempt for change in changes if change.action is Action.ADOPT)
    adopted = (one.committed for one in moved if one is not None and not one.is_of(campaign))
    return sum(adopted, ledger.committed(campaign))


def usd_per_credit(loaded: LoadedJobFile) -> Decimal | None:
    """The price of a credit, where all models of the file agree on one."""
    known = set()
    for price in map(loaded.expansion.prices.of, loaded.expansion.spec_of):
        known.add(None if price is None else price.usd_per_credit)
    return agreed(known)


def agreed(values: set[Decimal | None]) -> Decimal | None:
    """The one value that there is; None where there are several."""
    return values.pop() if len(values) == 1 else None


def prices_of(loaded: LoadedJobFile, space: Workspace) -> tuple[AgedPrice, ...]:
    models = dict.fromkeys(loaded.expansion.spec_of)
    return aged_prices(loaded.expansion.prices, models, space.clock().now().date())


# --- before it is carried out ----------------------------------------------------------------------


def aimed(
    lines: Sequence[Change],
    ledger: Ledger,
    elsewhere: Ledger,
    callback_url: str | None,
    *,
    renames: bool = True,
) -> list[Change]:
    """No job goes to a file that another address's purchase has, from any API; where nothing can be renamed, nor to
    one that its own earlier purchase has. `callback_url` to jobs without one.
    """
    taken, foreign = ledger.paths(), elsewhere.paths()
    found = []
    for line in lines:
        job = line.job
        if job is None or not line.spends:
            found.append(line)
            continue
        if job.callback_url is None and callback_url is not None:
            job = job._replace(callback_url=callback_url, correlate=True)
        holder = taken.get(job.output)
        ours = holder is None or holder.reserved.fingerprint == job.fingerprint
        if not (ours or (renames and holder and holder.address == job.address)) or job.output in foreign:
            job = job._replace(output=sibling_path(job.output, job.fingerprint))
        found.append(line._replace(job=job))
    return found


def reusable_uploads(ledger: Ledger) -> Uploads:
    """Those on record, but for what a task was made with that failed, or a create that was rejected.

    It may have been the address's fault. Another upload costs nothing, and another failure may.
    """
    if not ledger.uploads:
        return {}
    from kiejobs.core.expand.job import refs_in  # noqa: PLC0415 - most upload nothing

    failed = (a for a in ledger.attempts() if a.state in {State.FAILED, State.REJECTED})
    suspect = {ref for attempt in failed for _, ref in refs_in(dict(attempt.reserved.input))}
    return {sha: told for sha, told in ledger.uploads.items() if f"sha256:{sha}" not in suspect}


def recent_create_ages(ledger: Ledger, space: Workspace) -> tuple[float, ...]:
    """How long ago the last creates were, in this workspace's seconds: the account's pace goes on."""
    now, speed = space.clock().now(), space.speed if space.sandbox else 1.0
    ages = []
    for attempt in list(ledger.attempts())[-_LATEST:]:
        age = (now - datetime.fromisoformat(attempt.times["reserved"])).total_seconds()
        ages.append(max(age, 0.0) * speed)  # below 0 where the clock was set back
    return tuple(ages)


# --- in the format that was asked for ---------------------------------------------------------------


def plan_view(
    loaded: LoadedJobFile, space: Workspace, ledger: Ledger, plan: Plan, left: Decimal | None
) -> PlanView:
    """`left` is what is left of a budget, None where nobody set one."""
    addresses = map(attrgetter("address"), loaded.expansion.jobs)
    rendered = {entry.name for entry in loaded.jobfile.entries if is_template(entry.model or "")}
    return PlanView(
        loaded.jobfile.campaign,
        [
            PlanRow(
                line,
                diff_of(loaded, line, ledger),
                line.model if rendered and line.job is not None and line.job.name in rendered else None,
            )
            for line in plan.changes
        ],
        plan.totals,
        file=below_checkout(loaded.wanted.file) or loaded.wanted.file,
        budget_left=left,
        usd_per_credit=usd_per_credit(loaded),
        prices=prices_of(loaded, space),
        flag=space.flag,
        rehearsal=space.sandbox,
        address_width=max(map(width, addresses), default=0) or 7,
    )


def plans_view(
    views: Sequence[PlanView],
    plans: Sequence[Plan],
    budget: Decimal | None = None,
    refused: Sequence[tuple[str, KiejobsError]] = (),
) -> PlansView:
    """What several files come to; `refused` are those without a plan. `budget` is one over all."""
    if len(views) == 1 and not refused:
        return PlansView(views, views[0])
    whole = PlanView(
        plural(len(views) + len(refused), "job file"),
        [row for view in views for row in view.rows],
        together(plans).totals,
        budget_left=budget,
        usd_per_credit=agreed({view.usd_per_credit for view in views}),
        flag=views[0].flag if views else "",
        rehearsal=any(view.rehearsal for view in views),
        base=views[0].base if views else None,
        guards=list(dict.fromkeys(line for view in views for line in view.guards)),
    )
    return PlansView([replace(view, guards=()) for view in views], whole, refused)


def plans_in(form: str, plans: PlansView, **look: Any) -> str:
    """With a line break at its end; `look` is how text is to be: its `color`, `detail` and `wide`. Of one job file it is that file's plan and nothing else."""
    views = plans.views
    is_one = len(views) == 1 and not plans.refused
    if form == "json":
        return plan_json(views[0]) if is_one else plans_json(plans)
    if form == "markdown":
        from kiejobs.reports.markdown import plan_markdown, plans_markdown  # noqa: PLC0415 - only if asked for

        return plan_markdown(views[0]) if is_one else plans_markdown(plans)
    return f"{plan_text(views[0], **look) if is_one else plans_text(plans, **look)}\n"
