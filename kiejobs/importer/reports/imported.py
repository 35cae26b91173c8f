"""What `models import` has to say: per page, which models it gave, and what is to be known of them.

In: what became of each page. Out: text; a document for machines. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.terminal import Paint, plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.document.nodes import Json


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """One model of a page. `outcome`: wrote, unchanged, or kept (there already, and not forced)."""

    model: str
    path: str
    outcome: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedPage:
    """What became of one page."""

    name: str
    models: tuple[ImportedFile, ...] = ()
    problems: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return not self.problems and all(file.outcome != "kept" for file in self.models)


def import_text(pages: Sequence[ImportedPage], *, color: bool = False) -> str:
    """A paragraph for each page, and a last line that counts."""
    paint = Paint(color)
    lines = [line for page in pages for line in _page(page, paint)]
    written = sum(file.outcome == "wrote" for page in pages for file in page.models)
    failed = [page for page in pages if not page.ok]
    end = f"{plural(written, 'model')} written from {plural(len(pages), 'page')}"
    if failed:
        end += f"; {plural(len(failed), 'page')} not imported whole"
    return "\n".join([*lines, "", paint.error(end) if failed else paint.good(end)])


def import_document(pages: Sequence[ImportedPage]) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "pages": [
            {
                "page": page.name,
                "ok": page.ok,
                "models": [
                    {
                        "model": file.model,
                        "file": file.path,
                        "outcome": file.outcome,
                        "notes": list(file.notes),
                    }
                    for file in page.models
                ],
                "problems": list(page.problems),
            }
            for page in pages
        ],
        "ok": all(page.ok for page in pages),
    }


def _page(page: ImportedPage, paint: Paint) -> Iterator[str]:
    yield paint.bold(sanitize(page.name))
    for file in page.models:
        if file.outcome == "kept":
            yield f"  {paint.error('kept')} {sanitize(file.path)}: it is there already; --force overwrites it"
        else:
            yield f"  {paint.good(file.outcome)} {sanitize(file.path)}"
        for note in file.notes:
            yield f"    note: {sanitize(note)}"
    for problem in page.problems:
        yield f"  {paint.error('problem')}: {sanitize(problem)}"
