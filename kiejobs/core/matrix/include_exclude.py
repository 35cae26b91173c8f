"""Which values of which axes an exclude or include entry means.

In: axes, and entries as written (both coerced already). Out: `Filter`s over the positions of values,
and the two questions asked of a value: does it equal what an entry names, and what is it called?
Touches nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from kiejobs.core.address import label_source
from kiejobs.core.fingerprint import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.jobfile.jobfile import Axis


@dataclass(frozen=True, slots=True)
class Filter:
    """An entry's axis part as sets of value positions, one set for each axis that it names.

    Axes that are walked together count as one.
    """

    allowed: tuple[tuple[int, AbstractSet[int]], ...]

    def matches(self, positions: Sequence[int]) -> bool:
        return all(positions[axis] in wanted for axis, wanted in self.allowed)

    def size(self, sizes: Sequence[int]) -> int:
        """How many combinations of axes of these sizes it lets through."""
        left = math.prod(len(wanted) for _, wanted in self.allowed)
        named = {axis for axis, _ in self.allowed}
        return left * math.prod(size for axis, size in enumerate(sizes) if axis not in named)

    def numbers(self, sizes: Sequence[int]) -> Iterator[int]:
        """The numbers of those combinations, in order, without walking the rest."""
        chosen: list[Sequence[int]] = [range(size) for size in sizes]
        for axis, wanted in self.allowed:
            chosen[axis] = sorted(wanted & set(chosen[axis]))
        strides = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
        steps = [[at * stride for at in part] for part, stride in zip(chosen, strides, strict=True)]
        return map(sum, product(*steps))


class Matcher:
    """One axis of listed values, asked over and over for the positions of what an entry names."""

    def __init__(self, axis: Axis) -> None:
        self._values = axis.values

    def positions(self, wanted: Json) -> AbstractSet[int]:
        """Where the values stand that `equals` finds; at once, unless `wanted` is a mapping."""
        if isinstance(wanted, dict):
            return {n for n, value in enumerate(self._values) if equals(value, wanted)}
        return self._index.get(canonical(wanted), frozenset())

    @cached_property
    def _index(self) -> dict[bytes, set[int]]:
        found: dict[bytes, set[int]] = {}
        for position, value in enumerate(self._values):
            source = label_source(value)
            if source is not None or not isinstance(value, dict):
                found.setdefault(canonical(source), set()).add(position)
        return found


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
