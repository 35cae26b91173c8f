"""The database that a team's ledger is in: a connection, and the schema with its migrations.

In: a URL, which holds a password and is shown nowhere. Out: rows; whether a connection was lost half-way. Touches: the
schema `kiejobs` of that database, which is made and brought up to date by whoever connects first.

An append is one call of one function, so that its transaction is over when the call is, and no lock waits for the
network. Procrastinate's tables are in the same schema, so that a job is deferred in an append's own transaction.
"""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiejobs.core.diagnostics import JournalProblem, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from psycopg import Connection, Cursor

_MIGRATING = 7203914456120098  # names our advisory lock
_DEFAULTS = {
    "connect_timeout": 10,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "application_name": "kiejobs",
}
"""Of libpq, where the URL says nothing: who waits for a dead network keeps answers of the API waiting."""
_SESSION = """
SET search_path = kiejobs;
SET synchronous_commit = on;
SET statement_timeout = '15s';
SET default_transaction_isolation = 'read committed'
"""
_MIGRATIONS = (
    """
CREATE TABLE accounts (
    origin text, name text,
    starts int NOT NULL DEFAULT 18, seconds double precision NOT NULL DEFAULT 10.5,
    PRIMARY KEY (origin, name)
);
CREATE TABLE runs (
    project text, run_id text,
    writer text NOT NULL, seq bigint NOT NULL DEFAULT 0, owner text, leased_until timestamptz,
    PRIMARY KEY (project, run_id)
);
CREATE TABLE events (
    id bigserial PRIMARY KEY,
    project text NOT NULL, run_id text NOT NULL, seq bigint NOT NULL, line bytea NOT NULL,
    UNIQUE (project, run_id, seq),
    FOREIGN KEY (project, run_id) REFERENCES runs
);
CREATE TABLE reservations (
    project text, attempt_id text, state text NOT NULL,
    run_id text, origin text, account text, fingerprint text, take int, started timestamptz,
    PRIMARY KEY (project, attempt_id)
);
CREATE UNIQUE INDEX reservations_open ON reservations (project, origin, fingerprint, take)
    WHERE state IN ('reserved', 'submitted');
CREATE INDEX reservations_purchase ON reservations (project, origin, fingerprint, take);
CREATE INDEX reservations_started ON reservations (origin, account, started);
CREATE TABLE manifests (
    project text, run_id text, seq bigint NOT NULL, body bytea NOT NULL,
    PRIMARY KEY (project, run_id),
    FOREIGN KEY (project, run_id) REFERENCES runs
);
CREATE TABLE moved (project text PRIMARY KEY, mark bytea NOT NULL);

-- How far an attempt is. `void`: nothing came of it, and it may be bought again. What was written off and turns out
-- to be paid is `ended`: its purchase may have been reserved again meanwhile.
CREATE FUNCTION settle(p_project text, p_attempt text, p_state text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO reservations AS known (project, attempt_id, state) VALUES (p_project, p_attempt, p_state)
    ON CONFLICT (project, attempt_id) DO UPDATE SET state = CASE
        WHEN excluded.state = 'ended' THEN 'ended'
        WHEN known.state = 'reserved' THEN excluded.state
        WHEN known.state = 'void' AND excluded.state = 'submitted' THEN 'ended'
        ELSE known.state END
$$;

-- Answers `ok`, `fenced` (not this writer's journal, or not at that place), `moved` (nothing is bought by this ledger any
-- more), `held RUN`, or `wait SECONDS`: but for the first nothing was written. `p_known`: attempts that the buyer's plan knew. `p_queue`: workers' queue, where what is
-- submitted is handed over to them.
CREATE FUNCTION append(
    p_project text, p_run text, p_writer text, p_seq bigint, p_lines bytea[], p_origin text, p_account text,
    p_steps jsonb, p_known text[], p_queue text, p_lease interval
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    step jsonb;
    holder text;
    most int;
    span interval;
    wishes int := (SELECT count(*) FROM jsonb_array_elements(p_steps) AS one WHERE one->>'state' = 'reserved');
    pause double precision;
BEGIN
    PERFORM 1 FROM runs
        WHERE project = p_project AND run_id = p_run AND writer = p_writer AND seq = p_seq FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'fenced';
    END IF;
    IF wishes > 0 AND EXISTS (SELECT 1 FROM moved WHERE project = p_project) THEN
        RETURN 'moved';
    END IF;
    IF wishes > 0 THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('kiejobs reservations of ' || p_project || ' ' || p_origin, 0));
        INSERT INTO accounts (origin, name) VALUES (p_origin, p_account) ON CONFLICT DO NOTHING;
        SELECT starts, make_interval(secs => seconds) INTO most, span FROM accounts
            WHERE origin = p_origin AND name = p_account FOR UPDATE;
        SELECT held.run_id INTO holder
            FROM jsonb_to_recordset(p_steps) AS wish (state text, fingerprint text, take int)
            JOIN reservations AS held ON held.project = p_project AND held.origin = p_origin
                AND held.fingerprint = wish.fingerprint AND held.take = wish.take
            WHERE wish.state = 'reserved' AND (held.state IN ('reserved', 'submitted')
                OR (held.state = 'ended' AND held.run_id <> p_run AND held.attempt_id <> ALL (p_known)))
            LIMIT 1;
        IF FOUND THEN
            RETURN 'held ' || holder;
        END IF;
        SELECT extract(epoch FROM started + span - clock_timestamp()) INTO pause FROM reservations
            WHERE origin = p_origin AND account = p_account AND started > clock_timestamp() - span
            ORDER BY started DESC OFFSET greatest(most - wishes, 0) LIMIT 1;
        IF FOUND THEN
            RETURN 'wait ' || pause;
        END IF;
    END IF;
    INSERT INTO events (project, run_id, seq, line)
        SELECT p_project, p_run, p_seq + number, line
        FROM unnest(p_lines) WITH ORDINALITY AS given (line, number);
    UPDATE runs SET seq = p_seq + cardinality(p_lines),
        leased_until = CASE WHEN leased_until IS NOT NULL THEN clock_timestamp() + p_lease END
        WHERE project = p_project AND run_id = p_run;
    FOR step IN SELECT * FROM jsonb_array_elements(p_steps) LOOP
        IF step->>'state' = 'reserved' THEN
            INSERT INTO reservations
                (project, attempt_id, state, run_id, origin, account, fingerprint, take, started)
                VALUES (p_project, step->>'attempt', 'reserved', p_run, p_origin, p_account,
                        step->>'fingerprint', (step->>'take')::int, clock_timestamp());
        ELSE
            PERFORM settle(p_project, step->>'attempt', step->>'state');
        END IF;
        IF p_queue IS NOT NULL AND step->>'state' = 'submitted' THEN
            PERFORM hand_over(p_project, step->>'attempt', p_queue, 0, 0);
        END IF;
    END LOOP;
    RETURN 'ok';
END $$;

-- A worker will ask about this task. There is at most one such job that waits for its time.
CREATE FUNCTION hand_over(p_project text, p_attempt text, p_queue text, p_in double precision, p_waited double precision)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
        p_queue, 'kiejobs.follow', 0, NULL, p_project || '/' || p_attempt,
        jsonb_build_object('attempt_id', p_attempt, 'waited', p_waited),
        CASE WHEN p_in > 0 THEN clock_timestamp() + make_interval(secs => p_in) END
    )::procrastinate_job_to_defer_v1]);
EXCEPTION WHEN unique_violation THEN
    NULL;
END $$;
""",
    """
-- As `append`, but nothing at all goes into a ledger that was moved: nobody would look for it there. For a buyer who has
-- limits to keep and knows of this many reservations of others: `behind` where there are more by now.
CREATE FUNCTION append_knowing(
    p_others bigint, p_project text, p_run text, p_writer text, p_seq bigint, p_lines bytea[], p_origin text,
    p_account text, p_steps jsonb, p_known text[], p_queue text, p_lease interval
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('kiejobs home of ' || p_project, 0));
    IF EXISTS (SELECT 1 FROM moved WHERE project = p_project) THEN
        RETURN 'moved';
    END IF;
    IF p_others IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('kiejobs reservations of ' || p_project || ' ' || p_origin, 0));
        IF (SELECT count(*) FROM reservations WHERE project = p_project AND run_id <> p_run) <> p_others THEN
            RETURN 'behind';
        END IF;
    END IF;
    RETURN append(p_project, p_run, p_writer, p_seq, p_lines, p_origin, p_account, p_steps, p_known, p_queue, p_lease);
END $$;
""",
)
VERSION = len(_MIGRATIONS)


class OutOfReach(JournalProblem):
    """There is no connection, and none can be made."""


class Lost(Exception):
    """There is no connection any more: what was being done is in the database, or isn't."""


class Database:
    """One connection, made when it is needed and made again after it was lost. Raises JournalProblem."""

    def __init__(self, url_env: str) -> None:
        self._url_env = url_env
        self._connection: Connection | None = None
        self._lock = threading.RLock()

    def __del__(self) -> None:
        """A store is never closed: it lives as long as the command does."""
        if self._connection is not None:
            self._connection.close()

    def __str__(self) -> str:
        """Without user and password."""
        return self._place(self._parameters())

    def rows(self, query: bytes, values: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement in one transaction of its own; where the connection is lost it is repeated.

        For what may be repeated.
        """
        try:
            return self.once(query, values)
        except Lost:
            try:
                return self.once(query, values)
            except Lost as lost:
                raise self.out_of_reach(lost) from lost

    def once(self, query: bytes, values: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """As `rows`, but not repeated. Raises Lost where it can't be known whether it was done."""
        with self._lock:
            connection = self.connected()
            import psycopg  # noqa: PLC0415 - slow, and of the extra `team`

            try:
                cursor = connection.execute(query, values or None, binary=True)
                return [] if cursor.description is None else cursor.fetchall()
            except psycopg.Error as error:
                if connection.closed:
                    self._connection = None
                    raise Lost(self._in_words(error)) from error
                raise self._refused(error) from error

    @contextmanager
    def transaction(self) -> Iterator[Cursor[Any]]:
        """For what takes several statements. Raises JournalProblem."""
        import psycopg  # noqa: PLC0415 - as above

        try:
            connection = self.connected()
            with connection.transaction(), connection.cursor() as cursor:
                yield cursor
        except Lost as lost:
            raise self.out_of_reach(lost) from lost
        except psycopg.Error as error:
            if self._connection is None or self._connection.closed:
                raise self.out_of_reach(self._in_words(error)) from error
            raise self._refused(error) from error

    def connected(self) -> Connection:
        """Made where there is none. Raises Lost."""
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = self._connect()
            return self._connection

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def out_of_reach(self, why: object) -> OutOfReach:
        hint = "check the network and the server, then run the same command again"
        return OutOfReach(f"the ledger's database can't be reached: {why}", hint=hint)

    def conninfo(self) -> str:
        """For a pool of somebody else's. Holds the password."""
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - as above

        return make_conninfo(**self._parameters())

    def _connect(self) -> Connection:
        given = self._parameters()
        import psycopg  # noqa: PLC0415 - as above

        try:
            connection = psycopg.connect(**given, autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            raise Lost(self._in_words(error)) from error
        try:
            connection.execute(_SESSION)
            _require_durable(connection)
            version = _version(connection)
            _require_ours(version)
            if version < VERSION:
                migrate(connection)
        except psycopg.Error as error:
            was_lost = connection.closed
            connection.close()
            raise (Lost(self._in_words(error)) if was_lost else self._refused(error)) from error
        except JournalProblem:
            connection.close()
            raise
        return connection

    def _parameters(self) -> dict[str, Any]:
        url = os.environ.get(self._url_env, "").strip()
        if not url:
            hint = f"export {self._url_env}=postgresql://USER:PASSWORD@HOST/DATABASE"
            raise UsageProblem(f"the ledger is in PostgreSQL, and {self._url_env} is not set", hint=hint)
        try:
            import psycopg  # noqa: PLC0415 - as above
            from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - as above
        except ImportError as error:
            message = "a ledger in PostgreSQL needs an extra that is not installed"
            raise UsageProblem(message, hint="pip install 'kiejobs[team]'") from error
        try:
            return {**_DEFAULTS, **conninfo_to_dict(url)}
        except psycopg.Error:  # its words quote the URL
            message = f"{self._url_env} is not a PostgreSQL URL"
            raise UsageProblem(message, hint="postgresql://USER:PASSWORD@HOST/DATABASE") from None

    def _place(self, given: Mapping[str, Any]) -> str:
        port = f":{given['port']}" if str(given.get("port", "5432")) != "5432" else ""
        return f"postgresql://{given.get('host', 'localhost')}{port}/{given.get('dbname', '')}"

    def _refused(self, error: Exception) -> JournalProblem:
        return JournalProblem(f"the ledger's database refused: {self._in_words(error)}")

    def _in_words(self, error: Exception) -> str:
        """On one line, without the password."""
        password = str(self._parameters().get("password") or "")
        said = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
        text = re.sub(r"\s+", " ", said).strip() or type(error).__name__
        return text.replace(password, "***") if password else text


@dataclass(frozen=True, slots=True)
class Project:
    """A project's part of the database. `account`: whose window of starts its purchases count in."""

    database: Database
    name: str
    account: str
    lease: float

    @property
    def queue(self) -> str:
        """Where its workers look for work."""
        return f"kiejobs-{self.name}"

    def place(self, run_id: str) -> str:
        """A run's journal, for people."""
        return f"{self.database}/{self.name}/{run_id}/journal.jsonl"

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """For what may be repeated. Raises JournalProblem."""
        return self.database.rows(query.encode(), {"project": self.name, "lease": self.lease, **values})

    def once(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Raises Lost where it can't be known whether it was done."""
        return self.database.once(query.encode(), {"project": self.name, "lease": self.lease, **values})


def _require_durable(connection: Connection) -> None:
    if connection.execute("SHOW fsync").fetchone() == ("off",):
        hint = "set `fsync = on` on the server: a power cut may take purchases from its record"
        raise JournalProblem("the ledger's database does not sync what it writes", hint=hint)


def migrate(connection: Connection) -> None:
    """To our version, and the queue's, by one process at a time. Raises JournalProblem where it is a newer one's."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATING,))
        version = _version(connection)
        if version == 0:
            connection.execute("CREATE SCHEMA IF NOT EXISTS kiejobs")
            connection.execute("CREATE TABLE schema (version int NOT NULL, queue text NOT NULL DEFAULT '')")
            connection.execute("INSERT INTO schema VALUES (0)")
        for one in _MIGRATIONS[version:]:
            connection.execute(one.encode())
        _migrate_queue(connection)
        connection.execute("UPDATE schema SET version = greatest(version, %s)", (VERSION,))
    _require_ours(_version(connection))


def _require_ours(version: int) -> None:
    if version > VERSION:
        message = f"the ledger's database is of a newer kiejobs (schema {version}, not {VERSION})"
        raise JournalProblem(message, hint="update kiejobs")


def _version(connection: Connection) -> int:
    # Not by to_regclass, which may not see what was made since the transaction began.
    made = "SELECT 1 FROM pg_tables WHERE schemaname = 'kiejobs' AND tablename = 'schema'"
    if connection.execute(made).fetchone() is None:
        return 0
    row = connection.execute("SELECT version FROM schema").fetchone()
    return row[0] if row else 0


def _migrate_queue(connection: Connection) -> None:
    """Procrastinate's own schema, to the version that is installed here."""
    from importlib.resources import files  # noqa: PLC0415 - seldom

    folder = files("procrastinate.sql")
    known = sorted(one.name for one in (folder / "migrations").iterdir() if one.name.endswith(".sql"))
    row = connection.execute("SELECT queue FROM schema").fetchone()
    applied = row[0] if row else ""
    if not applied:
        connection.execute((folder / "schema.sql").read_bytes())
    for name in known:
        if applied and name > applied:
            connection.execute((folder / "migrations" / name).read_bytes())
    connection.execute("UPDATE schema SET queue = greatest(queue, %s)", (known[-1],))
