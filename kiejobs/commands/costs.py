"""`kiejobs costs [FILE…]`: what was spent, on what, for each result; what a run would add; what limits leave. No key.

In: the journals; job files, else those that the campaigns on record were bought from. Out: a table, the document of
schemas/documents/costs.schema.json, CSV, or FOCUS's charges. Touches: disk, by reading.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import cached_property, partial
from typing import TYPE_CHECKING

from kiejobs.adapters.project.models import required_prices
from kiejobs.app.load import load
from kiejobs.app.output import READING
from kiejobs.app.picks import PickBook, pick_book
from kiejobs.app.plan import agreed, held_by, make_plan, named_files
from kiejobs.app.project import mention_trouble, mention_two_ledgers, open_workspace
from kiejobs.app.select import files_of, tags_by
from kiejobs.core.diagnostics import ExitCode, InvalidJobFile, KiejobsError, UsageProblem
from kiejobs.core.ledger.costs import Cost, cost_of
from kiejobs.core.ledger.records import utc_text
from kiejobs.core.picks import NO, NONE, STALE, YES
from kiejobs.core.plan.plan import job_address
from kiejobs.core.plan.policy import HELD
from kiejobs.reports.costs import CostsView, Limit, costs_csv, costs_document, costs_text
from kiejobs.reports.terminal import plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.options import JobFileOptions, Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Attempt, Ledger
    from kiejobs.core.plan.plan import Change

_PICKS = {YES: "picked", NO: "rejected", NONE: "undecided", STALE: "stale"}
_AGES = 20 * 365 * 86_400.0  # seconds; before that there is nothing
_NO_TAG = "(no tag)"
_ONE_BUY = ("credits_per_run", "credits_per_job")


@dataclass(frozen=True, slots=True)
class _Planned:
    loaded: LoadedJobFile
    changes: Sequence[Change]


@dataclass(frozen=True)
class _Books:
    """What is counted: the attempts, the plans, the picks. `campaigns` is None for all."""

    space: Workspace
    ledger: Ledger
    picks: PickBook
    planned: Sequence[_Planned]
    campaigns: frozenset[str] | None
    since: str

    @cached_property
    def attempts(self) -> list[Attempt]:
        """In the order of reservation, each under the address that it has in the campaigns that are asked for."""
        found = (one for one in self.ledger.attempts() if one.times["reserved"] >= self.since)
        return [replace(one, address=address) for one in found if (address := self._address(one)) is not None]

    def _address(self, attempt: Attempt) -> str | None:
        names = (attempt.address, *attempt.shared)
        if self.campaigns is None:
            return attempt.address
        return next((name for name in names if name.partition("/")[0] in self.campaigns), None)

    @cached_property
    def bought(self) -> list[Change]:
        """What the plans would buy; what two files want counts once."""
        lines = (line for one in self.planned for line in one.changes if line.spends)
        return list({(line.fingerprint, line.take): line for line in lines}.values())

    @cached_property
    def tags(self) -> Callable[[Attempt], tuple[str, ...]]:
        return tags_by([job for one in self.planned for job in one.loaded.expansion.jobs])


def costs(
    files: Sequence[str],
    wanted: JobFileOptions,
    where: Locations,
    screen: Screen,
    *,
    by: str,
    since: str | float | None,
) -> ExitCode:
    """`since`: a day in UTC, or how many seconds ago. Raises what keeps a file that is named from being planned."""
    names = named_files(files, wanted) if files else ()
    space = open_workspace(where, names[0] if names else "")
    mention_two_ledgers(space, screen)
    with screen.busy(READING):
        ledger = space.ledger()
    mention_trouble(space, screen)
    if any(open_workspace(where, name).root != space.root for name in names[1:]):
        raise UsageProblem(
            "these job files belong to several projects", hint="run it for each project: -C DIR"
        )
    planned, unplanned = _plans(
        names, replace(wanted, base_url=where.base_url, sandbox=where.sandbox), space, ledger
    )
    campaigns = frozenset(one.loaded.jobfile.campaign for one in planned) if names else None
    books = _Books(space, ledger, pick_book(space, ledger), planned, campaigns, _since(since, space))
    if screen.form == "focus":
        return _focus(books, screen)
    rows, total = _rows(books, by)
    view = CostsView(
        by, rows, total, books.since, _usd(books), list(_limits(books)), unplanned, rehearsal=space.sandbox
    )
    if screen.form == "csv":
        screen.stream(costs_csv(view))
    else:
        screen.answer(costs_document, partial(costs_text, wide=screen.wide_out, detail=screen.detail), view)
    return ExitCode.DONE


def _since(since: str | float | None, space: Workspace) -> str:
    """As UTC text that compares with times on record; empty for all."""
    if since is None:
        return ""
    if isinstance(since, float):
        return utc_text(space.clock().now() - timedelta(seconds=min(since, _AGES)))
    return since


def _plans(
    names: Sequence[str], wanted: JobFileOptions, space: Workspace, ledger: Ledger
) -> tuple[list[_Planned], dict[str, str]]:
    """Of the files that are named, else of each campaign on record that has one; and why others have no plan."""
    found = [_plan(replace(wanted, file=name), space, ledger) for name in names]
    unplanned: dict[str, str] = {}
    campaigns = () if names else dict.fromkeys(one.address.partition("/")[0] for one in ledger.attempts())
    for campaign in campaigns:
        file = next(files_of(campaign, ledger, space.root), None)
        if file is None:
            unplanned[campaign] = "no job file here has that campaign"
            continue
        try:
            found.append(_plan(replace(wanted, file=file), space, ledger))
        except InvalidJobFile as invalid:
            unplanned[campaign] = (
                f"{plural(len(invalid.problems), 'error')} in {file}: see `kiejobs validate`"
            )
        except KiejobsError as problem:
            unplanned[campaign] = problem.message
    return found, unplanned


def _plan(wanted: JobFileOptions, space: Workspace, ledger: Ledger) -> _Planned:
    loaded = load(wanted)
    return _Planned(loaded, make_plan(loaded, space, ledger, ()).changes)


# --- sums --------------------------------------------------------------------------------------------


def _rows(books: _Books, by: str) -> tuple[dict[str, Cost], Cost]:
    """By name; and the total, which has each purchase once."""
    rows: dict[str, Cost] = defaultdict(Cost)
    total = Cost()
    for attempt in books.attempts:
        counts = books.ledger.bought(*attempt.key)
        is_counted = counts is not None and counts.attempt_id == attempt.attempt_id
        cost = cost_of(attempt, picked=is_counted and books.picks.word(attempt) == YES)
        total += cost
        for name in _names_of(attempt, books, by):
            rows[name] += cost
    for line in books.bought:
        cost = Cost(to_buy=line.credits or Decimal(0), unpriced=int(line.credits is None))
        total += cost
        for name in _names_of_line(line, books, by):
            rows[name] += cost
    return {name: cost for name, cost in rows.items() if cost != Cost()}, total


def _names_of(attempt: Attempt, books: _Books, by: str) -> Iterable[str]:
    if by == "tag":
        return books.tags(attempt) or (_NO_TAG,)
    if by == "pick":
        return (_PICKS[books.picks.word(attempt)],)
    return (_name(by, attempt.address, attempt.reserved.model, attempt.times["reserved"]),)


def _names_of_line(line: Change, books: _Books, by: str) -> Iterable[str]:
    """What is still to be bought: this month, and as its address was decided on."""
    if by == "tag":
        return (line.job.tags if line.job else ()) or (_NO_TAG,)
    if by == "pick":
        newest = books.ledger.newest(line.address)
        return (_PICKS[NONE if newest is None else books.picks.word(newest)],)
    return (_name(by, line.address, line.model, utc_text(books.space.clock().now())),)


def _name(by: str, address: str, model: str, time: str) -> str:
    job = job_address(address)
    return {"job": job, "campaign": job.partition("/")[0], "model": model, "month": time[:7]}[by]


def _usd(books: _Books) -> Decimal | None:
    """The price of a credit, where all that was bought or would be agrees on one."""
    known = _prices(books)
    models = {one.reserved.model for one in books.attempts} | {line.model for line in books.bought}
    return agreed({known.get(model) for model in models})


def _prices(books: _Books) -> Mapping[str, Decimal]:
    """Dollars for a credit, by model, as far as the price table says it."""
    table = required_prices(books.space.root)
    return {price.model: price.usd_per_credit for price in table if price.usd_per_credit is not None}


# --- limits ------------------------------------------------------------------------------------------


def _limits(books: _Books) -> Iterator[Limit]:
    """The policy's, and budgets of campaigns; each as a run counts it, whatever `--since` says."""
    campaigns = sorted({one.address.partition("/")[0] for one in books.attempts})
    campaigns += sorted({one.loaded.jobfile.campaign for one in books.planned} - set(campaigns))
    for layer in books.space.policy.layers if books.space.policy else ():
        for rule in (*_ONE_BUY, *HELD):
            most = getattr(layer, rule)
            if most is not None:
                for who, used in _used(rule, books, campaigns):
                    yield Limit(rule, layer.file, who, most, used)
    for one in books.planned:
        jobfile = one.loaded.jobfile
        if jobfile.budget is not None:
            per_run = jobfile.budget.per == "run"
            used = None if per_run else held_by(jobfile.campaign, books.ledger, one.changes)
            who = "each run" if per_run else jobfile.campaign
            yield Limit("budget", one.loaded.wanted.file, who, jobfile.budget.credits, used)


def _used(rule: str, books: _Books, campaigns: Sequence[str]) -> Iterator[tuple[str, Decimal | None]]:
    if rule in _ONE_BUY:
        yield f"each {rule.rpartition('_')[2]}", None
    elif rule == "credits_per_campaign":
        changes = {one.loaded.jobfile.campaign: one.changes for one in books.planned}
        for campaign in campaigns:
            yield campaign, held_by(campaign, books.ledger, changes.get(campaign, ()))
    elif rule == "credits_per_month":
        month = f"{books.space.clock().now():%Y-%m}"
        yield month, books.ledger.committed(since=month)
    else:
        yield "the project", books.ledger.committed()


# --- FOCUS -------------------------------------------------------------------------------------------


def _focus(books: _Books, screen: Screen) -> ExitCode:
    from kiejobs.reports.focus import Charges, focus_csv  # noqa: PLC0415 - one format

    policy = books.space.policy
    account = policy.layers[-1].ledger.account if policy else "default"
    tags = {one.attempt_id: books.tags(one) for one in books.attempts}
    charges = Charges(books.attempts, books.space.origin, account, _prices(books), tags)
    screen.stream(focus_csv(charges))
    if charges.unknown:
        models = ", ".join(map(sanitize, charges.unknown))
        screen.say(
            f"no price of a credit in dollars, so no cost, for {models}: `usd_per_credit` in prices.yaml"
        )
    return ExitCode.DONE
