"""Problems as data, and the few exceptions that cross floors.

In: nothing. Out: `Diagnostic` (a problem in something a person wrote, with its place), `Problems` (all of a
command's), and the exceptions, whose branches mean an exit code to the door. Touches nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


class ExitCode(IntEnum):
    """What the process ends with. One meaning each, documented in docs/reference/exit-codes.md."""

    DONE = 0
    SOME_FAILED = 1
    INVALID = 2
    CHANGES_PENDING = 3
    IN_DOUBT = 4
    STOPPED = 5
    STALE_PLAN = 6
    JOURNAL = 7
    STILL_RUNNING = 8
    BUG = 70
    INTERRUPTED = 130


class Severity(StrEnum):
    """`error` keeps anything from being bought; `warning` is only reported."""

    ERROR = "error"
    WARNING = "warning"


class Place(NamedTuple):
    """Where in a file: the name as the person typed it, line and column counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: a stable code, what is wrong, what to do, where.

    `count` says how many combinations it hits and `example` names one of them, so that a slip in
    one prompt is reported once and not four thousand times. `also` are further places (the first of two
    equal keys, say), and `also_words` what they have to do with it.
    """

    code: str
    message: str
    place: Place | None = None
    hint: str | None = None
    severity: Severity = Severity.ERROR
    count: int = 1
    example: str | None = None
    also: tuple[Place, ...] = ()
    also_words: str = "see also"


class Problems:
    """Diagnostics by place, equal ones (same code, message, place) in one count; the lines of their files."""

    def __init__(
        self, diagnostics: Iterable[Diagnostic] = (), lines: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        folded: dict[tuple[str, str, Place | None], Diagnostic] = {}
        for one in diagnostics:
            key = (one.code, one.message, one.place)
            known = folded.get(key)
            folded[key] = one if known is None else replace(known, count=known.count + one.count)
        # As one reads: by file, line and column.
        nowhere = Place("", 0, 0)
        self._sorted = sorted(folded.values(), key=lambda one: (one.place or nowhere, one.code))
        self.lines: Mapping[str, Sequence[str]] = lines or {}

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)

    def __add__(self, other: Problems) -> Problems:
        return Problems([*self, *other], {**self.lines, **other.lines})

    def as_errors(self) -> Problems:
        """The same, with every warning an error."""
        return Problems([replace(one, severity=Severity.ERROR) for one in self], self.lines)

    @property
    def fatal(self) -> bool:
        return any(one.severity is Severity.ERROR for one in self)


class KiejobsError(Exception):
    """The root of what kiejobs raises on purpose; the door turns it into words and an exit code."""

    exit_code = ExitCode.INVALID

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageProblem(KiejobsError):
    """Asked for something that makes no sense: an unknown address, a file that is not there."""


@contextmanager
def needs_extra(extra: str, what: str, more: str = "") -> Iterator[None]:
    """Around an import. Raises UsageProblem where the extra is not installed: `what` needs it; `more` goes behind the cure."""
    try:
        yield
    except ImportError as error:
        hint = f"pip install 'kiejobs[{extra}]'{more}"
        raise UsageProblem(f"{what} the extra `{extra}`", hint=hint) from error


class InvalidJobFile(KiejobsError):
    """A file has problems; all are carried along, with the lines of the files that they are in."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(f"{len(problems)} problem(s)")
        self.problems = problems


class JournalProblem(KiejobsError):
    """The journals are locked, damaged or can't be written; nothing may be bought."""

    exit_code = ExitCode.JOURNAL


class Held(JournalProblem):
    """Another run has reserved this very purchase; the message says which. Others may still be bought."""


class LedgerMoved(JournalProblem):
    """A home of the ledger that carries the mark of a move; `setting` is the line of kiejobs.yaml that it names."""

    def __init__(self, message: str, *, hint: str, setting: str = "") -> None:
        super().__init__(message, hint=hint)
        self.setting = setting


class TooSoon(JournalProblem):
    """The account's window of starts is full: nothing was reserved, and it may be tried after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the account may start the next job in {seconds:.1f} s")
        self.seconds = seconds


class OverLimit(JournalProblem):
    """What others have bought since the plan was made leaves too little of a limit: nothing was reserved."""


class SpendingStopped(KiejobsError):
    """Budget, credits, key, or the API out of reach: nothing more is bought."""

    exit_code = ExitCode.STOPPED


class Cancelled(KiejobsError):
    """The question before buying was answered with no, or left."""

    exit_code = ExitCode.INTERRUPTED


class StalePlan(KiejobsError):
    """What was approved is not what would be bought now, or was bought already; or journals were unknown."""

    exit_code = ExitCode.STALE_PLAN


class StillInDoubt(KiejobsError):
    """A ruling was refused; the job is as much in doubt as before."""

    exit_code = ExitCode.IN_DOUBT
