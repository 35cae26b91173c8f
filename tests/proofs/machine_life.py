"""One process of the state machine's, which may be killed at its N-th touch of the world.

In: the ports of the runner, a `Life`. Out: the same ports, each of which counts its touches; after the
death all of them raise `Killed`, so that nothing is written any more, as after SIGKILL. Touches what it
wraps.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import httpx

from kiejobs.adapters.ledger.folder import FolderStore
from kiejobs.adapters.ledger.journal import FileJournal
from kiejobs.adapters.sandbox import InProcess
from kiejobs.core.ledger import events as e
from tests.proofs.virtual_time import Time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path

    from kiejobs import ports
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger import outcomes
    from kiejobs.core.ledger.fold import History
    from kiejobs.core.ledger.records import FileRecord

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SENDING: ContextVar[str | None] = ContextVar("SENDING", default=None)
"""The attempt whose request is on its way, for the API's books and nobody else."""

_A_LINE = 0.003  # seconds that a line in a journal takes
_ONE_WAY = 0.2  # seconds that a request is on its way, and as long its answer


class Killed(BaseException):
    """SIGKILL, as far as one process can play it for another."""


class Moment(Time):
    """The time of everybody: the runner's clock, and with `epoch` the sandbox's."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class Epoch:
    """The same moments, as the sandbox wants them."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def now(self) -> float:
        return self._moment.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class Life:
    """Dies at its touch number `dies_at`, where that is given and comes.

    `tear`: how much of a line gets into the journal that it is killed in, in parts of it.
    """

    def __init__(self, dies_at: int | None = None, tear: float = 0.0) -> None:
        self._dies_at = dies_at
        self.tear = tear
        self.touches = 0
        self.dead = False
        self.over = False
        self.at_death: list[Callable[[], None]] = []

    def touch(self) -> None:
        self.breathe()
        self.touches += 1
        if self.touches == self._dies_at:
            self.die()

    def breathe(self) -> None:
        if self.dead:
            raise Killed

    def is_last(self) -> bool:
        """Does the next touch kill?"""
        return not self.dead and self.touches + 1 == self._dies_at

    def die(self) -> None:
        self.dead = True
        for last in self.at_death:
            last()
        raise Killed


class MortalJournal(FileJournal):
    """Tells `saw` what is on disk; a death within an append leaves a torn line."""

    def __init__(
        self,
        runs: Path,
        header: e.RunStarted,
        moment: Moment,
        life: Life,
        saw: Callable[[e.Event, str], None],
    ) -> None:
        super().__init__(runs, header, moment)
        self._moment = moment
        self._life = life
        self._saw = saw
        self.reserved: str | None = None

    def append(self, *events: e.Event) -> str:
        self._moment.passed += _A_LINE
        if self._life.is_last():
            self._tell(self._torn(events))
        self._life.touch()
        at = super().append(*events)
        self._tell(events)
        self._life.touch()
        return at

    def _tell(self, events: Sequence[e.Event]) -> None:
        for event in events:
            if isinstance(event, e.Reserved):
                self.reserved = event.attempt_id
            self._saw(event, self.run_id)

    def _torn(self, events: tuple[e.Event, ...]) -> Sequence[e.Event]:
        """What is whole of it."""
        if self._life.tear == 0:
            return ()
        before = self.path.stat().st_size if self.path.exists() else 0
        super().append(*events)
        data = self.path.read_bytes()
        keep = before + int((len(data) - before) * self._life.tear)
        os.truncate(self.path, keep)
        lines = data[before:keep].count(b"\n") - (before == 0)  # the first line is the header
        return events[: max(0, lines)]


class MortalStore(FolderStore):
    """Reading is a touch, and the journals that it makes are mortal."""

    def __init__(
        self, runs: Path, life: Life, make_journal: Callable[[e.RunStarted, Life], MortalJournal]
    ) -> None:
        super().__init__(runs)
        self._life = life
        self._make_journal = make_journal

    def read(self) -> History:
        self._life.touch()
        return super().read()

    def journal(self, header: e.RunStarted, clock: ports.Clock) -> MortalJournal:
        del clock
        self._own = self._make_journal(header, self._life)
        self._life.at_death.append(self._own.close)
        return self._own


class MortalApi:
    """The port `GenerationApi`."""

    def __init__(self, inner: ports.GenerationApi, life: Life, journal: MortalJournal) -> None:
        self._inner = inner
        self._life = life
        self._journal = journal

    @property
    def origin(self) -> str:
        return self._inner.origin

    async def create(
        self, body: Mapping[str, Json], reserve: Callable[[], Awaitable[None]]
    ) -> outcomes.CreateOutcome:
        async def reserved() -> None:
            await reserve()
            SENDING.set(self._journal.reserved)
            self._life.touch()

        self._life.touch()
        outcome = await self._inner.create(body, reserved)
        self._life.touch()
        return outcome

    async def poll(self, task_id: str) -> outcomes.PollOutcome:
        self._life.touch()
        outcome = await self._inner.poll(task_id)
        self._life.touch()
        return outcome

    async def record(self, task_id: str) -> outcomes.TaskRecord | outcomes.Unanswered:
        self._life.touch()
        return await self._inner.record(task_id)

    async def download_url(self, url: str) -> str | outcomes.Unanswered:
        self._life.touch()
        return await self._inner.download_url(url)

    async def balance(self) -> Decimal | outcomes.Unanswered:
        self._life.touch()
        return await self._inner.balance()


class MortalArtifacts:
    """The port `Artifacts`."""

    def __init__(self, inner: ports.Artifacts, life: Life) -> None:
        self._inner = inner
        self._life = life

    async def collect(
        self, url: str, path: str, *, key: str, media_type: str, replaces: str | None = None
    ) -> outcomes.CollectOutcome:
        self._life.touch()
        outcome = await self._inner.collect(url, path, key=key, media_type=media_type, replaces=replaces)
        self._life.touch()
        return outcome

    def set_aside(self, file: FileRecord, path: str) -> FileRecord | None:
        self._life.touch()
        return self._inner.set_aside(file, path)

    def condition(self, files: Sequence[FileRecord], collected_at: str) -> str | None:
        self._life.breathe()
        return self._inner.condition(files, collected_at)

    def mark(self, files: Sequence[FileRecord], collected_at: str) -> None:
        self._life.touch()
        self._inner.mark(files, collected_at)


class MortalClock:
    """The port `Clock`."""

    def __init__(self, moment: Moment, life: Life) -> None:
        self._moment = moment
        self._life = life

    def now(self) -> datetime:
        return self._moment.now()

    def monotonic(self) -> float:
        return self._moment.monotonic()

    async def sleep(self, seconds: float) -> None:
        self._life.breathe()
        await anyio.sleep(seconds)
        self._life.touch()


class Wire(httpx.AsyncBaseTransport):
    """To the API in process, and there is a way to go. What was sent arrives, whoever dies meanwhile."""

    def __init__(self, app: Callable[..., object], life: Life) -> None:
        self._near = InProcess(app)
        self._life = life

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.sleep(_ONE_WAY)
        answer = await self._near.handle_async_request(request)
        self._life.touch()
        await anyio.sleep(_ONE_WAY)
        return answer
