"""What a database could not take: kept in a file on this machine, and written first next time.

In: lines that go on where one run's journal ends. Out: the same lines, for whoever reaches the database next.
Touches: `RUN/journal.jsonl` in a folder of git's own directory, where no checkout brings files and no `git clean` takes
them; of `.kiejobs` outside of git. Who writes it holds a lock on its folder, so that another process takes only what a
dead one has left.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from kiejobs.adapters.ledger.journal import JOURNAL, complete_lines
from kiejobs.adapters.ledger.locks import FolderLock
from kiejobs.adapters.project.root import common_git_folder
from kiejobs.adapters.storage.output_folder import sync_folder, write_all
from kiejobs.core.diagnostics import JournalProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def spool_folder(root: Path) -> Path:
    """Of a project; all worktrees of a clone share it."""
    found = common_git_folder(root)
    return root / ".kiejobs" / "spool" if found is None else found[0] / "kiejobs" / found[1] / "spool"


class Spool:
    """One process's view of the folder; it writes for one run at most."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: tuple[str, FolderLock] | None = None

    def path(self, run_id: str) -> Path:
        return self._folder / run_id / JOURNAL

    def runs(self) -> list[str]:
        """Whose lines are here, of living processes, too. Raises JournalProblem."""
        try:
            return sorted(path.parent.name for path in self._folder.glob(f"*/{JOURNAL}"))
        except OSError as error:
            raise self._unreadable(error) from error

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
            why = f"{os.path.relpath(path)} can't be written: {error.strerror or error}"
            hint = "make room or fix the permissions"
            raise JournalProblem(f"the ledger's database takes nothing, and {why}", hint=hint) from error

    def left(self) -> Iterator[tuple[str, list[bytes]]]:
        """By run: what this process has kept, and what others have that ended. Each is held while it is looked at.

        Raises JournalProblem where it can't be read.
        """
        for run_id in self.runs():
            lock = FolderLock(self.path(run_id).parent)
            is_own = self._own is not None and self._own[0] == run_id
            try:
                if is_own or lock.take(0):
                    yield run_id, complete_lines(self.path(run_id).read_bytes()).splitlines()
            except OSError as error:
                raise self._unreadable(error) from error
            finally:
                lock.release()

    def remove(self, run_id: str) -> None:
        """It is in the ledger now. Where it can't be removed it is found to be there, and written no second time."""
        with suppress(OSError):
            path = self.path(run_id)
            path.unlink(missing_ok=True)
            path.parent.rmdir()
            self._folder.rmdir()
        if self._own is not None and self._own[0] == run_id:
            self.let_go()

    def let_go(self) -> None:
        """Nothing more is kept by this process."""
        if self._own is not None:
            self._own[1].release()
            self._own = None

    def _hold(self, run_id: str) -> None:
        if self._own is not None and self._own[0] == run_id:
            return
        folder = self._folder / run_id
        if any(one.is_symlink() for one in (folder, self._folder, self._folder.parent)):
            raise OSError(f"{os.path.relpath(folder)} is behind a symbolic link")
        folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder)
        if not lock.take(0):
            raise OSError(f"another process holds {os.path.relpath(folder)}")
        self._own = run_id, lock

    def _unreadable(self, error: OSError) -> JournalProblem:
        where = os.path.relpath(self._folder)
        message = f"{where} holds events that are not in the ledger yet, and can't be read: {error.strerror or error}"
        return JournalProblem(message, hint="fix the permissions, then run the same command again")


def rulings(lines: Sequence[bytes]) -> str:
    """How a person takes over what lines say of paid tasks that no ledger will take; empty where they name none."""
    tasks = []
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            event = json.loads(line)
            if event["type"] == "submitted":
                tasks.append(f"task {event['task_id']} of attempt {event['attempt_id']}")
    if not tasks:
        return ""
    return f"end the doubts that `kiejobs status` shows with `kiejobs resolve ADDRESS --task ID` ({', '.join(dict.fromkeys(tasks))}), "


def left_behind(root: Path) -> JournalProblem | None:
    """For a project whose ledger is in no database any more: what was to be written there and came too late."""
    spool = Spool(spool_folder(root))
    try:
        kept = dict(spool.left())
    except JournalProblem as problem:
        return problem
    if not kept:
        return None
    where = ", ".join(os.path.relpath(spool.path(run_id)) for run_id in kept)
    hint = (
        f"{rulings([line for lines in kept.values() for line in lines])}then remove the folder of that file"
    )
    return JournalProblem(f"{where} holds events that came too late for the ledger's move", hint=hint)
