"""The process that renders templates, from the side that starts it, and the `Renderer` that uses it.

In: templates and what they may read; a way to load the ones they include. Out: texts, or each a
`TemplateProblem`. Touches: one child process, with nothing in its environment, and pipes to it.

The process is started once and serves one job file after another. When a template ends it (out of processor
time, out of memory), that template is a problem and is never sent again; the others go to a new process.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from kiejobs.core.diagnostics import KiejobsError
from kiejobs.core.template.renderer import (
    SECONDS_TOGETHER,
    Reads,
    TemplateProblem,
    TooMuch,
    too_slow,
    too_slow_together,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kiejobs.core.template.renderer import Wish

PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from kiejobs.adapters.templates.worker import main; main()"
)
_PACKAGE: Final = Path(__file__).resolve().parents[3]
_SILENCE: Final = 60.0
"""Seconds without any answer: no template takes that long, so the process is stuck or starved."""

_LONGEST_ANSWER: Final = 16 * 2**20
_TOGETHER: Final = 500
"""Wishes in one message."""

_DEATH_COSTS: Final = 2.0
"""Of the seconds that slow templates have together: what it takes until the system ends a process."""


class Includes(Protocol):
    """Where included templates are found: `__call__` for one that is used, `peek` to look at one."""

    def __call__(self, name: str) -> str | None: ...

    def peek(self, name: str) -> str | None: ...


class ProcessRenderer:
    """A `Renderer` whose templates can reach neither our memory nor our environment.

    `shared` is what every template may read.
    """

    def __init__(
        self, shared: Mapping[str, Any], includes: Includes, process: RenderProcess | None = None
    ) -> None:
        self._shared = shared
        self._includes = includes
        self._process = process or render_process()
        self._refused: dict[str, TemplateProblem] = {}
        self._seconds: float = SECONDS_TOGETHER

    def reads(self, texts: Sequence[str]) -> list[Reads | TemplateProblem]:
        """Raises KiejobsError where the process can't be started, or doesn't answer."""
        return self._each(list(texts), lambda numbers: {"reads": [texts[at] for at in numbers]})

    def render(self, wishes: Sequence[Wish]) -> list[str | TemplateProblem]:
        """Raises KiejobsError as above."""
        found: list[str | TemplateProblem] = []
        for start in range(0, len(wishes), _TOGETHER):
            found += self._render(wishes[start : start + _TOGETHER])
        return found

    def _render(self, wishes: Sequence[Wish]) -> list[str | TemplateProblem]:
        def message(numbers: Sequence[int]) -> dict[str, Any]:
            used = dict.fromkeys(wishes[at].text for at in numbers)
            texts = {text: number for number, text in enumerate(used)}
            pairs = [(texts[wishes[at].text], wishes[at].names) for at in numbers]
            return {"texts": list(texts), "wishes": pairs}

        return self._each([wish.text for wish in wishes], message)

    def _each(
        self, texts: Sequence[str], message: Callable[[Sequence[int]], dict[str, Any]]
    ) -> list[Any]:
        """An answer for each; of those that ended the process, what it ended by."""
        found: list[Any] = [self._refused.get(text) for text in texts]
        while waiting := [at for at, each in enumerate(found) if each is None]:
            if self._seconds <= 0:
                return [too_slow_together() if each is None else each for each in found]
            try:
                self._open()
                self._process.send(message(waiting))
                for at in waiting:
                    found[at] = self._answer()
            except ProcessEnded as ended:
                self._seconds -= _DEATH_COSTS
                blamed = next(at for at in waiting if found[at] is None)
                self._refused[texts[blamed]] = ended.problem
                found = [
                    self._refused.get(text) if each is None else each
                    for text, each in zip(texts, found, strict=True)
                ]
        return found

    def _open(self) -> None:
        if self._process.serves(self):
            return
        self._process.start_for(self)
        self._process.send({"shared": self._shared, "seconds": self._seconds})

    def _answer(self) -> str | Reads | TemplateProblem:
        """The next answer; what the template includes is handed out meanwhile."""
        while True:
            match self._process.receive():
                case str(text):
                    return text
                case {"problem": [str(message), hint, lineno, name, users]}:
                    lines = tuple((user, line) for user, line in users)
                    return TemplateProblem(message, hint, lineno, name, lines)
                case {"reads": [axes, variables, names, templates]}:
                    parts = (axes, variables, names, templates)
                    return Reads(*(None if part is None else frozenset(part) for part in parts))
                case {"load": str(name)}:
                    self._process.send(self._includes(name))
                case {"peek": str(name)}:
                    self._process.send(self._includes.peek(name))
                case _:
                    raise self._process.failed("its answer makes no sense")


class ProcessEnded(Exception):
    """The process ended while it was at a template."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the rendering process ended with {code}")
        self.problem = _problem_of(code)


def _problem_of(code: int) -> TemplateProblem:
    if code == -signal.SIGXCPU:
        return too_slow()
    if code in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT):
        return TooMuch("the template is nested too deeply")
    return TooMuch("the template makes something too large")


@cache
def render_process() -> RenderProcess:
    """The one that all job files of a command share. It is started by the first who needs it."""
    process = RenderProcess()
    atexit.register(process.stop)
    return process


def import_paths() -> list[str]:
    """Where the process finds this package and jinja2: no `site` tells it."""
    return [str(_PACKAGE), *map(os.path.abspath, sys.path)]


class RenderProcess:
    """One child process at a time."""

    def __init__(
        self,
        python: str = sys.executable,
        program: str = PROGRAM,
        *,
        silence: float = _SILENCE,
    ) -> None:
        self._command = [python, "-I", "-S", "-c", program]
        self._silence = silence
        self._child: subprocess.Popen[bytes] | None = None
        self._client: object = None
        self._is_ready = False
        self._lines: deque[bytes] = deque()
        self._begun = b""

    def start(self) -> None:
        """Without waiting for it: it comes up while others work. Raises KiejobsError."""
        if self._child is not None:
            return
        if os.name != "posix":
            raise self.failed("this system can't limit what a process may do")
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own program, and no shell
                [*self._command, json.dumps(import_paths())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                env={},
                process_group=0,  # Ctrl-C on a terminal is for us
            )
        except OSError as error:
            raise self.failed(error.strerror or str(error)) from error
        os.set_blocking(self._pipe("stdin"), False)

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def serves(self, client: object) -> bool:
        return self._child is not None and self._client is client

    def start_for(self, client: object) -> None:
        """From now on it serves `client`. Raises KiejobsError where it can't be started."""
        self.start()
        if not self._is_ready:
            with contextlib.suppress(ProcessEnded):
                self._is_ready = self.receive() == "ready"
        if not self._is_ready:
            raise self.failed("it can't be started, or can't be limited here")
        self._client = client

    def stop(self) -> int:
        """End the process, if there is one. Its exit code."""
        child, self._child, self._client = self._child, None, None
        self._lines.clear()
        self._begun, self._is_ready = b"", False
        if child is None:
            return 0
        with contextlib.suppress(OSError):
            child.kill()  # nothing happens to one that has ended
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        return child.wait()

    def failed(self, why: str) -> KiejobsError:
        """What to raise where templates can't be rendered at all."""
        self.stop()
        return KiejobsError(f"the process that renders templates doesn't work: {why}")

    def send(self, message: Any) -> None:
        """Raises ProcessEnded, KiejobsError."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            self._wait("stdin", selectors.EVENT_WRITE)
            try:
                data = data[os.write(self._pipe("stdin"), data) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise ProcessEnded(self._end()) from None

    def receive(self) -> Any:
        """What it says next. Raises ProcessEnded, KiejobsError."""
        while not self._lines:
            self._wait("stdout", selectors.EVENT_READ)
            data = os.read(self._pipe("stdout"), 2**16)
            if not data:
                raise ProcessEnded(self._end())
            *lines, self._begun = (self._begun + data).split(b"\n")
            self._lines += lines
            if len(self._begun) > _LONGEST_ANSWER:
                raise self.failed("its answer has no end")
        try:
            return json.loads(self._lines.popleft())
        except ValueError:
            raise self.failed("its answer makes no sense") from None

    def _end(self) -> int:
        """The exit code of one that ended by itself."""
        child = self._child
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(self._silence)
        return self.stop()

    def _wait(self, pipe: str, event: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe(pipe), event)
            if not selector.select(self._silence):
                raise self.failed(f"no answer within {self._silence:g} seconds")

    def _pipe(self, name: str) -> int:
        fd: int = getattr(self._child, name).fileno()
        return fd
