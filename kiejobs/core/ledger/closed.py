"""Closed runs, as an index keeps them: what their journals add to any ledger, without their journals' lines.

In: journals as read. Out: `ClosedRun`s, made, checked, as JSON and back. Touches nothing.

An attempt is settled where it has ended and no journal but those of closed runs speaks of it: it is kept
as it was folded, and its events are left out. All other events are kept as they are, and folded with the rest.
So the ledger is the same with and without, as long as the journals are and no other speaks of what is settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import Timed, from_json, to_json
from kiejobs.core.ledger.ledger import Attempt
from kiejobs.core.ledger.records import Failure, FileRecord, State
from kiejobs.core.money import or_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.events import JournalRecord

_KEPT = (e.RunStarted, e.Adopted, e.Uploaded, e.Approved, e.RunFinished)
_CREDITS = 7  # their place in a reservation
_ENDS = {State.FAILED, State.REJECTED, None}


@dataclass(frozen=True, slots=True)
class ClosedRun:
    """`settled` are attempts that it reserved; `shown` marks the purchases that its manifest shows."""

    outline: Sequence[Timed]
    settled: Sequence[Attempt]
    shown: frozenset[str]


class StoredEvents(Sequence[Timed]):
    """A journal's events, read when somebody asks for one."""

    def __init__(self, read: Callable[[], Sequence[Timed]]) -> None:
        self._read = read

    @cached_property
    def _events(self) -> Sequence[Timed]:
        return self._read()

    def __getitem__(self, index: Any) -> Any:
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment] # as other sequences that may be long


def settled_apart(records: Sequence[JournalRecord], index: Collection[str]) -> bool:
    """Are all those closed runs there, and does no other speak of what is settled? Then it is settled no more."""
    there = {record.run_id for record in records if record.closed and not record.live}
    closed = [record.closed for record in records if record.closed]
    settled = {one.attempt_id for run in closed for one in run.settled}
    others = (record for record in records if not record.closed)
    return there == set(index) and all(settled.isdisjoint(one.named) for one in others)


def closed_runs(
    records: Sequence[JournalRecord],
    attempts: Iterable[Attempt],
    shown: Callable[[JournalRecord], Iterable[str]],
) -> dict[str, ClosedRun]:
    """All that are, by id. `attempts` are folded from all records, without regard to where they moved to."""
    open_ = _spoken_of_elsewhere(records)
    settled: dict[str, list[Attempt]] = {record.run_id: [] for record in records}
    for attempt in attempts:
        if attempt.attempt_id not in open_ and _is_settled(attempt):
            settled[attempt.run_id].append(attempt)
    ids = {one.attempt_id for found in settled.values() for one in found}
    return {
        record.run_id: ClosedRun(
            [timed for timed in record.outline if _is_needed(timed.event, ids)],
            settled[record.run_id],
            frozenset(shown(record)),
        )
        for record in records
        if record.is_over
    }


def _spoken_of_elsewhere(records: Sequence[JournalRecord]) -> set[str]:
    """Attempts that a run which isn't over may change, or that runs at two APIs speak of."""
    open_: set[str] = set()
    origins: dict[str, str] = {}
    for record in records:
        names = set(record.named)
        if record.header is None or not record.is_over:
            open_ |= names
            continue
        origin = record.header.origin
        open_ |= {name for name in names if origins.setdefault(name, origin) != origin}
    return open_


def _is_settled(attempt: Attempt) -> bool:
    if attempt.conflicts or attempt.other_task_ids or attempt.gone is not None:
        return False
    is_home = attempt.state is State.SUCCEEDED and attempt.is_collected
    return is_home or attempt.state in _ENDS


def _is_needed(event: e.Event, settled: set[str]) -> bool:
    name = getattr(event, "attempt_id", None)
    return isinstance(event, _KEPT) if name is None else name not in settled


# --- as JSON and back -------------------------------------------------------------------------------


def closed_to_json(run: ClosedRun) -> dict[str, Json]:
    return {
        "outline": [[timed.at, to_json(timed.event, str)] for timed in run.outline],
        "settled": list(map(_row, run.settled)),
        "shown": sorted(run.shown),
    }


def closed_from_json(run_id: str, data: dict[str, Json]) -> ClosedRun:
    """Uses `data` up. Raises whatever Python does where its form is another."""
    outline = [Timed(at, event) for at, line in data["outline"] if (event := from_json(line))]
    rows = data.pop("settled")
    rows.reverse()
    settled = [_attempt(run_id, rows.pop()) for _ in range(len(rows))]  # 100,000 rows go as they are read
    return ClosedRun(outline, settled, frozenset(data["shown"]))


def _row(attempt: Attempt) -> list[Json]:
    """The attempt's own, after what was reserved: in the order of their fields, which is shorter than by name."""
    own = (attempt.task_id, attempt.state, attempt.charged, attempt.failure, attempt.urls)
    return list(map(_plain, (*_values(attempt.reserved), *own, attempt.files, attempt.times)))


def _values(record: Any) -> list[Any]:
    return [getattr(record, field.name) for field in fields(record)]


def _plain(value: Any) -> Json:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple):
        return list(map(_plain, value))
    return _values(value) if isinstance(value, Failure | FileRecord) else value


def _attempt(run_id: str, row: Sequence[Any]) -> Attempt:
    request, (task_id, state, charged, failure, urls, files, times) = list(row[:9]), row[9:]
    request[_CREDITS] = or_unknown(request[_CREDITS])
    reserved = e.Reserved(*request)
    return Attempt(
        reserved.attempt_id,
        run_id,
        reserved,
        reserved.address,
        None if state is None else State(state),
        task_id,
        or_unknown(charged),
        None if failure is None else Failure(*failure),
        tuple(urls),
        tuple(FileRecord(*file) for file in files),
        times,
    )
