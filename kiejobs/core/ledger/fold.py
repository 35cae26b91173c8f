"""The journals of a ledger's home as they were read, and what they are folded into.

In: journals as lists of timed events. Out: ledgers, one for each API, each folded once; the manifests that
the journals call for. Touches nothing. The order of journals is no matter, nor whether one comes twice (git
merges them in any order): an attempt's state is the furthest that any event took it.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.ledger import Attempt, Conflict, Ledger
from kiejobs.core.ledger.manifest import manifest, to_bytes
from kiejobs.core.ledger.records import Failure, FileRecord, State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.closed import ClosedRun
    from kiejobs.core.ledger.events import JournalRecord, Timed

_Moves: TypeAlias = dict[tuple[str, int], list[tuple[str, str]]]

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
"""How far an event takes an attempt, mostly by its type. The furthest wins, whatever the order of reading."""

_ENDS = {"succeeded", "failed", "rejected"}
_HANDS = (e.Reserved, e.Submitted, e.Rejected, e.InDoubt, e.Succeeded, e.Failed, e.Gone, e.Resolved)
_NO_OTHERS: frozenset[str] = frozenset()
_MARK = 12  # of a fingerprint's digits: of two that begin alike a manifest is made in vain, no more
_TWO_ON_RECORD = "two task ids are on record for one create"
_ONE_FOR_TWO = "this task is on record for another create, too: that of"


def fold(journals: Iterable[JournalRecord], origin: str | None = None) -> Ledger:
    """The ledger of all journals that spoke to `origin` (of all, when that is None)."""
    drafts: dict[str, _Draft] = {}
    later: list[Timed] = []
    runs: dict[str, e.RunStarted] = {}
    plans: dict[str, str] = {}
    moves: _Moves = {}
    uploads: dict[str, list[e.Uploaded]] = {}
    settled: list[Attempt] = []
    for journal in journals:
        header = journal.header
        if header is None or (origin is not None and header.origin != origin):
            continue
        runs[journal.run_id] = header
        settled += journal.closed.settled if journal.closed else ()
        for timed in journal.outline:
            match timed.event:
                case e.Reserved() as event:
                    drafts[event.attempt_id] = _Draft(journal, timed.at, event)
                case e.Adopted() as event:
                    key = (event.fingerprint, event.take)
                    moves.setdefault(key, []).append((timed.at, event.address))
                case e.Uploaded() as event if event not in uploads.get(event.sha256, ()):
                    insort(uploads.setdefault(event.sha256, []), event, key=repr)
                case e.Approved(plan_id=str(plan_id)):
                    plans[plan_id] = journal.run_id
                case _:
                    later.append(timed)
    for timed in later:
        draft = drafts.get(getattr(timed.event, "attempt_id", ""))
        if draft is not None:
            draft.take_in(timed)
    attempts = [*settled, *map(_Draft.attempt, drafts.values())]
    _mark_shared_tasks(attempts)
    return Ledger(_moved(attempts, moves) if moves else attempts, runs, plans, uploads)


def _mark_shared_tasks(attempts: list[Attempt]) -> None:
    """Creates that the API gave one task are a conflict of each, until a person has looked at it."""
    first: dict[str, int] = {}
    shared: dict[str, set[int]] = {}
    for number, attempt in enumerate(attempts):
        if attempt.task_id is not None:
            other = first.setdefault(attempt.task_id, number)
            if other != number:
                shared.setdefault(attempt.task_id, {other}).add(number)
    for task_id, numbers in shared.items():
        oldest, second, *_ = order = sorted(
            numbers, key=lambda one: (attempts[one].times["reserved"], attempts[one].attempt_id)
        )
        since = max(attempts[one].times.get("submitted", "") for one in order)
        names = {one: attempts[second if one == oldest else oldest].address for one in order}
        for one, name in names.items():
            if attempts[one].times.get("acknowledged", "") <= since:
                conflict = Conflict(task_id, since, f"{_ONE_FOR_TWO} {name}")
                attempts[one] = replace(attempts[one], conflicts=(*attempts[one].conflicts, conflict))


def contradictions(records: Sequence[JournalRecord]) -> Iterator[tuple[str, str, str]]:
    """Runs, of all APIs, whose journals can't be true next to the others, each with the attempt and why."""
    settled = {one.attempt_id for record in records if record.closed for one in record.closed.settled}
    first: dict[str, Timed] = {}
    for record in records:
        for timed in record.outline:
            if isinstance(timed.event, e.Reserved):
                name = timed.event.attempt_id
                if first.setdefault(name, timed) != timed:
                    yield record.run_id, name, f"attempt {name} is on record for two requests"
    for record in records:
        for name in record.named:
            if name not in first and name not in settled:
                yield record.run_id, name, f"it has an event of attempt {name}, which is in no journal"
                break


def purchases_known(records: Sequence[JournalRecord]) -> set[str]:
    """The ids of all attempts and of all tasks that journals name."""
    found: set[str] = set()
    for record in records:
        found.update(record.named)
        found.update(one for timed in record.outline if (one := getattr(timed.event, "task_id", None)))
        for attempt in record.closed.settled if record.closed else ():
            found |= {attempt.attempt_id, attempt.task_id}
    return found


def _moved(attempts: Iterable[Attempt], moves: _Moves) -> list[Attempt]:
    """Each under the address that it was given last, after it was reserved, and the last in each other campaign."""
    return [_under(attempt, moves[attempt.key]) if attempt.key in moves else attempt for attempt in attempts]


def _under(attempt: Attempt, moves: Sequence[tuple[str, str]]) -> Attempt:
    since = attempt.times["reserved"]
    later = sorted((at, address) for at, address in moves if at >= since)
    last = {address.partition("/")[0]: address for _, address in [("", attempt.reserved.address), *later]}
    address = later[-1][1] if later else attempt.address
    return replace(attempt, address=address, shared=tuple(sorted({*last.values()} - {address})))


class History:
    """The journals in the order of their ids. `live_runs` may buy at this moment."""

    def __init__(self, records: Sequence[JournalRecord], live_runs: Collection[str] = ()) -> None:
        self.records = records
        self.live_runs = live_runs
        self._ledgers: dict[str | None, Ledger] = {}

    def ledger(self, origin: str | None) -> Ledger:
        """What was bought from one API; from all, where that is None."""
        if origin not in self._ledgers:
            self._ledgers[origin] = fold(self.records, origin)
        return self._ledgers[origin]

    def ledger_of(self, record: JournalRecord) -> Ledger:
        """A run sees all purchases from its own API."""
        return self.ledger(record.header.origin if record.header else None)

    def elsewhere(self, origin: str) -> Ledger:
        """What was bought from other APIs, into the same folders."""
        return fold(one for one in self.records if one.header and one.header.origin != origin)

    def record(self, run_id: str) -> JournalRecord | None:
        for one in self.records:
            if one.run_id == run_id:
                return one
        return None

    def manifest(self, record: JournalRecord) -> bytes:
        return to_bytes(self.document(record))

    def document(self, record: JournalRecord) -> dict[str, Json]:
        """The manifest before it is text."""
        return manifest(record, self.ledger_of(record))

    def with_stale_manifests(self, changed: Collection[str]) -> list[JournalRecord]:
        """Those `changed`, and others that show the same purchases; not what is at work and will write its own."""
        settled = [one for one in self.records if not one.live and one.header]
        seeds = [one for one in settled if one.run_id in changed]
        if len(seeds) == len(settled):
            return settled
        touched = set[str]().union(*map(self._touched, seeds))
        return [one for one in settled if one.run_id in changed or not touched.isdisjoint(self._shown(one))]

    def closed_runs(self) -> dict[str, ClosedRun]:
        """What an index is to keep of them, by id."""
        from kiejobs.core.ledger.closed import closed_runs  # noqa: PLC0415 - seldom

        return closed_runs(self.records, self.ledger(None).attempts(), self._shown)

    def _touched(self, record: JournalRecord) -> set[str]:
        """Marks of the purchases that a journal has something to say about: their state may have changed."""
        return self._shown(record) if record.closed else self._marks(record, e.Planned)

    def _shown(self, record: JournalRecord) -> set[str]:
        """Marks of the purchases that its manifest shows: what it touched, and what it only planned."""
        return self._marks(record) | (record.closed.shown if record.closed else set())

    def _marks(self, record: JournalRecord, *but_for: type[e.Planned]) -> set[str]:
        ledger, found = self.ledger_of(record), set[str]()
        for timed in record.outline:
            attempt = ledger.attempt(getattr(timed.event, "attempt_id", ""))
            purchase = timed.event if attempt is None else attempt.reserved
            if not isinstance(purchase, but_for):
                found.add(getattr(purchase, "fingerprint", "")[:_MARK])
        return found - {""}

    def updated(self, records: Sequence[JournalRecord], live_runs: Collection[str]) -> History:
        """These journals as read later; what was folded is kept where it can't have changed."""
        later = History(records, live_runs)
        if len(records) == len(self.records) and all(map(_says_the_same, self.records, records)):
            later._ledgers = self._ledgers
        return later


def runs_of(history: History, campaigns: Collection[str] = ()) -> list[JournalRecord]:
    """The oldest first, of all campaigns or some; `collect` and the like are of each that they had a hand in."""
    every = [record for record in history.records if record.header is not None]
    wanted = set(campaigns)
    return [one for one in every if wanted & campaigns_of_run(one, history)] if wanted else every


def campaigns_of_run(record: JournalRecord, history: History) -> set[str]:
    """Of a run that is not for one: those of the purchases that it had a hand in."""
    campaign = record.header.campaign if record.header else None
    if campaign is not None:
        return {campaign}
    return {one.address.partition("/")[0] for one in hand_in(record, history)}


def hand_in(record: JournalRecord, history: History) -> list[Attempt]:
    """What it bought, or saw the end of; a run that moves an older file aside has no hand in that purchase."""
    ledger, command = history.ledger_of(record), record.header.command if record.header else ""
    kinds = _HANDS if command == "run" else (*_HANDS, e.Collected)
    events = (timed.event for timed in record.events)
    names = dict.fromkeys(event.attempt_id for event in events if isinstance(event, kinds))
    return [attempt for name in names if (attempt := ledger.attempt(name)) is not None]


def _says_the_same(was: JournalRecord, now: JournalRecord) -> bool:
    """Nothing was added but a run's end, from which nothing is derived."""
    if was.events is not now.events:
        if was.closed or now.closed:
            return False  # its events may be another journal's by now
        known = len(was.events)
        more = now.events[known:]
        is_end = len(more) == 1 and isinstance(more[0].event, e.RunFinished)
        if (more and not is_end) or was.events != now.events[:known]:
            return False
    return (was.run_id, was.live) == (now.run_id, now.live)


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
        self._charged: tuple[str, Decimal | None] = ("", None)
        self._priced: tuple[str, Decimal | None] = ("", None)
        self._urls: tuple[str, tuple[str, ...]] = ("", ())
        self._files: tuple[str, tuple[FileRecord, ...]] = ("", ())
        self._missing: dict[str, tuple[str, e.StillMissing]] = {}
        self._word = ("", "")
        self._unused: dict[str, tuple[str, e.UnusedAnswer]] = {}

    def take_in(self, timed: Timed) -> None:
        event, at = timed.event, timed.at
        step = "void" if isinstance(event, e.NotAccepted) else event.type
        if step in _LADDER:
            self._climb(step, at, getattr(event, "failure", None))
        match event:
            case e.Submitted(task_id=task_id):
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
            case _:
                self._take_result(event, at)

    def _take_result(self, event: e.Event, at: str) -> None:
        match event:
            case e.Succeeded(charged=charged, urls=urls):
                self._charged = max(self._charged, (at, charged), key=_when)
                self._urls = max(self._urls, (at, urls), key=_when)
            case e.Failed(charged=charged):
                self._charged = max(self._charged, (at, charged), key=_when)
            case e.Collected(files=files):
                self._files = max(self._files, (at, files), key=_when)
                self._times["collected"] = self._files[0]
            case e.StillMissing(name=name):
                self._missing[name] = max(self._missing.get(name, ("", event)), (at, event), key=_when)
            case e.Gone(message=message):
                self._gone = max(self._gone, (at, message))
            case e.Priced(credits=price):
                self._priced = max(self._priced, (at, price), key=_when)
            case e.Running(api_state=word):
                self._word = max(self._word, (at, word))
            case e.UnusedAnswer(of=of):
                self._unused[of] = max(self._unused.get(of, ("", event)), (at, event), key=_when)

    def _climb(self, step: str, at: str, failure: Failure | None = None) -> None:
        if (_LADDER[step], step) > (_LADDER[self._step], self._step):
            self._step = step
        # The earliest report counts, so that two collectors agree on when it happened.
        for name in (step, "settled") if step in _ENDS else (step,):
            self._times[name] = min(at, self._times.get(name, at))
        if failure is not None:
            told = (at, failure)
            self._failures[step] = min(self._failures.get(step, told), told, key=_when)

    def attempt(self) -> Attempt:
        reserved = self._reserved
        tasks = sorted(self._tasks)
        is_disputed = len(tasks) > 1 or bool(self._claims)
        state, failure = self._result()
        charged, priced = self._charged[1], self._priced[1]
        if self._rulings:
            self._acknowledge()
        return Attempt(
            attempt_id=reserved.attempt_id,
            run_id=self._journal.run_id,
            reserved=reserved,
            address=reserved.address,
            state=state,
            task_id=tasks[0][1] if tasks else None,
            charged=priced if charged is None and state is State.SUCCEEDED else charged,
            failure=failure,
            urls=self._urls[1],
            files=self._files[1],
            missing=self._missing_since() if self._missing else (),
            times=self._times,
            other_task_ids=self._others(tasks) if is_disputed else _NO_OTHERS,
            conflicts=self._conflicts(tasks) if is_disputed else (),
            gone=self._gone[1] if self._gone[0] > self._files[0] else None,
            api_state=self._word[1] if state is State.RUNNING else None,
            unused=self._unused_in(state) if self._unused else None,
            priced=priced if state in {State.SUBMITTED, State.RUNNING} else None,
        )

    def _unused_in(self, state: State | None) -> e.UnusedAnswer | None:
        """A create's answer as long as it is in doubt, a result's as long as there is no file."""
        open_ = state in {State.SUBMITTED, State.RUNNING, State.SUCCEEDED} and not self._files[1]
        of = "create" if state is State.IN_DOUBT else "result" if open_ else ""
        return self._unused[of][1] if of in self._unused else None

    def _missing_since(self) -> tuple[e.StillMissing, ...]:
        """What did not come with the files that were collected last: it is noted together with them."""
        return tuple(one for _, (at, one) in sorted(self._missing.items()) if at >= self._files[0])

    def _result(self) -> tuple[State | None, Failure | None]:
        """How far it came, and why not further. What a dead run left without an answer is in doubt."""
        if self._step == "reserved" and not self._journal.live:
            message = "the run ended between the reservation and the answer"
            return State.IN_DOUBT, Failure("in_doubt", None, message)
        told = self._failures.get(self._step)
        state = None if self._step == "void" else State(self._step)
        return state, None if told is None else told[1]

    def _others(self, tasks: list[tuple[str, str]]) -> frozenset[str]:
        """Tasks that may be paid for next to the one that counts."""
        paid = {claim.task_id for _, claim in self._claims if claim.may_be_paid}
        known = [task_id for _, task_id in tasks]
        return frozenset({*known[1:], *paid}) - frozenset(known[:1])

    def _conflicts(self, tasks: list[tuple[str, str]]) -> tuple[Conflict, ...]:
        """What nobody has ruled on after it came up, the latest report of each task."""
        found = [Conflict(claim.task_id, at, claim.why) for at, claim in self._claims]
        others = [(at, task_id) for at, task_id in tasks if task_id != tasks[0][1]]
        found += [Conflict(task_id, at, _TWO_ON_RECORD) for at, task_id in others]
        found.sort(key=attrgetter("at", "task_id", "why"))
        latest = {one.task_id: one for one in found if one.at >= self._ruled}
        return tuple(latest.values())

    def _acknowledge(self) -> None:
        """When a person last ruled to keep a task that was on record before."""
        first = dict(sorted(((task_id, at) for at, task_id in self._tasks), reverse=True))
        kept = [at for at, task_id in self._rulings if at > first[task_id]]
        if kept:
            self._times["acknowledged"] = max(kept)


def _when(told: tuple[str, object]) -> tuple[str, str]:
    return (told[0], repr(told[1]))
