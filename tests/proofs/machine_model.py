"""What the state machine believes: the tries so far, and what a plan must say of them.

In: events as they reach the disk, in their order. Out: for each wanted row the line that the design's
table asks for. Touches nothing. It knows no files, no fold and no ledger: only what happened, one thing
after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kiejobs.core.ledger import events as e

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from kiejobs.core.ledger.records import FileRecord

Key = tuple[str, int]
_WORTH = {"made": 7, "running": 6, "open": 5, "doubt": 4, "failed": 2, "rejected": 1, "void": 0}
_AT_THE_API = ("open", "running")


class Line(NamedTuple):
    """One line of a plan, as far as it can be foretold."""

    address: str
    action: str
    reason: str
    fingerprint: str
    take: int


class Row(NamedTuple):
    """One wanted job."""

    address: str
    fingerprint: str
    take: int


@dataclass
class Try:
    """One reservation and what is known of it. `number` tells the order of reservation."""

    number: int
    reserved: e.Reserved
    run_id: str
    address: str
    state: str = "doubt"
    task_id: str | None = None
    files: tuple[FileRecord, ...] = ()
    gone: bool = False

    @property
    def key(self) -> Key:
        return (self.reserved.fingerprint, self.reserved.take)

    @property
    def worth(self) -> tuple[float, int]:
        return (2.5 if self.gone else _WORTH[self.state], self.number)


@dataclass
class Model:
    """`is_whole` looks whether a file lies there as it came home."""

    is_whole: Callable[[FileRecord], str | None]
    tries: dict[str, Try] = field(default_factory=dict)

    def saw(self, event: e.Event, run_id: str) -> None:
        """An event that is on disk."""
        if isinstance(event, e.Reserved):
            number = len(self.tries)
            self.tries[event.attempt_id] = Try(number, event, run_id, event.address)
        elif isinstance(event, e.Adopted):
            for one in self.of((event.fingerprint, event.take)):
                one.address = event.address
        elif (attempt_id := getattr(event, "attempt_id", None)) in self.tries:
            _happened(self.tries[attempt_id], event)

    def of(self, key: Key) -> list[Try]:
        return [one for one in self.tries.values() if one.key == key]

    def best(self, key: Key) -> Try | None:
        return max(self.of(key), key=lambda one: one.worth, default=None)

    def doubts(self) -> list[Try]:
        return [one for one in self.tries.values() if one.state == "doubt"]

    def doubts_ruled_on(self) -> list[Try]:
        """The oldest at each address."""
        oldest: dict[str, Try] = {}
        for one in self.doubts():
            oldest.setdefault(one.address, one)
        return list(oldest.values())

    def plan(self, rows: Sequence[Row], retry: Collection[str] = ()) -> list[Line]:
        """The design's table."""
        return [self._line(row, retry) for row in rows] + list(self._orphans(rows))

    def _line(self, row: Row, retry: Collection[str]) -> Line:
        best = self.best((row.fingerprint, row.take))
        if best is not None and best.state in (*_AT_THE_API, "made"):
            action, reason = self._of_a_task(best)
            if action == "hold" and "gone" in retry:
                return Line(row.address, "submit", "retry_gone", *row[1:])
            if action != "hold" and best.address != row.address:
                return Line(row.address, "adopt", f"moved_from {best.address}", *row[1:])
            return Line(row.address, action, reason, *row[1:])
        return Line(row.address, *self._without_a_task(row, best, retry), *row[1:])

    def _of_a_task(self, one: Try) -> tuple[str, str]:
        if one.state in _AT_THE_API:
            return "resume", "in_flight"
        wrong = self.wrong_with(one)
        if wrong is None:
            return "keep", "done"
        return ("hold", "result_gone") if one.gone else ("collect", wrong)

    def wrong_with(self, one: Try) -> str | None:
        """`file_missing`, `file_damaged`, or None where all that was made is here."""
        if not one.files:
            return "file_missing"
        return next((wrong for wrong in map(self.is_whole, one.files) if wrong), None)

    def _without_a_task(self, row: Row, best: Try | None, retry: Collection[str]) -> tuple[str, str]:
        there = [one for one in self.tries.values() if one.address == row.address]
        if any(one.state == "doubt" for one in [*there, *([best] if best else [])]):
            return "hold", "in_doubt"
        if best is not None and best.state in ("failed", "rejected"):
            return ("submit", "retry_failed") if "failed" in retry else ("hold", "failed")
        others = [one for one in there if one.reserved.fingerprint != row.fingerprint]
        replaced = any(one.state != "void" for one in others)
        return "submit", "input_changed" if replaced else "new"

    def _orphans(self, rows: Iterable[Row]) -> Iterator[Line]:
        wanted = {(row.fingerprint, row.take) for row in rows}
        addresses = {row.address for row in rows}
        bests = {one.key: self.best(one.key) for one in self.tries.values()}
        for best in sorted(filter(None, bests.values()), key=lambda one: one.number):
            bought = best.state in (*_AT_THE_API, "made", "doubt")
            if bought and best.key not in wanted and best.address not in addresses:
                yield Line(best.address, "orphan", "no_longer_wanted", *best.key)


def _happened(one: Try, event: e.Event) -> None:
    match event:
        case e.Submitted(task_id=task_id) | e.Resolved(task_id=str(task_id)):
            one.task_id = one.task_id or task_id
            one.state = "open" if one.state in ("doubt", "void", "rejected") else one.state
        case e.NotAccepted() | e.Resolved():
            one.state = "void" if one.state == "doubt" else one.state
        case e.Rejected():
            one.state = "rejected"
        case e.Running():
            one.state = "running" if one.state == "open" else one.state
        case e.Failed():
            one.state = "failed" if one.state != "made" else one.state
        case e.Succeeded():
            one.state = "made"
        case e.Collected(files=files):
            one.files, one.gone = files, False
        case e.Gone():
            one.gone = True
