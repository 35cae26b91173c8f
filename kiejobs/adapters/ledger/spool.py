"""What a database could not take while it was out of reach: kept in a file of the project, and written first next time.

In: lines that go on where one run's journal ends. Out: the same lines, for whoever reaches the database next.
Touches: `.kiejobs/RUN/journal.jsonl` below the project's root. Who writes it holds a lock on its folder, so that
another process takes only what a dead one has left.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kiejobs.adapters.ledger.journal import JOURNAL, complete_lines
from kiejobs.adapters.ledger.locks import FolderLock
from kiejobs.adapters.storage.output_folder import sync_folder, write_all
from kiejobs.core.diagnostics import JournalProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FOLDER = ".kiejobs"


class Spool:
    """One process's view of the folder; it writes for one run at most."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: tuple[str, FolderLock] | None = None

    def path(self, run_id: str) -> Path:
        return self._folder / run_id / JOURNAL

    def keep(self, run_id: str, lines: Sequence[bytes]) -> None:
        """Durable when it returns. Raises JournalProblem where it can't be written here either."""
        path = self.path(run_id)
        try:
            self._hold(run_id)
            size = path.stat().st_size if path.exists() else 0
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o644)
            try:
                write_all(fd, b"".join(line + b"\n" for line in lines))
                os.fsync(fd)
            except OSError:
                os.ftruncate(fd, size)
                raise
            finally:
                os.close(fd)
            for folder in (path.parent, self._folder, self._folder.parent):
                sync_folder(folder)
        except OSError as error:
            message = f"the ledger's database can't be reached, and {path} can't be written: {error.strerror or error}"
            raise JournalProblem(message, hint="make room or fix the permissions") from error

    def left(self) -> Iterator[tuple[str, list[bytes]]]:
        """By run: what this process has kept, and what others have that ended. Each is held while it is looked at."""
        for path in sorted(self._folder.glob(f"*/{JOURNAL}")):
            run_id, lock = path.parent.name, FolderLock(path.parent)
            is_own = self._own is not None and self._own[0] == run_id
            if is_own or lock.take(0):
                try:
                    yield run_id, complete_lines(path.read_bytes()).splitlines()
                finally:
                    lock.release()

    def remove(self, run_id: str) -> None:
        """It is in the ledger now."""
        path = self.path(run_id)
        path.unlink(missing_ok=True)
        path.parent.rmdir()
        if self._own is not None and self._own[0] == run_id:
            self.let_go()
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    def let_go(self) -> None:
        """Nothing more is kept by this process."""
        if self._own is not None:
            self._own[1].release()
            self._own = None

    def _hold(self, run_id: str) -> None:
        if self._own is not None and self._own[0] == run_id:
            return
        if self._folder.is_symlink():  # a checkout may bring it
            raise OSError(f"{self._folder} is a symbolic link")
        folder = self._folder / run_id
        folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder)
        if not lock.take(0):
            raise OSError(f"another process holds {folder}")
        self._own = run_id, lock
