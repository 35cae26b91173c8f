"""Edits of requests as reports show them: the same edit of many jobs once, texts word by word.

In: edits, one by one. Out: groups of jobs whose fields differ in the same words; `Piece`s of texts, from
which either text can be put together again. Touches nothing, and keeps no more groups than anybody reads.

Texts come from strangers, and comparing two can take time by the product of their lengths. So what both
begin and end with is set aside first, and what is left is compared by words, by sentences, or not at all,
as its size allows; all comparisons of one report have one measure together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from kiejobs.core.fingerprint import canonical
from kiejobs.core.plan.request_diff import Kind
from kiejobs.reports.terminal import width

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from kiejobs.core.plan.plan import FieldChange
    from kiejobs.core.plan.request_diff import Edit


_MOST_GROUPS: Final = 500
_SHORT: Final = 56
"""Columns up to which a text is shown whole, as it was and as it is."""


@dataclass(frozen=True, slots=True)
class FieldEdit:
    """One field; `pieces` of a text, None where the two values are told as they are."""

    change: FieldChange
    pieces: tuple[Piece, ...] | None = None
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that were edited in the same words; `fields` are those of the first one."""

    kind: Kind
    fields: tuple[FieldEdit, ...]
    addresses: list[str] = field(default_factory=list)

    @property
    def told(self) -> Iterator[FieldEdit]:
        """Of several jobs the words that all have in common, of a single one a short text whole."""
        is_single = len(self.addresses) == 1
        return (FieldEdit(one.change) if is_single and one.is_short else one for one in self.fields)


class EditGroups:
    """`add` each edit, then ask. `cut` counts changed jobs that there was no room for."""

    def __init__(self) -> None:
        self._diff = TextDiff()
        self._changed: dict[Hashable, Group] = {}
        self.others: list[Edit] = []
        self.cut = 0

    @property
    def changed(self) -> Sequence[Group]:
        return list(self._changed.values())

    def of(self, kind: Kind) -> Iterator[Edit]:
        return (edit for edit in self.others if edit.kind is kind)

    def add(self, edit: Edit) -> None:
        if edit.kind is not Kind.CHANGED:
            self.others.append(_bare(edit))
            return
        fields = tuple(map(self._field, edit.fields))
        key = tuple(map(_words_of, fields))
        if key not in self._changed and len(self._changed) >= _MOST_GROUPS:
            self.cut += 1
        else:
            self._changed.setdefault(key, Group(edit.kind, fields)).addresses.append(edit.address)

    def _field(self, change: FieldChange) -> FieldEdit:
        was, now = change.was, change.now
        is_file = any(text in (change.files or {}) for text in (was, now) if isinstance(text, str))
        if is_file or not (isinstance(was, str) and isinstance(now, str)):
            return FieldEdit(change)
        pieces = tuple(self._diff.pieces(was, now))
        is_short = max(width(was), width(now)) <= _SHORT
        if is_short and not any(piece.sign == "=" and piece.text.strip() for piece in pieces):
            return FieldEdit(change)
        return FieldEdit(change, pieces, is_short)


def _bare(edit: Edit) -> Edit:
    """Without its fields, which nobody lists."""
    return type(edit)(edit.address, edit.kind, source=edit.source, was=edit.was, now=edit.now)


def _words_of(one: FieldEdit) -> Hashable:
    """What makes an edit the same as another: what went and what came, wherever that stood."""
    if one.pieces is None:
        return (one.change.field, canonical(one.change.was), canonical(one.change.now))
    return (one.change.field, *(piece for piece in one.pieces if piece.sign != "="))


# --- two texts, word by word ----------------------------------------------------------------------


# A word with the blanks behind it; of scripts that set none, each character is one.
_WORDS = re.compile(
    r"[^\W\u0e00-\u0eff\u2e80-\U0010ffff](?:[^\W\u0e00-\u0eff\u2e80-\U0010ffff]|['\u2019])*\s*|.\s*",
    re.DOTALL,
)
_ENDS = r".,;:!?\n\u3002\uff01\uff0c\uff1a\uff1b\uff1f"
_SENTENCES = re.compile(rf"[^{_ENDS}]+[{_ENDS}]*\s*|.", re.DOTALL)
_LARGEST: Final = 1_000_000
_MOST: Final = 30_000_000


@dataclass(frozen=True, slots=True)
class Piece:
    """`sign` is `=` for what both texts have, `-` for what went, `+` for what came."""

    sign: str
    text: str


class TextDiff:
    """Compares texts as long as its measure lasts, then tells only where they begin and cease to differ."""

    def __init__(self) -> None:
        self._left = _MOST

    def pieces(self, was: str, now: str) -> list[Piece]:
        one, other = _WORDS.findall(was), _WORDS.findall(now)
        before = _common(one, other)
        behind = _common(one[before:][::-1], other[before:][::-1])
        middle = (one[before : len(one) - behind], other[before : len(other) - behind])
        found = [
            Piece("=", "".join(one[:before])),
            *self._compared(*middle),
            Piece("=", "".join(one[len(one) - behind :])),
        ]
        return list(_joined(found))

    def _compared(self, one: Sequence[str], other: Sequence[str]) -> Iterator[Piece]:
        if len(one) * len(other) > _LARGEST:
            one, other = (_SENTENCES.findall("".join(words)) for words in (one, other))
        work = len(one) * len(other)
        if work > min(_LARGEST, self._left):
            yield from (Piece("-", "".join(one)), Piece("+", "".join(other)))
            return
        self._left -= work
        for tag, a, b, c, d in SequenceMatcher(None, one, other).get_opcodes():
            if tag == "equal":
                yield Piece("=", "".join(one[a:b]))
            else:
                yield Piece("-", "".join(one[a:b]))
                yield Piece("+", "".join(other[c:d]))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Without empty ones; a lone blank between two changes is part of both."""
    kept = [piece for piece in pieces if piece.text]
    went = came = ""
    for at, piece in enumerate(kept):
        is_last = at == len(kept) - 1
        if piece.sign == "-":
            went += piece.text
        elif piece.sign == "+":
            came += piece.text
        elif not piece.text.strip() and (went or came) and not is_last:
            went, came = went + piece.text, came + piece.text
        else:
            yield from _changed(went, came)
            yield piece
            went = came = ""
    yield from _changed(went, came)


def _changed(went: str, came: str) -> Iterator[Piece]:
    if went:
        yield Piece("-", went)
    if came:
        yield Piece("+", came)
