"""The combinations of a job: axes, exclude, include. GitHub Actions' algorithm, made strict.

In: axes with their values (coerced already), exclude and include entries. Out: `Rows`, in which a
combination is a number; nothing but the numbers of excluded rows is held. Touches nothing.

Axes in file order, the last varies fastest. `exclude` first: an entry drops the rows that equal every
leaf it names. Then `include`, entry by entry: keys that are axes filter, other keys are added to the
rows that match (a later one overwrites an earlier extra, never an axis); an entry that matches no row
is appended as a new row. Values are compared strictly, by their canonical JSON.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from kiejobs.core.identity import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.types import Json, Spot


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension: its name, its values, and where each stood."""

    name: str
    values: tuple[Json, ...]
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One exclude or include entry, with the place of each key."""

    values: Mapping[str, Json]
    spot: Spot
    key_spots: Mapping[str, Spot]


@dataclass(frozen=True, slots=True)
class Row:
    """One combination: `values` holds axes and extras alike; `origin` says where it came from.

    `origin` is None for a row of the product, else the number of the include entry that made it.
    """

    values: Mapping[str, Json]
    origin: int | None = None


@dataclass(frozen=True, slots=True)
class _Filter:
    """An entry's axis part as sets of value positions, one set for each axis that it names."""

    allowed: tuple[tuple[int, frozenset[int]], ...]

    def matches(self, positions: Sequence[int]) -> bool:
        return all(positions[axis] in wanted for axis, wanted in self.allowed)


class Rows:
    """The rows of one matrix, each known by its number. A matrix without axes or include has one.

    `names` are the keys that make a row's address: the axes, or, where a matrix has only `include`,
    all keys of its entries.
    """

    def __init__(
        self, axes: Sequence[Axis], exclude: Sequence[Entry] = (), include: Sequence[Entry] = ()
    ) -> None:
        self.axes = tuple(axes)
        self._exclude = tuple(exclude)
        self._include = tuple(include)
        self._position = {axis.name: number for number, axis in enumerate(self.axes)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        if self.axes:
            return tuple(axis.name for axis in self.axes)
        return tuple(dict.fromkeys(key for entry in self._include for key in entry.values))

    @property
    def product_size(self) -> int:
        """How many rows the axes make before exclude and include."""
        if not self.axes:
            return 0 if self._include else 1
        size = 1
        for axis in self.axes:
            size *= len(axis.values)
        return size

    def __len__(self) -> int:
        return self.product_size - len(self._excluded) + len(self._appended)

    def __iter__(self) -> Iterator[Row]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Row:
        """Row `number`, counted over the surviving product rows, then the appended ones."""
        surviving = self.product_size - len(self._excluded)
        if number < surviving:
            return self._product_row(self._survivors[number] if self._excluded else number)
        entry = self._appended[number - surviving]
        return Row(dict(self._include[entry].values), origin=entry)

    @property
    def useless_excludes(self) -> tuple[int, ...]:
        """The numbers of exclude entries that remove no row that was still there."""
        return self._exclusion[1]

    @property
    def work(self) -> int:
        """How many comparisons walking all rows takes; a guard against a hostile matrix."""
        return self.product_size * (1 + len(self._include))

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
            number, positions[place] = divmod(number, len(self.axes[place].values))
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
            gone.update(self._numbers(self._filter(entry)))
            if len(gone) == before:
                useless.append(number)
        return frozenset(gone), tuple(useless)

    @cached_property
    def _survivors(self) -> array[int]:
        return array("Q", (n for n in range(self.product_size) if n not in self._excluded))

    @cached_property
    def _appended(self) -> tuple[int, ...]:
        """The include entries that match no surviving row: each becomes a row of its own."""
        return tuple(
            number
            for number, entry in enumerate(self._include)
            if not any(row not in self._excluded for row in self._numbers(self._filter(entry)))
        )

    @cached_property
    def _enriching(self) -> tuple[tuple[_Filter, Mapping[str, Json]], ...]:
        appended = set(self._appended)
        found = []
        for number, entry in enumerate(self._include):
            extras = {
                key: value for key, value in entry.values.items() if key not in self._position
            }
            if extras and number not in appended:
                found.append((self._filter(entry), extras))
        return tuple(found)

    def _filter(self, entry: Entry) -> _Filter:
        allowed = []
        for key, wanted in entry.values.items():
            if key in self._position:
                place = self._position[key]
                values = self.axes[place].values
                hits = frozenset(n for n, value in enumerate(values) if equals(value, wanted))
                allowed.append((place, hits))
        return _Filter(tuple(allowed))

    def _numbers(self, filtered: _Filter) -> Iterator[int]:
        """The product's row numbers that a filter lets through, in order, without walking the rest."""
        if not self.axes:
            return
        chosen: list[Sequence[int]] = [range(len(axis.values)) for axis in self.axes]
        for place, wanted in filtered.allowed:
            chosen[place] = sorted(wanted.intersection(chosen[place]))
        yield from _combine(chosen, [len(axis.values) for axis in self.axes])


def _combine(
    chosen: Sequence[Sequence[int]], sizes: Sequence[int], start: int = 0
) -> Iterator[int]:
    if not chosen:
        yield start
        return
    for position in chosen[0]:
        yield from _combine(chosen[1:], sizes[1:], start * sizes[0] + position)


def equals(value: Json, wanted: Json) -> bool:
    """Does `value` equal every leaf that `wanted` names?

    Mappings compare key by key, naming fewer keys matches more; a plain `wanted` also names a mapping
    by its `id` or `name`. Everything else is strict: 5 is not "5", true is not 1.
    """
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(
            key in value and equals(value[key], leaf) for key, leaf in wanted.items()
        )
    if isinstance(value, dict):
        return label_source(value) is not None and equals(label_source(value), wanted)
    return canonical(value) == canonical(wanted)


def label_source(value: Json) -> Json:
    """What names an axis value in the address: itself, or a mapping's `id`, or its scalar `name`."""
    if not isinstance(value, dict):
        return value
    for key in ("id", "name"):
        if isinstance(value.get(key), str | int | float) and not isinstance(value.get(key), bool):
            return value[key]
    return None
