"""What `models import` and `models check` report.

In: what became of each page; `CheckedModel`s, and pages that could not be read. Out: text; Markdown for an
issue; the documents of schemas/documents/models-check.schema.json, and of an import. Touches nothing.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kiejobs.core.models.changes import ABSENT
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.markdown import LIMIT, cell, code, fitting, left_out, marker, table
from kiejobs.reports.model_pages.changes import change_words
from kiejobs.reports.terminal import Paint, columns, plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.models.changes import ModelChange

_WIDE = 80
_REBUYS = (
    "Defaults are always sent. Once the newer schema is in use, each request that leaves such a field out "
    "has another fingerprint: finished jobs would be bought again, unless their job file writes the old "
    "value out."
)
_STATUSES = ("breaking", "changed", "new", "unchanged")


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """One model of a page. `outcome`: wrote, unchanged, or kept (there already, and not forced)."""

    model: str
    file: str
    outcome: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedPage:
    """What became of one page."""

    page: str
    models: tuple[ImportedFile, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems and all(file.outcome != "kept" for file in self.models)


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """One model of a page. `file` is where its schema in use lies, None for a bundled one; `notes` are of its reading.

    `known` is False where there is no schema of it at all.
    """

    model: str
    page: str
    changes: tuple[ModelChange, ...] = ()
    file: str | None = None
    known: bool = True
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """unchanged, changed, breaking or new."""
        if not self.known:
            return "new"
        if any(change.breaking for change in self.changes):
            return "breaking"
        return "changed" if self.changes else "unchanged"

    @property
    def where(self) -> str:
        return "bundled" if self.file is None else self.file


def import_text(pages: Sequence[ImportedPage], *, color: bool = False) -> str:
    """A paragraph for each page, and a last line that counts."""
    paint = Paint(color)
    lines = [line for page in pages for line in _page(page, paint)]
    written = sum(file.outcome == "wrote" for page in pages for file in page.models)
    failed = [page for page in pages if not page.ok]
    end = f"{plural(written, 'model')} written from {plural(len(pages), 'page')}"
    if failed:
        end += f"; {plural(len(failed), 'page')} not fully imported"
    return "\n".join([*lines, "", paint.error(end) if failed else paint.good(end)])


def _page(page: ImportedPage, paint: Paint) -> Iterator[str]:
    yield paint.bold(sanitize(page.page))
    for model in page.models:
        if model.outcome == "kept":
            yield f"  {paint.error('kept')} {sanitize(model.file)}: it is there already; --force overwrites it"
        else:
            yield f"  {paint.good(model.outcome)} {sanitize(model.file)}"
        yield from (f"    note: {sanitize(note)}" for note in model.notes)
    yield from (f"  {paint.error('problem')}: {sanitize(problem)}" for problem in page.problems)


def import_document(pages: Sequence[ImportedPage]) -> dict[str, Json]:
    documents: list[Json] = [{"page": one.page, "ok": one.ok, **asdict(one)} for one in pages]
    ok = all(page.ok for page in pages)
    return {"format_version": FORMAT_VERSION, "pages": documents, "ok": ok}


def check_text(checked: Sequence[CheckedModel], problems: Sequence[str], *, color: bool = False) -> str:
    """A paragraph for each model that changed, then the sum."""
    paint = Paint(color)
    blocks = ["\n".join(model_lines(one, paint)) for one in checked if one.status != "unchanged"]
    if problems:
        blocks.append("\n".join(f"{paint.error('error')}: {sanitize(one)}" for one in problems))
    blocks += [textwrap.fill(_REBUYS, _WIDE)] if _rebuys(checked) else []
    return "\n\n".join([*blocks, _sum(checked, problems)])


def model_lines(one: CheckedModel, paint: Paint) -> Iterator[str]:
    """Its name and its changes, the breaking ones first."""
    if not one.known:
        yield f"{paint.bold(sanitize(one.model))}: there is no schema of it here"
        yield f"  `kiejobs models import` makes one of {sanitize(one.page)}"
        return
    yield f"{paint.bold(sanitize(one.model))} ({sanitize(one.where)})"
    signs = {"breaking": paint.error, "harmless": paint.good, "kept": paint.dim}
    rows = (
        (signs[_effect(change)](_effect(change)), sanitize(change.field) or "it", change_words(change))
        for change in _worst_first(one.changes)
    )
    yield from (f"  {line}" for line in columns(rows))


def _effect(change: ModelChange) -> str:
    return "breaking" if change.breaking else "kept" if change.kept else "harmless"


def _sum(checked: Sequence[CheckedModel], problems: Sequence[str]) -> str:
    parts = status_counts(checked)
    parts += [plural(len(problems), "problem")] if problems else []
    return f"{plural(len(checked), 'model')} looked at: {', '.join(parts) or 'nothing to compare'}"


def status_counts(checked: Sequence[CheckedModel]) -> list[str]:
    """`2 breaking`, `1 new`; nothing that is nought."""
    counts = Counter(one.status for one in checked)
    return [f"{counts[status]} {status}" for status in _STATUSES if counts[status]]


def check_markdown(checked: Sequence[CheckedModel], problems: Sequence[str]) -> str:
    """The body of an issue, at most what a forge takes. What strangers wrote is in code spans."""
    blocks = [marker("models check", None, None), f"**{_sum(checked, problems)}**"]
    room = LIMIT - 4_000
    for one in checked:
        if one.status == "unchanged":
            continue
        block = _markdown_block(one, room)
        room -= len(block)
        if room < 0:
            blocks.append("*More was left out: too long for a comment.*")
            break
        blocks.append(block)
    if problems:
        kept, more = fitting((f"- {code(problem)}" for problem in problems), 2_000)
        rest = left_out(kept, more, "problem")
        blocks.append("Could not be read:\n\n" + "\n".join(kept) + rest)
    blocks += [_REBUYS] if _rebuys(checked) else []
    return "\n\n".join(blocks) + "\n"


def _markdown_block(one: CheckedModel, room: int) -> str:
    if not one.known:
        return f"### {code(one.model)}\n\nThere is no schema of it here yet ({code(one.page)})."
    rows = [
        f"| {'**breaking**' if change.breaking else _effect(change)} "
        f"| {cell(change.field or 'the model')} | {cell(change_words(change))} |"
        for change in _worst_first(one.changes)
    ]
    head = ("", "field", "what changed")
    lines = table(head, "| --- | --- | --- |", rows, max(room - 500, 0), "change")
    return f"### {code(one.model)} ({code(one.where)})\n\n{lines}"


def check_document(checked: Sequence[CheckedModel], problems: Sequence[str]) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "breaking": any(one.status == "breaking" for one in checked),
        "models": [
            {
                "model": one.model,
                "page": one.page,
                "from": None if not one.known else "bundled" if one.file is None else "project",
                "file": one.file,
                "status": one.status,
                "changes": [_change(change) for change in one.changes],
            }
            for one in checked
        ],
        "problems": list(problems),
    }


def _change(change: ModelChange) -> dict[str, Json]:
    return {
        "field": change.field,
        "kind": change.kind,
        "breaking": change.breaking,
        "kept": change.kept,
        "was": None if change.was is ABSENT else change.was,
        "now": None if change.now is ABSENT else change.now,
        "words": change_words(change),
    }


def _worst_first(changes: Sequence[ModelChange]) -> list[ModelChange]:
    return sorted(changes, key=lambda change: not change.breaking)


def _rebuys(checked: Sequence[CheckedModel]) -> bool:
    return any(
        (change.kind == "default" and not change.kept)
        or (change.kind == "field" and isinstance(change.now, dict) and "default" in change.now)
        for one in checked
        for change in one.changes
    )
