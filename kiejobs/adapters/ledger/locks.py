"""One run at a time: the locks of a runs folder.

In: a runs folder. Out: a lock while this process may buy, or writes manifests; who holds it. Touches: the files
`.lock*` in that folder, git-ignored.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Self

from filelock import FileLock, Timeout

from kiejobs.core.diagnostics import JournalProblem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOLDER = ".lock.json"
_GLANCE = 1.0  # seconds
_LONGEST_REFRESH = 10.0


class RunsLock:
    """A context manager; `release` may be called before its end, once the last reserve is done.

    Raises JournalProblem that names the holder. The operating system lets go of the lock when its process
    dies, so there is no stale lock to break: whoever holds it knows that every open reserve is a dead run's.
    """

    def __init__(self, runs: Path, run_id: str, since: str) -> None:
        self.run_id = run_id
        self._runs = runs
        self._holder = {"run_id": run_id, "pid": os.getpid(), "since": since}
        self._lock = FileLock(runs / ".lock")

    def __enter__(self) -> Self:
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            # Those who only look hold it for a moment; a run holds it for much longer than this.
            self._lock.acquire(timeout=_GLANCE, poll_interval=0.05)
            (self._runs / _HOLDER).write_text(json.dumps(self._holder), encoding="utf-8")
        except Timeout as error:
            raise JournalProblem(
                f"{self._runs} is in use by {_in_words(holder(self._runs))}",
                hint="wait until it has submitted its last job, then run the same command again",
            ) from error
        except OSError as error:
            self._lock.release()
            raise JournalProblem(
                f"can't lock {self._runs}: {error.strerror or error}",
                hint="nothing can be bought where it can't be written down",
            ) from error
        return self

    @property
    def is_held(self) -> bool:
        return self._lock.is_locked

    def release(self) -> None:
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                (self._runs / _HOLDER).unlink(missing_ok=True)
            self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.release()


@contextlib.contextmanager
def manifests_lock(runs: Path) -> Iterator[None]:
    """Held while manifests are written. They can be rebuilt, so nobody fails for want of it."""
    lock = FileLock(runs / ".lock.manifests")
    if runs.is_dir():
        with contextlib.suppress(OSError):  # Timeout is one
            lock.acquire(timeout=_LONGEST_REFRESH)
    try:
        yield
    finally:
        lock.release()


def live_run(runs: Path) -> str | None:
    """The id of the run that holds the lock now, for those who only look."""
    lock = FileLock(runs / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        run_id = holder(runs).get("run_id")
        return str(run_id) if run_id else None
    except OSError:
        return None
    lock.release()
    return None


def holder(runs: Path) -> dict[str, object]:
    """What the holder wrote about itself; empty where it has not yet."""
    try:
        found = json.loads((runs / _HOLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _in_words(found: dict[str, object]) -> str:
    if "run_id" not in found:
        return "another run"
    return f"run {found['run_id']} (process {found.get('pid')}, since {found.get('since')})"
