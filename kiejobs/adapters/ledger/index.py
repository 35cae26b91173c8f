"""The index next to the journals: what closed runs add to the ledger, so that their journals needn't be parsed.

In: a runs folder; closed runs. Out: these. Touches: `.lock.index` in that folder, written complete and renamed.

It is never trusted over the journals. Each of its runs carries the SHA-256 of the journal that it was made from,
and that file's inode and time of last change on this machine: no file that came with a branch can know those.
An index that is cut, from another version, or whose form is another is as good as none.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
from typing import TYPE_CHECKING, TypeAlias

from kiejobs import __version__
from kiejobs.adapters.storage.output_folder import write_atomically
from kiejobs.core.ledger.closed import closed_from_json, closed_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.closed import ClosedRun

Identity: TypeAlias = tuple[str, int, int]
"""Of a journal: the SHA-256 of its content, the inode, the time of the last change in nanoseconds."""
Index: TypeAlias = "Mapping[str, tuple[Identity, ClosedRun]]"
"""By the ids of runs."""

_VERSION = 1
_NO_INDEX = (
    OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip


def read_index(path: Path) -> Index:
    """Empty where it can't be used."""
    was_on = gc.isenabled()
    gc.disable()  # records have no cycles; looking for some takes as long as making them
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        if json.loads(head) == _head(body):
            lines = body.splitlines()
            del body  # a run of 100,000 jobs has a line of 100 MB
            return dict(_run(lines.pop()) for _ in range(len(lines)))
    except _NO_INDEX:
        pass
    finally:
        if was_on:
            gc.enable()
    return {}


def write_index(path: Path, index: Index) -> None:
    """Nobody fails for want of it. What a process left that was killed here goes first."""
    body = b"".join(_line(run_id, *index[run_id]) for run_id in sorted(index))
    head = json.dumps(_head(body)).encode()
    with contextlib.suppress(OSError):
        for partial in path.parent.glob(f"{path.name}.*.part"):
            partial.unlink(missing_ok=True)
        write_atomically(path, head + b"\n" + body)


def _head(body: bytes) -> dict[str, Json]:
    digest = hashlib.sha256(body).hexdigest()
    return {"v": _VERSION, "created_with": f"kiejobs {__version__}", "sha256": digest}


def _line(run_id: str, identity: Identity, run: ClosedRun) -> bytes:
    line = {"run_id": run_id, "journal": identity, **closed_to_json(run)}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _run(line: bytes) -> tuple[str, tuple[Identity, ClosedRun]]:
    data = json.loads(line)
    del line
    sha256, inode, changed = data["journal"]
    return data["run_id"], ((sha256, inode, changed), closed_from_json(data["run_id"], data))
