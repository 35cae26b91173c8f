"""What the rendering process runs: templates in, texts out, within limits of processor time and memory.

In: one JSON value a line on stdin. Out: one a line on stdout. Touches: its own limits, stdin, stdout; once it
is limited it can open no file, no socket and no process.

It has no environment and trusts nothing that it renders; who started it need not trust what it answers.
"""

from __future__ import annotations

import encodings.unicode_escape  # noqa: F401 - as below, by the lexer
import json
import signal
import sys
import textwrap  # noqa: F401 - as below, by one of the filters
import time
from contextlib import suppress
from dataclasses import astuple
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import jinja2.debug  # noqa: F401 - imported later on by jinja2, when no file can be opened

from kiejobs.core.template.renderer import Limits, Reads, TemplateProblem, TooMuch, Wish
from kiejobs.core.template.template import LocalRenderer

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from types import FrameType

MOST_INCLUDES: Final = 1_000  # of one template: finding them is the work of who started this process
_SLOW: Final = 0.1


def main(*most: Any) -> None:
    """`most` are the fields of `Limits`, no `memory` where whoever starts this will look at it.

    The first line says whether the system limits the memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with whoever started it
    limits = Limits(*most)
    say({"limited": limit_process(limits.memory)})
    renderer = LocalRenderer({})
    while line := sys.stdin.buffer.readline():
        message = json.loads(line)
        if "shared" in message:
            timed = _Timed(limits, message["seconds"])
            load, peek = partial(timed.ask, "load"), partial(timed.ask, "peek")
            renderer = LocalRenderer(message["shared"], load, peek=peek, limit=timed)
        else:
            _answer(renderer, message)


def limit_process(memory: int) -> bool:
    """Take from this process what it doesn't need. Whether its memory is limited now.

    macOS refuses a limit of memory, or takes one and doesn't hold it; Windows has none of these limits.
    """
    if sys.platform == "win32":
        return False
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_AS, memory or resource.RLIM_INFINITY),
    ):
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))
    try:
        bytes(memory)  # no more than asked for: its pages are never touched
    except MemoryError:
        return True
    return False


class _Timed:
    """Around one compilation or rendering; slow ones add up to the seconds that are left."""

    def __init__(self, limits: Limits, left: float) -> None:
        self._limits = limits
        self._left = left
        self._began = self._set_again = 0.0
        self._asked = 0
        self._is_inside = False
        signal.signal(signal.SIGPROF, self._stop)

    def __call__(self) -> _Timed:
        return self

    def __enter__(self) -> None:
        if self._left <= 0:
            raise self._limits.too_slow_together()
        self._asked = 0
        self._began = time.process_time()
        if self._began >= self._set_again:  # not for each of thousands that take microseconds
            self._set_again = self._began + _SLOW
            # Nothing handles the end of this one: it kills.
            signal.setitimer(signal.ITIMER_VIRTUAL, self._limits.killed_after + _SLOW)
            signal.setitimer(signal.ITIMER_PROF, self._limits.seconds + _SLOW)
        self._is_inside = True

    def __exit__(self, *_error: object) -> None:
        self._is_inside = False
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
            found = json.loads(sys.stdin.buffer.readline())
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
        if isinstance(found, list):  # it is there, and can't be read
            raise TemplateProblem(*found)
        return found

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if self._is_inside:
            raise self._limits.too_slow()


def _answer(renderer: LocalRenderer, message: Any) -> None:
    """One line for each; `one_by_one`, before the next one is looked at."""
    for number, context in message["wishes"]:
        text, names = message["texts"][number], message["names"][context]
        wished = names is not None
        (found,) = renderer.render([Wish(text, names)]) if wished else renderer.reads([text])
        say(_as_json(found), now=message["one_by_one"])
    sys.stdout.buffer.flush()


def _as_json(found: str | Reads | TemplateProblem) -> Any:
    if isinstance(found, str):
        return found
    if isinstance(found, Reads):
        return {"reads": [None if part is None else sorted(part) for part in astuple(found)]}
    return {"problem": astuple(found)}


def say(value: Any, *, now: bool = True) -> None:
    sys.stdout.buffer.write(json.dumps(value).encode() + b"\n")
    if now:
        sys.stdout.buffer.flush()
