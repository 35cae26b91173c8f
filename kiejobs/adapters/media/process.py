"""The process that examines results and draws cards, from the side that starts it.

In: a verb and its argument. Out: the answer. Touches: one child process, with nothing in its environment, and
pipes to it. A file that hangs a decoder, or kills it, ends that process and nothing else; the next question starts
another one.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import subprocess
import sys
from functools import cache
from threading import Lock
from typing import Any, Final

from kiejobs.adapters.templates.process import import_paths

PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from kiejobs.adapters.media.worker import main; main()"
)


@cache
def media_process() -> MediaProcess:
    """The one of this command. It is started by the first who needs it."""
    process = MediaProcess()
    atexit.register(process.stop)
    return process


class MediaProcess:
    """Questions from several threads wait for one another."""

    def __init__(self, program: str = PROGRAM) -> None:
        self._command = [sys.executable, "-I", "-c", program, json.dumps(import_paths())]
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def ask(self, verb: str, argument: dict[str, Any]) -> Any:
        """The answer; `{"error": why}` where there is none: it took too long, too much memory, or broke a decoder."""
        with self._lock:
            if self._child is None:
                self._child = subprocess.Popen(  # noqa: S603 - our own program, and no shell
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env={},
                    process_group=0,  # Ctrl-C on a terminal is for us
                )
            pipes = (self._child.stdin, self._child.stdout)
            line = b""
            with contextlib.suppress(BrokenPipeError):
                pipes[0].write(json.dumps([verb, argument]).encode() + b"\n")  # type: ignore[union-attr] # a pipe, as asked for
                pipes[0].flush()  # type: ignore[union-attr] # as above
                line = pipes[1].readline()  # type: ignore[union-attr] # as above
            if line.endswith(b"\n"):
                return json.loads(line)
            code = self.stop()
        return {"error": "it takes too long" if code == -14 else "it breaks the decoder"}

    def stop(self) -> int:
        """End the process, if there is one. Its exit code, 0 for none."""
        child, self._child = self._child, None
        if child is None:
            return 0
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr] # as above
        try:
            return child.wait(1.0)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()
