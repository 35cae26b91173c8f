"""One run at a time: the lock on a runs folder.

In: a runs folder. Out: a lock while this process may buy, or writes manifests; who holds it. Touches: the folder's
own lock, which no `git clean` can remove; the files `.lock*` in it, git-ignored.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Self

from kiejobs.adapters.storage.output_folder import write_atomically
from kiejobs.core.diagnostics import JournalProblem

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kiejobs.core.document.nodes import Json

_HOLDER = ".lock.json"
_LOCK = ".lock"
_GLANCE = 1.0  # seconds
_LONGEST_REFRESH = 10.0


class FolderLock:
    """The lock of the folder itself; of the file `.lock` in it where a system has none for folders (NFS, Windows)."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._path = runs
        self._fd: int | None = None

    @property
    def is_held(self) -> bool:
        return self._fd is not None

    def take(self, seconds: float, *, to_look: bool = False) -> bool:
        """Within that time, or not. Who only looks keeps no other looker out. Raises OSError."""
        end = time.monotonic() + seconds
        while True:
            if self._try(to_look=to_look):
                if self.is_same():
                    return True
                self.release()  # another folder has the name since
            if time.monotonic() >= end:
                return False
            time.sleep(0.05)

    def is_same(self) -> bool:
        """Does the name still lead to what is locked?"""
        if self._fd is None:
            return False
        try:
            named = self._path.lstat()
        except OSError:
            return False
        return os.path.samestat(named, os.fstat(self._fd))

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _try(self, *, to_look: bool) -> bool:
        for path, flags in self.lockable(to_look=to_look):
            fd = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o644)
            try:
                if sys.platform == "win32":
                    msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
                else:
                    fcntl.flock(fd, (fcntl.LOCK_SH if to_look else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # another has it
                os.close(fd)
                return False
            except OSError:
                os.close(fd)
                if path != self._runs:
                    raise
                continue  # no locks on folders here
            self._path, self._fd = path, fd
            return True
        return False

    def lockable(self, *, to_look: bool) -> Iterator[tuple[Path, int]]:
        if sys.platform != "win32":
            yield self._runs, os.O_RDONLY | os.O_DIRECTORY
        yield self._runs / _LOCK, os.O_RDONLY if to_look else os.O_RDWR | os.O_CREAT


class RunsLock(FolderLock):
    """A context manager; `release` may be called before its end, once the last reserve is done.

    Raises JournalProblem that names the holder. The operating system lets go of the lock when its process
    dies, so there is no stale lock to break: whoever holds it knows that every open reserve is a dead run's.
    """

    def __init__(self, runs: Path, run_id: str, since: str) -> None:
        super().__init__(runs)
        self.run_id = run_id
        self._holder = {"run_id": run_id, "pid": os.getpid(), "since": since}

    def __enter__(self) -> Self:
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            # Those who only look hold it for a moment; a run holds it for much longer than this.
            taken = self.take(_GLANCE)
            if taken:
                write_atomically(self._runs / _HOLDER, json.dumps(self._holder).encode())
        except OSError as error:
            super().release()
            raise JournalProblem(
                f"can't lock {self._runs}: {error.strerror or error}",
                hint="nothing is bought that can't be recorded",
            ) from error
        if not taken:
            raise JournalProblem(
                f"{self._runs} is in use by {_in_words(holder(self._runs))}",
                hint="wait until it has submitted its last job, then run the same command again",
            )
        return self

    def require_same(self) -> None:
        """Raises JournalProblem where the folder was removed or replaced: others may lock another one by now."""
        if self.is_held and not self.is_same():
            raise JournalProblem(
                f"{self._runs} was removed or replaced while this run was at work",
                hint="put the folder back as it was; `kiejobs status` shows what is on record",
            )

    def release(self) -> None:
        if self.is_held:
            with contextlib.suppress(OSError):
                if self.is_same():
                    (self._runs / _HOLDER).unlink(missing_ok=True)
            super().release()

    def __exit__(self, *_: object) -> None:
        self.release()


@contextlib.contextmanager
def manifests_lock(runs: Path) -> Iterator[None]:
    """Held while manifests are written. They can be rebuilt, so nobody fails for want of it."""
    from filelock import FileLock  # noqa: PLC0415 - slow to import

    lock = FileLock(runs / ".lock.manifests")
    if runs.is_dir():
        with contextlib.suppress(OSError):  # Timeout is one
            lock.acquire(timeout=_LONGEST_REFRESH)
    try:
        yield
    finally:
        lock.release()


def is_locked(runs: Path) -> bool:
    """Does a run hold the lock now? For those who only look."""
    lock = FolderLock(runs)
    try:
        return not lock.take(0, to_look=True)
    except OSError:
        return False
    finally:
        lock.release()


def user_of(runs: Path) -> str | None:
    """Who holds the lock now, in words."""
    return _in_words(holder(runs)) if is_locked(runs) else None


def live_run(runs: Path) -> str | None:
    """The id of the run that holds the lock now; None where there is none, or it left no name."""
    run_id = holder(runs).get("run_id") if is_locked(runs) else None
    return str(run_id) if run_id else None


def holder(runs: Path) -> dict[str, Json]:
    """What the holder wrote about itself; empty where it has not yet."""
    return read_note(runs / _HOLDER)


def read_note(path: Path) -> dict[str, Json]:
    """A JSON object that is written now and then; empty where there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _in_words(found: dict[str, object]) -> str:
    if "run_id" not in found:
        return "another run"
    return f"run {found['run_id']} (process {found.get('pid')}, since {found.get('since')})"
