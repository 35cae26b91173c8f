"""A journal that pays its debts first: what the disk refused is written before what comes after it.

In: events. Out: the same, in the run's journal, together with those that are owed. Touches: the journal,
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
        self._owed: list[Event] = []

    @property
    def run_id(self) -> str:
        return self._journal.run_id

    def owe(self, event: Event) -> None:
        """Write it with whatever can be written next."""
        self._owed.append(event)

    def append(self, *events: Event) -> str:
        """All that is owed and these, in one go or not at all; JournalProblem if that failed."""
        at = self._journal.append(*self._owed, *events)
        self._owed.clear()
        return at

    def pay(self) -> None:
        """A last try. What the disk still refuses stays in doubt."""
        if self._owed:
            with suppress(JournalProblem):
                self.append()
