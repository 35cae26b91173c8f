"""`render --diff` as Markdown, for a comment on a pull request.

In: edits, one by one; their totals once all were seen. Out: one document that fits into a comment.
Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.reports.diff.fields import both_words
from kiejobs.reports.diff.text import SIGNS, counted, cut, remarks_on
from kiejobs.reports.diff.view import EditGroups
from kiejobs.reports.markdown import (
    LONG,
    LimitedText,
    cell,
    code,
    fenced,
    folded,
    left_out,
    marker,
    table,
)
from kiejobs.reports.terminal import plural, sanitize, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.plan.request_diff import Edit, Kind
    from kiejobs.reports.diff.text import PolicyHold
    from kiejobs.reports.diff.view import FieldEdit, Group

_DIFFS = 36_000  # characters for what differs
_ROWS = 20_000  # for the table
_ADDRESS = 160
_ADDRESSES = 3
_LINE = 2_000


class DiffMarkdown:
    """`add` each edit, then ask for the `text`. `file` is the job file's name below the root."""

    def __init__(self, held: PolicyHold, file: str) -> None:
        self._held = held
        self._file = file
        self._groups = EditGroups()

    def add(self, edit: Edit) -> None:
        self._groups.add(edit)

    def text(self, totals: Mapping[Kind, int]) -> str:
        held = self._held
        when = f"{code(held.revision, 60)} (`{held.commit[:12]}`)"
        parts = [
            f"{marker('render', held.campaign, self._file)}\n### kiejobs render: {code(held.campaign)}",
            f"**{counted(totals)}** since {when}",
            "\n".join(f"- {line}" for line in remarks_on(held, totals)),
            *self._differences(),
            *self._table(),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _differences(self) -> Iterator[str]:
        room = LimitedText(_DIFFS)
        for group in self._groups.changed:
            room.add("\n".join(_lines(group)))
        room.cut += self._groups.cut
        if room.kept or room.cut:
            text = fenced(room.kept, "diff") + left_out(room, "edit")
            edits = plural(len(room.kept) + room.cut, "edit")
            yield text if text.count("\n") <= LONG else folded(f"What differs: {edits}", text)

    def _table(self) -> Iterator[str]:
        rows = LimitedText(_ROWS)
        for kind in SIGNS:
            for edit in self._groups.of(kind):
                source = f"<br>from {cell(edit.source, _ADDRESS)}" if edit.source else ""
                rows.add(f"| {SIGNS[kind]} | {cell(edit.address, _ADDRESS)} | {kind}{source} |")
        if rows.kept or rows.cut:
            yield table((" ", "job", "edit"), "| :-: | :-- | :-- |", rows, "job")


def _lines(group: Group) -> Iterator[str]:
    for address in group.addresses[:_ADDRESSES]:
        yield f"@@ {shortened(sanitize(address), _ADDRESS)} @@"
    more = len(group.addresses) - _ADDRESSES
    if more > 0:
        yield f"@@ and {more:,} more, in the same words @@"
    for one in group.told:
        was, now = _both(one)
        name = shortened(sanitize(one.change.field), _ADDRESS)
        yield f"- {name}: {shortened(was, _LINE)}"
        yield f"+ {name}: {shortened(now, _LINE)}"


def _both(one: FieldEdit) -> tuple[str, str]:
    if one.pieces is None:
        return both_words(one.change)
    told = list(cut(one.pieces))
    was = "".join(text for sign, text in told if sign != "+")
    return was, "".join(text for sign, text in told if sign != "-")
