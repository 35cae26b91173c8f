"""What the rendering process runs: templates in, texts out, within limits of processor time and memory.

In: one JSON value a line on stdin. Out: one a line on stdout. Touches: its own limits, stdin, stdout; once it
is limited it can open no file, no socket and no process.

It is started without an environment and trusts nothing that it renders; whoever started it need not trust
what it answers.
"""

from __future__ import annotations

import encodings.unicode_escape  # noqa: F401 - as below, by the lexer
import json
import resource
import signal
import sys
import textwrap  # noqa: F401 - as below, by one of the filters
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import jinja2.debug  # noqa: F401 - imported later on by jinja2, when no file can be opened

from kiejobs.core.template.renderer import (
    SECONDS,
    SECONDS_TOGETHER,
    Reads,
    TemplateProblem,
    TooMuch,
    Wish,
    too_slow,
    too_slow_together,
)
from kiejobs.core.template.template import LocalRenderer

if TYPE_CHECKING:
    from types import FrameType

MOST_INCLUDES: Final = 1_000
"""That one template asks for: finding them is the work of whoever started this process."""

MEMORY: Final = 512 * 2**20
_SLOW: Final = 0.1
_KILLED_AFTER: Final = 3
"""Whole seconds, for what no signal can interrupt; the system counts in whole ones."""


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with whoever started it
    limit_process()
    say("ready")
    renderer = LocalRenderer({})
    limits = _Limits()
    while line := sys.stdin.buffer.readline():
        message = json.loads(line)
        if "shared" in message:
            limits = _Limits(message["seconds"])
            load, peek = partial(limits.ask, "load"), partial(limits.ask, "peek")
            renderer = LocalRenderer(message["shared"], load, peek=peek, limit=limits)
        else:
            _answer(renderer, message)


def limit_process() -> None:
    """Raises OSError or ValueError where the system has no such limits."""
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(what, (most, most))


class _Limits:
    """Around one compilation or rendering; slow ones add up."""

    def __init__(self, together: float = SECONDS_TOGETHER) -> None:
        self._left = together
        self._began = 0.0
        self._asked = 0
        self._most = resource.getrlimit(resource.RLIMIT_CPU)[1]
        signal.signal(signal.SIGPROF, self._stop)

    def __call__(self) -> _Limits:
        return self

    def __enter__(self) -> None:
        if self._left <= 0:
            raise too_slow_together()
        self._asked = 0
        self._began = time.process_time()
        killed = int(self._began) + _KILLED_AFTER
        resource.setrlimit(resource.RLIMIT_CPU, (killed, self._most))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)

    def __exit__(self, *_error: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (self._most, self._most))
        took = time.process_time() - self._began
        self._left -= took if took > _SLOW else 0

    def ask(self, how: str, name: str) -> Any:
        """The text of an included template. Nothing may stop it between the question and the answer."""
        self._asked += 1
        if self._asked > MOST_INCLUDES:
            raise TooMuch(f"the template includes more than {MOST_INCLUDES:,} others")
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])
        try:
            say({how: name})
            return json.loads(sys.stdin.buffer.readline())
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        raise too_slow()


def _answer(renderer: LocalRenderer, message: Any) -> None:
    """One line for each text or wish, before the next one is looked at."""
    for text in message.get("reads", ()):
        for found in renderer.reads([text]):
            say(_as_json(found))
    texts = message.get("texts", ())
    for number, names in message.get("wishes", ()):
        for printed in renderer.render([Wish(texts[number], names)]):
            say(_as_json(printed))


def _as_json(found: str | Reads | TemplateProblem) -> Any:
    if isinstance(found, str):
        return found
    if isinstance(found, Reads):
        parts = (found.axes, found.vars, found.names, found.templates)
        return {"reads": [None if part is None else sorted(part) for part in parts]}
    return {"problem": [found.message, found.hint, found.lineno, found.name, found.users]}


def say(value: Any) -> None:
    sys.stdout.buffer.write(json.dumps(value).encode() + b"\n")
    sys.stdout.buffer.flush()
