"""Builds the tree of a job file from the parser's events, one at a time, without recursion.

In: PyYAML events. Out: `Tree.root` made of YamlMap, YamlSeq and scalars, each with its line and
column, and `Tree.findings`. Touches nothing.

The file may be hostile, so nesting and what aliases add are counted as the events come: a bomb ends
at the event that goes too far, not after it is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import yaml

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.nodes import YamlMap, YamlSeq
from kiejobs.core.document.scalars import (
    TAG_PREFIX,
    BadScalar,
    plain,
    tagged,
    tagged_exactly,
    unknown_tag,
    words_only,
)
from kiejobs.core.document.syntax_errors import MAX_DEPTH, bare_template, depth_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kiejobs.core.document.nodes import Spot

MAX_EVENTS = 6_000_000
"""What 64 MB of ordinary scenes come to, and some more; `[1,1,1,…]` would take minutes and gigabytes."""

MAX_ALIASED = 1_000_000
"""Nodes that all aliases together may add: ten to each of 100,000 scenes, and still walked in seconds."""

MAX_PROBLEMS = 1_000
"""Where reading on tells nobody anything more."""

_BAD_KEY: Final = "\0bad"
_MERGE: Final = "\0merge"  # neither can be written: NUL is refused before


class _Frame:
    """A collection that is being built, and the key whose value comes next."""

    __slots__ = ("anchor", "is_map", "key", "key_spot", "merged", "node", "size", "spot")

    def __init__(self, node: Any, anchor: str | None, spot: Spot) -> None:
        self.node = node
        self.is_map = type(node) is YamlMap
        self.anchor = anchor
        self.spot = spot
        self.size = 1
        self.key: str | None = None
        self.key_spot = spot
        self.merged: tuple[Any, Spot] | None = None


class Tree:
    """One document on its way from events to values; with `exact` numbers stay text."""

    def __init__(self, name: str, text: str, *, exact: bool = False) -> None:
        self.findings = Findings(name)
        self._tagged = tagged_exactly if exact else tagged
        self._plain = words_only if exact else plain
        self._text = text
        self._documents = YamlSeq()
        self._stack = [_Frame(self._documents, None, (1, 1))]
        self._anchors = Anchors(self.findings)

    @property
    def root(self) -> Any:
        return self._documents[0] if self._documents else None

    def build(self, events: Iterable[Any]) -> None:
        """Take every event, or those up to the first that makes reading on pointless.

        Lets yaml.YAMLError through: what was found until then is kept.
        """
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._map,
            yaml.SequenceStartEvent: self._seq,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        try:
            for count, event in enumerate(events):
                handler = handlers.get(event.__class__)
                if handler is not None:
                    handler(event)
                if count > MAX_EVENTS:
                    self._too_many(_spot(event))
        except StopReading:
            return

    def _too_many(self, spot: Spot) -> None:
        message = "the file holds more values than a job file may"
        self.findings.fatal("yaml-size", message, spot, "split it into several job files")

    # --- one event each --------------------------------------------------------------------------

    def _document(self, event: Any) -> None:
        if self._documents:
            hint = "give each campaign a file of its own"
            message = "a second document begins here"
            self.findings.fatal("yaml-documents", message, _spot(event), hint)

    def _scalar(self, event: Any) -> None:
        spot = _spot(event)
        frame = self._stack[-1]
        if frame.is_map and frame.key is None:
            self._begin_pair(frame, event, spot)
            return
        value = self._value(event, spot)
        if event.anchor is not None:
            self._anchors.complete(event.anchor, Anchored(value, 1, event.value))
        self._put(frame, value, 1, spot)

    def _map(self, event: Any) -> None:
        self._open(event, YamlMap(_spot(event)), "map")

    def _seq(self, event: Any) -> None:
        self._open(event, YamlSeq(_spot(event)), "seq")

    def _open(self, event: Any, node: YamlMap | YamlSeq, tag: str) -> None:
        if len(self._stack) > MAX_DEPTH:
            self.findings.too_deep(node.spot)
        parent = self._stack[-1]
        if parent.is_map and parent.key is None:
            self._no_key(parent, node.spot, event.start_mark.index)
        if event.tag not in (None, "!", TAG_PREFIX + tag):
            self._bad_scalar(unknown_tag(event.tag), node.spot)
        if event.anchor is not None:
            self._anchors.begin(event.anchor)
        self._stack.append(_Frame(node, event.anchor, node.spot))

    def _close(self, _event: Any) -> None:
        frame = self._stack.pop()
        if frame.merged is not None and not _merge_into(frame.node, frame.merged[0]):
            message = "`<<` takes a mapping, or a list of mappings"
            self.findings.add("yaml-key", message, frame.merged[1], "name one with `*`")
        if frame.anchor is not None:
            self._anchors.complete(frame.anchor, Anchored(frame.node, frame.size))
        self._put(self._stack[-1], frame.node, frame.size, frame.spot)

    def _alias(self, event: Any) -> None:
        spot = _spot(event)
        found = self._anchors.resolve(event.anchor, spot)
        frame = self._stack[-1]
        if not frame.is_map or frame.key is not None:
            self._put(frame, found.value, found.size, spot)
        elif found.text is None:
            self._no_key(frame, spot, event.start_mark.index)
        else:
            self._expect(frame, found.text, spot)

    # --- keys ------------------------------------------------------------------------------------

    def _begin_pair(self, frame: _Frame, event: Any, spot: Spot) -> None:
        text: str = event.value
        if event.anchor is not None:
            self._anchors.complete(event.anchor, Anchored(text, 1, text))
        if event.tag is not None:
            self._value(event, spot)  # a tag changes no key, but one that means nothing is reported
        merges = text == "<<" and event.implicit[0] and event.tag is None
        self._expect(frame, _MERGE if merges else text, spot)

    def _expect(self, frame: _Frame, key: str, spot: Spot) -> None:
        first = frame.node.key_spots.get(key)
        hint = "keep one of the two"
        if key is _MERGE and frame.merged is not None:
            first, hint = frame.merged[1], "write one `<<: [*first, *second]`"
        frame.key = key if first is None else _BAD_KEY
        frame.key_spot = spot
        if first is not None:
            shown = "<<" if key is _MERGE else key[:80]
            message = f"the key `{shown}` is here twice"
            self.findings.add("yaml-duplicate-key", message, spot, hint, also=first)

    def _no_key(self, frame: _Frame, spot: Spot, index: int) -> None:
        frame.key = _BAD_KEY
        if self._text[max(index - 1, 0) : index + 1] == "{{":
            self.findings.bare_template((spot[0], spot[1] - 1))
            return
        message = "a key must be text, not a list or a mapping"
        self.findings.add("yaml-key", message, spot, "write the key as text")

    # --- values ----------------------------------------------------------------------------------

    def _value(self, event: Any, spot: Spot) -> Any:
        text: str = event.value
        try:
            if event.tag is not None:
                return self._tagged(text, event.tag)
            if event.implicit[0]:
                return self._plain(text)
        except BadScalar as problem:
            self._bad_scalar(problem, spot)
        # Only the Python parser lets "\ud800" through; no UTF-8 can carry it to the API.
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            self.findings.fatal("yaml-encoding", "half a surrogate pair is no character", spot)
        return text

    def _bad_scalar(self, problem: BadScalar, spot: Spot) -> None:
        self.findings.add(problem.code, problem.message, spot, problem.hint)

    def _put(self, frame: _Frame, value: Any, size: int, spot: Spot) -> None:
        frame.size += size
        if not frame.is_map:
            frame.node.put(value, spot)
            return
        key, frame.key = frame.key, None
        if key is _MERGE:
            frame.merged = (value, spot)
        elif key is not _BAD_KEY:
            frame.node.put(key, value, frame.key_spot, spot)


def _spot(event: Any) -> Spot:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1)


# --- one value in several places -----------------------------------------------------------------


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


def _merge_into(node: YamlMap, value: Any) -> bool:
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


# --- what is wrong -------------------------------------------------------------------------------


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
