"""Do callbacks arrive? Then polling may be a safety net.

In: callbacks that came, tasks that were found to be over without one. Out: yes or no. Touches: only
the progress that it tells of a change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiejobs.ports import Progress

_MISSES = 3  # tasks in a row that were over before their callback came


class CallbackHealth:
    """One for all tasks of a run."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._missed = 0
        self.heard = False

    def called(self) -> None:
        self._missed = 0
        if not self.heard:
            self.heard = True
            self._progress.note("callbacks arrive: polling is only a safety net now")

    def missed(self) -> None:
        """A poll found a task over that no callback had told of."""
        self._missed += 1
        if self.heard and self._missed >= _MISSES:
            self.heard = False
            self._progress.note("callbacks have stopped: polling as usual")
