"""A run as reports look at it: its manifest, and what the manifest doesn't say.

In: a manifest's dict, notes, why spending stopped, what the run itself sent, where things lie. Out:
`RunView`, whose jobs know how they stand. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from kiejobs.core.ledger.price_drift import PriceDrift, price_drifts
from kiejobs.core.ledger.records import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt


class JobStatus(StrEnum):
    """How a job stands, for a person: its state, and whether its files are here.

    GONE was made, and can't be had any more; UNSENT was never taken by the API in this run; LOST was ruled never to have been made; RESERVED is
    what another run is about to send.
    """

    SUCCEEDED = "succeeded"
    NOT_COLLECTED = "not_collected"
    GONE = "gone"
    FAILED = "failed"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    RUNNING = "running"
    SUBMITTED = "submitted"
    RESERVED = "reserved"
    UNSENT = "not_submitted"
    LOST = "ruled_lost"


@dataclass(frozen=True, slots=True)
class JobView:
    """One job of the manifest. `job` is its entry there, `note` what went wrong on the way home."""

    address: str
    job: Mapping[str, Json]
    note: str | None

    @property
    def standing(self) -> JobStatus:
        state = self.job["state"]
        if state is None:
            ruled = self.job["attempt_id"] is not None and self.job["error"] is None
            return JobStatus.LOST if ruled else JobStatus.UNSENT
        if state == State.SUCCEEDED and self.job["error"] is not None:
            return JobStatus.GONE
        if state == State.SUCCEEDED:
            return JobStatus.SUCCEEDED if self.job["files"] else JobStatus.NOT_COLLECTED
        return JobStatus(state)

    @property
    def settled_well(self) -> bool:
        return bool(self.job["state"] == State.SUCCEEDED)

    @property
    def planned(self) -> Decimal | None:
        return _credits(self.job["credits"]["planned"])

    @property
    def charged(self) -> Decimal | None:
        return _credits(self.job["credits"]["charged"])

    @property
    def error(self) -> str | None:
        """`code: message` as the API or we said it; not cleaned."""
        error = self.job["error"]
        if error is None:
            return None
        return f"{error['code']}: {error['message']}" if error["code"] else str(error["message"])


@dataclass(frozen=True, slots=True)
class RunView:
    """A run for its report.

    `notes` by address; `stopped` is a reason and its why (which may be empty), if any; `exit_code` is
    None where the run has no end on record. `attempts` are those that this run reserved. `flag` is added
    to commands that are shown; `outputs` is the folder of the files and `record` the run's document, None
    where there is none. `settled` are the attempts whose charges are compared with their plan.
    """

    manifest: Mapping[str, Json]
    notes: Mapping[str, str] = field(default_factory=dict)
    stopped: tuple[str, str] | None = None
    exit_code: int | None = None
    attempts: Sequence[Attempt] = ()
    flag: str = ""
    rehearsal: bool = False
    outputs: str | None = None
    record: str | None = None
    settled: Sequence[Attempt] = ()

    @property
    def jobs(self) -> list[JobView]:
        """In the order of the plan."""
        entries = self.manifest["jobs"].items()
        return [JobView(address, job, self.notes.get(address)) for address, job in entries]

    @property
    def bought(self) -> list[Attempt]:
        """What this run bought for sure, whatever became of it."""
        return [attempt for attempt in self.attempts if attempt.task_id is not None]

    @property
    def doubts(self) -> list[Attempt]:
        """What this run may have bought."""
        return [attempt for attempt in self.attempts if attempt.state is State.IN_DOUBT]

    @property
    def price_drifts(self) -> tuple[PriceDrift, ...]:
        return price_drifts(self.settled)

    @property
    def file(self) -> str | None:
        """The job file, where the run had one."""
        source = self.manifest["source"]
        return None if source is None else source["file"]


def price_of(attempt: Attempt) -> Decimal | None:
    """What was charged, else what is to be; None where neither is known."""
    if attempt.charged is not None or attempt.state is State.FAILED:
        return attempt.charged or Decimal(0)
    return attempt.reserved.credits


def _credits(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
