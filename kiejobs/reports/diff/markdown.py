"""`render --diff` as Markdown, for a comment on a pull request.

In: a `DiffView`. Out: one document that fits into a comment. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.reports.diff.fields import both_words
from kiejobs.reports.diff.report import cut
from kiejobs.reports.diff.view import SIGNS, DiffView, FieldEdit, Group
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
    from collections.abc import Iterator


_DIFFS = 36_000  # characters for what differs
_ROWS = 20_000  # for the table
_ADDRESS = 160
_ADDRESSES = 3
_LINE = 2_000


def diff_markdown(view: DiffView, file: str) -> str:
    """`file` is the job file's name below the root."""
    when = f"{code(view.revision, 60)} (`{view.commit[:12]}`)"
    parts = [
        f"{marker('render', view.campaign, file)}\n### kiejobs render: {code(view.campaign)}",
        f"**{view.counts}** since {when}",
        "\n".join(f"- {line}" for line in view.remarks),
        *_differences(view),
        *_table(view),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _differences(view: DiffView) -> Iterator[str]:
    room = LimitedText(_DIFFS)
    for group in view.groups:
        room.add("\n".join(_lines(group)))
    if room.kept or room.cut:
        text = fenced(room.kept, "diff") + left_out(room, "edit")
        edits = plural(len(room.kept) + room.cut, "edit")
        yield text if text.count("\n") <= LONG else folded(f"What differs: {edits}", text)


def _table(view: DiffView) -> Iterator[str]:
    rows = LimitedText(_ROWS)
    for edit in view.others:
        source = f"<br>from {cell(edit.source, _ADDRESS)}" if edit.source else ""
        rows.add(f"| {SIGNS[edit.kind]} | {cell(edit.address, _ADDRESS)} | {edit.kind}{source} |")
    if rows.kept or rows.cut:
        yield table((" ", "job", "edit"), "| :-: | :-- | :-- |", rows, "job")


def _lines(group: Group) -> Iterator[str]:
    for address in group.addresses[:_ADDRESSES]:
        yield f"@@ {shortened(sanitize(address), _ADDRESS)} @@"
    more = len(group.addresses) - _ADDRESSES
    if more > 0:
        yield f"@@ and {more:,} more, in the same words @@"
    for one in group.shown:
        was, now = _both(one)
        name = shortened(sanitize(one.change.field), _ADDRESS)
        yield f"- {name}: {shortened(was, _LINE)}"
        yield f"+ {name}: {shortened(now, _LINE)}"


def _both(one: FieldEdit) -> tuple[str, str]:
    if one.pieces is None:
        return both_words(one.change)
    pieces = list(cut(one.pieces))
    was = "".join(text for sign, text in pieces if sign != "+")
    return was, "".join(text for sign, text in pieces if sign != "-")
