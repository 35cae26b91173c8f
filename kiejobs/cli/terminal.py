"""The terminal as the door sees it.

In: the standard streams and the environment. Out: a `Screen`. Touches: the streams; ends the process
when asked to leave at once.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

import click

from kiejobs.app.output import Screen
from kiejobs.core.diagnostics import ExitCode


def make_screen() -> Screen:
    """Colours and a live display only on a terminal, and not where NO_COLOR is set."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            with suppress(OSError):  # it flushes first, maybe onto a full disk
                stream.reconfigure(errors="replace")
    return Screen(
        out=sys.stdout,
        err=sys.stderr,
        color_out=_colors(sys.stdout),
        color_err=_colors(sys.stderr),
        live=sys.stderr.isatty() and os.environ.get("TERM") != "dumb",
        ask=_ask if sys.stdin.isatty() else None,
        leave=_leave,
    )


def _colors(stream: TextIO) -> bool:
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def _ask(question: str) -> bool:
    return click.confirm(question, err=True)


def _leave(last_words: str) -> None:
    """At once: the journal is whole at any moment, so nothing needs to be tidied up."""
    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # the live display hides it
    sys.stderr.write(f"{show_cursor}\n{last_words}\n")
    sys.stderr.flush()
    os._exit(ExitCode.INTERRUPTED)
