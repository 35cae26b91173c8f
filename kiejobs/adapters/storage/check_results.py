"""What the checks of results found, kept next to the ledger.

In: `CheckRecord`s. Out: the same, by address and take. Touches: one file. It is a cache:
`kiejobs check` makes it again. What can't be read there is passed over.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from kiejobs.adapters.storage.output_folder import write_atomically
from kiejobs.core.checks import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class CheckRecord(NamedTuple):
    """The checks of one purchase. `files`: SHA-256 of what was looked at; `digest`: of the checks themselves.

    `signature` is what near duplicates are known by, None where nobody asked for them.
    """

    address: str
    take: int
    fingerprint: str
    files: tuple[str, ...]
    digest: str
    results: tuple[CheckResult, ...]
    signature: str | None = None


class CheckStore:
    """The records of one project, or of its rehearsals."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[tuple[str, int], CheckRecord]:
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return {}
        return {(record.address, record.take): record for record in filter(None, map(_record, lines))}

    def write(self, records: Iterable[CheckRecord]) -> None:
        """In the place of those of the same purchases. Raises OSError."""
        if self._path.parent.is_symlink():
            raise NotADirectoryError(20, f"{self._path.parent} is a symbolic link")
        known = self.read() | {(record.address, record.take): record for record in records}
        text = "".join(f"{json.dumps(known[key], ensure_ascii=False)}\n" for key in sorted(known))
        write_atomically(self._path, text.encode("utf-8", "backslashreplace"))


def _record(line: bytes) -> CheckRecord | None:
    try:
        address, take, fingerprint, files, digest, results, signature = json.loads(line)
        found = tuple(CheckResult(*one) for one in results)
        return CheckRecord(str(address), int(take), fingerprint, tuple(files), digest, found, signature)
    except (ValueError, TypeError):
        return None
