"""The combinations of a job: axes, exclude, include. GitHub Actions' algorithm, made strict.

In: axes with their values (coerced already), exclude and include entries. Out: `Rows`, in which a
combination is a number; nothing but the numbers of excluded rows is held. Touches nothing.

Axes in file order, the last varies fastest. `exclude` first: an entry drops the rows that equal every
leaf it names. Then `include`, entry by entry: keys that are axes filter, other keys are added to the
rows that match (a later one overwrites an earlier extra, never an axis); an entry that matches no row
is appended as a new row. Values are compared strictly, by their canonical JSON.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from kiejobs.core.matrix_filter import Filter, Matcher

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.matrix_filter import Axis, Entry
    from kiejobs.core.types import Json

_LONG_TO_COMPARE = 10_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One combination: `values` holds axes and extras alike; `origin` says where it came from.

    `origin` is None for a row of the product, else the number of the include entry that made it.
    """

    values: Mapping[str, Json]
    origin: int | None = None


class Rows:
    """The rows of one matrix, each known by its number. A matrix without axes or include has one.

    `names` are the keys that make a row's address: the axes, or, where a matrix has only `include`,
    all keys of its entries. `work` and `product_size` are known at once; everything else may take
    as long as `work` says.
    """

    def __init__(
        self, axes: Sequence[Axis], exclude: Sequence[Entry] = (), include: Sequence[Entry] = ()
    ) -> None:
        self.axes = tuple(axes)
        self._exclude = tuple(exclude)
        self._include = tuple(include)
        self._position = {axis.name: number for number, axis in enumerate(self.axes)}
        self._matchers = [Matcher(axis) for axis in self.axes]
        self._sizes = [len(axis.values) for axis in self.axes]

    @cached_property
    def names(self) -> tuple[str, ...]:
        if self.axes:
            return tuple(axis.name for axis in self.axes)
        return tuple(dict.fromkeys(key for entry in self._include for key in entry.values))

    @cached_property
    def product_size(self) -> int:
        """How many rows the axes make before exclude and include."""
        if not self.axes:
            return 0 if self._include else 1
        return math.prod(self._sizes)

    @cached_property
    def work(self) -> int:
        """How many steps walking all rows takes, without walking; a guard against a hostile matrix."""
        comparing = sum(map(self._comparisons, (*self._exclude, *self._include)))
        if comparing > _LONG_TO_COMPARE:
            return comparing
        walking = self.product_size * (1 + len(self._include)) + len(self._include)
        removing = sum(self._filter(entry).size(self._sizes) for entry in self._exclude)
        return comparing + walking + removing

    def __len__(self) -> int:
        return self.product_size - len(self._excluded) + len(self.appended)

    def __iter__(self) -> Iterator[Row]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Row:
        """Row `number`, counted over the surviving product rows, then the appended ones."""
        surviving = self.product_size - len(self._excluded)
        if number < surviving:
            return self._product_row(self._survivors[number] if self._excluded else number)
        return self.appended[number - surviving]

    @property
    def useless_excludes(self) -> tuple[int, ...]:
        """The numbers of exclude entries that remove no row that was still there."""
        return self._exclusion[1]

    @cached_property
    def appended(self) -> tuple[Row, ...]:
        """The include entries that match no surviving row: each becomes a row of its own."""
        return tuple(
            Row({key: self._whole(key, value) for key, value in entry.values.items()}, number)
            for number, entry in enumerate(self._include)
            if not self._matches_any(entry)
        )

    def _product_row(self, number: int) -> Row:
        positions = self._positions(number)
        values = {
            axis.name: axis.values[position]
            for axis, position in zip(self.axes, positions, strict=True)
        }
        for filtered, extras in self._enriching:
            if filtered.matches(positions):
                values.update(extras)
        return Row(values)

    def _positions(self, number: int) -> list[int]:
        positions = [0] * len(self.axes)
        for place in range(len(self.axes) - 1, -1, -1):
            number, positions[place] = divmod(number, self._sizes[place])
        return positions

    @property
    def _excluded(self) -> frozenset[int]:
        return self._exclusion[0]

    @cached_property
    def _exclusion(self) -> tuple[frozenset[int], tuple[int, ...]]:
        gone: set[int] = set()
        useless = []
        for number, entry in enumerate(self._exclude):
            before = len(gone)
            if self.axes:
                gone.update(self._filter(entry).numbers(self._sizes))
            if len(gone) == before:
                useless.append(number)
        return frozenset(gone), tuple(useless)

    @cached_property
    def _survivors(self) -> array[int]:
        excluded = self._excluded
        return array("Q", (n for n in range(self.product_size) if n not in excluded))

    def _matches_any(self, entry: Entry) -> bool:
        if not self.axes:
            return False
        excluded = self._excluded
        return any(row not in excluded for row in self._filter(entry).numbers(self._sizes))

    @cached_property
    def _enriching(self) -> tuple[tuple[Filter, Mapping[str, Json]], ...]:
        appended = {row.origin for row in self.appended}
        found = []
        for number, entry in enumerate(self._include):
            extras = {
                key: value for key, value in entry.values.items() if key not in self._position
            }
            if extras and number not in appended:
                found.append((self._filter(entry), extras))
        return tuple(found)

    def _filter(self, entry: Entry) -> Filter:
        named = [key for key in entry.values if key in self._position]
        places = [self._position[key] for key in named]
        wanted = [self._matchers[at].positions(entry.values[self.axes[at].name]) for at in places]
        return Filter(tuple(zip(places, wanted, strict=True)))

    def _comparisons(self, entry: Entry) -> int:
        """How many values must be looked at to know which ones an entry means."""
        return sum(
            self._sizes[self._position[key]] if isinstance(value, dict) else 1
            for key, value in entry.values.items()
            if key in self._position
        )

    def _whole(self, key: str, value: Json) -> Json:
        """An axis' own value where an entry names just one, by its `id` or by a part of it."""
        place = self._position.get(key)
        if place is None:
            return value
        found = self._matchers[place].positions(value)
        return self.axes[place].values[next(iter(found))] if len(found) == 1 else value
