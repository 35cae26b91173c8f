"""How a command of the state machine is called, and what it sees of the world.

In: flags. Out: the runner's settings; a workspace that dies with its process. Touches nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiejobs.app.project import Workspace
from kiejobs.runner import Settings
from tests.proofs.machine_life import MortalClock

if TYPE_CHECKING:
    from decimal import Decimal

    from kiejobs.runner import FailureLimit
    from tests.contracts.fakes import FakeCallbacks
    from tests.proofs.machine_life import Life, Moment

BASE = "http://sandbox.invalid"
HOOK = "http://127.0.0.1:9/hook"
"""The sandbox's callbacks go to a loopback address or nowhere."""


@dataclass(frozen=True)
class How:
    """The flags of a command. `hears` are its callbacks where it listens; `ctrl_c` after seconds."""

    retry: tuple[str, ...] = ()
    budget: Decimal | None = None
    canary: bool = False
    most_failures: FailureLimit | None = None
    in_flight: int = 4
    detach: bool = False
    callback_url: str | None = None
    hears: FakeCallbacks | None = None
    ctrl_c: float | None = None

    @property
    def settings(self) -> Settings:
        return Settings(
            wait=200.0,
            in_flight=self.in_flight,
            detach=self.detach,
            canary=self.canary,
            checks=False,
            callback_url=self.callback_url,
        )

    @property
    def is_whole(self) -> bool:
        """Does it do all that there is to do?"""
        limits = (self.budget, self.most_failures, self.ctrl_c)
        return not (self.canary or self.detach) and limits == (None, None, None)


@dataclass(frozen=True, kw_only=True)
class Place(Workspace):
    """A workspace as one process sees it."""

    moment: Moment
    life: Life

    def clock(self) -> Any:
        return MortalClock(self.moment, self.life)
