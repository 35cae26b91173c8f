"""`render --diff` for people, and as a document in a stream.

In: edits, one by one, their totals, what they are held against. Out: text, or pieces of the document of
schemas/documents/render-diff.schema.json. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.plan.request_diff import Kind
from kiejobs.reports.diagnostics.text import problem_document
from kiejobs.reports.diff.fields import both_words
from kiejobs.reports.diff.view import EditGroups
from kiejobs.reports.documents import FORMAT_VERSION, diff_document, json_text
from kiejobs.reports.terminal import Paint, plural, sanitize, shortened, shortened_left

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.plan.request_diff import Edit
    from kiejobs.reports.diff.view import FieldEdit, Group, Piece

SIGNS = {Kind.ADDED: "+", Kind.GONE: "-", Kind.CHANGED: "±", Kind.MOVED: ">", Kind.UNCLEAR: "?"}
_AROUND = 36  # columns of what is the same, before and behind a change
_ADDRESSES = 6


@dataclass(frozen=True, slots=True)
class PolicyHold:
    """What a job file is held against: its name, the revision as it was typed, its commit.

    `existed` is false where there was no such file; `problems` are what was wrong with it then.
    """

    campaign: str
    file: str
    revision: str
    commit: str
    existed: bool = True
    problems: Sequence[Diagnostic] = ()

    @property
    def when(self) -> str:
        """`main (1a2b3c4d5e6f)`, cleaned."""
        return f"{shortened(sanitize(self.revision), 60)} ({self.commit[:12]})"


class DiffText:
    """`add` each edit, then ask for the `text`."""

    def __init__(self, held: PolicyHold, *, color: bool) -> None:
        self._held = held
        self._paint = Paint(color)
        self._groups = EditGroups()

    def add(self, edit: Edit) -> None:
        self._groups.add(edit)

    def text(self, totals: Mapping[Kind, int]) -> str:
        paint, groups = self._paint, self._groups
        lines = [line for group in groups.changed for line in self._group(group)]
        if groups.cut:
            lines.append(f"     {plural(groups.cut, 'more changed job')}: `--format json` has all")
        for edit in sorted(groups.others, key=lambda edit: list(SIGNS).index(edit.kind)):
            source = f"  moved from {sanitize(edit.source)}" if edit.source else ""
            lines.append(f"  {paint.sign(SIGNS[edit.kind])}  {sanitize(edit.address)}{source}")
        head = f"{sanitize(self._held.campaign)}: {counted(totals)} since {self._held.when}"
        notes = [f"  {line}" for line in remarks_on(self._held, totals)]
        return "\n".join([*lines, *([""] if lines else []), paint.bold(head), *notes]) + "\n"

    def _group(self, group: Group) -> Iterator[str]:
        sign = self._paint.sign(SIGNS[group.kind])
        for address in group.addresses[:_ADDRESSES]:
            yield f"  {sign}  {sanitize(address)}"
        if len(group.addresses) > _ADDRESSES:
            yield f"  {sign}  … and {len(group.addresses) - _ADDRESSES:,} more, in the same words"
        for one in group.told:
            yield f"       {sanitize(one.change.field)}: {self._field(one)}"

    def _field(self, one: FieldEdit) -> str:
        if one.pieces is None:
            was, now = both_words(one.change)
            return f"{self._paint.bad(was)} -> {self._paint.good(now)}"
        return "".join(self._marked(sign, text) for sign, text in cut(one.pieces))

    def _marked(self, sign: str, text: str) -> str:
        if sign == "-":
            return self._paint.bad(f"[-{text}-]")
        return self._paint.good(f"{{+{text}+}}") if sign == "+" else text


class DiffJson:
    """The document, one edit a line: `begin`, `line` for each edit, `end`."""

    def __init__(self, held: PolicyHold) -> None:
        self._held = held
        self._comma = ""

    def begin(self) -> str:
        first = {
            "format_version": FORMAT_VERSION,
            "campaign": self._held.campaign,
            "file": self._held.file,
            "revision": self._held.revision,
            "commit": self._held.commit,
            "existed": self._held.existed,
            "problems": [problem_document(problem) for problem in self._held.problems],
        }
        return f'{json_text(first, None)[:-1]}, "edits": ['

    def line(self, edit: Edit) -> str:
        comma, self._comma = self._comma, ","
        told = {
            "address": edit.address,
            "edit": edit.kind.value,
            "moved_from": edit.source,
            "fingerprint": {"was": edit.was, "now": edit.now},
            "fields": diff_document(edit.fields),
        }
        return f"{comma}\n{json_text(told, None)}"

    def end(self, totals: Mapping[Kind, int]) -> str:
        counts: dict[str, Json] = {kind.value: totals[kind] for kind in Kind}
        return f"\n], {json_text({'totals': counts}, None)[1:]}\n"


def counted(totals: Mapping[Kind, int]) -> str:
    """`2 changed, 1 added, 5 unchanged`."""
    order = (Kind.CHANGED, Kind.ADDED, Kind.GONE, Kind.MOVED, Kind.UNCLEAR, Kind.UNCHANGED)
    told = [f"{totals[kind]:,} {kind}" for kind in order if totals[kind]]
    return ", ".join(told) or "no jobs"


def remarks_on(held: PolicyHold, totals: Mapping[Kind, int]) -> Iterator[str]:
    """What a reader must know of the other side."""
    if not held.existed:
        yield "There was no such job file then."
    if held.problems:
        yield f"It was not valid then: {plural(len(held.problems), 'problem')}."
    if totals[Kind.UNCLEAR]:
        yield f"{plural(totals[Kind.UNCLEAR], 'job')} can't be compared with what could not be rendered."


def cut(pieces: Sequence[Piece]) -> Iterator[tuple[str, str]]:
    """Signs and cleaned texts; of what is the same only what stands around a change."""
    for at, piece in enumerate(pieces):
        text = sanitize(piece.text)
        if piece.sign == "=" and len(text) > 2 * _AROUND:
            before = "" if at == 0 else _beginning(text)
            behind = "" if at == len(pieces) - 1 else _end(text)
            text = f"{before} {behind}" if before and behind else before + behind
        yield piece.sign, text


def _beginning(text: str) -> str:
    """Cut behind a word, where words are not too long for that."""
    kept = shortened(text, _AROUND)
    words, blank, rest = kept.rpartition(" ")
    return f"{words} …" if blank and len(rest) < _AROUND // 2 else kept


def _end(text: str) -> str:
    kept = shortened_left(text, _AROUND)
    rest, blank, words = kept.partition(" ")
    return f"… {words}" if blank and len(rest) < _AROUND // 2 else kept
