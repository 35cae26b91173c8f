"""The plan: what would be done, line by line, and why. A pure table over the ledger.

In: the wanted jobs, the ledger, the condition of files. Out: a `Plan`: its `Change`s, its totals and the
digest of what it would buy. Only `submit` spends. Touches nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from json.encoder import encode_basestring
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from kiejobs.core.fingerprint import canonical
from kiejobs.core.ledger.records import State
from kiejobs.core.money import money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.job import Job
    from kiejobs.core.ledger.ledger import Attempt, Ledger
    from kiejobs.core.plan.selection import Selectable, Selection


_KEPT = frozenset({State.SUCCEEDED, State.IN_DOUBT})
"""The purchase of an attempt that was paid for, or may have been."""


class Action(StrEnum):
    """The kinds of change. Only SUBMIT may spend."""

    SUBMIT = "submit"
    RESUME = "resume"
    HOLD = "hold"
    COLLECT = "collect"
    KEEP = "keep"
    ADOPT = "adopt"
    ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One input field that differs from what was bought before. None means absent.

    `files`: the paths of the local files whose references may be in the values, where they are known.
    """

    field: str
    was: Json
    now: Json
    files: Mapping[str, str] | None = None


class Change(NamedTuple):
    """One line of the plan. `job` is None for what nobody wants any more. `credits` is what it costs.

    `price` is what its request costs, bought now or not; None where unknown. `then` is what follows an adoption: resume, collect or keep.
    """

    address: str
    action: Action
    sign: str
    reason: str
    fingerprint: str
    take: int
    model: str
    credits: Decimal | None
    job: Job | None = None
    detail: str | None = None
    attempt: Attempt | None = None
    then: Action | None = None
    price: Decimal | None = None

    @property
    def spends(self) -> bool:
        return self.action is Action.SUBMIT

    @property
    def writes(self) -> tuple[str, ...]:
        """Where results would be put, as far as that is known."""
        if self.job is not None and self.action is Action.SUBMIT:
            return (self.job.output,)
        if self.attempt is None or (self.then or self.action) not in {Action.RESUME, Action.COLLECT}:
            return ()
        return tuple(file.path for file in self.attempt.files) or (self.attempt.output,)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an approval covers besides requests and their prices.

    `budget` is the job file's, in words; `callback_url` the one that jobs carry which name none; `models` the
    digests of the schemas that the requests were checked by.
    """

    budget: str | None = None
    callback_url: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class PlanTotals:
    """Counts by action, the credits that would be spent, and how many lines have no known price."""

    actions: Mapping[str, int]
    credits: Decimal
    unpriced: int
    in_doubt: int
    digest: str
    terms: Terms

    @property
    def pending(self) -> bool:
        """Would `run` do anything?"""
        quiet = {Action.KEEP, Action.HOLD, Action.ORPHAN}
        return any(count for action, count in self.actions.items() if action not in quiet)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done: one line for each address, and their totals."""

    changes: tuple[Change, ...]
    totals: PlanTotals


class PricedRow(NamedTuple):
    """One purchase, as an approval knows it. `price` is decimal text in credits, None where unknown.

    `callback_url` is the job's own.
    """

    address: str
    fingerprint: str
    take: int
    price: str | None
    callback_url: str | None = None


def plan(  # noqa: PLR0913 - each by its name; a bundle of them would have this one user
    jobs: Iterable[Job],
    ledger: Ledger,
    condition: Callable[[Attempt], str | None],
    *,
    campaign: str,
    selection: Selection | None = None,
    retry: frozenset[str] = frozenset(),
    terms: Terms = NO_TERMS,
    today: Callable[[str, Mapping[str, Json]], Mapping[str, Json]] = lambda _model, sent: sent,
) -> Plan:
    """In the order of submission; what is bought but no longer wanted comes last.

    What an edit replaced under an address that is still wanted is no orphan: its own line says
    `input_changed`, and there is one line for each address. `condition` says what is wrong with an
    attempt's files, if anything is. Without a `selection` all jobs are meant. `today` is how a model's input
    would be sent now: what was bought before a field was known, or as another type, counts as bought so.
    """
    wanted = tuple(jobs)
    decider = _Decider(ledger, condition, retry, today)
    lines = [
        decider.line(job)
        for job in wanted
        if selection is None or selection.takes(decider.selectable(job, selection))
    ]
    if selection is None or not selection.terms:
        lines += map(_orphan, _orphans(wanted, ledger, campaign))
    return Plan(tuple(lines), _totals(lines, terms))


def together(plans: Sequence[Plan]) -> Plan:
    """What several job files come to, one after the other: what two of them want the first one buys."""
    lines: list[Change] = []
    known = set()
    for line in (line for each in plans for line in each.changes):
        key = line.fingerprint, line.take
        if line.action is Action.ORPHAN or key not in known:
            lines.append(line)
        if line.action is not Action.ORPHAN:
            known.add(key)
    return Plan(tuple(lines), _totals(lines, _all_terms([each.totals.terms for each in plans])))


def _all_terms(terms: Sequence[Terms]) -> Terms:
    """All that holds for one of them, in no order."""
    budgets, urls = ({*map(attrgetter(name), terms)} - {None} for name in ("budget", "callback_url"))
    models = dict(sorted(item for one in terms for item in one.models.items()))
    return Terms("; ".join(sorted(budgets)) or None, "; ".join(sorted(urls)) or None, models)


def row_of(change: Change) -> PricedRow:
    price = None if change.price is None else money(change.price)
    called = None if change.job is None else change.job.callback_url
    return PricedRow(change.address, change.fingerprint, change.take, price, called)


def digest_of(rows: Iterable[PricedRow], terms: Terms = NO_TERMS) -> str:
    """Lower-case hex over what is bought, and under which terms; the same whatever the order and the addresses."""
    marks = []
    for _, mark, take, price, called in rows:  # the canonical JSON of its four values
        credits_ = "null" if price is None else encode_basestring(price)
        url = "null" if called is None else encode_basestring(called)
        text = f"[{encode_basestring(mark)},{take},{credits_},{url}]"
        marks.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    under = hashlib.sha256(canonical(asdict(terms))).digest()
    return hashlib.sha256(under + b"".join(sorted(marks))).hexdigest()


def _totals(changes: Sequence[Change], terms: Terms) -> PlanTotals:
    actions = dict.fromkeys(map(str, Action), 0)
    total, unpriced, in_doubt = Decimal(0), 0, 0
    bought: list[PricedRow] = []
    for change in changes:
        actions[change.action] += 1
        in_doubt += change.attempt is not None and change.attempt.state is State.IN_DOUBT
        if change.spends:
            bought.append(row_of(change))
            total += change.credits or 0
            unpriced += change.credits is None
    return PlanTotals(actions, total, unpriced, in_doubt, digest_of(bought, terms), terms)


def _orphans(jobs: Sequence[Job], ledger: Ledger, campaign: str) -> Iterator[Attempt]:
    """What was bought for the campaign, and neither the request nor the address is wanted any more."""
    bought = [
        attempt
        for attempt in ledger.current()
        if attempt.address.startswith(f"{campaign}/") and (attempt.is_open or attempt.state in _KEPT)
    ]
    if bought:
        requests = {(job.fingerprint, job.take) for job in jobs}
        addresses = {job.address for job in jobs}
        for attempt in bought:
            if attempt.key not in requests and attempt.address not in addresses:
                yield attempt


class _Decider:
    """Decides on one job at a time what is to be done about it."""

    def __init__(
        self,
        ledger: Ledger,
        condition: Callable[[Attempt], str | None],
        retry: frozenset[str],
        today: Callable[[str, Mapping[str, Json]], Mapping[str, Json]],
    ) -> None:
        self._today = today
        self._ledger = ledger
        self._condition = condition
        self._retry = retry

    def selectable(self, job: Job, selection: Selection) -> Selectable:
        """With its state, where the selection asks for that."""
        from kiejobs.core.plan import selection as asked  # noqa: PLC0415 - behind --select

        plain = asked.selectable(job)
        if "pick" in selection.keys:
            newest = self._ledger.newest(job.address) or self._ledger.bought(job.fingerprint, job.take)
            key = newest.key if newest else (job.fingerprint, job.take)
            plain = replace(plain, pick=selection.picks.word(job.address, key))
        if not selection.ledger_keys:
            return plain
        attempt = self._ledger.bought(job.fingerprint, job.take)
        counts = attempt
        if attempt is None or not (attempt.is_open or attempt.state is State.SUCCEEDED):
            counts = self._doubt(job, attempt) or attempt
        result = asked.result_of(attempt, self._condition)
        return replace(plain, state=asked.state_of(counts), result=result)

    def line(self, job: Job) -> Change:
        attempt = self._ledger.bought(job.fingerprint, job.take)
        if attempt is not None and (attempt.is_open or attempt.state is State.SUCCEEDED):
            return self._bought_already(job, attempt)
        if attempt is None and not self._ledger.at(job.address):
            return _line(job, Action.SUBMIT, "+", "new")
        return self._not_bought(job, attempt)

    def _not_bought(self, job: Job, attempt: Attempt | None) -> Change:
        """Where something is on record for the purchase, or for the address."""
        doubt = self._doubt(job, attempt)
        if doubt is not None:
            return _in_doubt(job, doubt)
        if attempt is not None and attempt.state is State.RESERVED:
            detail = f"run {attempt.run_id} is submitting it now"
            return _line(job, Action.HOLD, "~", "in_flight", attempt, detail)
        if attempt is not None and attempt.state in {State.FAILED, State.REJECTED}:
            return self._failed(job, attempt)
        before = next(
            (
                earlier
                for earlier in reversed(self._ledger.at(job.address))
                if earlier.state is not None and earlier.reserved.fingerprint != job.fingerprint
            ),
            None,
        )
        if before is not None and self._is_the_same_now(job, before):
            return self._bought_already(job, before)
        if before is not None:
            coming = f"what was bought before is still {before.state}" if before.is_open else None
            return _line(job, Action.SUBMIT, "±", "input_changed", before, coming)
        return _line(job, Action.SUBMIT, "+", "new")

    def _is_the_same_now(self, job: Job, before: Attempt) -> bool:
        """Was it bought, and is all that differs fields that had no default or another type then?"""
        was = before.reserved
        is_bought = before.is_open or before.state is State.SUCCEEDED
        if (
            not is_bought
            or (was.model, was.take) != (job.model, job.take)
            or not was.input.keys() <= job.input.keys()
        ):
            return False
        then = self._today(job.model, was.input)
        return all(name in then and canonical(then[name]) == canonical(job.input[name]) for name in job.input)

    def _bought_already(self, job: Job, attempt: Attempt) -> Change:
        action, sign, reason = self._still_to_do(attempt)
        doubt = self._ledger.in_doubt_at(job.address) if action is Action.HOLD else None
        if doubt is not None:
            return _in_doubt(job, doubt)
        if action is Action.HOLD and "gone" in self._retry:
            return _line(job, Action.SUBMIT, "+", "retry_gone", attempt, attempt.gone)
        if action is Action.HOLD:
            return _line(job, action, sign, reason, attempt, attempt.gone)
        if job.address in {attempt.address, *attempt.shared}:
            return _line(job, action, sign, reason, attempt)
        moved = f"moved_from {attempt.address}"
        return _line(job, Action.ADOPT, ">", moved, attempt, f"then {action}", then=action)

    def _still_to_do(self, attempt: Attempt) -> tuple[Action, str, str]:
        if attempt.is_open:
            return Action.RESUME, "~", "in_flight"
        damage = self._condition(attempt) if attempt.is_collected else "file_missing"
        if damage is not None and attempt.gone is not None:
            return Action.HOLD, "!", "result_gone"
        if damage is not None:
            return Action.COLLECT, "v", damage
        return Action.KEEP, "=", "done"

    def _doubt(self, job: Job, attempt: Attempt | None) -> Attempt | None:
        if attempt is not None and attempt.state is State.IN_DOUBT:
            return attempt
        return self._ledger.in_doubt_at(job.address)

    def _failed(self, job: Job, attempt: Attempt) -> Change:
        failure = attempt.failure
        said = "" if failure is None else f"{failure.code or failure.kind}: {failure.message}"
        if "failed" in self._retry or str(attempt.state) in self._retry:
            return _line(job, Action.SUBMIT, "+", "retry_failed", attempt, said)
        return _line(job, Action.HOLD, "!", "failed", attempt, said)


def difference(
    before: Mapping[str, Json], now: Mapping[str, Json], files: Mapping[str, str] | None = None
) -> list[FieldChange]:
    """The input fields that differ, by name. `files`: paths by the references of local files."""
    names = sorted({*before, *now})
    return [
        FieldChange(name, before.get(name), now.get(name), files)
        for name in names
        if canonical(before.get(name)) != canonical(now.get(name))
    ]


def _line(
    job: Job,
    action: Action,
    sign: str,
    reason: str,
    attempt: Attempt | None = None,
    detail: str | None = None,
    then: Action | None = None,
) -> Change:
    # By position, as all that is made for each job: by name it takes twice as long.
    now = job.credits if action is Action.SUBMIT else Decimal(0)
    facts = job.address, action, sign, reason, job.fingerprint, job.take, job.model
    return Change(*facts, now, job, detail, attempt, then, job.credits)


def _orphan(attempt: Attempt) -> Change:
    return Change(
        address=attempt.address,
        action=Action.ORPHAN,
        sign="-",
        reason="no_longer_wanted",
        fingerprint=attempt.reserved.fingerprint,
        take=attempt.reserved.take,
        model=attempt.reserved.model,
        credits=Decimal(0),
        detail=f"{attempt.state}; kept, never deleted",
        attempt=attempt,
    )


def _in_doubt(job: Job, doubt: Attempt) -> Change:
    said = doubt.failure.message if doubt.failure else "the answer is unknown"
    return _line(job, Action.HOLD, "?", "in_doubt", doubt, said)


# --- canaries ------------------------------------------------------------------------------------


def job_address(address: str) -> str:
    """`campaign/job[axis=value]#2` -> `campaign/job`: what a canary speaks for."""
    return address.partition("[")[0].partition("#")[0]


def canaries(changes: Iterable[Change]) -> dict[str, str]:
    """For each job that would spend, the address of its cheapest line, the first where several are.

    A line without a known price counts as the dearest.
    """
    by_job: dict[str, list[Change]] = {}
    for change in changes:
        if change.spends:
            by_job.setdefault(job_address(change.address), []).append(change)
    dearest = Decimal("Infinity")
    return {
        job: min(lines, key=lambda line: dearest if line.credits is None else line.credits).address
        for job, lines in by_job.items()
    }
