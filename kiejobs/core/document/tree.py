"""The tree of a job file, made of the parser's events one at a time, without recursion.

In: PyYAML events. Out: `Tree.root`, of YamlMap, YamlSeq and scalars, and `Tree.problems`. Touches nothing.
The file may be hostile: nesting and what aliases add are counted as the events come. Scalars mean what YAML
1.2's core schema says (1.2.2, chapter 10.3); by PyYAML's rules `on` is true and `12:30` is 750.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

import yaml

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.nodes import Spot, YamlMap, YamlSeq
from kiejobs.core.document.wording import CHARACTER_ITSELF, HALF_A_PAIR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_EVENTS = 6_000_000
"""What 64 MB of ordinary scenes come to, and some more; `[1,1,1,…]` would take minutes and gigabytes."""

MAX_TEXT = 1_000_000
"""Characters of one text: no request takes that many, and a longer one costs gigabytes on its way to being refused."""

MAX_DEPTH = 64
"""Levels of nesting. A real job file has about 6; every later walk over the tree may recurse."""

MAX_ALIASED = 1_000_000
"""Nodes that all aliases together may add: ten to each of 100,000 scenes, and still walked in seconds."""

MAX_PROBLEMS = 1_000
"""Where reading on reports nothing new."""

_BAD_KEY: Final = "\0bad"
_MERGE: Final = "\0merge"  # neither can be written: NUL is refused before

_LONGEST_SHOWN = 1_000
_KEYED = re.compile(r"\s*(?:- +)*(?:[\w.-]+: +)?")
"""What precedes a value in its line."""

_NO_KEYS = frozenset({None, _BAD_KEY, _MERGE})

Anchored: TypeAlias = tuple[Any, int, str | None]
"""A value, how many nodes it is when written out, and its text where it can be a key."""


@dataclass(slots=True)
class _Frame:
    """A collection that is being built, and the key whose value comes next."""

    node: Any
    anchor: str | None
    is_map: bool
    size: int = 1
    key: str | None = None
    key_spot: Spot = (1, 1)
    merged: tuple[Any, Spot] | None = None


class StopReading(Exception):
    """Nothing further can be learnt from this file; what is wrong is in the problems."""


class Tree:
    """`usable` turns False when what was read is not what the file says; with `exact` numbers stay text."""

    def __init__(self, name: str, text: str, *, exact: bool = False) -> None:
        self.root: Any = None
        self.problems: list[Diagnostic] = []
        self.usable = True
        self._name = name
        self._text = text
        self._exact = exact
        self._documents = YamlSeq()
        self._stack = [_Frame(self._documents, None, is_map=False)]
        self._anchors: dict[str, Anchored | None] = {}  # None: not complete yet
        self.numbers: dict[Spot, str] = {}  # and `True`; all but integers as they are printed
        self.idle_anchors: dict[str, Spot] = {}  # of texts and numbers, until they are used
        self._aliased = 0

    def build(self, events: Iterable[Any]) -> None:
        """All events, or those before reading on is pointless. Raises yaml.YAMLError; what was found is kept."""
        try:
            self._read(events)
        except StopReading:
            return
        self.root = self._documents[0] if self._documents else None

    def _read(self, events: Iterable[Any]) -> None:
        """What nearly all of a long file is, is taken here: new keys, and texts without tag and anchor."""
        scalar: type[Any] = yaml.ScalarEvent
        stack = self._stack
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        for count, event in enumerate(events):
            frame = stack[-1]
            if event.__class__ is not scalar:
                if event.__class__ in handlers:
                    handlers[event.__class__](event)
            elif len(event.value) > MAX_TEXT:
                self._too_long(event)
            elif not frame.is_map or event.tag is not None or event.anchor is not None:
                self._scalar(event)
            else:
                text, key, mark = event.value, frame.key, event.start_mark
                if key is None and text not in frame.node and text != "<<":
                    frame.key, frame.key_spot = text, (mark.line + 1, mark.column + 1)
                elif (
                    key not in _NO_KEYS and text.isascii() and (text[:1] in _LETTERS or not event.implicit[0])
                ):
                    frame.key, frame.size = None, frame.size + 1
                    frame.node.put(key, text, frame.key_spot, (mark.line + 1, mark.column + 1))
                else:
                    self._scalar(event)
            if count > MAX_EVENTS:
                message = "the file holds more values than a job file may"
                hint = "split it into several job files"
                self.fatal("yaml-size", message, _spot(event), hint)

    # --- one event each --------------------------------------------------------------------------

    def _document(self, event: Any) -> None:
        if self._documents:
            hint = "give each campaign a file of its own"
            self.fatal("yaml-documents", "a second document begins here", _spot(event), hint)

    def _too_long(self, event: Any) -> None:
        message = f"a text of {len(event.value):,} characters; one may have {MAX_TEXT:,}"
        hint = "a file's bytes don't belong here: save it next to the job file, and write its path"
        self.fatal("yaml-size", message, _spot(event), hint)

    def _scalar(self, event: Any) -> None:
        text, frame, spot = event.value, self._stack[-1], _spot(event)
        if not frame.is_map or frame.key is not None:
            value = self._value(event, spot)
            if event.anchor is not None:
                self._anchors[event.anchor] = (value, 1, text)
                self.idle_anchors[event.anchor] = spot
            self._put(frame, value, 1, spot)
            return
        if event.anchor is not None:
            self._anchors[event.anchor] = (text, 1, text)
        if event.tag is not None:
            self._value(event, spot)  # a tag changes no key, but one that means nothing is reported
        merges = text == "<<" and event.implicit[0] and event.tag is None
        self._expect(frame, _MERGE if merges else text, spot)

    def _open(self, event: Any) -> None:
        spot, parent = _spot(event), self._stack[-1]
        is_map = event.__class__ is yaml.MappingStartEvent
        if len(self._stack) > MAX_DEPTH:
            self._add(depth_problem(Place(self._name, *spot)))
            self._stop()
        if parent.is_map and parent.key is None:
            self._no_key(parent, spot, event.start_mark.index)
        if event.tag not in (None, "!", _TAG_PREFIX + ("map" if is_map else "seq")):
            bad = _unknown_tag(event.tag)
            self.add(bad.code, bad.message, spot, bad.hint)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = YamlMap(spot) if is_map else YamlSeq(spot)
        self._stack.append(_Frame(node, event.anchor, is_map))

    def _close(self, _event: Any) -> None:
        frame = self._stack.pop()
        if frame.merged is not None and not _merge_into(frame.node, frame.merged[0]):
            message = "`<<` takes a mapping, or a list of mappings"
            self.add("yaml-key", message, frame.merged[1], "name one with `*`")
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.node, frame.size, None)
        self._put(self._stack[-1], frame.node, frame.size, frame.node.spot)

    def _alias(self, event: Any) -> None:
        spot, frame = _spot(event), self._stack[-1]
        value, size, text = self._anchors.get(event.anchor) or self._no_value(event.anchor, spot)
        self.idle_anchors.pop(event.anchor, None)
        self._note_number(text, value, spot)
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            message = f"aliases expand this file by more than {MAX_ALIASED:,} nodes"
            self.fatal("yaml-alias", message, spot, "write it with fewer or smaller anchors")
        if not frame.is_map or frame.key is not None:
            self._put(frame, value, size, spot)
        elif text is None:
            self._no_key(frame, spot, event.start_mark.index)
        else:
            self._expect(frame, text, spot)

    def _no_value(self, name: str, spot: Spot) -> Anchored:
        """The value used for an alias that means nothing here."""
        self.usable = False
        if name in self._anchors:
            message, hint = f"`*{name}` is inside the value that it names", "a value can't contain itself"
        else:
            message = f"nothing is named `&{name}`"
            hint = f"write `&{name}` before a value further up; a text that starts with `*` needs quotes"
        self.add("yaml-alias", message, spot, hint)
        return None, 1, ""

    # --- keys and values -------------------------------------------------------------------------

    def _expect(self, frame: _Frame, key: str, spot: Spot) -> None:
        first = frame.node.key_spots.get(key)
        hint = "keep one of the two"
        if key is _MERGE and frame.merged is not None:
            first, hint = frame.merged[1], "write one `<<: [*first, *second]`"
        frame.key = key if first is None else _BAD_KEY
        frame.key_spot = spot
        if first is not None:
            shown = "<<" if key is _MERGE else key[:80]
            message = f"duplicate key `{shown}`"
            self.add("yaml-duplicate-key", message, spot, hint, also=first)

    def _no_key(self, frame: _Frame, spot: Spot, index: int) -> None:
        """`{{ x }}` without quotes was read as a mapping with a mapping for its key."""
        frame.key = _BAD_KEY
        if self._text[max(index - 1, 0) : index + 1] == "{{":
            line = self._text[self._text.rfind("\n", 0, index) + 1 :].partition("\n")[0]
            self._add(bare_template(Place(self._name, spot[0], spot[1] - 1), line))
            return
        message = "a key must be text, not a list or a mapping"
        self.add("yaml-key", message, spot, "write the key as text")

    def _value(self, event: Any, spot: Spot) -> Any:
        text: str = event.value
        try:
            if event.tag is not None or event.implicit[0]:
                tag, exact = event.tag, self._exact
                value = plain(text, exact=exact) if tag is None else _tagged(text, tag, exact=exact)
                self._note_number(text, value, spot)
                return value
        except BadScalar as bad:
            self.add(bad.code, bad.message, spot, bad.hint)
        # Only the Python parser lets "\ud800" through; no UTF-8 can carry it to the API.
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            self.fatal("yaml-encoding", HALF_A_PAIR, spot, CHARACTER_ITSELF)
        return text

    def _note_number(self, text: str | None, value: Any, spot: Spot) -> None:
        if type(value) in _PRINTED_ANOTHER_WAY and (type(value) is float or _printed(value) != text):
            self.numbers[spot] = str(text)

    def _put(self, frame: _Frame, value: Any, size: int, spot: Spot) -> None:
        frame.size += size
        if not frame.is_map:
            frame.node.append(value)
            frame.node.item_spots.append(spot)
            return
        key, frame.key = frame.key, None
        if key is _MERGE:
            frame.merged = (value, spot)
        elif key is not _BAD_KEY:
            frame.node.put(key, value, frame.key_spot, spot)

    # --- what is wrong ---------------------------------------------------------------------------

    def add(
        self, code: str, message: str, spot: Spot, hint: str | None = None, also: Spot | None = None
    ) -> None:
        """Raises StopReading when there are too many."""
        others = () if also is None else (Place(self._name, *also),)
        self._add(Diagnostic(code, message, Place(self._name, *spot), hint, also=others))

    def fatal(self, code: str, message: str, spot: Spot, hint: str | None = None) -> NoReturn:
        self.add(code, message, spot, hint)
        self._stop()

    def _add(self, problem: Diagnostic) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            self._stop()

    def _stop(self) -> NoReturn:
        self.usable = False
        raise StopReading


def depth_problem(place: Place) -> Diagnostic:
    message = f"nested more than {MAX_DEPTH} levels deep"
    return Diagnostic("yaml-depth", message, place, "a job file needs about six")


def bare_template(place: Place, line: str) -> Diagnostic:
    """YAML takes `{{ x }}` for a mapping within a mapping, and `a: {{ x }}` for a second key; it says so in many ways."""
    written, before = _KEYED.match(line), line[: place.column - 1]
    if written is None or re.match(r"\[|\{(?![{%])", line[len(written[0]) :]):
        return Diagnostic("yaml-syntax", "a template without quotes", place, 'write it as "{{ … }}"')
    value = line[len(written[0]) :].rstrip()
    if len(value) > _LONGEST_SHOWN:
        return Diagnostic(
            "yaml-syntax", "a text with templates or `: ` needs quotes", place, "put it in quotes"
        )
    quoted = f'"{value}"' if not {'"', "\\"} & set(value) else "'" + value.replace("'", "''") + "'"
    has_colon = ": " in before[len(written[0]) :]
    message = "a text with `: ` needs quotes" if has_colon else "a template without quotes"
    return Diagnostic("yaml-syntax", message, place, f"write it as {quoted}")


def _spot(event: Any) -> Spot:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1)


def _merge_into(node: YamlMap, value: Any) -> bool:
    """Put the pairs of `<<` before the mapping's own, which win; of several the first wins.

    False where `value` is no mapping and no list of mappings. What it costs was counted with the alias.
    """
    bases = value if type(value) is YamlSeq else [value]
    if not all(type(base) is YamlMap for base in bases):
        return False
    pairs: dict[str, tuple[Any, Spot, Spot]] = {}
    for base in (*reversed(bases), node):
        pairs |= {key: (base[key], base.key_spots[key], base.value_spots[key]) for key in base}
    order = dict.fromkeys(key for base in (*bases, node) for key in base)
    node.clear()
    for key in order:
        node.put(key, *pairs[key])
    return True


# --- scalars -------------------------------------------------------------------------------------

MAX_EXACT_INT = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8259, section 6)."""

_TAG_PREFIX = "tag:yaml.org,2002:"
"""What `!!` means."""

_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_KINDS = {int: "int", float: "float", bool: "bool", type(None): "null"}
_LETTERS = frozenset("abcdeghijklmopqrsuvwxyzABCDEGHIJKLMOPQRSUVWXYZ")
"""What begins with one is no number, and none of `_WORDS`: text, in any place."""

_NUMBER_STARTS = frozenset("+-.0123456789")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_PRINTED_ANOTHER_WAY = frozenset({int, float, bool})
_QUOTE_IT = "put it in quotes if it is meant as text"


@dataclass(eq=False)
class BadScalar(Exception):
    """What a Diagnostic is made of."""

    code: str
    message: str
    hint: str


def plain(text: str, *, exact: bool = False) -> Any:
    """The value of an unquoted, untagged scalar. Raises BadScalar for a number that JSON can't hold."""
    if exact or text[:1] not in _NUMBER_STARTS:
        return _WORDS.get(text, text)
    if _INT.fullmatch(text):
        return _exact_int(text, 10)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
        raise BadScalar("yaml-number", f"`{text[:40]}` is too large for a number", _QUOTE_IT)
    if _OCTAL.fullmatch(text):
        return _exact_int(text[2:], 8)
    if _HEX.fullmatch(text):
        return _exact_int(text[2:], 16)
    if _NOT_FINITE.fullmatch(text):
        raise BadScalar("yaml-number", f"JSON has no number `{text}`", _QUOTE_IT)
    return text


def misprint(text: str, value: Any) -> BadScalar | None:
    """What is wrong with a value that templates would print otherwise than it is written: 3.10, 007, True."""
    if type(value) not in _PRINTED_ANOTHER_WAY or (printed := _printed(value)) == text:
        return None
    kind = "true or false" if type(value) is bool else "a number"
    message = f"`{text[:40]}` is {kind}, which would be printed as {printed}"
    return BadScalar("number-text", message, f'put it in quotes, "{text[:40]}", or write {printed}')


def _printed(value: float) -> str:
    return str(value).lower() if type(value) is bool else str(value)


def _exact_int(digits: str, base: int) -> int:
    # Looked at before it is converted: Python refuses thousands of digits, and takes its time.
    if len(digits.lstrip("+-0")) <= 18:
        value = int(digits, base)
        if -MAX_EXACT_INT <= value <= MAX_EXACT_INT:
            return value
    raise BadScalar("yaml-number", "a whole number this large is not exact in JSON", _QUOTE_IT)


def _tagged(text: str, tag: str, *, exact: bool) -> Any:
    """The value of a scalar with an explicit tag. Raises BadScalar where the two don't fit."""
    kind = tag.removeprefix(_TAG_PREFIX)
    if tag == "!" or kind == "str":
        return text
    if kind not in _KINDS.values():
        raise _unknown_tag(tag)
    value = plain(text)
    if kind == "float" and type(value) is int:
        value = float(value)
    if _KINDS.get(type(value)) != kind:
        raise BadScalar("yaml-tag", f"`{text}` is not what `!!{kind}` promises", "drop the tag")
    return text if exact and type(value) in (int, float) else value


def _unknown_tag(tag: str) -> BadScalar:
    shown = "!!" + tag.removeprefix(_TAG_PREFIX) if tag.startswith(_TAG_PREFIX) else tag
    message = f"the tag `{shown}` has no meaning in a job file"
    return BadScalar("yaml-tag", message, "drop it; a text that starts with `!` needs quotes")
