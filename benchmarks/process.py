"""One process, run to its end, and what it used.

In: a command. Out: seconds of processor time, seconds of wall-clock time, the most memory. Touches: the command's
folder.

The figures are the operating system's own (wait4). Seconds include the children that the process waited for; memory
is that of the largest single process among them. A child inherits the peak of the process that starts it, so this
program has to stay small: it imports neither kiejobs nor a peer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

_IN_A_MB = 1024 * 1024 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes there, KiB elsewhere
_KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR")


@dataclass(frozen=True)
class Command:
    """`shown` is what a person would type. What is in `clear` is deleted before each run."""

    shown: str
    words: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    clear: tuple[str, ...] = ()


@dataclass(frozen=True)
class Used:
    """What one run of a command used."""

    cpu_s: float
    wall_s: float
    memory_mb: float


class CommandFailed(Exception):
    """A command that doesn't succeed measures nothing."""


def measure(command: Command) -> Used:
    """Run the command once. Raises CommandFailed for any exit code but 0, or where it can't be started."""
    for name in command.clear:
        _remove(command.folder / name)
    with tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        process = _started(command, errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            last = errors.read().decode(errors="replace")[-2000:]
            raise CommandFailed(f"{command.shown}: exit code {process.returncode}\n{last}")
    return Used(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / _IN_A_MB)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _started(command: Command, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - our own commands
            command.words,
            cwd=command.folder,
            env=environment(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    except OSError as error:
        raise CommandFailed(f"{command.shown}: {error}") from error


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Few variables, so that settings of the person who measures don't change what is measured."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | dict(more)


def program(name: str) -> str | None:
    """A program that is installed next to this Python, or else on the path."""
    own = Path(sys.executable).parent / name
    return str(own) if own.exists() else shutil.which(name)
