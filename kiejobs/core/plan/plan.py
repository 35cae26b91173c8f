"""The plan: what would be done, line by line, and why. A pure table over the ledger.

In: outlines of the wanted jobs, the ledger, the condition of files. Out: `Change`s in a stream, then
`PlanTotals`. Only `submit` spends. Touches nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from kiejobs.core.fingerprint import canonical
from kiejobs.core.ledger.records import State
from kiejobs.core.ledger.status import result_of, state_of
from kiejobs.core.money import money
from kiejobs.core.plan.selection import Selectable, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.expansion import JobSummary
    from kiejobs.core.ledger.ledger import Attempt, Ledger


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
    """One input field that differs from what was bought before. None stands for absent.

    `files`: the paths of the local files whose references may stand in the values, where they are known.
    """

    field: str
    was: Json
    now: Json
    files: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the plan. `number` is the job's, None for an orphan. `credits` is what it costs.

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
    number: int | None = None
    detail: str | None = None
    attempt: Attempt | None = None
    then: Action | None = None
    price: Decimal | None = None

    @property
    def spends(self) -> bool:
        return self.action is Action.SUBMIT


@dataclass(frozen=True, slots=True)
class PlanTotals:
    """Counts by action, the credits that would be spent, and how many lines have no known price."""

    actions: Mapping[str, int]
    credits: Decimal
    unpriced: int
    in_doubt: int
    digest: str

    @property
    def pending(self) -> bool:
        """Would `run` do anything?"""
        quiet = {Action.KEEP, Action.HOLD, Action.ORPHAN}
        return any(count for action, count in self.actions.items() if action not in quiet)


class Plan:
    """Walk `changes` once, then read `totals`."""

    def __init__(
        self,
        outlines: Iterable[JobSummary],
        ledger: Ledger,
        condition: Callable[[Attempt], str | None],
        *,
        campaign: str,
        selection: Selection | None = None,
        retry: frozenset[str] = frozenset(),
    ) -> None:
        self._outlines = outlines
        self._ledger = ledger
        self._condition = condition
        self._campaign = campaign
        self._selection = selection or Selection(())
        self._retry = retry
        self._counts: dict[str, int] = {action.value: 0 for action in Action}
        self._credits = Decimal(0)
        self._unpriced = 0
        self._in_doubt = 0
        self._bought: list[bytes] = []

    def changes(self) -> Iterator[Change]:
        """In the order of submission; what is bought but no longer wanted comes last.

        What an edit replaced under an address that is still wanted is no orphan: its own line says
        `input_changed`, and there is one line for each address.
        """
        wanted: set[tuple[str, int]] = set()
        addresses: set[str] = set()
        for outline in self._outlines:
            if self._ledger.bought(outline.fingerprint, outline.take) is not None:
                wanted.add((outline.fingerprint, outline.take))
            if self._ledger.knows(outline.address):
                addresses.add(outline.address)
            if self._selection.takes(self._selectable(outline)):
                yield self._counted(self._decide(outline))
        if not self._selection.terms:
            for attempt in self._ledger.current():
                known = attempt.key in wanted or attempt.address in addresses
                if not known and self._is_orphan(attempt):
                    yield self._counted(_orphan(attempt))

    @property
    def totals(self) -> PlanTotals:
        digest = hashlib.sha256(b"".join(sorted(self._bought))).hexdigest()
        return PlanTotals(dict(self._counts), self._credits, self._unpriced, self._in_doubt, digest)

    def _selectable(self, outline: JobSummary) -> Selectable:
        """With where it stands, where the selection asks for that."""
        if not self._selection.asks_ledger:
            return selectable(outline)
        attempt = self._ledger.bought(outline.fingerprint, outline.take)
        counts = attempt
        if attempt is None or not (attempt.is_open or attempt.state is State.SUCCEEDED):
            counts = self._doubt(outline, attempt) or attempt
        result = result_of(attempt, self._condition)
        return replace(selectable(outline), state=state_of(counts), result=result)

    def _decide(self, outline: JobSummary) -> Change:
        attempt = self._ledger.bought(outline.fingerprint, outline.take)
        if attempt is not None and (attempt.is_open or attempt.state is State.SUCCEEDED):
            return self._bought_already(outline, attempt)
        doubt = self._doubt(outline, attempt)
        if doubt is not None:
            return _line(outline, Action.HOLD, "?", "in_doubt", doubt, _doubt_words(doubt))
        if attempt is not None and attempt.state is State.RESERVED:
            detail = f"run {attempt.run_id} is submitting it now"
            return _line(outline, Action.HOLD, "~", "in_flight", attempt, detail)
        if attempt is not None and attempt.state in {State.FAILED, State.REJECTED}:
            return self._failed(outline, attempt)
        before = self._before(outline)
        if before is not None:
            coming = f"what was bought before is still {before.state}" if before.is_open else None
            return _line(outline, Action.SUBMIT, "±", "input_changed", before, coming)
        return _line(outline, Action.SUBMIT, "+", "new")

    def _bought_already(self, outline: JobSummary, attempt: Attempt) -> Change:
        action, sign, reason = self._still_to_do(attempt)
        doubt = self._ledger.in_doubt_at(outline.address) if action is Action.HOLD else None
        if doubt is not None:
            return _line(outline, Action.HOLD, "?", "in_doubt", doubt, _doubt_words(doubt))
        if action is Action.HOLD and "gone" in self._retry:
            return _line(outline, Action.SUBMIT, "+", "retry_gone", attempt, attempt.gone)
        if action is Action.HOLD:
            return _line(outline, action, sign, reason, attempt, attempt.gone)
        if attempt.address == outline.address:
            return _line(outline, action, sign, reason, attempt)
        moved = f"moved_from {attempt.address}"
        return _line(outline, Action.ADOPT, ">", moved, attempt, f"then {action}", then=action)

    def _still_to_do(self, attempt: Attempt) -> tuple[Action, str, str]:
        if attempt.is_open:
            return Action.RESUME, "~", "in_flight"
        damage = self._condition(attempt) if "collected" in attempt.times else "file_missing"
        if damage is not None and attempt.gone is not None:
            return Action.HOLD, "!", "result_gone"
        if damage is not None:
            return Action.COLLECT, "v", damage
        return Action.KEEP, "=", "done"

    def _doubt(self, outline: JobSummary, attempt: Attempt | None) -> Attempt | None:
        if attempt is not None and attempt.state is State.IN_DOUBT:
            return attempt
        return self._ledger.in_doubt_at(outline.address)

    def _failed(self, outline: JobSummary, attempt: Attempt) -> Change:
        failure = attempt.failure
        said = "" if failure is None else f"{failure.code or failure.kind}: {failure.message}"
        if "failed" in self._retry or str(attempt.state) in self._retry:
            return _line(outline, Action.SUBMIT, "+", "retry_failed", attempt, said)
        return _line(outline, Action.HOLD, "!", "failed", attempt, said)

    def _before(self, outline: JobSummary) -> Attempt | None:
        """What was last asked for under this address, if anything was."""
        known = [a for a in self._ledger.at(outline.address) if a.state is not None]
        known = [a for a in known if a.reserved.fingerprint != outline.fingerprint]
        return known[-1] if known else None

    def _is_orphan(self, attempt: Attempt) -> bool:
        ours = attempt.address.startswith(f"{self._campaign}/")
        return ours and (attempt.is_open or attempt.state in {State.SUCCEEDED, State.IN_DOUBT})

    def _counted(self, change: Change) -> Change:
        self._counts[change.action] += 1
        if change.attempt is not None and change.attempt.state is State.IN_DOUBT:
            self._in_doubt += 1
        if change.spends:
            self._unpriced += change.credits is None
            self._credits += change.credits or 0
            price = None if change.credits is None else money(change.credits)
            row = [change.fingerprint, change.take, price]
            self._bought.append(hashlib.sha256(canonical(row)).digest())
        return change


def selectable(outline: JobSummary) -> Selectable:
    return Selectable(outline.address, outline.job, outline.tags, outline.axes)


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
    outline: JobSummary,
    action: Action,
    sign: str,
    reason: str,
    attempt: Attempt | None = None,
    detail: str | None = None,
    then: Action | None = None,
) -> Change:
    return Change(
        address=outline.address,
        action=action,
        sign=sign,
        reason=reason,
        fingerprint=outline.fingerprint,
        take=outline.take,
        model=outline.model,
        credits=outline.credits if action is Action.SUBMIT else Decimal(0),
        number=outline.number,
        detail=detail,
        attempt=attempt,
        then=then,
        price=outline.credits,
    )


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


def _doubt_words(attempt: Attempt) -> str:
    since = attempt.times["reserved"]
    said = attempt.failure.message if attempt.failure else "the answer is unknown"
    return f"since {since}: {said}"
