"""Files and names that survive a power cut.

In: bytes and a path; a folder. Out: the file complete under its name, or as it was; whether a folder can
be written. Touches: disk.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """`data` under `path`, whole or not at all: a partial file beside it, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make a name in `folder` durable. Folders can't be synced on every system; then it is a no-op."""
    with contextlib.suppress(PermissionError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def unwritable(folder: Path) -> str | None:
    """Why nothing can be written to a folder, or to where it would be made; None where it can."""
    try:
        with tempfile.NamedTemporaryFile(dir=nearest(folder), prefix=".kiejobs-") as probe:
            probe.write(b"x")
            probe.flush()
        sync_folder(nearest(folder))
    except OSError as error:
        return error.strerror or str(error)
    return None


def nearest(folder: Path) -> Path:
    """The folder, or the first above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
