"""The ledger in PostgreSQL: bought once from any machine, one window of starts per account, whoever starts.

In: the name of the environment variable that holds the URL; a project's and an account's name. Out: the port
`LedgerStore`. Touches: the database. Journals are rows, and each row holds the very line that a file would.

A reservation is decided in its own transaction, so several runs may buy at once. Leases and windows go by the
database's clock; only what people read goes by this machine's.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self
from weakref import ref

import anyio
import anyio.to_thread

from kiejobs.adapters.ledger.database import Database, OutOfReach, Project
from kiejobs.adapters.ledger.journal import JOURNAL, complete_lines, parse_journal, read_line
from kiejobs.adapters.ledger.moved import moved
from kiejobs.adapters.ledger.postgresql_journal import FENCE, MOVED, PostgresJournal, steps
from kiejobs.adapters.ledger.spool import Spool, rulings
from kiejobs.adapters.system import ci_address
from kiejobs.core.diagnostics import JournalProblem, KiejobsError
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import JournalRecord
from kiejobs.core.ledger.fold import History, contradictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal
    from weakref import ReferenceType

    from kiejobs.adapters.ledger.queue import WorkQueue
    from kiejobs.core.ledger.events import RunStarted, Timed
    from kiejobs.ports import Clock, Limits

LEASE = 60.0  # seconds: a run that has not been heard of for so long is dead
_RENEWAL = 15.0

_READ = """
SELECT run_id, runs.seq, coalesce(leased_until > clock_timestamp(), false), ARRAY(
    SELECT line FROM events
    WHERE events.project = runs.project AND events.run_id = runs.run_id AND events.seq > coalesce(known.seq, 0)
    ORDER BY events.seq)
FROM runs LEFT JOIN unnest(%(ids)s::text[], %(seqs)s::bigint[]) AS known (run_id, seq) USING (run_id)
WHERE project = %(project)s
"""
_CLAIM = """
INSERT INTO runs (project, run_id, writer, owner, leased_until)
VALUES (%(project)s, %(run)s, '', %(owner)s, clock_timestamp() + %(lease)s * interval '1 second')
ON CONFLICT (project, run_id) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until
"""
_RENEW = """
UPDATE runs SET leased_until = clock_timestamp() + %(lease)s * interval '1 second'
WHERE project = %(project)s AND run_id = %(run)s AND leased_until IS NOT NULL
"""
_LET_GO = "UPDATE runs SET leased_until = NULL WHERE project = %(project)s AND run_id = %(run)s"
_BEHIND = """
SELECT run_id FROM runs LEFT JOIN manifests USING (project, run_id)
WHERE project = %(project)s AND runs.seq > coalesce(manifests.seq, 0)
"""
_SAME_MANIFEST = """
UPDATE manifests SET seq = greatest(seq, %(seq)s)
WHERE project = %(project)s AND run_id = %(run)s AND body = %(body)s RETURNING 1
"""
_WRITE_MANIFEST = """
INSERT INTO manifests (project, run_id, seq, body) VALUES (%(project)s, %(run)s, %(seq)s, %(body)s)
ON CONFLICT (project, run_id) DO UPDATE SET seq = excluded.seq, body = excluded.body
"""
_MARK = """
WITH alone AS (SELECT pg_advisory_xact_lock(hashtextextended('kiejobs home of ' || %(project)s, 0)))
INSERT INTO moved SELECT %(project)s, %(mark)s FROM alone
ON CONFLICT (project) DO UPDATE SET mark = excluded.mark
"""
_TAKE_IN = """
INSERT INTO reservations AS known (project, attempt_id, state, run_id, origin, account, fingerprint, take)
SELECT %(project)s, %(attempt)s, CASE WHEN EXISTS (
    SELECT 1 FROM reservations AS other
    WHERE other.project = %(project)s AND other.origin = %(origin)s AND other.fingerprint = %(fingerprint)s
        AND other.take = %(take)s AND other.state IN ('reserved', 'submitted')
    ) THEN 'ended' ELSE 'reserved' END, %(run)s, %(origin)s, %(account)s, %(fingerprint)s, %(take)s
ON CONFLICT (project, attempt_id) DO UPDATE SET run_id = excluded.run_id, origin = excluded.origin,
    account = excluded.account, fingerprint = excluded.fingerprint, take = excluded.take
"""


class PostgresStore:
    """One process's view of a project's ledger in a database."""

    def __init__(
        self,
        url_env: str,
        project: str = "default",
        account: str = "default",
        lease: float = LEASE,
        kept: Path | None = None,
    ) -> None:
        """`account` distinguishes the API's accounts whose keys are used at one origin; no key is stored. `kept`: the
        folder for what happens while the database is out of reach.
        """
        self.project = Project(Database(url_env), project, account, lease)
        self.trouble: str | None = None
        self.hands_over = False
        """Are workers to follow what runs from here submit?"""
        self._url_env = url_env
        self._spool = None if kept is None else Spool(kept)
        self._journal: ReferenceType[PostgresJournal] | None = None
        """Of this process's run. It knows this store: what each held of the other would keep both alive."""
        self._limits: Limits | None = None
        self._lease_of: str | None = None
        self._planned: History | None = None
        """As first read under the claim."""
        self._journals: dict[str, _Journal] = {}
        """As read."""
        self._texts: dict[str, str] = {}
        self._history = History(())
        self._reading = threading.Lock()

    @property
    def name(self) -> str:
        return f"{self.project.database}/{self.project.name}"

    def read(self) -> History:
        """Where the database is lost in the middle of a run: as it was read last, with what that run has done since."""
        try:
            history, damaged = self._read()
        except OutOfReach as unreachable:
            return self._without_database(unreachable)
        for _, problem in damaged:
            raise problem
        return self._with_own(history) if self._own is not None and self._own.is_kept else history

    def check(self) -> tuple[History, list[tuple[str, JournalProblem]]]:
        with self._reading:
            self._journals.clear()
        return self._read()

    def claim(self, run_id: str, since: str) -> RunLease:
        del since  # the database's clock counts
        return RunLease(self, run_id)

    def require_current(self) -> list[str]:
        """What was read is what there is, and a reservation is decided by the database.

        But for what happened here while it was away: nothing is bought before that is on record.
        """
        self._require_here()
        self.take_over()
        return []

    def journal(self, header: RunStarted, clock: Clock) -> PostgresJournal:
        queue = self.project.queue if self.hands_over else None
        own = PostgresJournal(self.project, header, clock, self, queue, self._spool)
        self._journal = ref(own)
        return own

    @property
    def _own(self) -> PostgresJournal | None:
        return None if self._journal is None else self._journal()

    def publish(self, run_id: str | None = None, *, every: bool = False) -> list[str]:
        """One process at a time: the last to write knows most. Where the database takes none it is done next time."""
        try:
            return self._publish(run_id, every=every)
        except JournalProblem as problem:
            self._without_database(problem)
            return []

    def _publish(self, run_id: str | None, *, every: bool) -> list[str]:
        with self._publishing():
            history = self.read()
            behind = {name for (name,) in self.project.rows(_BEHIND)}
            changed = {r.run_id for r in history.records if every or r.run_id == run_id or r.run_id in behind}
            written = []
            for record in history.with_stale_manifests(changed):
                seq = self._journals[record.run_id].seq
                values = {"run": record.run_id, "seq": seq, "body": history.manifest(record)}
                if not self.project.rows(_SAME_MANIFEST, **values):
                    self.project.rows(_WRITE_MANIFEST, **values)
                    written.append(self.manifest_place(record.run_id))
            return written

    def manifest(self, run_id: str) -> bytes | None:
        query = "SELECT body FROM manifests WHERE project = %(project)s AND run_id = %(run)s"
        for (body,) in self.project.rows(query, run=run_id):
            return bytes(body)
        return None

    def place(self, run_id: str) -> str:
        return self.project.place(run_id)

    def manifest_place(self, run_id: str) -> str:
        return f"{self.name}/{run_id}/manifest.json"

    def document(self, run_id: str) -> str | None:
        try:
            return self._document(run_id)
        except JournalProblem as problem:
            self._without_database(problem)
            return self._kept_in(run_id)

    def _document(self, run_id: str) -> str | None:
        query = "SELECT 1 FROM {} WHERE project = %(project)s AND run_id = %(run)s AND seq > 0"
        for table, place in (("manifests", self.manifest_place), ("runs", self.place)):
            if self.project.rows(query.format(table), run=run_id):
                return place(run_id)
        return None

    def unwritable(self) -> str | None:
        try:
            query = "SELECT pg_is_in_recovery(), has_table_privilege('events', 'INSERT')"
            ((is_copy, is_allowed),) = self.project.rows(query)
        except KiejobsError as problem:
            return problem.message
        if is_copy:
            return "it is a copy that can only be read"
        return None if is_allowed else "its user may not write there"

    def work_queue(self) -> WorkQueue:
        from kiejobs.adapters.ledger.queue import WorkQueue  # noqa: PLC0415 - only for workers

        return WorkQueue(self.project)

    def limit(self, limits: Limits | None) -> None:
        self._limits = limits

    def reserved_by_others(self, run_id: str) -> int | None:
        """As read last; None where there are no limits to keep."""
        if self._limits is None:
            return None
        others = (one for one in self._history.records if one.run_id != run_id)
        return sum(isinstance(timed.event, e.Reserved) for one in others for timed in one.events)

    def room(self) -> tuple[Decimal, str] | None:
        history, _ = self._read()
        return self._limits(history) if self._limits else None

    def claims(self) -> None:
        """A reservation is decided as it is written."""

    async def keep(self) -> None:
        """Renews the lease, on a connection of its own: the other may be busy, or lost."""
        database = Database(self._url_env)
        try:
            while self._lease_of is not None:
                await anyio.sleep(min(_RENEWAL, self.project.lease / 4))
                await anyio.to_thread.run_sync(self._renew, database, abandon_on_cancel=True)
        finally:
            database.close()

    def hurry(self) -> None:
        """What is written is published."""

    def owner(self, run_id: str) -> str:
        query = (
            "SELECT owner FROM runs WHERE project = %(project)s AND run_id = %(run)s AND owner IS NOT NULL"
        )
        return "".join(
            [f"run {run_id}", *(f" ({owner})" for (owner,) in self.project.rows(query, run=run_id))]
        )

    # --- from one home to another -----------------------------------------------------------------------

    def journals(self) -> Iterator[tuple[str, bytes]]:
        query = """SELECT run_id, string_agg(line || '\\x0a'::bytea, ''::bytea ORDER BY seq) FROM events
                   WHERE project = %(project)s GROUP BY run_id ORDER BY run_id"""
        for run_id, data in self.project.rows(query):
            yield run_id, bytes(data)

    def take_in(self, run_id: str, data: bytes) -> None:
        record = parse_journal(Path(run_id) / JOURNAL, data)
        lines = complete_lines(data.partition(b"\0")[0]).splitlines()  # a torn write ends it
        query = "SELECT line FROM events WHERE project = %(project)s AND run_id = %(run)s ORDER BY seq"
        known = [bytes(line) for (line,) in self.project.rows(query, run=run_id)]
        common = min(len(known), len(lines))
        if known[:common] != lines[:common]:
            raise JournalProblem(f"{self.place(run_id)}: its copy in the other home is another journal")
        if common < len(lines):
            origin = record.header.origin if record.header else None
            self._insert(record, lines[common:], common, origin)

    def mark_moved(self, mark: bytes | None) -> None:
        if mark is None:
            self.project.rows("DELETE FROM moved WHERE project = %(project)s")
        else:
            self.project.rows(_MARK, mark=mark)

    def _require_here(self) -> None:
        for (mark,) in self.project.rows("SELECT mark FROM moved WHERE project = %(project)s"):
            raise moved(self.name, bytes(mark))

    def _insert(self, record: JournalRecord, lines: Sequence[bytes], known: int, origin: str | None) -> None:
        """`lines` go behind the `known` first ones of the journal; `record` has their events at least."""
        ours = {"project": self.project.name, "run": record.run_id}
        with self.project.database.transaction() as cursor:
            home = f"kiejobs home of {self.project.name}"
            cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", (home,))
            if cursor.execute("SELECT 1 FROM moved WHERE project = %(project)s", ours).fetchone():
                raise JournalProblem("the ledger of this project was moved to another home", hint=MOVED)
            values = {**ours, "writer": secrets.token_hex(8), "seq": known + len(lines)}
            cursor.execute(FENCE, values)
            cursor.execute(
                "UPDATE runs SET seq = %(seq)s WHERE project = %(project)s AND run_id = %(run)s", values
            )
            with cursor.copy("COPY events (project, run_id, seq, line) FROM STDIN") as copy:
                for seq, line in enumerate(lines, start=known + 1):
                    copy.write_row((self.project.name, record.run_id, seq, line))
            for step in steps(timed.event for timed in record.events):
                values = {**ours, **step, "origin": origin, "account": self.project.account}
                settle = "SELECT settle(%(project)s, %(attempt)s, %(state)s)"
                cursor.execute(_TAKE_IN if step["state"] == "reserved" else settle, values)

    # --- while the database was away --------------------------------------------------------------------

    def _without_database(self, problem: JournalProblem) -> History:
        if self._own is None or not self._own.is_born or self._spool is None:
            raise problem
        self._report(problem)
        return self._with_own(self._history)

    def _report(self, problem: JournalProblem) -> None:
        where = ", ".join(filter(None, map(self._kept_in, self._spool.runs() if self._spool else ())))
        then = f". What it lacks is in {where}: the next command here writes it first" if where else ""
        self.trouble = f"{problem.message}{then}"

    def _with_own(self, history: History) -> History:
        """With all that this process has appended, wherever that is."""
        own = self._own
        if own is None:
            return history
        others = [record for record in history.records if record.run_id != own.run_id]
        return History([*others, own.record], {*history.live_runs, own.run_id})

    def _kept_in(self, run_id: str) -> str | None:
        path = self._spool.path(run_id) if self._spool else None
        return os.path.relpath(path) if path and path.exists() else None

    def take_over(self) -> None:
        """What this process has kept, and others that ended. Raises JournalProblem where the database doesn't take it."""
        self.trouble = None
        for run_id, lines in self._spool.left() if self._spool else ():
            if lines:
                self._go_on(run_id, lines)
            if self._spool:
                self._spool.remove(run_id)
            if self._own is not None and self._own.run_id == run_id:
                self._own.taken_over()

    def _go_on(self, run_id: str, lines: Sequence[bytes]) -> None:
        """The journal with these lines, of which the first ones may be in it."""
        place = str(self._spool.path(run_id)) if self._spool else ""
        first = _seq(lines[0])
        query = "SELECT seq, line FROM events WHERE project = %(project)s AND run_id = %(run)s AND (seq = 1 OR seq >= %(last)s)"
        known = {seq: bytes(line) for seq, line in self.project.rows(query, run=run_id, last=first - 1)}
        journal = _Journal(JournalRecord(run_id, ()), first - 1, _hash(known.get(first - 1)))
        try:
            header = read_line(place, 1, known.get(1, lines[0]), None, {})
            journal.grow(place, lines, {})
        except JournalProblem as problem:
            raise self._misfit(run_id, lines) from problem
        there = [known[seq] for seq in sorted(known) if seq >= first]
        if there != list(lines[: len(there)]) or header is None or not isinstance(header.event, e.RunStarted):
            raise self._misfit(run_id, lines)
        self._insert(journal.record, lines[len(there) :], first - 1 + len(there), header.event.origin)

    def _misfit(self, run_id: str, lines: Sequence[bytes]) -> JournalProblem:
        """Of another ledger, or of this one before a backup was restored: what it says of paid tasks is for a person."""
        place = self._kept_in(run_id)
        hint = f"{rulings(lines) or 'look at it, '}then remove its folder"
        return JournalProblem(f"{place} does not go on where {self.place(run_id)} ends", hint=hint)

    # --- reading ----------------------------------------------------------------------------------------

    def _read(self) -> tuple[History, list[tuple[str, JournalProblem]]]:
        self._require_here()
        try:
            self.take_over()
        except OutOfReach:
            raise
        except JournalProblem as problem:
            # What is on record holds; nothing is bought before the rest is, too.
            self._report(problem)
        with self._reading:
            seqs = {run_id: one.seq for run_id, one in self._journals.items()}
            rows = self.project.rows(_READ, ids=list(seqs), seqs=list(seqs.values()))
            live = {run_id for run_id, _, is_live, _ in rows if is_live}
            damaged, records = [], []
            for run_id, seq, is_live, lines in sorted(rows):
                try:
                    record = self._known(run_id, seq, lines)
                except JournalProblem as problem:
                    damaged.append((self.place(run_id), problem))
                    continue
                if record.events:
                    records.append(replace(record, live=True) if is_live else record)
            self._history = self._history.updated(records, live)
            if self._lease_of is not None and self._planned is None:
                self._planned = self._history
            if not damaged and any(lines for _, _, _, lines in rows):
                damaged = [
                    (self.place(run_id), JournalProblem(f"{self.place(run_id)}: {why}", hint=_DAMAGED))
                    for run_id, _, why in contradictions(records)
                ]
            return self._history, damaged

    def _known(self, run_id: str, seq: int, lines: Sequence[bytes]) -> JournalRecord:
        journal = self._journals.setdefault(run_id, _Journal(JournalRecord(run_id, ())))
        place = self.place(run_id)
        try:
            journal.grow(place, lines, self._texts)
            if journal.seq != seq:  # some were removed, or the database is an older copy of itself
                raise JournalProblem(f"{place}: lines are missing", hint=_DAMAGED)  # noqa: TRY301
        except JournalProblem:
            del self._journals[run_id]
            raise
        return journal.record

    def purchases(self) -> dict[tuple[str, int], list[str]]:
        """Attempts by purchase, as first read under the claim: the plan that is made then knows of these."""
        found: dict[tuple[str, int], list[str]] = {}
        for record in (self._planned or self._history).records:
            for timed in record.events:
                if isinstance(timed.event, e.Reserved):
                    purchase = (timed.event.fingerprint, timed.event.take)
                    found.setdefault(purchase, []).append(timed.event.attempt_id)
        return found

    # --- the rest ---------------------------------------------------------------------------------------

    def begin_lease(self, run_id: str) -> None:
        owner = ci_address() or f"on {platform.node()}"
        self.project.rows(_CLAIM, run=run_id, owner=owner)
        self._lease_of, self._planned = run_id, None

    def end_lease(self) -> None:
        run_id, self._lease_of = self._lease_of, None
        if run_id is not None:
            with suppress(JournalProblem):  # it ends by itself
                self.project.rows(_LET_GO, run=run_id)

    def _renew(self, database: Database) -> None:
        with suppress(JournalProblem):  # the next time, perhaps
            replace(self.project, database=database).rows(_RENEW, run=self._lease_of)

    @contextmanager
    def _publishing(self) -> Iterator[None]:
        lock = {"name": f"kiejobs manifests of {self.project.name}"}
        self.project.rows("SELECT pg_advisory_lock(hashtextextended(%(name)s, 0))", **lock)
        try:
            yield
        finally:
            with suppress(JournalProblem):
                self.project.rows("SELECT pg_advisory_unlock(hashtextextended(%(name)s, 0))", **lock)


def _seq(line: bytes) -> int:
    """Where a line says that it is."""
    try:
        return int(json.loads(line)["seq"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return 1


def _hash(line: bytes | None) -> str | None:
    return None if line is None else hashlib.sha256(line).hexdigest()


_DAMAGED = "restore the database from a backup; nothing is bought on top of a damaged journal"


@dataclass
class _Journal:
    record: JournalRecord
    seq: int = 0
    previous: str | None = None

    def grow(self, place: str, lines: Iterable[bytes], texts: dict[str, str]) -> None:
        more: list[Timed] = []
        for line in lines:
            self.seq += 1
            timed = read_line(place, self.seq, bytes(line), self.previous, texts)
            self.previous = hashlib.sha256(line).hexdigest()
            more += [] if timed is None else [timed]
        if more:
            self.record = replace(self.record, events=(*self.record.events, *more))


class RunLease:
    """A run that may buy, as others see it. Several may at once."""

    def __init__(self, store: PostgresStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id

    def __enter__(self) -> Self:
        self._store.begin_lease(self._run_id)
        return self

    def release(self) -> None:
        self._store.end_lease()

    def __exit__(self, *_: object) -> None:
        self.release()
