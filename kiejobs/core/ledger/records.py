"""What a ledger holds of a purchase: its state, its files, why it went no further, when.

In: nothing. Out: `State`, `FileRecord`, `Failure`, moments as text. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class State(StrEnum):
    """A job's states. The API's own words are translated in its adapter and nowhere else."""

    RESERVED = "reserved"
    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One collected file: path below the output folder, digest, size, where it came from.

    `url` is without its query, which may be a signature. `expires` is UTC, or None where unknown.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str
    url: str
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job went no further. `kind` is an outcome class, `code` the API's, as text."""

    kind: str
    code: str | None
    message: str


def sibling_path(path: str, mark: str) -> str:
    """A name next to `path`, which another purchase's file has: what was paid for is never overwritten.

    `mark` is the purchase's fingerprint, or its attempt id where the fingerprint is the same.
    """
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    return f"{folder}{slash}{stem}~{mark[:8]}{dot}{extension}"


def utc_text(moment: datetime) -> str:
    """A moment in UTC with milliseconds and `Z`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
