"""`kiejobs models import PAGE...`: take models in from the vendor's pages.

In: names of files and URLs. Out: a schema for each model below `schemas/models`, and what is to be said
of it. Touches: disk; the network for URLs, never with the key.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from kiejobs.adapters.journal import write_atomically
from kiejobs.adapters.pages import fetch_page, is_url
from kiejobs.adapters.project import nearest
from kiejobs.adapters.system import read_source
from kiejobs.core.errors import ExitCode, KiejobsError, UsageProblem
from kiejobs.core.vendor_merge import merged
from kiejobs.core.vendor_page import read_page
from kiejobs.core.vendor_text import MOST_CHARACTERS
from kiejobs.reports.documents import json_text
from kiejobs.reports.import_report import (
    ImportedFile,
    ImportedPage,
    import_document,
    import_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.commands.screen import Screen
    from kiejobs.core.vendor_page import ImportedModel

_FOLDER = "schemas/models"


def models_import(
    pages: Sequence[str], into: str | None, form: str, screen: Screen, *, force: bool
) -> ExitCode:
    """Exit 0 when every page was imported whole, 2 otherwise."""
    folder = Path(into or nearest(_FOLDER) or _FOLDER)
    today = datetime.now(UTC).date().isoformat()
    done = [_import(page, folder, today, force=force) for page in pages]
    if form == "json":
        screen.show(json_text(import_document(done)))
    else:
        screen.show(import_text(done, color=screen.color_out))
    return ExitCode.DONE if all(page.ok for page in done) else ExitCode.INVALID


def _import(page: str, folder: Path, today: str, *, force: bool) -> ImportedPage:
    try:
        text = _text(page)
    except KiejobsError as error:
        return ImportedPage(page, problems=(error.message,))
    reading = read_page(page, text, imported=today)
    files: list[ImportedFile] = []
    problems = list(reading.problems)
    for model in reading.models:
        try:
            files.append(_write(model, folder, force=force))
        except (OSError, ValueError) as error:
            problems.append(f"{page}: can't write {model.model}: {error}")
    return ImportedPage(page, tuple(files), tuple(problems))


def _text(page: str) -> str:
    """Raises UsageProblem where there is no such page."""
    if is_url(page):
        return anyio.run(fetch_page, page, MOST_CHARACTERS)
    data = read_source(page, most=4 * MOST_CHARACTERS).data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{page}: byte {error.start} is not UTF-8") from error


def _write(model: ImportedModel, folder: Path, *, force: bool) -> ImportedFile:
    """Raises OSError, and ValueError for a path that a link leads out of `folder`."""
    path = folder / f"{model.model}.json"
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError("a link leads out of the folder")
    there = _there(path)
    schema, notes = merged(model.schema, there) if there else (model.schema, [])
    notes = [*model.notes, *notes]
    outcome = "unchanged" if schema == there else "wrote" if force or there is None else "kept"
    if outcome == "wrote":
        data = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        write_atomically(path, data.encode())
    return ImportedFile(model.model, path.as_posix(), outcome, tuple(notes))


def _there(path: Path) -> dict[str, Any] | None:
    """The schema that is there; None where there is none. Raises ValueError where it can't be read."""
    if not path.exists():
        return None
    try:
        found = json.loads(read_source(str(path), most=MOST_CHARACTERS).data)
    except (ValueError, RecursionError, UsageProblem) as error:
        raise ValueError(f"what is there can't be read: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("what is there is no schema")  # noqa: TRY004 - a file's content, not a type
    return found
