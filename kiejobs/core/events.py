"""What a journal's lines say, as typed values.

In: decoded JSON lines. Out: events, and lines' bodies from events. The journal adapter adds what
every line has (`v`, `seq`, `prev`, `at`); this module owns the rest. Touches nothing.

Readers ignore types that they don't know: a later kiejobs may write more. An unknown version `v` is
refused by the adapter.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from kiejobs.core.types import Failure, FileRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.types import Json

EVENT_VERSION = 1


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
class Reserved:
    """The intention to buy, durable before the request leaves. `attempt_id` is one POST's."""

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
    | Reserved
    | Submitted
    | NotAccepted
    | Rejected
    | InDoubt
    | Running
    | Succeeded
    | Failed
    | Collected
    | Adopted
    | Resolved
    | RunFinished
)

_TYPES: dict[str, Any] = {
    kind.type: kind
    for kind in (
        RunStarted,
        Planned,
        Reserved,
        Submitted,
        NotAccepted,
        Rejected,
        InDoubt,
        Running,
        Succeeded,
        Failed,
        Collected,
        Adopted,
        Resolved,
        RunFinished,
    )
}


def to_json(event: Event) -> dict[str, Json]:
    """The event's own keys and its `type`; money as decimal strings."""
    body = {key: _encode(value) for key, value in asdict(event).items()}
    return {"type": event.type, **body}


def from_json(line: Mapping[str, Json]) -> Event | None:
    """The event of a decoded line; None for a type that is not known.

    Raises KeyError, TypeError or ValueError where a known type lacks its form.
    """
    kind = _TYPES.get(line["type"])
    if kind is None:
        return None
    names = [field.name for field in fields(kind)]
    event: Event = kind(**{name: _decode(name, line[name]) for name in names})
    return event


def _encode(value: Any) -> Json:
    if isinstance(value, Decimal):
        return money(value)
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return value


def money(value: Decimal) -> str:
    """Credits as text without an exponent and without trailing zeros: `16`, `60.62`."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decode(name: str, value: Json) -> Any:
    if name in {"credits", "charged"}:
        return None if value is None else _amount(value)
    if name == "failure":
        return Failure(**value)
    if name in {"files", "urls"} and not isinstance(value, list):
        raise TypeError(f"`{name}` is no list")
    if name == "files":
        return tuple(FileRecord(**item) for item in value)
    return tuple(value) if name == "urls" else value


def _amount(text: Json) -> Decimal:
    """What `money` wrote."""
    if not isinstance(text, str):
        raise TypeError("money is no text")
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no amount of money") from error
    if not amount.is_finite():
        raise ValueError(f"{text!r} is no amount of money")
    return amount
