"""A journal that retries failed writes: what the disk refused is written before what comes after it.

In: events. Out: the same, in the run's journal, together with deferred ones. Touches: the journal,
through its port. A later event of a task whose id is not on record would make it settled, and lost.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import JournalProblem

if TYPE_CHECKING:
    from kiejobs.core.ledger.events import Event
    from kiejobs.ports import Journal


class RetryingJournal:
    """The port `Journal` over another one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._deferred: list[Event] = []

    @property
    def run_id(self) -> str:
        return self._journal.run_id

    def defer(self, event: Event) -> None:
        """Write it with whatever can be written next."""
        self._deferred.append(event)

    def append(self, *events: Event) -> str:
        """All that was deferred and these, in one go or not at all; JournalProblem if that failed."""
        at = self._journal.append(*self._deferred, *events)
        self._deferred.clear()
        return at

    def flush(self) -> None:
        """A last try. What the disk still refuses stays in doubt."""
        if self._deferred:
            with suppress(JournalProblem):
                self.append()
