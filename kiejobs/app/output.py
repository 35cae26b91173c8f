"""How a verb speaks: documents on stdout, everything else for people on stderr.

In: the streams and the few powers that only the door has (ask, leave). Out: lines. Touches: the
streams that it is handed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from kiejobs.core.diagnostics import JournalProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True)
class Screen:
    """`ask` puts a yes-or-no question and is only there when a person can answer.

    `leave` ends the process at once, after a last line: the second Ctrl-C.
    """

    out: TextIO
    err: TextIO
    color_out: bool
    color_err: bool
    live: bool
    ask: Callable[[str], bool] | None
    leave: Callable[[str], None]

    def show(self, text: str) -> None:
        """Part of the document that was asked for. Raises JournalProblem where it can't be written."""
        self.stream((text if text.endswith("\n") or not text else f"{text}\n",))

    def stream(self, pieces: Iterable[str]) -> None:
        try:
            for piece in pieces:
                self.out.write(piece)
            self.out.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise JournalProblem(f"can't write to stdout: {error.strerror or error}") from error

    def say(self, text: str) -> None:
        """Something for a person, beside the document; where nobody can be told, nothing happens."""
        for stream, words in ((self.out, ""), (self.err, f"{text}\n")):
            with suppress(OSError):
                stream.write(words)
                stream.flush()
