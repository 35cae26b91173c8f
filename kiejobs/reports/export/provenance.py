"""What all exports have in common: which attempts they are about, and what of them may be published.

In: attempts of a ledger, the headers of their runs. Out: a `Provenance`, and inputs without what may be a
signature. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kiejobs.core.document.schema_errors import dotted
from kiejobs.core.expand.local_files import refs_in
from kiejobs.core.urls import bare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger import events as e
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.ledger.uploads import Uploads

_ENDS = ("collected", "settled", "submitted", "reserved")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Attempts in the order of reservation, and the first line of each one's journal, by run id.

    `uploads`: what is on record of local files, by the SHA-256 of their content.
    """

    attempts: Sequence[Attempt]
    runs: Mapping[str, e.RunStarted]
    uploads: Uploads = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True)
class InputFile:
    """A local file that a request was made with; `path` is None where nobody wrote down where it lay."""

    place: str
    sha256: str
    path: str | None
    bytes: int | None
    media_type: str | None

    @property
    def name(self) -> str:
        return self.path or f"sha256:{self.sha256}"


def input_files(attempt: Attempt, provenance: Provenance) -> Iterator[InputFile]:
    """The local files of a request, each with its place in the input (`image_urls[1]`)."""
    for name, value in attempt.reserved.input.items():
        for path, ref in refs_in(value, (name,)):
            sha256 = ref.removeprefix("sha256:")
            records = provenance.uploads.get(sha256, ())
            known = max(records, key=lambda one: (one.expires or "", one.path), default=None)
            yield InputFile(
                place=dotted(path),
                sha256=sha256,
                path=known.path if known else None,
                bytes=known.bytes if known else None,
                media_type=known.media_type if known else None,
            )


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
