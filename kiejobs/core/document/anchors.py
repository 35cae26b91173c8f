"""Anchors, aliases and merge keys: one value in several places.

In: what `&name` stands before, and each `*name` and `<<`. Out: the very same object each time, and
findings for names that mean nothing, loops, and bombs. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kiejobs.core.document.nodes import YamlMap, YamlSeq

if TYPE_CHECKING:
    from kiejobs.core.document.errors import Findings
    from kiejobs.core.document.nodes import Spot

MAX_ALIASED = 1_000_000
"""Nodes that all aliases together may add: ten to each of 100,000 scenes, and still walked in seconds."""


class Anchored(NamedTuple):
    """A value, how many nodes it is when written out, and its text where it can be a key."""

    value: Any
    size: int
    text: str | None = None


class Anchors:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._known: dict[str, Anchored | None] = {}
        self._aliased = 0

    def begin(self, name: str) -> None:
        """What `name` stands before is not complete yet."""
        self._known[name] = None

    def complete(self, name: str, anchored: Anchored) -> None:
        self._known[name] = anchored

    def resolve(self, name: str, spot: Spot) -> Anchored:
        """What `*name` means here. Raises Stop when aliases have added too much."""
        found = self._known.get(name)
        if found is None:
            self._no_value(name, spot)
            return Anchored(None, 1, "")
        self._aliased += found.size
        if self._aliased > MAX_ALIASED:
            message = f"aliases blow this file up by more than {MAX_ALIASED:,} nodes"
            hint = "write it with fewer or smaller anchors"
            self._findings.fatal("yaml-alias", message, spot, hint)
        return found

    def _no_value(self, name: str, spot: Spot) -> None:
        self._findings.usable = False
        if name in self._known:
            hint = "a value can't contain itself"
            self._findings.add("yaml-alias", f"`*{name}` stands inside what it names", spot, hint)
            return
        hint = (
            f"write `&{name}` before a value further up; a text that starts with `*` needs quotes"
        )
        self._findings.add("yaml-alias", f"nothing is named `&{name}`", spot, hint)


def merge_into(node: YamlMap, value: Any) -> bool:
    """Put the pairs of `<<` before the mapping's own, which win; of several the first wins.

    False, and nothing done, where `value` is neither a mapping nor a list of mappings. What it costs
    was counted when the alias was resolved.
    """
    bases = value if type(value) is YamlSeq else [value]
    if not all(type(base) is YamlMap for base in bases):
        return False
    pairs: dict[str, tuple[Any, Spot, Spot]] = {}
    for base in bases:
        for key in base:
            pairs.setdefault(key, _pair(base, key))
    pairs |= {key: _pair(node, key) for key in node}
    node.clear()
    for key, pair in pairs.items():
        node.put(key, *pair)
    return True


def _pair(node: YamlMap, key: str) -> tuple[Any, Spot, Spot]:
    return node[key], node.key_spots[key], node.value_spots[key]
