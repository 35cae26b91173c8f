"""The process that renders templates, from the side that starts it, and the `Renderer` that uses it.

In: templates and what they may read; a way to load the ones they include. Out: texts, or each a
`TemplateProblem`. Touches: one child process, with nothing in its environment, and pipes to it.

It serves one job file after another. When a template ends it (out of processor time, out of memory), a new one
gets the rest one by one, so that it is known which it was; that one is a problem and is never sent again. Where
the system can't limit memory, as on macOS, we look at how much the process holds while we wait for it.
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
from dataclasses import astuple, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from kiejobs.core.diagnostics import KiejobsError
from kiejobs.core.template import names_only
from kiejobs.core.template.renderer import Limits, Reads, TemplateProblem, TooMuch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kiejobs.core.template.renderer import Wish

PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from kiejobs.adapters.templates.worker import main; main(*json.loads(sys.argv[2]))"
)
_PACKAGE: Final = Path(__file__).resolve().parents[3]
_SILENCE: Final = 60.0  # seconds without any answer: the process is stuck or starved
_LOOKED_AFTER: Final = 0.1  # seconds without an answer after which the memory is looked at, and again
_LONGEST_ANSWER: Final = 16 * 2**20
_TOGETHER: Final = 500  # wishes in one message
_Asked: TypeAlias = "tuple[str, Mapping[str, Any] | None]"
"""A template, and what it is rendered with; None where it is what it may read that is asked for."""


class Includes(Protocol):
    """Where included templates are found: `__call__` for one that is used, `peek` to look at one."""

    def __call__(self, name: str) -> str | TemplateProblem | None: ...

    def peek(self, name: str) -> str | TemplateProblem | None: ...


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
        self._is_careful = False
        self._seconds = self._process.limits.seconds_together

    def reads(self, texts: Sequence[str]) -> list[Reads | TemplateProblem]:
        """Raises KiejobsError where the process can't be started, or doesn't answer."""
        return self._each([(text, None) for text in texts], map(names_only.reads, texts))

    def render(self, wishes: Sequence[Wish]) -> list[str | TemplateProblem]:
        """Raises KiejobsError as above."""
        known = [names_only.render(wish.text, self._shared, wish.names) for wish in wishes]
        return self._each([(wish.text, wish.names) for wish in wishes], known)

    def _each(self, asked: Sequence[_Asked], known: Iterable[Any]) -> list[Any]:
        """What is `known` without the process stays as it is."""
        found = list(known)
        waiting = [at for at, each in enumerate(found) if each is None]
        for start in range(0, len(waiting), _TOGETHER):
            some = waiting[start : start + _TOGETHER]
            for at, answer in zip(some, self._together([asked[at] for at in some]), strict=True):
                found[at] = answer
        return found

    def _together(self, asked: Sequence[_Asked]) -> list[Any]:
        """An answer for each; of those that ended the process, what it ended by."""
        found: list[Any] = [self._refused.get(text) for text, _ in asked]
        while waiting := [at for at, each in enumerate(found) if each is None]:
            if self._seconds <= 0:
                given_up = self._process.limits.too_slow_together()
                return [given_up if each is None else each for each in found]
            try:
                self._ask([asked[at] for at in waiting])
                for at in waiting:
                    found[at] = self._answer()
            except ProcessEnded as ended:
                if not self._is_careful:
                    self._is_careful = True  # answers were still on their way: which one was it?
                    continue
                self._seconds -= self._process.limits.killed_after
                blamed = next(at for at in waiting if found[at] is None)
                self._refused[asked[blamed][0]] = _why(ended.code, self._process.limits)
                for at in waiting:
                    found[at] = found[at] or self._refused.get(asked[at][0])
        return found

    def _ask(self, asked: Sequence[_Asked]) -> None:
        if self._process.start_for(self):
            self._process.send({"shared": self._shared, "seconds": self._seconds})
        texts = {text: number for number, text in enumerate(dict(asked))}
        contexts = {id(names): names for _, names in asked}
        names_at = {known: number for number, known in enumerate(contexts)}
        wishes = [(texts[text], names_at[id(names)]) for text, names in asked]
        message = {"texts": list(texts), "names": list(contexts.values()), "wishes": wishes}
        self._process.send({**message, "one_by_one": self._is_careful})

    def _answer(self) -> str | Reads | TemplateProblem:
        """The next answer; what the template includes is handed out meanwhile."""
        while True:
            match self._process.receive():
                case str(text):
                    return text
                case {"problem": [str(message), hint, lineno, name, users, *place]}:
                    lines = tuple((user, line) for user, line in users)
                    return TemplateProblem(message, hint, lineno, name, lines, *place)
                case {"reads": [_, _, _, _] as parts}:
                    return Reads(*(None if part is None else frozenset(part) for part in parts))
                case {"load": str(name)}:
                    self._process.send(_sent(self._includes(name)))
                case {"peek": str(name)}:
                    self._process.send(_sent(self._includes.peek(name)))
                case _:
                    raise self._process.failed("its answer makes no sense")


def _sent(found: str | TemplateProblem | None) -> object:
    return astuple(found) if isinstance(found, TemplateProblem) else found


@dataclass(eq=False)
class ProcessEnded(Exception):
    """The process ended, with this exit code, while it was at a template."""

    code: int


def _why(code: int, limits: Limits) -> TemplateProblem:
    if code == -signal.SIGVTALRM:
        return limits.too_slow()
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
    """Where the process finds this package and jinja2: it has no `site`."""
    return [str(_PACKAGE), *map(os.path.abspath, sys.path)]


def resident_memory(pid: int) -> int | None:
    """Bytes of memory that a process holds; None where that is unknown."""
    command = ["/bin/ps", "-o", "rss=", "-p", str(pid)]
    try:
        shown = subprocess.run(command, capture_output=True, check=False, env={}).stdout.strip()  # noqa: S603 - no shell
    except OSError:
        return None
    return int(shown) * 1024 if shown.isdigit() else None


class RenderProcess:
    """One child process at a time, within `limits`.

    With `watched` its memory is held down by looking at it, even where the system could limit it.
    """

    def __init__(
        self,
        python: str = sys.executable,
        program: str = PROGRAM,
        *,
        limits: Limits = Limits(),  # noqa: B008 - a value
        silence: float = _SILENCE,
        watched: bool = False,
        memory_of: Callable[[int], int | None] = resident_memory,
        system: str = os.name,
    ) -> None:
        self.limits = limits
        told = replace(limits, memory=0) if watched else limits
        arguments = [json.dumps(import_paths()), json.dumps(astuple(told))]
        self._command = [python, "-I", "-S", "-c", program, *arguments]
        self._silence = silence
        self._memory_of = memory_of
        self._system = system
        self._child: subprocess.Popen[bytes] | None = None
        self._client: object = None
        self._is_watched = False
        self._lines: deque[bytes] = deque()
        self._begun = bytearray()

    def start(self) -> None:
        """Without waiting for it: it comes up while others work. Raises KiejobsError."""
        if self._child is not None:
            return
        if self._system != "posix":
            why = "it can't limit the processor time of a process"
            hint = "use Linux or macOS; on Windows, WSL"
            raise KiejobsError(f"templates can't be rendered on this system: {why}", hint=hint)
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own program, and no shell
                self._command,
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

    def start_for(self, client: object) -> bool:
        """From now on it serves `client`; whether it didn't before. Raises KiejobsError."""
        self.start()
        if self._client is None:
            said = None
            with contextlib.suppress(ProcessEnded):
                said = self.receive()  # first of all, whether the system limits its memory
            if said not in ({"limited": True}, {"limited": False}):
                raise self.failed("it can't be started")
            self._is_watched = not said["limited"]
        before, self._client = self._client, client
        return before is not client

    def stop(self) -> int:
        """End the process, if there is one. Its exit code."""
        child, self._child, self._client = self._child, None, None
        self._lines.clear()
        self._begun.clear()
        self._is_watched = False
        if child is None:
            return 0
        with contextlib.suppress(OSError):
            child.kill()  # nothing happens to one that has ended
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        return child.wait()

    def failed(self, why: str) -> KiejobsError:
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
            self._begun += data
            if b"\n" in data:
                *lines, self._begun = self._begun.split(b"\n")
                self._lines += map(bytes, lines)
            if len(self._begun) > _LONGEST_ANSWER:
                raise self.failed("its answer has no end")
        try:
            return json.loads(self._lines.popleft())
        except ValueError:
            raise self.failed("its answer makes no sense") from None

    def _end(self) -> int:
        """The exit code of one that ended by itself."""
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(self._silence)
        return self.stop()

    def _wait(self, pipe: str, event: int) -> None:
        step = _LOOKED_AFTER if self._is_watched else self._silence
        waited = 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe(pipe), event)
            while not selector.select(step):
                waited += step
                if waited >= self._silence:
                    raise self.failed(f"no answer within {self._silence:g} seconds")
                self._hold_down()

    def _hold_down(self) -> None:
        """End the process if it holds too much: whoever waits for it finds it ended."""
        child = self._child
        memory = None if child is None else self._memory_of(child.pid)
        if child is None or child.poll() is not None:
            return
        if memory is None:
            raise self.failed("nothing here can say how much memory it holds")
        if memory > self.limits.memory:
            child.kill()

    def _pipe(self, name: str) -> int:
        fd: int = getattr(self._child, name).fileno()
        return fd
