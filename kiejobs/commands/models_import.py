"""`kiejobs models import PAGE...`: take models in from the vendor's pages.

In: names of files and URLs. Out: a schema for each model below `schemas/models`, and what is to
be known of it. Touches: disk; the network for URLs, never with the key.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.http.fetch import page_name, page_text
from kiejobs.adapters.project.files import find_up, read_source
from kiejobs.adapters.project.schemas import model_names, read_schema
from kiejobs.adapters.storage.output_folder import write_atomically
from kiejobs.core.diagnostics import ExitCode, KiejobsError, UsageProblem
from kiejobs.core.document.nodes import Source
from kiejobs.core.models.schema_check import MOST_BYTES, read_model
from kiejobs.importer.merge import merged
from kiejobs.importer.page import read_page
from kiejobs.importer.report import ImportedFile, ImportedPage, import_document, import_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.output import Screen
    from kiejobs.importer.page import ImportedModel

_FOLDER = "schemas/models"
_SHADOWS = "from now on it hides the bundled model of this name, whose words and rules between fields it keeps"


class _NotWritten(Exception):
    """Why a model did not become a file."""


def models_import(
    pages: Sequence[str], into: str | None, screen: Screen, *, force: bool
) -> ExitCode:
    """Exit 0 when every page was imported completely, 2 otherwise."""
    folder = Path(into or find_up(_FOLDER) or _FOLDER)
    writer = _Writer(folder, force=force)
    today = datetime.now(UTC).date().isoformat()
    done = [_import(page, writer, today) for page in pages]
    screen.answer(import_document, import_text, done)
    return ExitCode.DONE if all(page.ok for page in done) else ExitCode.INVALID


def _import(page: str, writer: _Writer, today: str) -> ImportedPage:
    name = page_name(page)
    try:
        text = page_text(page)
    except KiejobsError as error:
        return ImportedPage(name, problems=(error.message,))
    reading = read_page(name, text, imported=today)
    files: list[ImportedFile] = []
    problems = list(reading.problems)
    for model in reading.models:
        try:
            files.append(writer.write(model, name))
        except _NotWritten as why:
            problems.append(f"{name}: {model.model}: {why}")
    return ImportedPage(name, tuple(files), tuple(problems))


class _Writer:
    """Writes models below one folder, each at most once in a call."""

    def __init__(self, folder: Path, *, force: bool) -> None:
        self._folder = folder
        self._force = force
        self._pages: dict[str, str] = {}

    def write(self, model: ImportedModel, page: str) -> ImportedFile:
        """Raises _NotWritten."""
        first = self._pages.setdefault(model.model, page)
        if first != page:
            raise _NotWritten(f"{first} was imported for it just now")
        path = self._folder / f"{model.model}.json"
        try:
            if not path.resolve().is_relative_to(self._folder.resolve()):
                raise _NotWritten("a link leads out of the folder")
            return self._write(model, path)
        except (OSError, RuntimeError) as error:  # RuntimeError: links that go round in circles
            raise _NotWritten(f"can't write {path}: {error}") from error

    def _write(self, model: ImportedModel, path: Path) -> ImportedFile:
        there = _there(path)
        before = there if there is not None else _bundled(model.model)
        schema, more = merged(model.schema, before) if before is not None else (model.schema, [])
        shadows = (_SHADOWS,) if there is None and before is not None else ()
        notes = (*model.notes, *shadows, *more)
        if schema == there:
            return ImportedFile(model.model, path.as_posix(), "unchanged", notes)
        if there is not None and not self._force:
            return ImportedFile(model.model, path.as_posix(), "kept", notes)
        data = (json.dumps(schema, indent=2, ensure_ascii=False) + "\n").encode()
        _require_form(data, model.model, path)
        write_atomically(path, data)
        return ImportedFile(model.model, path.as_posix(), "wrote", notes)


def _there(path: Path) -> dict[str, Any] | None:
    """The schema that is there; None where there is none. Raises _NotWritten where it can't be read."""
    if not path.exists():
        return None
    try:
        found = json.loads(read_source(str(path), most=MOST_BYTES).data)
    except (ValueError, RecursionError, UsageProblem) as error:
        raise _NotWritten(f"what is there can't be read: {error}") from error
    if not isinstance(found, dict):
        raise _NotWritten(f"{path} is no schema")
    return found


def _bundled(model: str) -> dict[str, Any] | None:
    """Ours, whose rules between fields no page's prose gives: the project's own hides it from now on."""
    return dict(read_schema(f"models/{model}.json")) if model in model_names() else None


def _require_form(data: bytes, model: str, path: Path) -> None:
    """What is written must be what `models check` and every later run take."""
    reading = read_model(Source(path.as_posix(), data), model, read_schema("model.schema.json"))
    if reading.problems:
        raise _NotWritten(f"what was made of it is not our form: {reading.problems[0].message}")
