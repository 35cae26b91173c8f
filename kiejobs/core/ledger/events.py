"""What a journal's lines say, as typed values, and a journal as it was read.

In: nothing. Out: one type for each kind of line; `codec` turns them into JSON and back.
Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.records import Failure, FileRecord


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A journal's first line: whose run it is and which API it speaks to."""

    type: ClassVar[str] = "run_started"
    run_id: str
    command: str
    campaign: str | None
    origin: str
    source: Mapping[str, Json] | None
    created_with: str
    fingerprint_version: int


@dataclass(frozen=True, slots=True)
class Planned:
    """One line of the plan that this run carries out."""

    type: ClassVar[str] = "planned"
    address: str
    fingerprint: str
    take: int
    model: str
    action: str
    reason: str
    credits: Decimal | None


@dataclass(frozen=True, slots=True)
class Approved:
    """What this run may buy was approved elsewhere: the digest, and the plan file's id where it had one."""

    type: ClassVar[str] = "approved"
    digest: str
    plan_id: str | None


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A local file's content is at `url`, for requests that are reserved after this line.

    `url` is without its query, which may be a signature. `expires` (UTC) is None where it had one, since
    it can't be used again then. `path`: where the file lay, below the job file's folder.
    """

    type: ClassVar[str] = "uploaded"
    sha256: str
    url: str
    bytes: int
    media_type: str
    expires: str | None
    path: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """The intention to buy, durable before the request leaves. `attempt_id` is one POST's.

    In `input` a local file stands as `sha256:` and its hash; `uploaded` says what was sent for it.
    """

    type: ClassVar[str] = "reserved"
    attempt_id: str
    address: str
    fingerprint: str
    take: int
    model: str
    input: Mapping[str, Json]
    callback_url: str | None
    credits: Decimal | None
    output: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """The API took it. Paid."""

    type: ClassVar[str] = "submitted"
    attempt_id: str
    task_id: str


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """Nothing was made of this reservation, and it was not this job's fault (429, 401, no money)."""

    type: ClassVar[str] = "not_accepted"
    attempt_id: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Rejected:
    """The API will never take this request."""

    type: ClassVar[str] = "rejected"
    attempt_id: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Sent, answer unknown."""

    type: ClassVar[str] = "in_doubt"
    attempt_id: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Running:
    """The API works on it. `api_state` in its own word."""

    type: ClassVar[str] = "running"
    attempt_id: str
    api_state: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The task ended well. `urls` without their queries, which may be signatures."""

    type: ClassVar[str] = "succeeded"
    attempt_id: str
    charged: Decimal | None
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The task ended without a result."""

    type: ClassVar[str] = "failed"
    attempt_id: str
    failure: Failure
    charged: Decimal | None


@dataclass(frozen=True, slots=True)
class Collected:
    """All files of the task are home and whole."""

    type: ClassVar[str] = "collected"
    attempt_id: str
    files: tuple[FileRecord, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """The task succeeded, but its result can't be had any more. What comes home later overrules it."""

    type: ClassVar[str] = "gone"
    attempt_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Called:
    """A callback named this attempt and passed its checks. It woke a poll, and proves nothing."""

    type: ClassVar[str] = "called"
    attempt_id: str
    task_id: str
    signed: bool


@dataclass(frozen=True, slots=True)
class Conflicted:
    """A task that was claimed to be this attempt's, and was not taken: `why` in words.

    `may_be_paid` where the API does have this task, with our request: one create, two tasks.
    """

    type: ClassVar[str] = "conflicted"
    attempt_id: str
    task_id: str
    why: str
    may_be_paid: bool


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was bought as `moved_from` is now `address`. No cost."""

    type: ClassVar[str] = "adopted"
    address: str
    moved_from: str
    fingerprint: str
    take: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """A ruling that ends a doubt: `task` with its id, or `lost`."""

    type: ClassVar[str] = "resolved"
    attempt_id: str
    ruling: str
    task_id: str | None
    evidence: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run's own end, for people; nothing is derived from it."""

    type: ClassVar[str] = "run_finished"
    exit_code: int
    stopped: str | None


Event: TypeAlias = (
    RunStarted
    | Planned
    | Approved
    | Uploaded
    | Reserved
    | Submitted
    | NotAccepted
    | Rejected
    | InDoubt
    | Running
    | Succeeded
    | Failed
    | Collected
    | Gone
    | Called
    | Conflicted
    | Adopted
    | Resolved
    | RunFinished
)


@dataclass(frozen=True, slots=True)
class Timed:
    """An event and when it was written, in UTC as text."""

    at: str
    event: Event


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """One journal as read. `live` when its run is still at work: its open reserves are no doubt."""

    run_id: str
    events: Sequence[Timed]
    live: bool = False

    @property
    def header(self) -> RunStarted | None:
        first = self.events[0].event if self.events else None
        return first if isinstance(first, RunStarted) else None
