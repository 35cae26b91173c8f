"""What a matrix is made of: axes, and entries of `exclude` and `include`, as written.

In: nothing. Out: `Axis`, `Entry`. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.document.nodes import Json, Spot, YamlMap


class Values(Protocol):
    """An axis' values by position: a tuple, or `DataValues`, which have names too."""

    def __len__(self) -> int: ...
    def __getitem__(self, position: int, /) -> Json: ...
    def __iter__(self) -> Iterator[Json]: ...


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension: its name, its values, and where each stood.

    `source` is where the values come from, if they aren't listed; it has one spot, and no values until
    its data is read.
    """

    name: str
    values: Values
    spots: tuple[Spot, ...]
    source: YamlMap | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One exclude or include entry, with the place of each key."""

    values: Mapping[str, Json]
    spot: Spot
    key_spots: Mapping[str, Spot]
