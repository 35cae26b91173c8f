"""What the YAML reader finds wrong, and when it gives up.

In: codes, messages and spots. Out: `Findings.problems`, and `StopReading` when reading on is pointless.
Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.syntax_errors import bare_template, depth_problem

if TYPE_CHECKING:
    from kiejobs.core.document.nodes import Spot

MAX_PROBLEMS = 1_000
"""Where reading on tells nobody anything more."""


class StopReading(Exception):
    """Nothing further can be learnt from this file; what is wrong is in the findings."""


class Findings:
    """`usable` turns False when what was read is not what the file says."""

    def __init__(self, name: str) -> None:
        self.problems: list[Diagnostic] = []
        self.usable = True
        self._name = name

    def add(
        self, code: str, message: str, spot: Spot, hint: str | None = None, also: Spot | None = None
    ) -> None:
        """Raises StopReading when there are too many."""
        others = () if also is None else (Place(self._name, *also),)
        place = Place(self._name, *spot)
        self._add(Diagnostic(code, message, place, hint, also=others))

    def bare_template(self, spot: Spot) -> None:
        """`{{ x }}` without quotes was read as a mapping with a mapping for its key."""
        self._add(bare_template(Place(self._name, *spot)))

    def too_deep(self, spot: Spot) -> NoReturn:
        self._add(depth_problem(Place(self._name, *spot)))
        self.stop()

    def fatal(self, code: str, message: str, spot: Spot, hint: str | None = None) -> NoReturn:
        self.add(code, message, spot, hint)
        self.stop()

    def stop(self) -> NoReturn:
        self.usable = False
        raise StopReading

    def _add(self, problem: Diagnostic) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            self.stop()
