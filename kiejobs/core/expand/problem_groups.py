"""What goes wrong with rows, told once for each place, with a count and one example address.

In: slips of one row after the other. Out: diagnostics. Touches nothing.

A slip in one prompt hits thousands of combinations; it is one problem.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic, Place

if TYPE_CHECKING:
    from kiejobs.core.diagnostics import Problems
    from kiejobs.core.document.nodes import Document, Spot
    from kiejobs.core.expand.field_template import RowProblem

_MOST_WORDINGS = 5
"""So many different messages at one place are told; the rows of all further ones are counted."""

_MOST_CELLS = 20
"""So many cells of a data file, or local files, are told of, of those that one place in the job file points to."""

_OF_FILES = frozenset({"missing-file", "unfit-file", "file-path"})


@dataclass(slots=True)
class _Place:
    """One code at one spot of one job: its diagnostics by what makes them different."""

    told: dict[tuple[object, ...], Diagnostic]

    def add(self, key: tuple[object, ...], diagnostic: Diagnostic, most: int) -> None:
        if key not in self.told and len(self.told) >= most:
            key = next(reversed(self.told))
        known = self.told.get(key)
        self.told[key] = diagnostic if known is None else replace(known, count=known.count + 1)


class RowProblems:
    """`start` each row, then hand over its slips; `hit` tells whether it had any."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._places: dict[tuple[str, Spot, str], _Place] = {}
        self._job = ""
        self._address = ""
        self.hit = False

    def start(self, job: str, address: str) -> None:
        self._job = job
        self._address = address
        self.hit = False

    def slip(self, found: RowProblem, *, fold: tuple[object, ...] = ()) -> None:
        """Slips of one job at one place with the same message, or the same `fold`, are one."""
        self.hit = True
        place = self._places.setdefault((found.code, found.spot, self._job), _Place({}))
        is_one_of_many = found.cell is not None or found.code in _OF_FILES
        most = _MOST_CELLS if is_one_of_many else _MOST_WORDINGS
        key = (*(fold or (found.message, found.inside)), found.cell)
        place.add(key, self._diagnostic(found), most)

    def _diagnostic(self, found: RowProblem) -> Diagnostic:
        written = self._document.at(found.spot)
        if not found.inside:
            message = f"job `{self._job}`: {found.message}"
            also = tuple(map(self._document.at, found.also))
            if found.cell is not None:
                also = (written, *also)
            place = found.cell or written
            return Diagnostic(
                found.code, message, place, found.hint, example=self._address, also=also
            )
        # Other jobs may use the same template, so it's one problem, and not the job's.
        *users, place = (Place(self._document.beside(name), line, 1) for name, line in found.inside)
        return Diagnostic(
            code=found.code,
            message=found.message,
            place=place,
            hint=found.hint,
            example=self._address,
            also=(written, *users),
            also_words="used by",
        )

    def hand_over(self, problems: Problems) -> None:
        for place in self._places.values():
            problems.extend(tuple(place.told.values()))
