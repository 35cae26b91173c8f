"""What `plan`, `run` and `explain` have in common: a loaded file against the ledger.

In: a loaded job file, a workspace, flags. Out: a `Plan`, prices in words, budgets. Touches: journals
and the output folder, by reading.
"""

from __future__ import annotations

from collections import ChainMap
from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.app.select import selection_of
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.expand.job import refs_in
from kiejobs.core.plan.plan import difference, plan
from kiejobs.core.plan.selection import selectable
from kiejobs.core.prices.table import aged_prices
from kiejobs.reports.terminal import width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.app.job_file import JobFileOptions
    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change, FieldChange, Plan
    from kiejobs.core.prices.table import AgedPrice


def has_selected(loaded: LoadedJobFile, wanted: JobFileOptions) -> bool:
    """Could `--select` take any of the file's jobs, whatever becomes of them?"""
    selection = selection_of(wanted).without_ledger()
    return not selection.terms or any(
        selection.takes(selectable(job)) for job in loaded.expansion.jobs
    )


def require_selected(loaded: LoadedJobFile, wanted: JobFileOptions) -> None:
    """Raises UsageProblem where `--select` could take none of the file's jobs: mostly a slip.

    That nothing is in the state that is asked for is none.
    """
    if not has_selected(loaded, wanted):
        hint = "`kiejobs plan` without --select lists the addresses"
        raise UsageProblem("--select matches no job", hint=hint)


def make_plan(
    loaded: LoadedJobFile,
    wanted: JobFileOptions,
    space: Workspace,
    ledger: Ledger,
    retry: Sequence[str],
) -> Plan:
    return plan(
        loaded.expansion.jobs,
        ledger,
        space.condition,
        campaign=loaded.jobfile.campaign,
        selection=selection_of(wanted),
        retry=frozenset(retry),
    )


def diff_of(loaded: LoadedJobFile, change: Change, ledger: Ledger) -> list[FieldChange] | None:
    """The fields that differ from what was bought under this address; None where that is no matter."""
    if change.reason != "input_changed" or change.attempt is None or change.job is None:
        return None
    job = change.job
    was = dict(change.attempt.reserved.input)
    files = ChainMap(loaded.files.paths, dict(_paths_then(was, ledger)))
    if change.attempt.reserved.model != job.model:
        return difference(
            {"model": change.attempt.reserved.model, **was},
            {"model": job.model, **job.input},
            files,
        )
    return difference(was, job.input, files)


def _paths_then(was: dict[str, Json], ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Where the local files of a request lay when they were uploaded."""
    for _, ref in refs_in(was):
        for told in ledger.uploads.get(ref.removeprefix("sha256:"), ()):
            yield ref, told.path


def budget_left(loaded: LoadedJobFile, ledger: Ledger, flag: Decimal | None) -> Decimal | None:
    """Credits that may still be spent: the file's budget less what the campaign holds, and `--budget`.

    None where nobody set a limit.
    """
    limits = [flag] if flag is not None else []
    budget = loaded.jobfile.budget
    if budget is not None:
        held = ledger.committed(loaded.jobfile.campaign) if budget.per == "campaign" else 0
        limits.append(max(budget.credits - held, Decimal(0)))
    return min(limits) if limits else None


def usd_per_credit(loaded: LoadedJobFile) -> Decimal | None:
    """The price of a credit, where all models of the file agree on one."""
    prices = [loaded.expansion.prices.of(model) for model in loaded.expansion.spec_of]
    known = {None if price is None else price.usd_per_credit for price in prices}
    return known.pop() if len(known) == 1 else None


def prices_of(loaded: LoadedJobFile, space: Workspace) -> tuple[AgedPrice, ...]:
    """The prices of the file's models, with their age today."""
    models = dict.fromkeys(loaded.expansion.spec_of)
    return aged_prices(loaded.expansion.prices, models, space.clock().now().date())


def widest_address(loaded: LoadedJobFile) -> int:
    """How wide the address column must be."""
    return max((width(job.address) for job in loaded.expansion.jobs), default=7)
