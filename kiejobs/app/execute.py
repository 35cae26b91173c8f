"""What `run`, `collect` and `listen` have in common: carrying changes out.

In: changes, a workspace, a journal. Out: how it ended. Touches: the world through the adapters;
signals.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from kiejobs import __version__
from kiejobs.adapters.system import new_run_id
from kiejobs.app.connect import opened
from kiejobs.app.known_models import media_type_of
from kiejobs.app.plan import does_something
from kiejobs.core.fingerprint import FINGERPRINT_VERSION
from kiejobs.core.ledger import events as e
from kiejobs.ports import World
from kiejobs.reports.progress import make_progress
from kiejobs.runner import Runner, StopReason

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from kiejobs.adapters.system import Secret
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.ledger.uploads import Uploads
    from kiejobs.core.plan.plan import Change
    from kiejobs.ports import Callbacks, RunJournal
    from kiejobs.reports.progress import RunProgress
    from kiejobs.runner import Budget, RunEnd, Settings

_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""What stops spending, in the words of those who send it."""

_BETWEEN_READINGS = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Execution:
    """One carrying-out: what is to be done, under which run, within which limits.

    `folder` is the job file's, whose local files may be uploaded; `uploads` are those on record.
    """

    journal: RunJournal
    changes: Sequence[Change]
    settings: Settings
    spending: Budget
    callbacks: Callbacks | None = None
    folder: Path | None = None
    uploads: Uploads | None = None


def new_journal(
    space: Workspace,
    command: str,
    *,
    campaign: str | None = None,
    source: Mapping[str, Json] | None = None,
) -> RunJournal:
    """A journal that will be born with its first event."""
    header = e.RunStarted(
        run_id=new_run_id(space.clock().now()),
        command=command,
        campaign=campaign,
        origin=space.origin,
        source=source,
        created_with=f"kiejobs {__version__}",
        fingerprint_version=FINGERPRINT_VERSION,
    )
    return space.store.journal(header, space.clock())


def carry_out(
    errand: Execution,
    space: Workspace,
    key: Secret,
    screen: Screen,
    all_reserved: Callable[[], None],
) -> RunEnd:
    """Run it to its end. The first Ctrl-C stops spending, the second leaves at once."""

    async def main() -> RunEnd:
        with _progress(errand, screen) as progress:
            called_back = errand.settings.callback_url is not None
            async with (
                opened(space, key, calls_back=called_back, folder=errand.folder) as doors,
                anyio.create_task_group() as group,
            ):
                clock = space.clock()
                world = World(
                    doors.api,
                    errand.journal,
                    doors.artifacts,
                    clock,
                    progress,
                    errand.callbacks,
                    doors.uploads,
                )
                runner = Runner(
                    world,
                    settings=errand.settings,
                    spending=errand.spending,
                    media_type=media_type_of,
                    reread=LedgerReader(space),
                    uploads=errand.uploads,
                )
                on_signal = _on_signals(errand, space, screen, progress.note)
                group.start_soon(on_signal)
                end = await runner.carry_out(errand.changes, all_reserved)
                group.cancel_scope.cancel()
        return end

    return anyio.run(main)


def _progress(errand: Execution, screen: Screen) -> RunProgress:
    total = sum(1 for change in errand.changes if does_something(change))
    return make_progress(screen.err, total, live=screen.live, color=screen.color_err)


def _on_signals(
    errand: Execution, space: Workspace, screen: Screen, note: Callable[[str], None]
) -> Callable[[], Coroutine[Any, Any, None]]:
    async def listen() -> None:
        if sys.platform == "win32":
            return  # there Ctrl-C ends the process, which the journal survives like any death
        with anyio.open_signal_receiver(*_SIGNALS) as signals:
            async for signum in signals:
                if errand.spending.stopped is StopReason.INTERRUPTED:
                    screen.leave(f"left; go on with: kiejobs collect{space.flag}")
                errand.spending.stop(StopReason.INTERRUPTED, _SIGNALS[signum])
                if not errand.settings.stay:
                    note("no more spending; still collecting. Press Ctrl-C again to leave at once")

    return listen


class LedgerReader:
    """All journals folded anew, but not more often than every two seconds.

    Whoever asks waits for a reading that begins after the question: a callback is told once, so one
    that was held against an older reading would be lost. A burst of them shares one reading.
    """

    def __init__(self, space: Workspace) -> None:
        self._space = space
        self._clock = space.clock()
        self._turn = anyio.Lock()
        self._ledger: Ledger | None = None
        self._read_at = 0.0

    async def __call__(self) -> Ledger:
        asked = self._clock.monotonic()
        async with self._turn:
            if self._ledger is None or self._read_at <= asked:
                if self._ledger is not None:
                    age = self._clock.monotonic() - self._read_at
                    await self._clock.sleep(max(_BETWEEN_READINGS - age, 0))
                self._read_at = self._clock.monotonic()
                self._ledger = await anyio.to_thread.run_sync(self._space.ledger)
            return self._ledger
