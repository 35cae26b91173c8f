"""What is happening, on a terminal: a bar over its width, how many jobs are in each state, credits, time, the last events.

In: states and notes from the runner, bytes of files, a stream that is a terminal. Touches: that stream only, from a
thread of rich as well. Notes stay on the screen; the rest goes when it ends.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Self, TextIO, TypeAlias, cast

from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.text import Text

from kiejobs.reports.progress import NORMAL, VERBOSE, Tally
from kiejobs.reports.terminal import Paint, pad, plural, sanitize, shortened_at_word, state_words, width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

_EVENTS = 5
_STATE = 13
_LONGEST = 240
_SHORTEST_BAR = 10


class LiveLines:
    """Lines at the foot of a terminal that are drawn again and again. `drawn` makes them for that many columns."""

    def __init__(self, stream: TextIO, drawn: Callable[[int], Iterable[str]], *, color: bool) -> None:
        self._drawn = drawn
        self._console = Console(
            file=cast("TextIO", QuietStream(stream)),
            force_terminal=True,
            no_color=not color,
            markup=False,
            highlight=False,
            emoji=False,
        )
        # Only the stream that was handed in is ours: the process's own are left alone.
        self._live = Live(
            self,
            console=self._console,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in self._drawn(options.max_width):
            yield Text.from_ansi(line, no_wrap=True, overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def print(self, line: str, style: str = "") -> None:
        """Above them, to stay."""
        self._console.print(Text.from_ansi(line, style=style))


@dataclass(frozen=True, slots=True)
class QuietStream:
    """A stream whose failures are nobody's business; what it can't encode is spelled out."""

    stream: TextIO

    @property
    def encoding(self) -> str:
        return getattr(self.stream, "encoding", None) or "utf-8"

    def fileno(self) -> int:  # old consoles of Windows are drawn on by it
        return self.stream.fileno()

    def write(self, text: str) -> int:
        fit = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        with suppress(OSError, ValueError):  # closed, full or gone: there is nowhere to say so
            self.stream.write(fit)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self.stream.flush()


# --- a run -------------------------------------------------------------------------------------------


class LiveProgress:
    """How a run is going, redrawn; with VERBOSE what becomes of each job stays above it. Takes what `LineProgress` takes."""

    def __init__(
        self,
        stream: TextIO,
        total: int = 0,
        *,
        color: bool = False,
        verbosity: int = NORMAL,
        prices: Mapping[str, Decimal | None] | None = None,
        title: str = "",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._tally = Tally(total, prices or {}, clock())
        self._moving: dict[tuple[str, str], tuple[int, int | None]] = {}
        self._events: deque[Event] = deque(maxlen=_EVENTS)
        self._notes: set[str] = set()
        self._look = Look(Paint(color), title, is_ascii="utf" not in QuietStream(stream).encoding.lower())
        self._verbosity = verbosity
        self._lock = Lock()
        self._lines = LiveLines(stream, self._drawn, color=color)

    def __enter__(self) -> Self:
        self._lines.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.__exit__()

    def job(
        self, address: str, state: str, note: str | None = None, *, charged: Decimal | None = None
    ) -> None:
        event = state, address, note or ""
        with self._lock:
            is_news = self._tally.move(address, state, self._clock(), charged) or bool(note)
            if not is_news or event in self._events:
                return
            self._events.append(event)
        if self._verbosity == VERBOSE:
            self._lines.print(_event_line(event, _LONGEST, self._look.paint))

    def note(self, message: str, *, minor: bool = False) -> None:  # noqa: ARG002 - there is room for all
        if message not in self._notes:
            self._notes.add(message)
            self._lines.print(sanitize(message), "bold")

    def moved(self, doing: str, name: str, done: int | None, size: int | None) -> None:
        """`done` bytes of a file have been moved, out of `size`; None: it is over."""
        with self._lock:
            if done is None:
                self._moving.pop((doing, name), None)
            else:
                self._moving[doing, name] = done, size

    def _drawn(self, columns: int) -> list[str]:
        now = self._clock()
        with self._lock:
            events = () if self._verbosity == VERBOSE else tuple(self._events)
            return drawn(self._tally, now, columns, self._look, moving=self._moving, events=events)


Event: TypeAlias = "tuple[str, str, str]"
"""State, address and note."""

Moving: TypeAlias = "Mapping[tuple[str, str], tuple[int, int | None]]"
"""By what is done with a file and its name: how many bytes of it are there, out of how many."""


@dataclass(frozen=True, slots=True)
class Look:
    """`title`: which run it is. `is_ascii`: where a bar of blocks could not be written."""

    paint: Paint
    title: str = ""
    is_ascii: bool = False


def drawn(
    tally: Tally, now: float, columns: int, look: Look, *, moving: Moving, events: Iterable[Event]
) -> list[str]:
    """Lines of at most `columns`: what does not fit is left out, the last first; nothing is cut within a word."""
    jobs = [look.paint.status(text, word) for word, text in tally.counts().items()]
    money, rate, time = tally.figures(now)
    lines = [_bar(tally, time, columns, look), *_packed(jobs, columns, 4)]
    lines += _packed((money, rate, look.title), columns, 2)
    lines += [shortened_at_word(line, columns) for line in _moving(moving)]
    return lines + [_event_line(event, columns, look.paint) for event in events]


def _bar(tally: Tally, time: str, columns: int, look: Look) -> str:
    """All that the words next to it leave."""
    words = f" {tally.settled:,}/{tally.total:,}"
    for more in (f"  {time}", f"  {time.partition(',')[0]}"):
        if columns - width(words) - width(more) >= _SHORTEST_BAR:
            words += more
            break
    room = max(columns - width(words), 0)
    filled = room * tally.settled // max(tally.total, 1)
    full, empty = "#-" if look.is_ascii else "█░"
    return look.paint.good(full * filled) + look.paint.dim(empty * (room - filled)) + words[: columns - room]


def _packed(parts: Sequence[str], columns: int, most: int) -> list[str]:
    """As many of them as fit on that many lines, none of them cut."""
    lines: list[str] = []
    for part in parts:
        if not part or width(part) > columns:
            continue
        if lines and width(lines[-1]) + 3 + width(part) <= columns:
            lines[-1] += f"   {part}"
        elif len(lines) < most:
            lines.append(part)
    return lines


def _event_line(event: Event, columns: int, paint: Paint) -> str:
    state, address, note = event
    words = state_words(sanitize(state))
    line = f"{pad(words, _STATE)}  {sanitize(address)}{'  ' if note else ''}{sanitize(note)}"
    cut = shortened_at_word(line, columns)
    return paint.status(words) + cut[len(words) :] if cut.startswith(words) else cut


def _moving(files: Moving) -> Iterator[str]:
    """`downloading 3 files: 12.4 of 40.2 MB`."""
    for doing in sorted({doing for doing, _ in files}):
        sizes = [size for (what, _), size in files.items() if what == doing]
        there, expected = (sum(filter(None, numbers)) / 1e6 for numbers in zip(*sizes, strict=True))
        of = "" if None in dict(sizes).values() else f" of {expected:,.1f}"
        yield f"{doing} {plural(len(sizes), 'file')}: {there:,.1f}{of} MB"
