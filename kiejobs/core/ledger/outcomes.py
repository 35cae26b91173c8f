"""What the world's answers come to: create calls, uploads, polls, collecting.

In: nothing. Out: the values that the ports' methods answer with. Each outcome is its own type, so that
whoever handles one must say what it does with each (design: section 7, what createTask's answer means).
Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.records import FileRecord

FROM_EDGE = "from a proxy, a firewall or the API's edge, not from the API"

# --- the outcome of a create call ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The API took it and named the task. Paid."""

    task_id: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request left: DNS, connect, TLS, pool. Safe to send again after a wait."""

    message: str


@dataclass(frozen=True, slots=True)
class CreateNotAccepted:
    """429 or 455: refused before it entered the queue. Everyone pauses, then it may go again."""

    code: str
    message: str
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Refused:
    """401, 403: the key is no good. Stop spending, keep collecting.

    `by_edge`: it was not the API that answered, but a server in front of it.
    """

    code: str
    message: str
    by_edge: bool = False

    @property
    def why(self) -> str:
        code = f"HTTP {self.code} {FROM_EDGE}" if self.by_edge else self.code
        return f"{code}: {self.message}"


@dataclass(frozen=True, slots=True)
class NoMoney:
    """402, 433 (the key's own cap), or a 500 that speaks of credits. Stop spending, keep collecting."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class CreateRejected:
    """404, 422, 505, or a 500 with a validation text: this request will never be taken."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class CreateInDoubt:
    """Sent, answer unknown. Never sent again by itself.

    `answer` is what came, `task_id` what it seems to call the task, in whatever form.
    """

    message: str
    code: str | None = None
    answer: str | None = None
    task_id: str | None = None


Answered: TypeAlias = Accepted | CreateNotAccepted | Refused | NoMoney | CreateRejected | CreateInDoubt
"""What an answer can mean; that nothing was sent only the lack of one can."""
CreateOutcome: TypeAlias = Answered | NotSent

# --- the outcome of an upload -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UploadStored:
    """The file's content can be fetched at `url`, by anybody, for a day."""

    url: str


@dataclass(frozen=True, slots=True)
class NotUploaded:
    """No verdict this time: no connection, 429, 5xx, an unreadable answer. Free, so it goes again."""

    message: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file that can't be sent: it's another one by now, can't be read, or the host won't have it."""

    message: str


UploadOutcome: TypeAlias = UploadStored | NotUploaded | Refused | Unusable

# --- the outcome of a poll -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StillRunning:
    """Not at its end. `api_state` is the API's word; `note` is set when that word is unknown.

    `answer` is a result that nothing could be taken from, or what came with such a word. `price`: what it will be
    charged, where the API names that already.
    """

    api_state: str
    note: str | None = None
    answer: str | None = None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TaskSucceeded:
    """At its end, with where the results are. `charged` in credits, None where not stated.

    `found` is the result itself where it is no file but a JSON value: a transcript, an id. `stills` are
    pictures next to the results, by their names: the last frame of a video, say. `inside`: addresses in
    `found`, which are the results where files were promised.
    """

    urls: tuple[str, ...]
    charged: Decimal | None
    found: Json = None
    stills: tuple[tuple[str, str], ...] = ()
    inside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """At its end without a result. `charged` is usually 0."""

    code: str | None
    message: str
    charged: Decimal | None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No verdict this time: transport error, 429, 5xx, or a task not known (yet). `by_edge` as of `Refused`."""

    message: str
    code: str | None = None
    by_edge: bool = False


PollOutcome: TypeAlias = StillRunning | TaskSucceeded | TaskFailed | Unanswered


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What recordInfo says was sent, for checking a task against a reservation.

    `model` and `input` are decoded from `param` (whose `input` is itself JSON text, mostly).
    `attempt_id` is what the query of its callback URL carries, where it had one of ours.
    """

    task_id: str
    model: str | None
    input: Mapping[str, Json] | None
    api_state: str
    attempt_id: str | None = None


# --- the outcome of collecting ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NotCollected:
    """The file is not there. `gone` when the URL was refused for good (asking the API again may help)."""

    message: str
    gone: bool = False


CollectOutcome: TypeAlias = "FileRecord | NotCollected"
"""A record: the file is complete under its final name."""
