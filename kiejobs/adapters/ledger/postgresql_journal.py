"""A run's journal in PostgreSQL: each append is one transaction, and is on record once or not at all.

In: events of one run. Out: their lines as rows; Held and TooSoon where the database refuses a reservation. Touches: the
database. Where the connection is lost while an append is under way, it is asked on a new one: first the journal gets
another writer, so that the old append can't come through any more, then it is either there or never will be.

While the database is out of reach nothing is reserved; what has happened already is kept in the `Spool`, as the lines
that the journal goes on with, and written before anything else.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, TypeAlias

from kiejobs.adapters.ledger.database import Lost
from kiejobs.adapters.ledger.journal import chained
from kiejobs.core.diagnostics import Held, JournalProblem, OverLimit, TooSoon
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import JournalRecord, Timed
from kiejobs.core.ledger.records import Failure, utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kiejobs.adapters.ledger.database import Project
    from kiejobs.adapters.ledger.spool import Spool
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.events import Event, RunStarted
    from kiejobs.ports import Clock

Purchases: TypeAlias = Mapping[tuple[str, int], Sequence[str]]

_PAUSES = (0.0, 0.0, 0.2, 0.4, 0.8, 1.6)  # seconds before each try to reach a database that was lost
_PATIENCE = 5.0  # seconds after which it is not tried again: meanwhile nothing else happens in this process
_PERIOD = 30.0  # seconds between two tries of a run that keeps what happens for later
_APPEND = """
SELECT append_knowing(%(others)s::bigint, %(project)s, %(run)s, %(writer)s, %(seq)s, %(lines)s::bytea[], %(origin)s, %(account)s,
              %(steps)s::jsonb, %(known)s::text[], %(queue)s, %(lease)s * interval '1 second')
"""
MOVED = "update this checkout's kiejobs.yaml, then run the same command again"
FENCE = """
INSERT INTO runs AS known (project, run_id, writer) VALUES (%(project)s, %(run)s, %(writer)s)
ON CONFLICT (project, run_id) DO UPDATE SET writer = excluded.writer RETURNING known.seq
"""


class Home(Protocol):
    """What a journal asks of the store that it belongs to. All raise JournalProblem."""

    def purchases(self) -> Purchases:
        """Attempts by fingerprint and take, as the plan knows them that is carried out."""

    def take_over(self) -> None:
        """Write what the spool holds."""

    def reserved_by_others(self, run_id: str) -> int | None:
        """How many reservations of other runs are known; None where there are no limits to keep."""

    def room(self) -> tuple[Decimal, str] | None:
        """Look again: credits that may still be held, and by which limit; None where there is none."""


@dataclass(frozen=True, slots=True)
class _Batch:
    events: Sequence[Event]
    lines: Sequence[bytes]


class PostgresJournal:
    """Appends to one run's journal."""

    def __init__(
        self,
        project: Project,
        header: RunStarted,
        clock: Clock,
        home: Home,
        queue: str | None = None,
        spool: Spool | None = None,
    ) -> None:
        """`queue`: where workers look for what they are to follow, for a run that leaves its tasks to them."""
        self.header = header
        self._project = project
        self._home = home
        self._queue = queue
        self._spool = spool
        self._clock = clock
        self._events: list[Timed] = []
        self._next_try: float | None = None
        """By the monotonic clock; None while the database has all."""
        self._seq = 0
        self._previous: str | None = None
        self._writer: str | None = None
        """Who may append now. An append that a lost connection left behind has another one, and is refused."""
        self._unsure: _Batch | None = None
        """Was reported as not written, and may be there nevertheless."""
        self._unsent: list[e.NotAccepted] = []
        self._known: Purchases | None = None
        self._room: tuple[Decimal, str] | None = None
        """Once others have bought since this run was planned; until then its plan has seen to it."""

    @property
    def run_id(self) -> str:
        return self.header.run_id

    @property
    def is_born(self) -> bool:
        return self._seq > 0

    @property
    def record(self) -> JournalRecord:
        """All that was appended, wherever it is."""
        return JournalRecord(self.run_id, tuple(self._events))

    def append(self, *events: Event) -> str:
        """All in one transaction. Raises Held, TooSoon, JournalProblem: then nothing of them counts.

        What reserves nothing has happened: where the database doesn't take it, it is kept for it.
        """
        at = utc_text(self._clock.now())
        reserves = any(isinstance(event, e.Reserved) for event in events)
        try:
            self._write_through(at, events)
        except JournalProblem:
            if reserves or self._spool is None:
                raise
            self._keep(self._spool, at, events)
        header = () if self._events else (self.header,)
        self._events += [Timed(at, event) for event in (*header, *events)]
        return at

    @property
    def is_kept(self) -> bool:
        """Is some of it not in the database?"""
        return self._next_try is not None

    def taken_over(self) -> None:
        """What was kept is in the database."""
        self._next_try = self._writer = None

    def _write_through(self, at: str, events: Sequence[Event]) -> None:
        if self._next_try is not None:
            if time.monotonic() < self._next_try:
                raise self._project.database.out_of_reach("it was not a moment ago")
            self._next_try = time.monotonic() + _PERIOD
            self._home.take_over()
        if self._known is None:
            self._known = self._home.purchases()
        self._find_out()
        events = (*self._unsent, *events) if self.is_born else (self.header, *events)
        batch = _Batch(events, chained(at, events, self._seq, self._previous))
        self._deliver(batch)
        self._arrived(batch)
        self._unsent.clear()

    def _keep(self, spool: Spool, at: str, events: Sequence[Event]) -> None:
        """In the spool, behind a last append that may be in the database or not, and was reported as not written."""
        unsure = self._unsure or _Batch((), ())
        seq, previous = _behind(self._seq, self._previous, unsure.lines)
        header = () if seq else (self.header,)
        events = (*header, *self._unsent, *_given_back(unsure), *events)
        lines = [*unsure.lines, *chained(at, events, seq, previous)]
        spool.keep(self.run_id, lines)
        self._seq, self._previous = _behind(self._seq, self._previous, lines)
        self._unsure = None
        self._unsent.clear()
        if self._next_try is None:
            self._next_try = time.monotonic() + _PERIOD

    def close(self) -> None:
        """What is kept may be taken over by whoever reaches the database."""
        if self._spool is not None:
            self._spool.let_go()

    def _deliver(self, batch: _Batch) -> None:
        """Until it is on record. Raises JournalProblem where it isn't, or where that can't be known."""
        deadline, problem = time.monotonic() + _PATIENCE, None
        for pause in _PAUSES:
            if pause:
                time.sleep(pause)
            try:
                if self._writer is not None or not self._has_arrived(batch):
                    self._write(batch)
            except Lost as lost:
                self._writer, problem = None, self._project.database.out_of_reach(lost)
            else:
                return
            if time.monotonic() > deadline:
                break
        self._unsure = batch
        raise problem or self._not_ours()

    def _find_out(self) -> None:
        """What of the last append became. A reservation that was made, and never sent, is given back next."""
        if self._unsure is None:
            return
        try:
            has_arrived = self._has_arrived(self._unsure)
        except Lost as lost:
            raise self._project.database.out_of_reach(lost) from lost
        batch, self._unsure = self._unsure, None
        if has_arrived:
            self._arrived(batch)
            self._unsent += _given_back(batch)

    def _has_arrived(self, batch: _Batch) -> bool:
        """Is it on record? If not, it never will be but by `_write`. Raises Lost."""
        writer = secrets.token_hex(8)
        ((seq,),) = self._project.once(FENCE, run=self.run_id, writer=writer)
        if seq not in {self._seq, self._seq + len(batch.lines)}:
            raise self._not_ours()
        self._writer = writer
        return bool(seq > self._seq)

    def _write(self, batch: _Batch) -> None:
        """Raises Lost where it can't be known whether it was done."""
        wishes = [event for event in batch.events if isinstance(event, e.Reserved)]
        credits_ = sum((wish.credits or Decimal(0) for wish in wishes), Decimal(0))
        self._require_room(credits_)
        while (answer := self._written(batch, wishes)) == "behind":
            self._room = self._home.room()
            self._require_room(credits_)
        verdict, _, about = answer.partition(" ")
        if verdict == "held":
            raise Held(f"run {about} has bought it, or is about to")
        if verdict == "wait":
            raise TooSoon(max(float(about), 0.0))
        if verdict == "moved":
            raise JournalProblem("the ledger of this project was moved to another home", hint=MOVED)
        if verdict != "ok":
            raise self._not_ours()
        if self._room is not None:
            self._room = (self._room[0] - credits_, self._room[1])

    def _require_room(self, credits_: Decimal) -> None:
        if self._room is not None and self._room[0] < credits_:
            self._room = self._home.room()  # what failed since has given some back
        if self._room is not None and self._room[0] < credits_:
            raise OverLimit(self._room[1])

    def _written(self, batch: _Batch, wishes: Sequence[e.Reserved]) -> str:
        """The database's answer; `behind` where others have reserved since this run looked, and it has limits to keep."""
        purchases = [(wish.fingerprint, wish.take) for wish in wishes]
        known = [attempt for one in purchases for attempt in (self._known or {}).get(one, ())]
        others = self._home.reserved_by_others(self.run_id) if wishes else None
        ((answer,),) = self._project.once(
            _APPEND,
            others=others,
            run=self.run_id,
            writer=self._writer,
            seq=self._seq,
            lines=batch.lines,
            origin=self.header.origin,
            account=self._project.account,
            steps=json.dumps(list(steps(batch.events))),
            known=known,
            queue=self._queue,
        )
        return str(answer)

    def _arrived(self, batch: _Batch) -> None:
        self._seq, self._previous = _behind(self._seq, self._previous, batch.lines)

    def _not_ours(self) -> JournalProblem:
        return JournalProblem(f"{self._project.place(self.run_id)} was written by another process")


def _behind(seq: int, previous: str | None, lines: Sequence[bytes]) -> tuple[int, str | None]:
    """A journal's number of lines and the hash of its last, once these are on it."""
    return seq + len(lines), hashlib.sha256(lines[-1]).hexdigest() if lines else previous


def _given_back(batch: _Batch) -> list[e.NotAccepted]:
    failure = Failure("not_sent", None, "given back: the database was lost before it was sent")
    return [e.NotAccepted(one.attempt_id, failure) for one in batch.events if isinstance(one, e.Reserved)]


def steps(events: Iterable[Event]) -> Iterator[dict[str, Json]]:
    """What events mean for reservations."""
    for event in events:
        match event:
            case e.Reserved(attempt_id=attempt):
                purchase = {"fingerprint": event.fingerprint, "take": event.take}
                yield {"attempt": attempt, "state": "reserved", **purchase}
            case e.Submitted(attempt_id=attempt):
                yield {"attempt": attempt, "state": "submitted"}
            case e.Resolved(attempt_id=attempt, task_id=task_id):
                yield {"attempt": attempt, "state": "void" if task_id is None else "submitted"}
            case e.NotAccepted(attempt_id=attempt):
                yield {"attempt": attempt, "state": "void"}
            case (
                e.Rejected(attempt_id=attempt)
                | e.Succeeded(attempt_id=attempt)
                | e.Failed(attempt_id=attempt)
            ):
                yield {"attempt": attempt, "state": "ended"}
