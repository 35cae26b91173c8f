"""What a journal's lines say, as typed values, and these as JSON and back; a journal as it was read.

In: events; decoded JSON lines. Out: JSON objects; events; the name of a field that holds something else than
its type says. The journal adapter adds what every line has (`v`, `seq`, `prev`, `at`). Touches nothing.

Readers ignore types that they don't know: a later kiejobs may write more. Journals come from git, and people
edit them: the forms of fields are read off the events' own annotations, so a new event is looked at as well.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from functools import cache
from itertools import repeat
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, get_args

from kiejobs.core.ledger.records import Failure, FileRecord
from kiejobs.core.money import amount, money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json

    Uploads: TypeAlias = "Mapping[str, Sequence[Uploaded]]"
    """By SHA-256 of the content."""

    class Closed(Protocol):
        """What an index keeps of a closed run; its attempts are made of events, and so are not known here."""

        @property
        def outline(self) -> Sequence[Timed]: ...
        @property
        def settled(self) -> Sequence[Any]: ...
        @property
        def shown(self) -> frozenset[str]: ...


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

    `url` is without its query, which may be a signature: where it had one `expires` (UTC) is None, since it
    can't be used again. `path`: where the file lay, from the job file's folder.
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

    In `input` a local file is `sha256:` and its hash; `uploaded` says what was sent for it.
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
class UnusedAnswer:
    """What a `create` or a `result` answered that nothing could be made of: shortened, escaped, without the key.

    `task_id` is what a create's answer seems to call its task.
    """

    type: ClassVar[str] = "unused_answer"
    attempt_id: str
    of: str
    answer: str
    task_id: str | None


@dataclass(frozen=True, slots=True)
class Running:
    """The API works on it. `api_state` in its own word."""

    type: ClassVar[str] = "running"
    attempt_id: str
    api_state: str


@dataclass(frozen=True, slots=True)
class Priced:
    """While it runs the API names another price than what is held for it: from then on that is held."""

    type: ClassVar[str] = "priced"
    attempt_id: str
    credits: Decimal | None


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
    """All files of the task are downloaded and verified."""

    type: ClassVar[str] = "collected"
    attempt_id: str
    files: tuple[FileRecord, ...]


@dataclass(frozen=True, slots=True)
class StillMissing:
    """A picture that belongs to the result, and is not among the files collected until now. `url` as of `Succeeded`."""

    type: ClassVar[str] = "still_missing"
    attempt_id: str
    name: str
    url: str
    message: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The task succeeded, but its result can't be had any more. A later download overrules it."""

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
    """A task that was claimed to be this attempt's, and was not taken. `may_be_paid`: the API has it."""

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
    RunStarted | Planned | Approved | Uploaded | Reserved | Submitted | NotAccepted | Rejected
    | InDoubt | UnusedAnswer | Running | Priced | Succeeded | Failed | Collected | StillMissing | Gone | Called | Conflicted
    | Adopted | Resolved | RunFinished
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timed:
    """An event and when it was written, in UTC as text."""

    at: str
    event: Event


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """One journal as read. `live` when its run is still at work: its open reserves are no doubt.

    `closed` is what an index keeps of it; then `events` are read from the journal when they are asked for.
    """

    run_id: str
    events: Sequence[Timed]
    live: bool = False
    closed: Closed | None = field(default=None, compare=False)

    @property
    def outline(self) -> Sequence[Timed]:
        """Its first and its last event, and all between them whose purchases may still change."""
        return self.events if self.closed is None else self.closed.outline

    @property
    def named(self) -> Iterator[str]:
        """The attempts that its outline speaks of."""
        for timed in self.outline:
            name = getattr(timed.event, "attempt_id", None)
            if name is not None:
                yield name

    @property
    def is_over(self) -> bool:
        """Its run has ended, so that its journal stays as it is."""
        ended = bool(self.outline) and isinstance(self.outline[-1].event, RunFinished)
        return ended and self.header is not None and not self.live

    @property
    def header(self) -> RunStarted | None:
        first = self.outline[0].event if self.outline else None
        return first if isinstance(first, RunStarted) else None


# --- as JSON and back -------------------------------------------------------------------------------


EVENT_VERSION = 1

_TYPES: dict[str, Any] = {kind.type: kind for kind in get_args(Event)}
_MOST_DIGITS = 30  # behind the point
_LARGEST = 15  # before it: sums of more are not exact, and no account holds that
_PLAIN: dict[str, set[type]] = {
    "bool": {bool},
    "int": {int},
    "str": {str},
    "str | None": {str, NoneType},
    "Mapping[str, Json]": {dict},
    "Mapping[str, Json] | None": {dict, NoneType},
}
"""Types by the annotation as it is written. `True` is no number here, though Python says so."""


def to_json(event: Event, decimal: Callable[[Decimal], str] = money) -> dict[str, Json]:
    """The event's own keys and its `type`; money as decimal strings."""
    kind: Any = type(event)
    own = {name: _plain(getattr(event, name), decimal) for name, _ in _forms(kind)}
    return {"type": event.type, **own}


def _plain(value: Any, decimal: Callable[[Decimal], str]) -> Json:
    """A field's value as JSON has it. What was JSON before is not copied."""
    if isinstance(value, Decimal):
        return decimal(value)
    if isinstance(value, tuple):
        return list(map(_plain, value, repeat(decimal)))
    return asdict(value) if isinstance(value, Failure | FileRecord) else value


def from_json(line: Mapping[str, Json]) -> Event | None:
    """None for an unknown type. Raises KeyError, TypeError or ValueError where a known one lacks its form."""
    kind = _TYPES.get(line["type"])
    if kind is None:
        return None
    event: Event = kind(**{name: _decode(name, line[name]) for name, _ in _forms(kind)})
    return event


def _decode(name: str, value: Json) -> Any:
    if name in {"credits", "charged"}:
        return None if value is None else amount(value)
    if name == "failure":
        return Failure(**value)
    if name in {"files", "urls"} and not isinstance(value, list):
        raise TypeError(f"`{name}` is not a list")
    if name == "files":
        return tuple(FileRecord(**item) for item in value)
    return tuple(value) if name == "urls" else value


def bad_field(event: Event | Failure | FileRecord) -> str | None:
    """The first field whose value is not of its type; None where all are."""
    kind: Any = type(event)
    return next((name for name, written in _forms(kind) if not _fits(getattr(event, name), written)), None)


@cache
def _forms(kind: Any) -> tuple[tuple[str, str], ...]:
    """The names of its fields, each with its annotation as it is written."""
    return tuple((field.name, str(field.type)) for field in fields(kind))


def _fits(value: Any, written: str) -> bool:
    plain = _PLAIN.get(written)
    if plain is not None:
        return type(value) in plain
    if written == "Decimal | None":
        return _is_amount(value)
    if written == "tuple[str, ...]":
        return all(type(item) is str for item in value)
    # One failure, or several files.
    return all(bad_field(item) is None for item in (value if type(value) is tuple else (value,)))


def _is_amount(value: Any) -> bool:
    """None, or credits from 0 on that can be written out: `1e999999999` is a gigabyte of zeros."""
    if type(value) is not Decimal:
        return value is None
    exponent = value.as_tuple().exponent
    is_written = isinstance(exponent, int) and exponent >= -_MOST_DIGITS and value.adjusted() <= _LARGEST
    return is_written and value >= 0
