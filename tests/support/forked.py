"""kiejobs as a process of its own whose imports are done already: forked from one that waits for work.

In: words, a folder, an environment. Out: exit code, what was printed. Touches: processes, temporary files.

A command is what it is from the command line: it has a process, a folder, an environment, and standard streams of its own,
and ends as it would. Only starting Python and importing kiejobs, and taking all that apart again, which takes longer than
most commands do, is done once for many of them. What is about starting itself, signals or terminals starts a Python.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kiejobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PACKAGE = str(Path(kiejobs.__file__).resolve().parent.parent)

WITHOUT_MEDIA = os.pathsep.join([str(Path(__file__).parent / "without_media"), PACKAGE])
"""A PYTHONPATH of where the extra `media` is not installed: a rehearsal draws no cards, and nobody looks at what came
back. That is most of the time of a small run."""

_TESTS = str(Path(__file__).resolve().parents[2])
_LONGEST = 240
"""Seconds: a net for what hangs, wide enough for a busy machine."""

_OF_STARTING = ("PYTHON", "LC_", "LANG", "LD_", "TZ")
"""Beginnings of variables that Python reads when it starts."""

_OF_OTHERS = ("__main__", "worker", "media.cards", "media.stills")
"""Modules that no command imports: processes of their own do."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from tests.support.forked import serve; serve({fd})"


@dataclass(frozen=True)
class Ran:
    """One finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def can_fork(environment: Mapping[str, str]) -> bool:
    """Whether nothing in it is for Python's own start."""
    own = environment.get("PYTHONPATH", PACKAGE) in _IDLE
    names = environment.keys() - {"PYTHONPATH", "LC_ALL"}
    return own and not any(name.startswith(_OF_STARTING) for name in names)


def forked(words: Sequence[str], folder: Path, environment: Mapping[str, str], *stdin: int) -> Ran:
    """One command, run to its end; without `stdin`, a descriptor, it has no input. Several threads may do so at once."""
    path = environment.get("PYTHONPATH", PACKAGE)
    try:
        waiting = _IDLE[path].get_nowait()
    except queue.Empty:
        waiting = _Waiting(path)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        message = {"words": words, "folder": str(folder), "env": environment}
        code = waiting.run(message, out.fileno(), err.fileno(), *stdin)
        _IDLE[path].put(waiting)
        for stream in (out, err):
            stream.seek(0)
        return Ran(code, out.read().decode(), err.read().decode())


class _Waiting:
    """A process that forks one command after another."""

    def __init__(self, path: str) -> None:
        self._socket, theirs = socket.socketpair()
        # Of kiejobs, the one that is tested: the folder of the tests holds its source, too, and comes last.
        program = _PROGRAM.format(path=[*path.split(os.pathsep), *sys.path, _TESTS], fd=theirs.fileno())
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )
        self._socket.settimeout(_LONGEST)
        atexit.register(self._end)

    def run(self, message: Mapping[str, Any], *streams: int) -> int:
        data = json.dumps(message).encode()
        socket.send_fds(self._socket, [len(data).to_bytes(4, "big")], streams)
        self._socket.sendall(data)
        return int(self._socket.recv(16))

    def _end(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


_IDLE: dict[str, queue.LifoQueue[_Waiting]] = {path: queue.LifoQueue() for path in (PACKAGE, WITHOUT_MEDIA)}


# --- in the process that waits -------------------------------------------------------------------


def serve(fd: int) -> None:
    """Fork a command for each message, until nobody asks any more."""
    for module in pkgutil.walk_packages(kiejobs.__path__, "kiejobs."):
        if not module.name.endswith(_OF_OTHERS):
            importlib.import_module(module.name)
    importlib.import_module("anyio._backends._asyncio")  # by the first event loop of a process
    gc.freeze()
    connection = socket.socket(fileno=fd)
    while True:
        size, fds, _, _ = socket.recv_fds(connection, 4, 3)
        if not size:
            return
        data = b""
        while len(data) < int.from_bytes(size, "big"):
            data += connection.recv(2**16)
        child = os.fork()
        if child == 0:
            connection.close()
            _become(json.loads(data), *fds)
        for each in fds:
            os.close(each)
        _, status = os.waitpid(child, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _become(message: Mapping[str, Any], *streams: int) -> None:
    """This process becomes the command, and ends as it does."""
    for number, each in zip((1, 2, 0), streams, strict=False):
        os.dup2(each, number)
        os.close(each)
    os.environ.clear()
    os.environ.update(message["env"])
    os.chdir(message["folder"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["kiejobs", *message["words"]]
    sys.path.insert(0, message["folder"])  # as `python -m` does
    for name, number in (("stdout", 1), ("stderr", 2)):
        raw = io.FileIO(number, "w", closefd=False)
        is_err = name == "stderr"
        errors = "backslashreplace" if is_err else "strict"
        buffer = io.BufferedWriter(raw)
        stream = io.TextIOWrapper(buffer, "utf-8", errors=errors, line_buffering=is_err)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    from kiejobs.__main__ import main  # noqa: PLC0415 - as above

    try:
        main()
    except SystemExit as ended:
        _leave(ended)


def _leave(ended: SystemExit) -> None:
    """What Python does at its end, but for emptying all modules one by one."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(ended.code or 0))
