"""What is happening, on a terminal: a bar, the time, how many jobs are in each state, the last events.

In: states and notes from the runner, and a stream that is a terminal. Touches: that stream only, from a thread
of rich as well. Notes stay on the screen; the rest goes when it ends.
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Self, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kiejobs.reports.progress import QuietStream, Tally
from kiejobs.reports.terminal import sanitize, shortened, state_words

_EVENTS = 5
_LONGEST = 160

_STYLES = {
    **dict.fromkeys(("collected", "succeeded"), "green"),
    **dict.fromkeys(("failed", "rejected"), "red"),
    **dict.fromkeys(("waiting", "not collected", "not submitted"), "yellow"),
    "in doubt": "bold magenta",
}


class LiveProgress:
    """A display that redraws itself. What comes from outside is never read as markup."""

    def __init__(self, stream: TextIO, total: int = 0, *, color: bool = False) -> None:
        self._tally = Tally(total)
        self._events: deque[Text] = deque(maxlen=_EVENTS)
        self._notes: set[str] = set()
        self._lock = Lock()
        self._console = Console(
            file=cast("TextIO", QuietStream(stream)),
            force_terminal=True,
            no_color=not color,
            markup=False,
            highlight=False,
            emoji=False,
        )
        self._since = self._console.get_time()
        # Only the stream that was handed in is ours: the process's own are left alone.
        self._live = Live(
            console=self._console,
            get_renderable=self._drawn,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def job(self, address: str, state: str, note: str | None = None) -> None:
        with self._lock:
            if self._tally.move(address, state) or note:
                event = _event(address, state, note or "")
                if event not in self._events:
                    self._events.append(event)

    def note(self, message: str) -> None:
        if message not in self._notes:
            self._notes.add(message)
            self._console.print(Text(sanitize(message), style="bold"))

    def _drawn(self) -> Group:
        with self._lock:
            done, total = self._tally.settled, self._tally.total
            counts = [(state, count) for state, count in self._tally.states.items() if count]
            events = list(self._events)
        seconds = self._console.get_time() - self._since
        return Group(_bar(done, total, seconds), _counts(counts), *events)


def _event(address: str, state: str, note: str) -> Text:
    words = state_words(sanitize(state))
    event = Text(no_wrap=True, overflow="ellipsis")
    event.append(f"{words:13}", style=_STYLES.get(words, "cyan"))
    event.append(f"  {sanitize(address)}")
    if note:
        event.append(f"  {shortened(sanitize(note), _LONGEST)}", style="dim")
    return event


def _bar(done: int, total: int, seconds: float) -> Table:
    minutes, rest = divmod(int(seconds), 60)
    bar = ProgressBar(total=max(total, 1), completed=done, width=30)
    row = Table.grid(padding=(0, 2))
    row.add_row(bar, f"{done:,}/{total:,}", f"{minutes}:{rest:02}")
    return row


def _counts(counts: list[tuple[str, int]]) -> Text:
    parts = []
    for state, count in sorted(counts):
        words = state_words(sanitize(state))
        parts.append(Text(f"{count:,} {words}", style=_STYLES.get(words, "cyan")))
    return Text(", ").join(parts)
