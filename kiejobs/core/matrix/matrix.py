"""The combinations of a job: axes, exclude, include. GitHub Actions' algorithm, made strict.

In: axes with their values (coerced already), exclude and include entries. Out: `Rows`, which walks its
combinations one by one. Touches nothing.

Axes in file order, the last varies fastest. `exclude` first: an entry drops the rows that equal every
leaf it names. Then `include`, entry by entry: keys that are axes filter, other keys are added to the
rows that match (a later one overwrites an earlier extra, never an axis); an entry that matches no row
is appended as a new row. Values are compared strictly, by their canonical JSON.

Axes that are zipped are walked together, as one dimension that stands where the first of them does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from kiejobs.core.matrix.axis_values import DataValues
from kiejobs.core.matrix.include_exclude import Filter, Matcher

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.jobfile.jobfile import Axis, Entry

_LONG_TO_COMPARE = 10_000_000


ValueRef: TypeAlias = tuple[int, int]
"""Which value it is: an axis' number and a position; `(~entry, 0)` for what an include entry gives.

Two rows share a value where they share its reference.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One combination: `refs` holds axes and extras alike, by name.

    `origin` is None for a row of the product, else the number of the include entry that made it.
    """

    refs: Mapping[str, ValueRef]
    origin: int | None = None


class Rows:
    """The rows of one matrix. A matrix without axes or include has one.

    `names` are the keys that make a row's address: the axes, or, where a matrix has only `include`,
    all keys of its entries. `work` and `product_size` are known at once; everything else may take
    as long as `work` says.
    """

    def __init__(
        self,
        axes: Sequence[Axis],
        exclude: Sequence[Entry] = (),
        include: Sequence[Entry] = (),
        zipped: Sequence[Sequence[str]] = (),
    ) -> None:
        """Each group in `zipped` names axes of equal length that are walked together."""
        self.axes = tuple(axes)
        self._exclude = tuple(exclude)
        self._include = tuple(include)
        self._position = {axis.name: number for number, axis in enumerate(self.axes)}
        self._matchers = [
            axis.values if isinstance(axis.values, DataValues) else Matcher(axis)
            for axis in self.axes
        ]
        self._dimensions, self._sizes = self._walked(zipped)

    def _walked(self, zipped: Sequence[Sequence[str]]) -> tuple[list[int], list[int]]:
        """For each axis the dimension that it is walked in, and how long each dimension is.

        Axes that are walked together stand where the first of them stands.
        """
        group_of = {name: number for number, group in enumerate(zipped) for name in group}
        dimensions: list[int] = []
        sizes: list[int] = []
        known: dict[int, int] = {}
        for axis in self.axes:
            group = group_of.get(axis.name)
            if group is None or group not in known:
                dimensions.append(len(sizes))
                sizes.append(len(axis.values))
            else:
                dimensions.append(known[group])
            if group is not None:
                known.setdefault(group, dimensions[-1])
        return dimensions, sizes

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

    def axis(self, name: str) -> Axis | None:
        return self.axes[self._position[name]] if name in self._position else None

    def __len__(self) -> int:
        return self.product_size - len(self._excluded) + len(self.appended)

    def __iter__(self) -> Iterator[Row]:
        """The rows of the product that survive, the last axis varying fastest; then the appended ones."""
        excluded, enriching = self._excluded, self._enriching
        refs = [
            [(number, position) for position in range(len(axis.values))]
            for number, axis in enumerate(self.axes)
        ]
        columns = [
            (axis.name, of_axis, dimension)
            for axis, of_axis, dimension in zip(self.axes, refs, self._dimensions, strict=True)
        ]
        combinations = product(*map(range, self._sizes)) if self.product_size else ()
        for number, positions in enumerate(combinations):
            if number in excluded:
                continue
            row = {name: of_axis[positions[dimension]] for name, of_axis, dimension in columns}
            for entry, extras in enriching:
                if entry.matches(positions):
                    row.update(extras)
            yield Row(row)
        yield from self.appended

    def values(self, row: Row) -> dict[str, Json]:
        """The values of a row, by name."""
        return {name: self.value(name, ref) for name, ref in row.refs.items()}

    def value(self, name: str, ref: ValueRef) -> Json:
        """The value that a reference stands for, under a row's `name`."""
        axis, position = ref
        if axis < 0:
            return self._include[~axis].values[name]
        return self.axes[axis].values[position]

    @property
    def useless_excludes(self) -> tuple[int, ...]:
        """The numbers of exclude entries that remove no row that was still there."""
        return self._exclusion[1]

    @cached_property
    def appended(self) -> tuple[Row, ...]:
        """The include entries that match no surviving row: each becomes a row of its own."""
        return tuple(
            Row({key: self._ref(key, value, number) for key, value in entry.values.items()}, number)
            for number, entry in enumerate(self._include)
            if not self._matches_any(entry)
        )

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

    def _matches_any(self, entry: Entry) -> bool:
        if not self.axes:
            return False
        excluded = self._excluded
        return any(row not in excluded for row in self._filter(entry).numbers(self._sizes))

    @cached_property
    def _enriching(self) -> tuple[tuple[Filter, Mapping[str, ValueRef]], ...]:
        appended = {row.origin for row in self.appended}
        found = []
        for number, entry in enumerate(self._include):
            extras = {key: (~number, 0) for key in entry.values if key not in self._position}
            if extras and number not in appended:
                found.append((self._filter(entry), extras))
        return tuple(found)

    def _filter(self, entry: Entry) -> Filter:
        allowed: dict[int, AbstractSet[int]] = {}
        for key, value in entry.values.items():
            if key in self._position:
                place = self._position[key]
                wanted = self._matchers[place].positions(value)
                dimension = self._dimensions[place]
                allowed[dimension] = wanted & allowed.get(dimension, wanted)
        return Filter(tuple(allowed.items()))

    def _comparisons(self, entry: Entry) -> int:
        """How many values must be looked at to know which ones an entry means."""
        return sum(
            len(self.axes[self._position[key]].values) if isinstance(value, dict) else 1
            for key, value in entry.values.items()
            if key in self._position
        )

    def _ref(self, key: str, value: Json, entry: int) -> ValueRef:
        """An axis' own value where an entry names just one, by its name or by a part of it."""
        place = self._position.get(key)
        found = self._matchers[place].positions(value) if place is not None else ()
        if place is None or len(found) != 1:
            return ~entry, 0
        return place, next(iter(found))
