"""Journals folded into a ledger.

In: journals as lists of timed events. Out: a `Ledger`. Touches nothing.

The fold doesn't care in which order journals come, nor whether one comes twice (git merges them in
any order): an attempt's state is the furthest that any event took it. Property tests hold it to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.ledger import Attempt, Conflict, Ledger
from kiejobs.core.ledger.records import Failure, FileRecord, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

_LADDER = {
    "reserved": 0,
    "in_doubt": 1,
    "void": 2,
    "rejected": 2,
    "submitted": 3,
    "running": 4,
    "failed": 5,
    "succeeded": 6,
}
"""How far an event takes an attempt. The furthest wins, whatever the order of reading."""


_TWO_ON_RECORD = "two task ids are on record for one create"


@dataclass(frozen=True, slots=True)
class Timed:
    """An event and when it was written, in UTC as text."""

    at: str
    event: e.Event


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """One journal as read. `live` when its run is still at work: its open reserves are no doubt."""

    run_id: str
    events: Sequence[Timed]
    live: bool = False

    @property
    def header(self) -> e.RunStarted | None:
        first = self.events[0].event if self.events else None
        return first if isinstance(first, e.RunStarted) else None


def fold(journals: Iterable[JournalRecord], origin: str | None = None) -> Ledger:
    """The ledger of all journals that spoke to `origin` (of all, when that is None)."""
    drafts: dict[str, _Draft] = {}
    later: list[tuple[JournalRecord, Timed]] = []
    runs: dict[str, e.RunStarted] = {}
    plans: dict[str, str] = {}
    moves: dict[tuple[str, int], list[tuple[str, str]]] = {}
    uploads: dict[str, set[e.Uploaded]] = {}
    for journal in journals:
        header = journal.header
        if header is None or (origin is not None and header.origin != origin):
            continue
        runs[journal.run_id] = header
        plans.update(_plans_used(journal))
        for timed in journal.events:
            if isinstance(timed.event, e.Reserved):
                drafts[timed.event.attempt_id] = _Draft(journal, timed.at, timed.event)
            elif isinstance(timed.event, e.Adopted):
                key = (timed.event.fingerprint, timed.event.take)
                moves.setdefault(key, []).append((timed.at, timed.event.address))
            elif isinstance(timed.event, e.Uploaded):
                uploads.setdefault(timed.event.sha256, set()).add(timed.event)
            else:
                later.append((journal, timed))
    for _, timed in later:
        draft = drafts.get(getattr(timed.event, "attempt_id", ""))
        if draft is not None:
            draft.take_in(timed)
    in_order = {sha256: sorted(told, key=repr) for sha256, told in uploads.items()}
    return Ledger((draft.attempt(moves) for draft in drafts.values()), runs, plans, in_order)


def _plans_used(journal: JournalRecord) -> Iterator[tuple[str, str]]:
    for timed in journal.events:
        if isinstance(timed.event, e.Approved) and timed.event.plan_id is not None:
            yield timed.event.plan_id, journal.run_id


class _Draft:
    """One attempt while its events are gathered."""

    def __init__(self, journal: JournalRecord, at: str, reserved: e.Reserved) -> None:
        self._journal = journal
        self._reserved = reserved
        self._step = "reserved"
        self._failures: dict[str, tuple[str, Failure]] = {}
        self._times = {"reserved": at}
        self._tasks: list[tuple[str, str]] = []
        self._claims: list[tuple[str, e.Conflicted]] = []
        self._ruled = ""
        self._rulings: list[tuple[str, str]] = []
        self._gone = ("", "")
        self._charged: tuple[str, Decimal | None] | None = None
        self._urls: tuple[str, tuple[str, ...]] = ("", ())
        self._files: tuple[str, tuple[FileRecord, ...]] = ("", ())

    def take_in(self, timed: Timed) -> None:
        event, at = timed.event, timed.at
        match event:
            case e.Submitted(task_id=task_id):
                self._climb("submitted", at)
                self._tasks.append((at, task_id))
            case e.Resolved(task_id=task_id):
                self._ruled = max(self._ruled, at)
                self._climb("void" if task_id is None else "submitted", at)
                if task_id is not None:
                    self._tasks.append((at, task_id))
                    self._rulings.append((at, task_id))
            case e.Conflicted():
                self._claims.append((at, event))
            case e.Called():
                self._times["called"] = max(at, self._times.get("called", at))
            case e.NotAccepted(failure=failure):
                self._climb("void", at, failure)
            case e.Rejected(failure=failure):
                self._climb("rejected", at, failure)
            case e.InDoubt(failure=failure):
                self._climb("in_doubt", at, failure)
            case e.Running():
                self._climb("running", at)
            case _:
                self._end(event, at)

    def _end(self, event: e.Event, at: str) -> None:
        match event:
            case e.Succeeded(charged=charged, urls=urls):
                self._climb("succeeded", at)
                self._charge(at, charged)
                self._urls = max(self._urls, (at, urls), key=_when)
            case e.Failed(failure=failure, charged=charged):
                self._climb("failed", at, failure)
                self._charge(at, charged)
            case e.Collected(files=files):
                self._files = max(self._files, (at, files), key=_when)
            case e.Gone(message=message):
                self._gone = max(self._gone, (at, message))

    def _charge(self, at: str, charged: Decimal | None) -> None:
        self._charged = max(self._charged or ("", None), (at, charged), key=_when)

    def attempt(self, moves: Mapping[tuple[str, int], list[tuple[str, str]]]) -> Attempt:
        reserved = self._reserved
        moved = max(moves.get((reserved.fingerprint, reserved.take), ()), default=None)
        is_later = moved is not None and moved[0] >= self._times["reserved"]
        task_ids = [task_id for _, task_id in sorted(self._tasks)]
        return Attempt(
            attempt_id=reserved.attempt_id,
            run_id=self._journal.run_id,
            reserved=reserved,
            address=moved[1] if moved is not None and is_later else reserved.address,
            state=self._state(),
            task_id=task_ids[0] if task_ids else None,
            charged=self._charged[1] if self._charged else None,
            failure=self._failure(),
            urls=self._urls[1],
            files=self._files[1],
            times=self._all_times(),
            other_task_ids=self._others(task_ids),
            conflicts=self._conflicts(task_ids),
            gone=self._gone[1] if self._gone[0] > self._files[0] else None,
        )

    def _others(self, task_ids: list[str]) -> frozenset[str]:
        """Tasks that may be paid for beside the one that counts."""
        claimed = {claim.task_id for _, claim in self._claims if claim.may_be_paid}
        return frozenset({*task_ids[1:], *claimed}) - frozenset(task_ids[:1])

    def _conflicts(self, task_ids: list[str]) -> tuple[Conflict, ...]:
        """What nobody has ruled on after it came up, the latest telling of each task."""
        found = [Conflict(claim.task_id, at, claim.why) for at, claim in self._claims]
        others = [(at, task_id) for at, task_id in self._tasks if task_id != task_ids[0]]
        found += [Conflict(task_id, at, _TWO_ON_RECORD) for at, task_id in others]
        latest = {
            c.task_id: c for c in sorted(found, key=_order_of_conflict) if c.at >= self._ruled
        }
        return tuple(latest.values())

    def _acknowledged(self) -> str:
        """When a person last ruled to keep a task that was on record before; empty for never."""
        first = dict(sorted(((task_id, at) for at, task_id in self._tasks), reverse=True))
        return max((at for at, task_id in self._rulings if at > first[task_id]), default="")

    def _climb(self, step: str, at: str, failure: Failure | None = None) -> None:
        if (_LADDER[step], step) > (_LADDER[self._step], self._step):
            self._step = step
        # The earliest telling counts, so that two collectors agree on when it happened.
        self._times[step] = min(at, self._times.get(step, at))
        if failure is not None:
            told = (at, failure)
            self._failures[step] = min(self._failures.get(step, told), told, key=_when)

    def _state(self) -> State | None:
        if self._step == "reserved":
            return State.RESERVED if self._journal.live else State.IN_DOUBT
        return None if self._step == "void" else State(self._step)

    def _failure(self) -> Failure | None:
        told = self._failures.get(self._step)
        if told is not None:
            return told[1]
        if self._step == "reserved" and not self._journal.live:
            message = "the run ended between the reservation and the answer"
            return Failure("in_doubt", None, message)
        return None

    def _all_times(self) -> dict[str, str]:
        times = dict(self._times)
        if acknowledged := self._acknowledged():
            times["acknowledged"] = acknowledged
        settled = [times[step] for step in ("succeeded", "failed", "rejected") if step in times]
        if settled:
            times["settled"] = min(settled)
        if self._files[0]:
            times["collected"] = self._files[0]
        return times


def _order_of_conflict(conflict: Conflict) -> tuple[str, str, str]:
    return (conflict.at, conflict.task_id, conflict.why)


def _when(told: tuple[str, object]) -> tuple[str, str]:
    return (told[0], repr(told[1]))
