"""A run's journal in PostgreSQL: each append is one transaction, and is on record once or not at all.

In: events of one run. Out: their lines as rows; Held and TooSoon where the database refuses a reservation. Touches: the
database. Where the connection is lost while an append is under way, it is asked on a new one: first the journal gets
another writer, so that the old append can't come through any more, then it is either there or never will be.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from kiejobs.adapters.ledger.database import Lost
from kiejobs.adapters.ledger.journal import chained
from kiejobs.core.diagnostics import Held, JournalProblem, TooSoon
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.records import Failure, utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kiejobs.adapters.ledger.database import Project
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.events import Event, RunStarted
    from kiejobs.ports import Clock

Purchases: TypeAlias = Mapping[tuple[str, int], Sequence[str]]

_PAUSES = (0.0, 0.0, 0.2, 0.4, 0.8, 1.6)  # seconds before each try to reach a database that was lost
_PATIENCE = 5.0  # seconds after which it is not tried again: meanwhile nothing else happens in this process
_APPEND = """
SELECT append(%(project)s, %(run)s, %(writer)s, %(seq)s, %(lines)s::bytea[], %(origin)s, %(account)s,
              %(steps)s::jsonb, %(known)s::text[], %(queue)s, %(lease)s * interval '1 second')
"""
FENCE = """
INSERT INTO runs AS known (project, run_id, writer) VALUES (%(project)s, %(run)s, %(writer)s)
ON CONFLICT (project, run_id) DO UPDATE SET writer = excluded.writer RETURNING known.seq
"""


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
        purchases: Callable[[], Purchases],
        queue: str | None = None,
    ) -> None:
        """`purchases`: attempts by fingerprint and take, as the plan knows them that is carried out. `queue`: where
        workers look for what they are to follow, for a run that leaves its tasks to them.
        """
        self.header = header
        self._project = project
        self._purchases = purchases
        self._queue = queue
        self._clock = clock
        self._seq = 0
        self._previous: str | None = None
        self._writer: str | None = None
        """Who may append now. An append that a lost connection left behind has another one, and is refused."""
        self._unsure: _Batch | None = None
        """Was reported as not written, and may be there nevertheless."""
        self._unsent: list[e.NotAccepted] = []
        self._known: Purchases | None = None

    @property
    def run_id(self) -> str:
        return self.header.run_id

    @property
    def is_born(self) -> bool:
        return self._seq > 0

    def append(self, *events: Event) -> str:
        """All in one transaction. Raises Held, TooSoon, JournalProblem: then nothing of them counts."""
        at = utc_text(self._clock.now())
        if self._known is None:
            self._known = self._purchases()
        self._find_out()
        events = (*self._unsent, *events) if self.is_born else (self.header, *events)
        batch = _Batch(events, chained(at, events, self._seq, self._previous))
        self._deliver(batch)
        self._arrived(batch)
        self._unsent.clear()
        return at

    def close(self) -> None:
        """Nothing is held open for it."""

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
            failure = Failure("not_sent", None, "given back: the database was lost before it was sent")
            reserved = [event for event in batch.events if isinstance(event, e.Reserved)]
            self._unsent += [e.NotAccepted(event.attempt_id, failure) for event in reserved]

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
        purchases = [(x.fingerprint, x.take) for x in batch.events if isinstance(x, e.Reserved)]
        known = [attempt for one in purchases for attempt in (self._known or {}).get(one, ())]
        ((answer,),) = self._project.once(
            _APPEND,
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
        verdict, _, about = answer.partition(" ")
        if verdict == "held":
            raise Held(f"run {about} has bought it, or is about to")
        if verdict == "wait":
            raise TooSoon(max(float(about), 0.0))
        if verdict == "moved":
            hint = "update this checkout's kiejobs.yaml, then run the same command again"
            raise JournalProblem("the ledger of this project is in another home by now", hint=hint)
        if verdict != "ok":
            raise self._not_ours()

    def _arrived(self, batch: _Batch) -> None:
        self._seq += len(batch.lines)
        if batch.lines:
            self._previous = hashlib.sha256(batch.lines[-1]).hexdigest()

    def _not_ours(self) -> JournalProblem:
        return JournalProblem(f"{self._project.place(self.run_id)} was written by another process")


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
