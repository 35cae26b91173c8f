"""All journals of a ledger's home as they were read, and what is derived from them.

In: the journals of all runs. Out: ledgers, one for each API, each folded once; the manifests that the
journals call for. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.manifest import manifest, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kiejobs.core.ledger.fold import JournalRecord
    from kiejobs.core.ledger.ledger import Ledger

Purchase: TypeAlias = tuple[str, int]


class History:
    """The journals in the order of their ids. `live_run` is the run that may buy at this moment."""

    def __init__(self, records: Sequence[JournalRecord], live_run: str | None = None) -> None:
        self.records = records
        self.live_run = live_run
        self._ledgers: dict[str | None, Ledger] = {}

    def ledger(self, origin: str | None) -> Ledger:
        """What was bought from one API; from all, where that is None."""
        if origin not in self._ledgers:
            self._ledgers[origin] = fold(self.records, origin)
        return self._ledgers[origin]

    def ledger_of(self, record: JournalRecord) -> Ledger:
        """A run sees all purchases from its own API."""
        return self.ledger(record.header.origin if record.header else None)

    def elsewhere(self, origin: str) -> Ledger:
        """What was bought from other APIs, into the same folders."""
        return fold(one for one in self.records if one.header and one.header.origin != origin)

    def record(self, run_id: str) -> JournalRecord | None:
        return next((one for one in self.records if one.run_id == run_id), None)

    def manifest(self, record: JournalRecord) -> bytes:
        """The manifest that the journals call for."""
        return to_bytes(manifest(record, self.ledger_of(record)))

    def with_stale_manifests(self, changed: Callable[[JournalRecord], bool]) -> list[JournalRecord]:
        """The runs whose manifest may differ, since these journals `changed`.

        Manifests of earlier runs that show the same purchases are among them. A run that is at work
        writes its manifest at its end.
        """
        settled = [one for one in self.records if not one.live and one.header]
        seeds = {one.run_id: self._touched(one) for one in settled if changed(one)}
        touched = set[Purchase]().union(*seeds.values())
        return [
            one
            for one in settled
            if one.run_id in seeds or not touched.isdisjoint(self._shown(one))
        ]

    def _touched(self, record: JournalRecord) -> set[Purchase]:
        """The purchases that a journal has something to say about: their state may have changed."""
        ledger = self.ledger_of(record)
        named = (getattr(timed.event, "attempt_id", None) for timed in record.events)
        attempts = (ledger.attempt(name) for name in named if name is not None)
        return {
            *_purchases(record, e.Adopted),
            *(attempt.key for attempt in attempts if attempt is not None),
        }

    def _shown(self, record: JournalRecord) -> set[Purchase]:
        """The purchases that its manifest shows: what it touched, and what it only planned."""
        return {*_purchases(record, e.Planned), *self._touched(record)}

    def updated(self, records: Sequence[JournalRecord], live_run: str | None) -> History:
        """These journals as read later; what was folded is kept where it can't have changed."""
        later = History(records, live_run)
        if len(records) == len(self.records) and all(map(_says_the_same, self.records, records)):
            later._ledgers = self._ledgers
        return later


def _purchases(record: JournalRecord, kind: type[e.Adopted | e.Planned]) -> set[Purchase]:
    lines = (timed.event for timed in record.events)
    return {(line.fingerprint, line.take) for line in lines if isinstance(line, kind)}


def _says_the_same(was: JournalRecord, now: JournalRecord) -> bool:
    """Nothing was added but a run's end, from which nothing is derived."""
    if was.run_id != now.run_id or was.live != now.live:
        return False
    known = len(was.events)
    ends = all(isinstance(timed.event, e.RunFinished) for timed in now.events[known:])
    return was.events is now.events or (ends and was.events[:known] == now.events[:known])
