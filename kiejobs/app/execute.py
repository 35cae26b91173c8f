"""The step that acts: changes carried out, for `run`, `collect` and `listen`.

In: an `Execution`. Out: how it ended. Touches: the world through the adapters; signals.
"""

from __future__ import annotations

import secrets
import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from kiejobs import __version__
from kiejobs.app.project import Workspace, opened
from kiejobs.core.fingerprint import FINGERPRINT_VERSION
from kiejobs.core.ledger import events as e
from kiejobs.core.plan.plan import Action, Change
from kiejobs.reports.progress import LineProgress
from kiejobs.runner import Budget, RunEnd, Runner, Settings, StopReason, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from kiejobs.adapters.system import Secret
    from kiejobs.app.output import Screen
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.ledger.uploads import Uploads
    from kiejobs.ports import Callbacks, RunJournal
    from kiejobs.reports.live_progress import LiveProgress

_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""What stops spending, in the words of those who send it."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What is to be done, under which run, within which limits.

    `folder` is the job file's, where local files are to be uploaded from; `uploads` are those on record.
    `media_type` is of a model's files, None where nobody looked at the models yet.
    """

    journal: RunJournal
    changes: Sequence[Change]
    settings: Settings
    spending: Budget
    callbacks: Callbacks | None = None
    folder: Path | None = None
    uploads: Uploads | None = None
    media_type: Callable[[str], str] | None = None


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


def new_run_id(now: datetime) -> str:
    """An id that sorts by time and that no two machines make alike."""
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"


def execute(
    execution: Execution,
    space: Workspace,
    key: Secret,
    screen: Screen,
    all_reserved: Callable[[], None] = lambda: None,
) -> RunEnd:
    """Run it to its end. The first Ctrl-C stops spending, the second leaves at once.

    `all_reserved` is called once nothing more can be bought.
    """
    return anyio.run(_execute, execution, space, key, screen, all_reserved)


async def _execute(
    execution: Execution,
    space: Workspace,
    key: Secret,
    screen: Screen,
    all_reserved: Callable[[], None],
) -> RunEnd:
    from kiejobs.app.load import media_types  # noqa: PLC0415 - schemas are slow to import

    called_back = execution.settings.callback_url is not None
    total = sum(map(does_something, execution.changes))
    with progress_on(screen, total) as progress:
        async with (
            opened(space, key, calls_back=called_back, folder=execution.folder) as doors,
            anyio.create_task_group() as group,
        ):
            api, artifacts, uploads = doors
            clock, callbacks = space.clock(), execution.callbacks
            journal = execution.journal
            runner = Runner(
                World(api, journal, artifacts, clock, progress, callbacks, uploads),
                settings=execution.settings,
                spending=execution.spending,
                media_type=execution.media_type or media_types(),
                reread=_reread(space) if callbacks is not None else None,
                uploads=execution.uploads,
            )
            group.start_soon(_heed_signals, execution, space, screen, progress.note)
            end = await runner.carry_out(execution.changes, all_reserved)
            group.cancel_scope.cancel()
    return end


def _reread(space: Workspace) -> Callable[[], Awaitable[Ledger]]:
    from kiejobs.app.callbacks import LedgerReader  # noqa: PLC0415 - most runs take no callbacks

    return LedgerReader(space)


def progress_on(screen: Screen, total: int) -> AbstractContextManager[LineProgress | LiveProgress]:
    """On a terminal that can move its cursor a display that redraws itself, else lines."""
    if screen.live:
        from kiejobs.reports.live_progress import LiveProgress  # noqa: PLC0415 - rich is slow

        return LiveProgress(screen.err, total, color=screen.color_err)
    return nullcontext(LineProgress(screen.err, total, color=screen.color_err))


def does_something(change: Change) -> bool:
    """Would it be acted on?"""
    return change.action in {Action.SUBMIT, Action.RESUME, Action.COLLECT, Action.ADOPT}


async def _heed_signals(
    execution: Execution, space: Workspace, screen: Screen, note: Callable[[str], None]
) -> None:
    if sys.platform == "win32":
        return  # there Ctrl-C ends the process, which the journal survives like any death
    with anyio.open_signal_receiver(*_SIGNALS) as signals:
        async for signum in signals:
            if execution.spending.stopped is StopReason.INTERRUPTED:
                screen.leave(f"left; go on with: kiejobs collect{space.flag}")
            execution.spending.stop(StopReason.INTERRUPTED, _SIGNALS[signum])
            if not execution.settings.stay:
                note("no more spending; still collecting. Press Ctrl-C again to leave at once")
