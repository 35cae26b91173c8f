"""Edits of requests, the same edit of many jobs told once.

In: edits, one by one. Out: groups of jobs whose fields differ in the same words. Touches nothing, and keeps
no more groups than anybody reads: a job file may have 100,000 jobs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kiejobs.core.fingerprint import canonical
from kiejobs.core.plan.request_diff import Kind
from kiejobs.reports.diff.words import TextDiff
from kiejobs.reports.terminal import width

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from kiejobs.core.plan.plan import FieldChange
    from kiejobs.core.plan.request_diff import Edit
    from kiejobs.reports.diff.words import Piece

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
