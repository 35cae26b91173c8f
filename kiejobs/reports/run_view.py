"""A run as reports look at it: its manifest, and what the manifest doesn't say.

In: a manifest's dict, notes, why spending stopped. Out: `RunView`, whose jobs know how they stand.
Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from kiejobs.core.types import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.types import Json


class Standing(StrEnum):
    """How a job stands, for a person: its state, and whether its files are here.

    UNSENT was never taken by the API in this run; LOST was ruled never to have been made.
    """

    SUCCEEDED = "succeeded"
    NOT_COLLECTED = "not_collected"
    FAILED = "failed"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    RUNNING = "running"
    UNSENT = "not_submitted"
    LOST = "ruled_lost"


@dataclass(frozen=True, slots=True)
class JobView:
    """One job of the manifest. `job` is its entry there, `note` what went wrong on the way home."""

    address: str
    job: Mapping[str, Json]
    note: str | None

    @property
    def standing(self) -> Standing:
        state = self.job["state"]
        if state is None:
            ruled = self.job["attempt_id"] is not None and self.job["error"] is None
            return Standing.LOST if ruled else Standing.UNSENT
        if state == State.SUCCEEDED:
            return Standing.SUCCEEDED if self.job["files"] else Standing.NOT_COLLECTED
        if state in {State.RESERVED, State.SUBMITTED, State.RUNNING}:
            return Standing.RUNNING
        return Standing(state)

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

    `notes` by address; `stopped` is a reason and its why, if any; `flag` is added to commands that are
    shown.
    """

    manifest: Mapping[str, Json]
    notes: Mapping[str, str]
    stopped: tuple[str, str] | None = None
    exit_code: int | None = None
    flag: str = ""

    @property
    def jobs(self) -> list[JobView]:
        """In the order of the plan."""
        entries = self.manifest["jobs"].items()
        return [JobView(address, job, self.notes.get(address)) for address, job in entries]

    @property
    def file(self) -> str | None:
        """The job file, where the run had one."""
        source = self.manifest["source"]
        return None if source is None else source["file"]


def _credits(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
