"""What all exports have in common: which attempts they tell of, and what of them may be told.

In: attempts of a ledger, the headers of their runs. Out: a `Provenance`, and inputs without what may be a
signature. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.urls import bare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.core import events as e
    from kiejobs.core.ledger import Attempt
    from kiejobs.core.types import Json

_ENDS = ("collected", "settled", "submitted", "reserved")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Attempts in the order of reservation, and the first line of each one's journal, by run id."""

    attempts: Sequence[Attempt]
    runs: Mapping[str, e.RunStarted]

    @property
    def campaigns(self) -> list[str]:
        """Whose attempts these are, sorted."""
        return sorted({attempt.address.partition("/")[0] for attempt in self.attempts})

    @property
    def until(self) -> str | None:
        """When the last thing happened, in UTC as text: a document needs a date that never changes."""
        return max((last_time(attempt) for attempt in self.attempts), default=None)

    def source(self, attempt: Attempt) -> Mapping[str, Json]:
        """The job file that the attempt came from, as its journal names it; empty where it does not."""
        return self.runs[attempt.run_id].source or {}


def last_time(attempt: Attempt) -> str:
    """When the last thing happened to it."""
    return next(attempt.times[name] for name in _ENDS if name in attempt.times)


def public(value: Json) -> Json:
    """An input's value with bare URLs: a query may be a signature."""
    if isinstance(value, str):
        return bare(value) if is_url(value) else value
    if isinstance(value, list):
        return [public(item) for item in value]
    if isinstance(value, dict):
        return {key: public(item) for key, item in value.items()}
    return value


def is_url(value: Json) -> bool:
    """A text that is a web address and nothing else."""
    known = isinstance(value, str) and value.startswith(("https://", "http://"))
    return known and not any(char.isspace() for char in value)
