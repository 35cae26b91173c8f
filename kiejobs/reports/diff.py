"""Edits of requests: fields that differ, the same edit of many jobs once, texts word by word.

In: edits, their totals. Out: `DiffView`, with groups of jobs whose fields differ in the same words; text;
the document of schemas/documents/render-diff.schema.json. Touches nothing. Texts come from strangers, and
comparing two can take time by the product of their lengths: all comparisons of a report share one measure.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING, Final

from kiejobs.core.document.nodes import with_texts
from kiejobs.core.plan.request_diff import Kind
from kiejobs.reports.diagnostics import problem_document
from kiejobs.reports.documents import FORMAT_VERSION, diff_document, json_rows
from kiejobs.reports.terminal import Paint, plural, sanitize, shortened, shortened_left, width

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.plan.plan import FieldChange
    from kiejobs.core.plan.request_diff import Edit

_SHORT: Final = 56
"""Columns up to which a text is shown in full, as it was and as it is."""

SIGNS: Final = {Kind.ADDED: "+", Kind.GONE: "-", Kind.CHANGED: "±", Kind.MOVED: ">", Kind.UNCLEAR: "?"}
_COUNTED: Final = (Kind.CHANGED, Kind.ADDED, Kind.GONE, Kind.MOVED, Kind.UNCLEAR, Kind.UNCHANGED)


@dataclass(frozen=True, slots=True)
class FieldEdit:
    """One field; `pieces` of a text, None where the two values are shown as they are."""

    change: FieldChange
    pieces: tuple[Piece, ...] | None = None
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that were edited in the same words; `fields` are those of the first one."""

    fields: tuple[FieldEdit, ...]
    addresses: list[str] = field(default_factory=list)

    @property
    def shown(self) -> Iterator[FieldEdit]:
        """Of several jobs the words that all have in common, of a single one a short text in full."""
        is_single = len(self.addresses) == 1
        return (FieldEdit(one.change) if is_single and one.is_short else one for one in self.fields)


@dataclass(frozen=True)
class DiffView:
    """A job file's edits since a revision: as that was typed, and its commit.

    `existed` is false where there was no such file; `problems` are what was wrong with it then.
    """

    campaign: str
    file: str
    revision: str
    commit: str
    existed: bool = True
    problems: Sequence[Diagnostic] = ()
    edits: Sequence[Edit] = ()
    totals: Mapping[Kind, int] = field(default_factory=dict)

    @property
    def when(self) -> str:
        """`main (1a2b3c4d5e6f)`, cleaned."""
        return f"{shortened(sanitize(self.revision), 60)} ({self.commit[:12]})"

    @property
    def counts(self) -> str:
        """`2 changed, 1 added, 5 unchanged`."""
        counted = ((self.totals.get(kind, 0), kind) for kind in _COUNTED)
        return ", ".join(f"{count:,} {kind}" for count, kind in counted if count) or "no jobs"

    @property
    def remarks(self) -> Iterator[str]:
        """What a reader must know of the other side."""
        if not self.existed:
            yield "There was no such job file then."
        if self.problems:
            yield f"It was not valid then: {plural(len(self.problems), 'problem')}."
        if unclear := self.totals.get(Kind.UNCLEAR, 0):
            yield f"{plural(unclear, 'job')} can't be compared with what could not be rendered."

    @cached_property
    def groups(self) -> list[Group]:
        """The same edit of many jobs once, in the order of the first of them."""
        texts, edits = TextDiff(), SameEdits()
        groups: dict[Hashable, Group] = {}
        for edit in self.edits:
            if edit.kind is Kind.CHANGED:
                key = edits.key(edit.fields)
                if key not in groups:
                    groups[key] = Group(tuple(_field_edit(change, texts) for change in edit.fields))
                groups[key].addresses.append(edit.address)
        return list(groups.values())

    @property
    def others(self) -> list[Edit]:
        """What is not changed, but added, gone, moved or unclear, by kind."""
        kinds = [kind for kind in SIGNS if kind is not Kind.CHANGED]
        return [edit for kind in kinds for edit in self.edits if edit.kind is kind]


def _field_edit(change: FieldChange, texts: TextDiff) -> FieldEdit:
    was, now = change.was, change.now
    is_file = any(text in (change.files or {}) for text in (was, now) if isinstance(text, str))
    if is_file or not (isinstance(was, str) and isinstance(now, str)):
        return FieldEdit(change)
    pieces = tuple(texts.pieces(was, now))
    is_short = max(width(was), width(now)) <= _SHORT
    if is_short and not any(piece.sign == "=" and piece.text.strip() for piece in pieces):
        return FieldEdit(change)
    return FieldEdit(change, pieces, is_short)


class SameEdits:
    """Finds which edits are the same: what went and what came is, wherever that was. Made once for many jobs."""

    def __init__(self) -> None:
        self._texts = TextDiff()
        self._known: dict[tuple[str, str], Hashable] = {}

    def key(self, diff: Iterable[FieldChange]) -> Hashable:
        """Equal for edits that are the same."""
        return tuple(self._of(change) for change in diff)

    def _of(self, change: FieldChange) -> Hashable:
        was, now = change.was, change.now
        if not (isinstance(was, str) and isinstance(now, str)):
            return change.field, repr(was), repr(now)
        middles = _middles(was, now)
        if middles not in self._known:
            pieces = self._texts.pieces(*middles)
            self._known[middles] = tuple(piece for piece in pieces if piece.sign != "=")
        return change.field, self._known[middles]


def _middles(was: str, now: str) -> tuple[str, str]:
    """Two texts without the words that both begin and end with; as quick for long texts as for short ones."""
    before = _common(was, now)
    while before and was[before - 1].isalnum():
        before -= 1
    was, now = was[before:], now[before:]
    behind = _common(was[::-1], now[::-1])
    while behind and was[-behind].isalnum():
        behind -= 1
    return was[: len(was) - behind], now[: len(now) - behind]


def _common(was: str, now: str) -> int:
    return bisect_left(
        range(1, min(len(was), len(now)) + 1), x=True, key=lambda size: was[:size] != now[:size]
    )


# --- text -----------------------------------------------------------------------------------------

_AROUND = 36  # columns of what is the same, before and behind a change
_ADDRESSES = 6
_GROUPS = 500  # more than anybody reads


def diff_text(view: DiffView, *, color: bool) -> str:
    paint = Paint(color)
    lines = [line for group in view.groups[:_GROUPS] for line in _group(group, paint)]
    if more := sum(len(group.addresses) for group in view.groups[_GROUPS:]):
        lines.append(f"     {plural(more, 'more changed job')}: `--format json` has all")
    for edit in view.others:
        source = f"  moved from {sanitize(edit.source)}" if edit.source else ""
        lines.append(f"  {paint.status(SIGNS[edit.kind])}  {sanitize(edit.address)}{source}")
    head = f"{sanitize(view.campaign)}: {view.counts} since {view.when}"
    notes = [f"  {line}" for line in view.remarks]
    return "\n".join([*lines, *([""] if lines else []), paint.bold(head), *notes]) + "\n"


def _group(group: Group, paint: Paint) -> Iterator[str]:
    sign = paint.status(SIGNS[Kind.CHANGED])
    for address in group.addresses[:_ADDRESSES]:
        yield f"  {sign}  {sanitize(address)}"
    if len(group.addresses) > _ADDRESSES:
        yield f"  {sign}  … and {len(group.addresses) - _ADDRESSES:,} more, in the same words"
    for one in group.shown:
        yield f"       {sanitize(one.change.field)}: {_field(one, paint)}"


def _field(one: FieldEdit, paint: Paint) -> str:
    if one.pieces is None:
        was, now = both_words(one.change)
        return f"{paint.bad(was)} -> {paint.good(now)}"
    return "".join(_marked(sign, text, paint) for sign, text in cut(one.pieces))


def _marked(sign: str, text: str, paint: Paint) -> str:
    if sign == "-":
        return paint.bad(f"[-{text}-]")
    return paint.good(f"{{+{text}+}}") if sign == "+" else text


def cut(pieces: Sequence[Piece]) -> Iterator[tuple[str, str]]:
    """Signs and cleaned texts; of what is the same only what surrounds a change."""
    for at, piece in enumerate(pieces):
        text = sanitize(piece.text)
        if piece.sign == "=" and len(text) > 2 * _AROUND:
            before = "" if at == 0 else _beginning(text)
            behind = "" if at == len(pieces) - 1 else _beginning(text[::-1])[::-1]
            text = f"{before} {behind}" if before and behind else before + behind
        yield piece.sign, text


def _beginning(text: str) -> str:
    """Cut behind a word, where words are not too long for that."""
    kept = shortened(text, _AROUND)
    words, blank, rest = kept.rpartition(" ")
    return f"{words} …" if blank and len(rest) < _AROUND // 2 else kept


# --- the document ---------------------------------------------------------------------------------


def diff_json(view: DiffView) -> str:
    """The document, one edit a line."""
    document = {
        "format_version": FORMAT_VERSION,
        "campaign": view.campaign,
        "file": view.file,
        "revision": view.revision,
        "commit": view.commit,
        "existed": view.existed,
        "problems": [problem_document(problem) for problem in view.problems],
        "edits": [_document(edit) for edit in view.edits],
        "totals": {kind.value: view.totals.get(kind, 0) for kind in Kind},
    }
    return json_rows(document, "edits")


def _document(edit: Edit) -> dict[str, Json]:
    return {
        "address": edit.address,
        "edit": edit.kind.value,
        "moved_from": edit.source,
        "fingerprint": {"was": edit.was, "now": edit.now},
        "fields": diff_document(edit.fields),
    }


# --- two texts, word by word ----------------------------------------------------------------------

# A word with the blanks behind it; of scripts that set none, each character is one.
_WORDS = re.compile(
    r"[^\W\u0e00-\u0eff\u2e80-\U0010ffff](?:[^\W\u0e00-\u0eff\u2e80-\U0010ffff]|['\u2019])*\s*|.\s*",
    re.DOTALL,
)
_LARGEST: Final = 1_000_000
_MOST: Final = 30_000_000


@dataclass(frozen=True, slots=True)
class Piece:
    """`sign` is `=` for what both texts have, `-` for what went, `+` for what came."""

    sign: str
    text: str


class TextDiff:
    """Compares texts as long as its measure lasts, then shows only where they begin and cease to differ."""

    def __init__(self) -> None:
        self._left = _MOST

    def pieces(self, was: str, now: str) -> list[Piece]:
        one, other = _WORDS.findall(was), _WORDS.findall(now)
        before = common(one, other)
        behind = common(one[before:][::-1], other[before:][::-1])
        middle = (one[before : len(one) - behind], other[before : len(other) - behind])
        found = [
            Piece("=", "".join(one[:before])),
            *self._compared(*middle),
            Piece("=", "".join(one[len(one) - behind :])),
        ]
        return [piece for piece in _joined(found) if piece.text]

    def _compared(self, one: Sequence[str], other: Sequence[str]) -> Iterator[Piece]:
        work = len(one) * len(other)
        edits: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, len(one), 0, len(other))]
        if work <= min(_LARGEST, self._left):
            self._left -= work
            edits = SequenceMatcher(None, one, other).get_opcodes()
        for tag, a, b, c, d in edits:
            if tag == "equal":
                yield Piece("=", "".join(one[a:b]))
            else:
                yield from (Piece("-", "".join(one[a:b])), Piece("+", "".join(other[c:d])))


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """A lone blank between two changes is part of both; what is gone or came may be empty."""
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
            yield from (Piece("-", went), Piece("+", came), piece)
            went = came = ""
    yield from (Piece("-", went), Piece("+", came))


# --- fields that differ -----------------------------------------------------------------------------

# On one line each: `prompt: "…slow pour" -> "…fast pour"`. Long texts are cut around the first place where they
# differ, since prompts run to 10,000 characters.

_REF = re.compile(r"sha256:[0-9a-f]{64}")
_HASH = len("sha256:") + 12
_VALUE = 56  # for one value
_LEAD = 16  # of them for what both have in common before the difference


def diff_lines(diff: Iterable[FieldChange], paint: Paint) -> list[str]:
    """One line for each field, not indented."""
    lines = []
    for change in diff:
        was, now = both_words(change)
        lines.append(f"{sanitize(change.field)}: {paint.bad(was)} -> {paint.good(now)}")
    return lines


def both_words(change: FieldChange) -> tuple[str, str]:
    """Each on one line; texts as JSON has them, long ones cut around where they differ."""
    was, now = (with_paths(value, change.files or {}) for value in (change.was, change.now))
    if not (isinstance(was, str) and isinstance(now, str)):
        return _json(was), _json(now)
    whole = (_spelled(was), _spelled(now))
    if max(map(width, whole)) <= _VALUE:
        return f'"{whole[0]}"', f'"{whole[1]}"'
    at = common(was, now)
    return _excerpt(was, at), _excerpt(now, at)


def with_paths(value: Json, files: Mapping[str, str]) -> Json:
    """A request's value with the path of each local file next to the beginning of its hash.

    `files`: paths by reference; without one only the hash.
    """

    def named(text: str) -> str:
        short = text[:_HASH] if _REF.fullmatch(text) else text
        return f"{files[text]} ({short})" if text in files else short

    return with_texts(value, named)


def common(was: Sequence[str], now: Sequence[str]) -> int:
    """How many characters, or words, both begin with."""
    return sum(takewhile(bool, map(eq, was, now)))


def _excerpt(text: str, at: int) -> str:
    before = ("…" if at > _LEAD else "") + _spelled(text[max(at - _LEAD, 0) : at])
    behind = _spelled(text[at : at + _VALUE])
    return f'"{shortened_left(before, _LEAD)}{shortened(behind, _VALUE - _LEAD)}"'


def _json(value: Json) -> str:
    if value is None:
        return "(absent)"
    return shortened(sanitize(json.dumps(value, ensure_ascii=False)), _VALUE)


def _spelled(text: str) -> str:
    """As JSON has it, so that a line break or a blank at the end can be seen."""
    return sanitize(json.dumps(text, ensure_ascii=False)[1:-1])
