"""How a run goes about its work, and what it touches.

In: nothing. Out: `Settings` with the defaults of the design; `World`, all ports in one piece. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kiejobs.runner.rate_limit import Rate

if TYPE_CHECKING:
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
