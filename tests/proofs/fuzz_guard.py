"""What a fuzzed case may do: a time, a memory, a folder; everything else is a finding.

In: a worker's own folder. Out: a process under limits, and `Broken` for what was caught in the act.
Touches: this process' limits, its alarm, its audit hook. A case that hangs is killed by the kernel's
alarm, one that eats memory by the kernel's limit; the case's bytes lie in `current` by then.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import sysconfig
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.peak_memory import peak_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-7f3a9d21"
"""Part of every planted secret; in nothing that comes out may it ever stand."""

MOST_SECONDS = 5.0  # of work; a machine that is busy with other things proves nothing
_MOST_WAITING = 30.0  # by the wall clock, for what hangs without working
MOST_BYTES = 500 * 2**20
_ADDRESS_SPACE = 1200 * 2**20  # what is merely mapped, thread stacks say, is not used
_REPO = Path(__file__).resolve().parents[2]
_STARTS_PROCESSES = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork")


class Broken(AssertionError):
    """A promise that a case made kiejobs break."""


def plant(folder: Path) -> Path:
    """Secrets in the environment and beside the room; the room that cases may use."""
    room = folder / "room"
    room.mkdir(parents=True)
    (folder / "canary.txt").write_text(f"{CANARY} of a file\n")
    for name in ("KIE_API_KEY", "KIE_WEBHOOK_HMAC_KEY", "FUZZ_SECRET"):
        os.environ[name] = f"{CANARY} of {name}"
    return room


def no_canary(*texts: str | bytes | None) -> None:
    for text in texts:
        found = text.decode("utf-8", "replace") if isinstance(text, bytes) else text or ""
        if CANARY in found:
            raise Broken(f"a secret got out: {found[:200]!r}")


class Guard:
    """Watches over one worker. `slowest` in seconds of work; `outside` what was opened that isn't ours."""

    def __init__(self, folder: Path, room: Path, *, network: bool) -> None:
        self.slowest = 0.0
        self.slowest_case = b""
        self.outside: list[str] = []
        self._watching = False
        self._network = network
        self._room = str(room.resolve())
        own = (_REPO / "kiejobs", _REPO / "schemas", _REPO / "tests")
        paths = [*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, *map(str, own)]
        self._readable = tuple({os.path.realpath(path) for path in paths} | {self._room})
        self._current = os.open(folder / "current", os.O_RDWR | os.O_CREAT, 0o600)

    def begin(self) -> None:
        """Limits hold from here on, for good."""
        sys.dont_write_bytecode = True
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for deadly in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(deadly, signal.SIG_DFL)
        sys.addaudithook(self._audit)

    @contextmanager
    def over(self, data: bytes) -> Iterator[None]:
        """One case: noted, then timed. Raises Broken for what it did besides."""
        os.ftruncate(self._current, 0)
        os.pwrite(self._current, data, 0)
        before = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, _MOST_WAITING)
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        self._watching = True
        try:
            yield
        finally:
            self._watching = False
            for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF):
                signal.setitimer(timer, 0)
            took = time.process_time() - before
            if took > self.slowest:
                self.slowest, self.slowest_case = took, data
            if peak_bytes() > MOST_BYTES:
                os._exit(77)  # the peak stays: no later case could be told from this one
        if self.outside:
            raise Broken(f"touched what is outside: {self.outside.pop()}")

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        if event == "open":
            self._opened(*args)
        elif event.startswith(_STARTS_PROCESSES) or (event == "socket.connect" and not self._network):
            self.outside.append(f"{event} {str(args)[:200]}")

    def _opened(self, path: Any, mode: str | None, flags: int) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # a descriptor that somebody opened by name before
        name = os.path.realpath(os.fsdecode(path))
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        allowed = (self._room,) if writes else self._readable
        if not name.startswith(tuple(f"{root}/" for root in allowed)) and name not in allowed:
            self.outside.append(f"{name} ({mode})")
