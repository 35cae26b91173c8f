"""How a run goes about its work, and what it touches.

In: nothing. Out: `Settings` with the defaults of the design; `World`, all ports in one piece; the run's
journal as one that retries failed writes. Touches: the journal, through its port.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import JournalProblem
from kiejobs.runner.limits import Rate

if TYPE_CHECKING:
    from kiejobs.core.ledger.events import Event
    from kiejobs.ports import Artifacts, Callbacks, Clock, GenerationApi, Journal, Progress, Uploads


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run. Times in seconds.

    `wait` is our patience with one task; its end means `running`. `give_up` is how long the API may
    be out of reach before nothing more is bought. `lately` are the ages of the account's last creates.
    `callback_url` is where creates ask to be called back that name no URL of their own; `doubt_wait` is
    how long after a create its callback may still end a doubt (the slowest task on record took 13
    minutes). `canary`: the cheapest of each job first. `stay`: go on until interrupted, or with
    `until_done` until nothing is at the API any more.
    """

    rate: Rate = field(default_factory=Rate)
    first_poll: float = 3.0
    wait: float = 3600.0
    in_flight: int = 100
    creates: int = 4
    uploads: int = 4
    downloads: int = 8
    give_up: float = 60.0
    lately: tuple[float, ...] = ()
    detach: bool = False
    once: bool = False
    canary: bool = False
    stay: bool = False
    until_done: bool = False
    callback_url: str | None = None
    doubt_wait: float = 900.0

    @property
    def safety_net(self) -> float:
        """Between two polls of a task, as long as callbacks arrive: a minute by default."""
        return 20 * self.first_poll


@dataclass(slots=True)
class RetryingJournal:
    """The port `Journal` over another one: what the disk refused is written before what comes after it.

    A later event of a task whose id is not on record would make it settled, and lost.
    """

    _journal: Journal
    deferred: list[Event] = field(default_factory=list)
    """Written with whatever can be written next."""

    def append(self, *events: Event) -> str:
        """All that was deferred and these, in one go or not at all; JournalProblem if that failed."""
        at = self._journal.append(*self.deferred, *events)
        self.deferred.clear()
        return at

    def flush(self) -> None:
        """A last try. What the disk still refuses stays in doubt."""
        with suppress(JournalProblem):
            self.append()


@dataclass(frozen=True, slots=True)
class World:
    """All that the runner touches, handed over in one piece. `uploads`: for jobs with local files."""

    api: GenerationApi
    journal: Journal
    artifacts: Artifacts
    clock: Clock
    progress: Progress
    callbacks: Callbacks | None = None
    uploads: Uploads | None = None
