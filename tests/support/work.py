"""Work counted instead of time taken: a count is the same on a busy machine.

In: the name of a function or none, a block of code. Out: how often the block called functions of that name,
or any.
Touches the interpreter's profiling hook, for as long as the block lasts.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@dataclass
class Calls:
    """Grows while its block runs."""

    count: int = 0


@contextmanager
def calls_of(name: str | None = None) -> Iterator[Calls]:
    """Count the calls, in this thread, of all Python functions called `name`; of all there are without one."""
    calls = Calls()

    def see(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and (name is None or frame.f_code.co_name == name):
            calls.count += 1

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        yield calls
    finally:
        sys.setprofile(before)
