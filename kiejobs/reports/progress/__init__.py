"""What is happening, as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.reports.progress.lines import LineProgress

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Protocol, TextIO

    from kiejobs.ports import Progress

    class RunProgress(Progress, AbstractContextManager["RunProgress"], Protocol):
        """Progress that is on the screen between `with` and its end."""


def make_progress(
    stream: TextIO, total: int, *, live: bool = False, color: bool = False
) -> RunProgress:
    """`live` where the stream is a terminal that can move its cursor; the caller decides."""
    if live:
        from kiejobs.reports.progress.live import LiveProgress  # noqa: PLC0415 - rich is slow

        return LiveProgress(stream, total, color=color)
    return LineProgress(stream, total, color=color)
