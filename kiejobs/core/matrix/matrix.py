"""The combinations of a job: axes, exclude, include. GitHub Actions' algorithm, made strict.

In: axes with their values, exclude and include entries (all coerced already). Out: `Rows`, which walks its
combinations one by one. Touches nothing.

Axes in file order, the last varies fastest. `exclude` first: an entry drops the rows that equal every
leaf it names. Then `include`, entry by entry: keys that are axes filter, other keys are added to the
rows that match (a later one overwrites an earlier extra, never an axis); an entry that matches no row
is appended as a new row. Values are compared strictly, by their canonical JSON.

Axes that are zipped are walked together, as one dimension in the place of the first of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.jobfile import Entry
    from kiejobs.core.matrix.axis_values import AxisValues

Value = TypeVar("Value")

_LONG_TO_COMPARE = 10_000_000


ValueRef: TypeAlias = tuple[int, int]
"""Which value it is: an axis' number and a position; `(~entry, 0)` for what an include entry gives.

Two rows share a value where they share its reference.
"""

Row: TypeAlias = "Mapping[str, ValueRef]"
"""One combination: axes and extras alike, by name."""


class Rows:
    """The rows of one matrix. A matrix without axes or include has one.

    `names` are the keys that make a row's address: the axes, or, where a matrix has only `include`,
    all keys of its entries. `work` and `product_size` are known at once; everything else may take
    as long as `work` says.
    """

    def __init__(
        self,
        axes: Mapping[str, AxisValues],
        exclude: Sequence[Entry] = (),
        include: Sequence[Entry] = (),
        zipped: Sequence[Sequence[str]] = (),
    ) -> None:
        """Each group in `zipped` names axes of equal length that are walked together."""
        self.axes = axes
        self._exclude = exclude
        self._include = include
        self._number = {name: number for number, name in enumerate(axes)}
        group_of = {name: number for number, group in enumerate(zipped) for name in group}
        sizes: dict[int | str, int] = {}
        for name, values in axes.items():
            sizes.setdefault(group_of.get(name, name), len(values))
        self._sizes = list(sizes.values())
        numbers = {group: number for number, group in enumerate(sizes)}
        self._dimension = {name: numbers[group_of.get(name, name)] for name in axes}

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.axes) or tuple(dict.fromkeys(key for e in self._include for key in e.values))

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
        return self.product_size - len(self._exclusion[0]) + len(self.appended)

    def __iter__(self) -> Iterator[Row]:
        return self.walk(lambda _name, ref: ref)

    def walk(self, value_of: Callable[[str, ValueRef], Value]) -> Iterator[dict[str, Value]]:
        """The rows of the product that survive, the last axis varying fastest; then the appended ones.

        A row holds what `value_of` makes of a name and a reference, each asked for once.
        """
        excluded = self._exclusion[0]
        enriching = [(entry, _row(extras, value_of)) for entry, extras in self._enriching]
        columns = [
            (name, [value_of(name, (number, at)) for at in range(len(values))], self._dimension[name])
            for number, (name, values) in enumerate(self.axes.items())
        ]
        combinations = product(*map(range, self._sizes)) if self.product_size else ()
        for number, positions in enumerate(combinations):
            if number in excluded:
                continue
            row = {name: values[positions[dimension]] for name, values, dimension in columns}
            for entry, extras in enriching:
                if entry.matches(positions):
                    row.update(extras)
            yield row
        yield from (_row(row, value_of) for row in self.appended.values())

    def value(self, name: str, ref: ValueRef) -> Json:
        """The value that a reference means, under a row's `name`."""
        number, position = ref
        return self._include[~number].values[name] if number < 0 else self.axes[name][position]

    @property
    def useless_excludes(self) -> tuple[int, ...]:
        """The numbers of exclude entries that remove no row that was still there."""
        return self._exclusion[1]

    @cached_property
    def appended(self) -> Mapping[int, Row]:
        """The include entries that match no surviving row, by number: each becomes a row of its own."""
        return {
            number: {key: self._ref(key, value, number) for key, value in entry.values.items()}
            for number, entry in enumerate(self._include)
            if not self._matches_any(entry)
        }

    @cached_property
    def _exclusion(self) -> tuple[frozenset[int], tuple[int, ...]]:
        """The numbers of the rows that are gone, and those of the entries that remove none."""
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
        excluded = self._exclusion[0]
        return any(row not in excluded for row in self._filter(entry).numbers(self._sizes))

    @cached_property
    def _enriching(self) -> list[tuple[_Filter, Row]]:
        found: list[tuple[_Filter, Row]] = []
        for number, entry in enumerate(self._include):
            extras = {key: (~number, 0) for key in entry.values if key not in self.axes}
            if extras and number not in self.appended:
                found.append((self._filter(entry), extras))
        return found

    def _filter(self, entry: Entry) -> _Filter:
        allowed: dict[int, AbstractSet[int]] = {}
        for key, value in entry.values.items():
            if key in self.axes:
                wanted, dimension = self.axes[key].positions(value), self._dimension[key]
                allowed[dimension] = wanted & allowed.get(dimension, wanted)
        return _Filter(allowed)

    def _comparisons(self, entry: Entry) -> int:
        """How many values must be looked at to know which ones an entry means."""
        return sum(
            len(self.axes[key]) if isinstance(value, dict) else 1
            for key, value in entry.values.items()
            if key in self.axes
        )

    def _ref(self, key: str, value: Json, entry: int) -> ValueRef:
        """An axis' own value where an entry names just one, by its name or by a part of it."""
        found = self.axes[key].positions(value) if key in self.axes else ()
        return (self._number[key], next(iter(found))) if len(found) == 1 else (~entry, 0)


def _row(row: Row, value_of: Callable[[str, ValueRef], Value]) -> dict[str, Value]:
    return {name: value_of(name, ref) for name, ref in row.items()}


@dataclass(frozen=True, slots=True)
class _Filter:
    """What an entry says of axes: for each dimension that it names the positions that it allows."""

    allowed: Mapping[int, AbstractSet[int]]

    def matches(self, positions: Sequence[int]) -> bool:
        return all(positions[axis] in wanted for axis, wanted in self.allowed.items())

    def size(self, sizes: Sequence[int]) -> int:
        """How many combinations of dimensions of these sizes it lets through."""
        left = math.prod(map(len, self.allowed.values()))
        return left * math.prod(size for axis, size in enumerate(sizes) if axis not in self.allowed)

    def numbers(self, sizes: Sequence[int]) -> Iterator[int]:
        """The numbers of those combinations, in order, without walking the rest."""
        chosen: list[Sequence[int]] = [range(size) for size in sizes]
        for axis, wanted in self.allowed.items():
            chosen[axis] = sorted(wanted)
        strides = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
        steps = [[at * stride for at in part] for part, stride in zip(chosen, strides, strict=True)]
        return map(sum, product(*steps))
