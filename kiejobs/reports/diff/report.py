"""`render --diff` for people, and as Markdown for a comment on a pull request.

In: a `DiffView`. Out: text; one document that fits into a comment. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.reports.diff.fields import both_words
from kiejobs.reports.diff.view import SIGNS, DiffView, FieldEdit, Group, Piece
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
from kiejobs.reports.terminal import Paint, plural, sanitize, shortened, shortened_left

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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
        lines.append(f"  {paint.sign(SIGNS[edit.kind])}  {sanitize(edit.address)}{source}")
    head = f"{sanitize(view.campaign)}: {view.counts} since {view.when}"
    notes = [f"  {line}" for line in view.remarks]
    return "\n".join([*lines, *([""] if lines else []), paint.bold(head), *notes]) + "\n"


def _group(group: Group, paint: Paint) -> Iterator[str]:
    sign = paint.sign(SIGNS[group.kind])
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


# --- Markdown, for a comment on a pull request ----------------------------------------------------


_DIFFS = 36_000  # characters for what differs
_ROWS = 20_000  # for the table
_ADDRESS = 160
_FIRST = 3
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
    for address in group.addresses[:_FIRST]:
        yield f"@@ {shortened(sanitize(address), _ADDRESS)} @@"
    more = len(group.addresses) - _FIRST
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
