"""`picks.yaml` on disk: read in full, changed by one process at a time, replaced in one step.

In: a folder, a change. Out: `Picks`. Touches: the file; `.gitattributes` next to it, so that git keeps the lines of both
sides of a merge.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import read_schema, read_source
from kiejobs.adapters.storage.output_folder import write_atomically
from kiejobs.core.diagnostics import InvalidJobFile, Problems, UsageProblem
from kiejobs.core.picks import FILE, LARGEST, NO_PICKS, Pick, Picks, head_of, read_export, read_picks, to_text

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_ATTRIBUTES = ".gitattributes"
_MERGED = f"{FILE} merge=union"


def picks_in(folder: Path) -> Picks:
    """Raises InvalidJobFile with all that is wrong with the file, UsageProblem where it can't be read."""
    path = folder / FILE
    if not os.path.lexists(path):
        return NO_PICKS
    source = read_source(str(path), most=LARGEST)
    picks, found = read_picks(source, read_schema("picks.schema.json"))
    if picks is None:
        raise InvalidJobFile(Problems(found, {source.name: source.lines}))
    return picks


def exported_picks(name: str) -> list[Pick]:
    """What a gallery exported. Raises as `picks_in`."""
    source = read_source(name, most=LARGEST)
    picks, found = read_export(source, read_schema("picks-export.schema.json"))
    if picks is None:
        raise InvalidJobFile(Problems(found, {source.name: source.lines}))
    return picks


def change_picks(folder: Path, change: Callable[[Picks], Picks]) -> Picks:
    """What there is now, changed. Raises as `picks_in`, with the file as it was; UsageProblem where it can't be written."""
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder):
            picks = change(picks_in(folder))
            head = head_of(path.read_text(encoding="utf-8-sig")) if path.exists() else ""
            write_atomically(path, to_text(picks, head).encode())
    except OSError as error:
        raise UsageProblem(f"can't write {path}: {error.strerror or error}") from error
    return picks


def merge_by_lines(folder: Path) -> str | None:
    """Has git keep both sides' lines in a merge; the file that was written for that, None where it is so already."""
    path = folder / _ATTRIBUTES
    try:
        known = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
        if path.is_symlink() or any(line.split()[:1] == [FILE] for line in known.splitlines()):
            return None
        gap = "" if known.endswith("\n") or not known else "\n"
        write_atomically(path, f"{known}{gap}{_MERGED}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise UsageProblem(f"can't write {path}: {error.strerror or error}") from error
    return str(path)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process at a time: a gallery that is served writes picks, too. The lock goes with the process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
