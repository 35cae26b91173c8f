"""Work that workers share: Procrastinate's queue, in the ledger's database.

In: attempts that are due, by the ledger; what to do about one of them. Out: that it is done, by whichever worker gets it.
Touches: the queue's tables.

Only what may be repeated is in the queue, and nothing is true because it is there: it can be emptied at any time, and
is filled again from the ledger. So a job whose worker died, whose row was pruned, or that was lost, is put there again.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from kiejobs.adapters.ledger.database import migrate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from psycopg import AsyncConnection

    from kiejobs.adapters.ledger.database import Project

FOLLOW = "kiejobs.follow"
_HEARTBEAT = 10.0  # seconds
_DEAD = 30.0  # seconds without one

_FORGET_STUCK = """
DELETE FROM procrastinate_jobs AS job WHERE queue_name = %(queue)s AND status = 'doing' AND NOT EXISTS (
    SELECT 1 FROM procrastinate_workers AS worker
    WHERE worker.id = job.worker_id AND worker.last_heartbeat > clock_timestamp() - %(dead)s * interval '1 second')
"""
_DEFER = """
SELECT hand_over(%(project)s, due.attempt, %(queue)s, 0, 0) FROM unnest(%(attempts)s::text[]) AS due (attempt)
WHERE NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs AS job WHERE job.queue_name = %(queue)s AND job.status IN ('todo', 'doing')
        AND job.queueing_lock = %(project)s || '/' || due.attempt)
"""
_AGAIN = "SELECT hand_over(%(project)s, %(attempt)s, %(queue)s, %(delay)s, %(waited)s)"


class WorkQueue:
    """A project's. `follow` answers after how many seconds it is to be done again; None for never."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._running: asyncio.Task[None] | None = None
        self._is_stopped = False

    def fill(self, attempts: Collection[str]) -> None:
        """With what is due and not there. Raises JournalProblem."""
        self._project.rows(_FORGET_STUCK, queue=self._project.queue, dead=_DEAD)
        if attempts:
            self._project.rows(_DEFER, queue=self._project.queue, attempts=list(attempts))

    async def work(
        self, follow: Callable[[str, float], Awaitable[float | None]], at_once: int, look_every: float
    ) -> None:
        """Until `stop`: what is begun is ended. Raises JournalProblem where the database is lost."""
        from procrastinate import App, PsycopgConnector, exceptions  # noqa: PLC0415 - slow, and only for workers

        for name in ("procrastinate", "psycopg.pool", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is raised
        migrate(self._project.database.connected())
        connector = PsycopgConnector(
            conninfo=self._project.database.conninfo(), min_size=1, max_size=4, configure=_in_our_schema
        )
        app = App(connector=connector)

        @app.task(name=FOLLOW, queue=self._project.queue)
        async def one(attempt_id: str, waited: float) -> None:
            delay = await follow(attempt_id, waited)
            if delay is not None:
                values = {"attempt": attempt_id, "delay": delay, "waited": waited + delay}
                await asyncio.to_thread(self._project.rows, _AGAIN, queue=self._project.queue, **values)

        try:
            async with app.open_async():
                self._running = asyncio.create_task(
                    app.run_worker_async(
                        queues=[self._project.queue],
                        concurrency=at_once,
                        fetch_job_polling_interval=look_every,
                        update_heartbeat_interval=_HEARTBEAT,
                        stalled_worker_timeout=_DEAD,
                        delete_jobs="always",
                        install_signal_handlers=False,
                    )
                )
                if self._is_stopped:
                    self.stop()
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([self._running])
                    self._running.result()
        except exceptions.ConnectorException as error:
            raise self._project.database.out_of_reach(error) from error
        if not self._is_stopped:  # it leaves in peace where its listener lost the connection
            raise self._project.database.out_of_reach("the connection of the queue was lost")

    def stop(self) -> None:
        self._is_stopped = True
        if self._running is not None:
            self._running.cancel()


async def _in_our_schema(connection: AsyncConnection) -> None:
    await connection.execute("SET search_path = kiejobs")
    await connection.commit()
