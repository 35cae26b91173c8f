"""The state folded from all journals: what was bought, what is in flight, what is in doubt.

In: attempts (made by `fold`). Out: a `Ledger`; what was charged otherwise than planned. Nothing else stores
state. Touches nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from kiejobs.core.ledger.records import Failure, FileRecord, State, sibling_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.ledger import events as e
    from kiejobs.core.ledger.events import Uploads

KEPT = timedelta(days=14)
SAFE = timedelta(hours=24)
"""Media is kept for 14 days by the vendor's docs, for 24 hours by older pages [contract: documented, both].

We may hear late of a task's end, and of the task itself where its create was in doubt, so both are counted
from the reservation: it can't have ended before that.
"""
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A task that was claimed to be an attempt's and was not taken, as long as nobody ruled on it."""

    task_id: str
    at: str
    why: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST and all that became of it. Times are UTC text, None until they come.

    `state` is None where nothing was made of it (not accepted, or ruled lost). `other_task_ids` are
    tasks that may be paid for next to `task_id`: one create, several tasks. `gone` says why its result
    can't be had any more. `shared` are its addresses in other campaigns, which asked for the same. `api_state`
    is the API's word for what runs; `unused` an answer that nothing could be made of, as long as that matters.
    `missing` are pictures that belong to the result, and did not come with its files. `priced`: what the API names as
    the price of a task that runs, where that is not what was planned.
    """

    attempt_id: str
    run_id: str
    reserved: e.Reserved
    address: str
    state: State | None
    task_id: str | None = None
    charged: Decimal | None = None
    failure: Failure | None = None
    urls: tuple[str, ...] = ()
    files: tuple[FileRecord, ...] = ()
    times: Mapping[str, str] = field(default_factory=dict)
    other_task_ids: frozenset[str] = frozenset()
    conflicts: tuple[Conflict, ...] = ()
    gone: str | None = None
    aside: str | None = None
    shared: tuple[str, ...] = ()
    api_state: str | None = None
    unused: e.UnusedAnswer | None = None
    missing: tuple[e.StillMissing, ...] = ()
    priced: Decimal | None = None

    def is_of(self, campaign: str) -> bool:
        """Was it bought for a campaign, or is it used by it?"""
        prefix = f"{campaign}/"
        return self.address.startswith(prefix) or any(one.startswith(prefix) for one in self.shared)

    @property
    def output(self) -> str:
        """Where its file belongs: as reserved, or aside where another attempt's file has that path."""
        return self.aside or self.reserved.output

    @property
    def key(self) -> tuple[str, int]:
        """What makes two attempts the same purchase."""
        return (self.reserved.fingerprint, self.reserved.take)

    @property
    def is_open(self) -> bool:
        """At the API, not at its end."""
        return self.state in {State.SUBMITTED, State.RUNNING}

    @property
    def lacks_result(self) -> bool:
        """Has it ended well by the API's word, but named no result that can be used so far?"""
        return self.is_open and self.api_state == "success"

    @property
    def is_collected(self) -> bool:
        """Were all its files here at some time?"""
        return "collected" in self.times and not self.missing

    @property
    def named_task(self) -> str | None:
        """Of a doubt: the task that the answer to its create seems to name."""
        return self.unused.task_id if self.unused and self.state is State.IN_DOUBT else None

    @property
    def committed(self) -> Decimal:
        """Credits held of a budget: charged, or as named while it runs, or as planned; as much as was planned for another
        task of the create.
        """
        planned = self.reserved.credits or Decimal(0)
        held = planned if self.priced is None else self.priced
        if self.state in {State.SUCCEEDED, State.FAILED} and self.charged is not None:
            held = self.charged
        elif self.state in {None, State.REJECTED, State.FAILED}:
            held = Decimal(0)
        return held + len(self.other_task_ids) * planned


_WORTH: dict[State | None, int] = {
    State.SUCCEEDED: 7,
    State.RUNNING: 6,
    State.SUBMITTED: 5,
    State.IN_DOUBT: 4,
    State.RESERVED: 3,
    State.FAILED: 2,
    State.REJECTED: 1,
    None: 0,
}
"""Which of several attempts at one request counts: what failed only where nothing better happened."""

_WORTH_WHEN_GONE = 2.5
"""Made and paid for, but not to be had: more than a failure, less than what may still come."""


class Ledger:
    """All attempts, by purchase and by address; plan files by id, with their runs; uploads."""

    def __init__(
        self,
        attempts: Iterable[Attempt],
        runs: Mapping[str, e.RunStarted],
        plans_used: Mapping[str, str] | None = None,
        uploads: Uploads | None = None,
    ) -> None:
        self.runs = runs
        self.plans_used = plans_used or {}
        self.uploads = uploads or {}
        self._by_id = _side_by_side(sorted(attempts, key=_age))
        self._by_key: dict[tuple[str, int], Attempt] = {}
        self._by_address: dict[str, list[Attempt]] = {}
        for attempt in self._by_id.values():
            known = self._by_key.get(attempt.key)
            if known is None or _worth(attempt) >= _worth(known):
                self._by_key[attempt.key] = attempt
            for address in (attempt.address, *attempt.shared):
                self._by_address.setdefault(address, []).append(attempt)

    def attempts(self, campaign: str | None = None) -> Iterable[Attempt]:
        """In the order of reservation; those of one campaign, or all."""
        if campaign is None:
            return self._by_id.values()
        return (a for a in self._by_id.values() if a.is_of(campaign))

    def attempt(self, attempt_id: str) -> Attempt | None:
        return self._by_id.get(attempt_id)

    def bought(self, fingerprint: str, take: int) -> Attempt | None:
        """The attempt that counts for this purchase, if there was any."""
        return self._by_key.get((fingerprint, take))

    def current(self) -> Iterable[Attempt]:
        """The attempts that count, one for each purchase, in the order of reservation."""
        return sorted(self._by_key.values(), key=_age)

    def at(self, address: str) -> Sequence[Attempt]:
        """All attempts under an address, oldest first."""
        return self._by_address.get(address, [])

    def newest(self, address: str) -> Attempt | None:
        """The latest purchase under an address that has a result, or is still at the API."""
        bought = (one for one in reversed(self.at(address)) if one.is_open or one.state is State.SUCCEEDED)
        return next(bought, None)

    def in_doubt_at(self, address: str) -> Attempt | None:
        """The oldest attempt that keeps this address from being bought."""
        for attempt in self.at(address):
            if attempt.state is State.IN_DOUBT:
                return attempt
        return None

    def bought_twice(self) -> Iterator[list[Attempt]]:
        """Attempts at one and the same purchase that are all at the API or succeeded, oldest first.

        Two folders that were apart and were merged can do that. What was bought again since its result was
        gone was meant; what a person has ruled to keep since, with both on record, is known. A ruling that
        only ended a doubt says nothing of the other.
        """
        paid: dict[tuple[str, int], list[Attempt]] = {}
        for attempt in self.attempts():
            if (attempt.is_open or attempt.state is State.SUCCEEDED) and attempt.gone is None:
                paid.setdefault(attempt.key, []).append(attempt)
        for attempts in paid.values():
            latest = max(attempt.times["reserved"] for attempt in attempts)
            known = any(attempt.times.get("acknowledged", "") > latest for attempt in attempts)
            if len(attempts) > 1 and not known:
                yield attempts

    def paths(self) -> dict[str, Attempt]:
        """Paths that purchases have or will have their files at, with whose they are."""
        return {a.output: a for a in self.attempts() if _has_files(a)}

    def holder(self, path: str, address: str, but_for: str) -> tuple[Attempt, FileRecord] | None:
        """Another purchase of the address whose file has that path, and the file."""
        for attempt in reversed(self.at(address)):
            for file in attempt.files if attempt.attempt_id != but_for else ():
                if file.path == path:
                    return attempt, file
        return None

    def place_for(self, attempt: Attempt) -> str:
        """Where the file of an attempt belongs that comes back: its path may be another's by now."""
        rivals = (other for other in self._by_id.values() if other.output == attempt.output)
        taken = any(_has_files(other) and other is not attempt for other in rivals)
        return sibling_path(attempt.output, attempt.attempt_id) if taken else attempt.output

    def committed(self, campaign: str | None = None, since: str = "") -> Decimal:
        """Credits spent or held, by one campaign or by all; of what was reserved `since` (UTC text).

        What a campaign shares counts for each that uses it: another name starts no budget again.
        """
        every = self.attempts(campaign)
        return sum((one.committed for one in every if one.times["reserved"] >= since), Decimal(0))


def _side_by_side(attempts: Iterable[Attempt]) -> dict[str, Attempt]:
    """By id; no two attempts with one path: what was paid for is never overwritten.

    The name belongs to the newest purchase of its address. Of those that were reserved for the same path by several
    addresses, or for the same request twice, the one whose file is there keeps it, else the latest. The others' files
    go next to it.
    """
    by_id: dict[str, Attempt] = {}
    by_path: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_id[attempt.attempt_id] = attempt
        if _has_files(attempt):
            by_path.setdefault(attempt.reserved.output, []).append(attempt)
    for path, rivals in by_path.items():
        owner = max(rivals, key=_claim_to_its_path) if len(rivals) > 1 else rivals[0]
        for attempt in rivals:  # oldest first
            is_edit = attempt.address == owner.address and attempt.key != owner.key
            owner = attempt if is_edit and _age(attempt) > _age(owner) else owner
        for attempt in rivals:
            if attempt is not owner:
                same = attempt.reserved.fingerprint == owner.reserved.fingerprint
                aside = sibling_path(path, attempt.attempt_id if same else attempt.reserved.fingerprint)
                by_id[attempt.attempt_id] = replace(attempt, aside=aside)
    return by_id


def _claim_to_its_path(attempt: Attempt) -> tuple[str, tuple[str, str]]:
    is_there = any(file.path == attempt.reserved.output for file in attempt.files)
    return (attempt.times["collected"] if is_there else "", _age(attempt))


def _has_files(attempt: Attempt) -> bool:
    return attempt.is_open or attempt.state in {State.SUCCEEDED, State.IN_DOUBT}


def _age(attempt: Attempt) -> tuple[str, str]:
    return (attempt.times["reserved"], attempt.attempt_id)


def _worth(attempt: Attempt) -> float:
    """What is gone counts for less, and never for more than it did before."""
    worth = _WORTH[attempt.state]
    return min(worth, _WORTH_WHEN_GONE) if attempt.gone is not None else worth


# --- how long a result is kept -------------------------------------------------------------------


def submitted_at(attempt: Attempt) -> datetime:
    """When its task was asked for; of what has none, the end of time."""
    if attempt.task_id is None:
        return _NEVER
    return datetime.fromisoformat(attempt.times["reserved"])


def expires_at(attempt: Attempt) -> datetime | None:
    """When its result goes away at the latest, in UTC; None where there is no task."""
    at = submitted_at(attempt)
    return None if at is _NEVER else at + KEPT


def is_past_safety(attempt: Attempt, now: datetime) -> bool:
    """May it be gone by now, going by the shorter of the two terms?"""
    at = submitted_at(attempt)
    return at is not _NEVER and now >= at + SAFE


# --- what was charged against what was planned ------------------------------------------------------


_NOTHING = Decimal("0.01")
"""Credits come back as floats: less than this apart is no drift."""

_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class PriceDrift:
    """Of `compared` jobs of a model `jobs` were charged otherwise than planned; the sums are theirs."""

    model: str
    jobs: int
    compared: int
    planned: Decimal
    charged: Decimal

    @property
    def percent(self) -> Decimal | None:
        """To a tenth; None where nothing was planned to be paid."""
        if not self.planned:
            return None
        share = (self.charged - self.planned) * 100 / self.planned
        return share.quantize(_TENTH, ROUND_HALF_UP)


def price_drifts(attempts: Iterable[Attempt]) -> tuple[PriceDrift, ...]:
    """By model, in the order of the first attempts; of what succeeded, with both sides known."""
    compared = Counter[str]()
    apart: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for attempt in attempts:
        model, planned, charged = attempt.reserved.model, attempt.reserved.credits, attempt.charged
        if attempt.state is State.SUCCEEDED and planned is not None and charged is not None:
            compared[model] += 1
            if abs(charged - planned) >= _NOTHING:
                apart[model].append((planned, charged))
    drifts = []
    for model in filter(apart.__contains__, compared):
        planned, charged = (sum(side, Decimal(0)) for side in zip(*apart[model], strict=True))
        drifts.append(PriceDrift(model, len(apart[model]), compared[model], planned, charged))
    return tuple(drifts)


def latest_price_drifts(attempts: Iterable[Attempt]) -> tuple[PriceDrift, ...]:
    """Of each model's latest run only: what was corrected since then is not reported for ever."""
    by_run: dict[str, dict[str, list[Attempt]]] = defaultdict(lambda: defaultdict(list))
    for attempt in attempts:
        if attempt.state is State.SUCCEEDED:
            by_run[attempt.reserved.model][attempt.run_id].append(attempt)
    return price_drifts(attempt for runs in by_run.values() for attempt in runs[max(runs)])
