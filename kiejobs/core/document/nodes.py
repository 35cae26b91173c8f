"""A file as bytes, and as values that know their places.

In: nothing. Out: `Source`, `Document`, `YamlMap`, `YamlSeq`. Each has one maker, named in its docstring.
Touches nothing.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.diagnostics import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict of such. Not checked further by mypy."""

Spot: TypeAlias = tuple[int, int]
"""Line and column of one node, both from 1."""


LFS_POINTER = b"version https://git-lfs.github.com/spec/"
NO_POINTER = "a Git LFS pointer and not the file itself", "`git lfs pull` fetches it"
"""How a pointer begins that is there in the place of a file; what to say of one, and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file's bytes under the name that the person typed. Made by the system adapter."""

    name: str
    data: bytes

    @property
    def lines(self) -> list[str]:
        """For showing where something is wrong, whatever is in them."""
        return self.data.decode("utf-8", "replace").splitlines()


class YamlMap(dict[str, Any]):
    """A mapping that remembers the places of itself, its keys and its values. Made by the YAML reader."""

    __slots__ = ("key_spots", "spot", "value_spots")

    def __init__(self, spot: Spot = (1, 1)) -> None:
        super().__init__()
        self.spot = spot
        self.key_spots: dict[str, Spot] = {}
        self.value_spots: dict[str, Spot] = {}

    def put(self, key: str, value: Any, key_spot: Spot, value_spot: Spot) -> None:
        self[key] = value
        self.key_spots[key] = key_spot
        self.value_spots[key] = value_spot


class YamlSeq(list[Any]):
    """A list that remembers the place of each item. Made by the YAML reader."""

    __slots__ = ("item_spots", "spot")

    def __init__(self, spot: Spot = (1, 1)) -> None:
        super().__init__()
        self.spot = spot
        self.item_spots: list[Spot] = []


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document with its places and its source lines. Made by the YAML reader.

    `numbers` are the texts of those that may print otherwise than they are written, `idle_anchors` the names
    of anchors of single values that nothing uses.
    """

    name: str
    root: Any
    lines: Sequence[str]
    sha256: str
    numbers: Mapping[Spot, str] = field(default_factory=dict)
    idle_anchors: Mapping[Spot, str] = field(default_factory=dict)

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """Of the node at `path`, or its nearest ancestor that exists; with `key` of the key that holds it."""
        spot: Spot = getattr(self.root, "spot", (1, 1))
        node = self.root
        for depth, step in enumerate(path):
            last = depth == len(path) - 1
            if isinstance(node, YamlMap) and step in node:
                spots = node.key_spots if key and last else node.value_spots
                spot, node = spots.get(str(step), spot), node[str(step)]
            elif isinstance(node, YamlSeq) and isinstance(step, int) and step < len(node):
                spot, node = node.item_spots[step], node[step]
            else:
                break
        return Place(self.name, *spot)

    def at(self, spot: Spot) -> Place:
        return Place(self.name, *spot)

    def within(self, spot: Spot, text: str) -> Spot:
        """Where the value that begins at `spot` holds `text`; its beginning where the lines don't show it as it is."""
        line, column = spot
        indent = len(self.lines[line - 1]) - len(self.lines[line - 1].lstrip())
        for number, each in enumerate(self.lines[line - 1 :], line):
            if number > line and each.strip() and not each[: indent + 1].isspace():
                break  # the next value
            found = each.find(text, column - 1 if number == line else 0)
            if found >= 0:
                return number, found + 1
        return spot

    def sibling(self, name: str) -> str:
        """What a file, named by its path from the document's folder, is called by whoever typed the document's name."""
        folder = max(self.name.rfind("/"), self.name.rfind("\\")) + 1
        return posixpath.normpath(self.name[:folder] + name)


def leaves(value: Json, spot: Spot) -> Iterator[tuple[Json, Spot]]:
    """The single values in a value of a document, each with its spot."""
    if isinstance(value, YamlMap):
        for key, item in value.items():
            yield from leaves(item, value.value_spots[key])
    elif isinstance(value, YamlSeq):
        for item, at in zip(value, value.item_spots, strict=True):
            yield from leaves(item, at)
    else:
        yield value, spot


def texts_in(value: Json) -> Iterator[str]:
    """Every text in a value, at any depth; keys are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)


def plain_json(value: Json) -> Json:
    """The value as it counts: ordinary dicts and lists without places, texts `trimmed`."""
    return with_texts(value, trimmed)


def with_texts(value: Json, change: Callable[[str], Json]) -> Json:
    """The value with all texts in it changed, keys left alone."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return dict(zip(value, map(with_texts, value.values(), repeat(change)), strict=True))
    return list(map(with_texts, value, repeat(change))) if isinstance(value, list | tuple) else value


def trimmed(text: str) -> str:
    """Line breaks at the end never count, so that `|` and `|-` mean the same request."""
    return text.rstrip("\r\n")
