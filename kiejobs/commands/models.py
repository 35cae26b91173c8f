"""`kiejobs models list|show|import|check`: the models that job files can name, and the vendor's pages.

In: words to choose by, a model's id; names of files and URLs. Out: tables, documents; a schema for each
imported model below `schemas/models`. Touches: disk; the network for URLs, never with the key.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.http.fetch import page_name, page_text
from kiejobs.adapters.kie.responses import why_no_document
from kiejobs.adapters.project.files import model_names, read_schema, read_source
from kiejobs.adapters.project.models import ModelFiles
from kiejobs.adapters.project.root import find_root
from kiejobs.adapters.storage.output_folder import write_atomically
from kiejobs.app.catalogue.files import schema_bytes, why_not_ours, writable
from kiejobs.app.load import KnownModels
from kiejobs.core.diagnostics import ExitCode, InvalidJobFile, KiejobsError, UsageProblem
from kiejobs.core.document.wording import shorten, suggest
from kiejobs.core.models.changes import model_changes
from kiejobs.core.models.newer import merged, page_changes
from kiejobs.core.models.schema_check import MOST_BYTES
from kiejobs.importer.languages import combined
from kiejobs.importer.page import PageReading, read_page
from kiejobs.reports.diagnostics import diagnostics_text
from kiejobs.reports.model_pages.changes import change_words
from kiejobs.reports.model_pages.pages import (
    CheckedModel,
    ImportedFile,
    ImportedPage,
    check_document,
    check_markdown,
    check_text,
    import_document,
    import_text,
)
from kiejobs.reports.models import ModelView, list_document, list_text, show_document, show_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.app.output import Screen
    from kiejobs.core.diagnostics import Problems
    from kiejobs.importer.page import ImportedModel

_ALL = "`kiejobs models list` shows all"
_FOLDER = "schemas/models"
_SHADOWS = "it now overrides the bundled model of this name, and keeps its texts and rules between fields"


def models_list(words: Sequence[str], screen: Screen) -> ExitCode:
    """Exit 2 where a schema of the project's own, or its prices, can't be read: the others are shown.

    A model is shown where each word is a part of its id, or says what it makes or where it is from.
    Raises UsageProblem where none is.
    """
    known = KnownModels()
    models = [one for one in _views(known) if all(_fits(one, word) for word in words)]
    if words and not models and not known.problems():
        raise UsageProblem(f"no model fits `{shorten(' '.join(words))}`", hint=_ALL)
    screen.answer(list_document, list_text, models)
    return _concluded(known.problems(), screen)


def models_show(model: str, screen: Screen) -> ExitCode:
    """Raises UsageProblem for a model that is not known, InvalidJobFile where its schema is broken."""
    known = KnownModels()
    catalogue = known.catalogue()
    spec = catalogue.spec(model)
    if spec is None and model not in catalogue.models:
        hint = suggest(model, catalogue.models, also=_ALL)
        raise UsageProblem(f"the model `{shorten(model)}` is not known", hint=hint)
    if spec is None:
        raise InvalidJobFile(known.problems())
    view = ModelView(spec, known.files.own.get(model), catalogue.prices.of(model))
    screen.answer(show_document, partial(show_text, wide=screen.wide_out), view)
    return _concluded(known.problems(), screen)


def _views(known: KnownModels) -> Iterator[ModelView]:
    catalogue = known.catalogue()
    for model in catalogue.models:
        spec = catalogue.spec(model)
        if spec is not None:
            yield ModelView(spec, known.files.own.get(model), catalogue.prices.of(model))


def _concluded(problems: Problems, screen: Screen) -> ExitCode:
    if problems:
        screen.say(diagnostics_text(problems, problems.lines, color=screen.color_err, wide=screen.wide_err))
    return ExitCode.INVALID if problems.fatal else ExitCode.DONE


def _fits(model: ModelView, word: str) -> bool:
    known = {model.kind, model.origin, "retired" if model.spec.retired else "sold"}
    return word.lower() in model.spec.model.lower() or word in known


# --- an import --------------------------------------------------------------------------------------


def models_import(
    pages: Sequence[str], into: str | None, model: str | None, screen: Screen, *, force: bool
) -> ExitCode:
    """Exit 0 when every page was imported completely, 2 otherwise."""
    folder = Path(into or find_root().seen(_FOLDER))
    pages_of: dict[str, str] = {}  # by model: each is written at most once
    readings = combined([_read(page, model) for page in pages])
    done = [_import(reading, folder, pages_of, force=force) for reading in readings]
    screen.answer(import_document, import_text, done)
    return ExitCode.DONE if all(page.ok for page in done) else ExitCode.INVALID


def _read(page: str, model: str | None = None) -> PageReading:
    name = page_name(page)
    try:
        text = page_text(page)
    except KiejobsError as error:
        return PageReading(name, problems=(error.message,))
    why = why_no_document(text)
    if why is not None:
        return PageReading(name, problems=(f"{name}: {why}",))
    return read_page(name, text, imported=datetime.now(UTC).date().isoformat(), choice=model)


def _import(page: PageReading, folder: Path, pages_of: dict[str, str], *, force: bool) -> ImportedPage:
    files: list[ImportedFile] = []
    problems = list(page.problems)
    for model in page.models:
        first = pages_of.setdefault(model.model, page.name)
        if first != page.name:
            problems.append(f"{page.name}: {model.model}: {first} was imported for it just now")
            continue
        try:
            files.append(_import_model(model, folder, force=force))
        except UsageProblem as why:
            problems.append(f"{page.name}: {model.model}: {why.message}")
    return ImportedPage(page.name, tuple(files), tuple(problems))


def _import_model(model: ImportedModel, folder: Path, *, force: bool) -> ImportedFile:
    """Raises UsageProblem where it can't become a file."""
    path, root = folder / f"{model.model}.json", find_root().path
    top = root if Path(os.path.abspath(folder)).is_relative_to(root) else folder.parent  # noqa: PTH100
    with writable(path, top):
        return _write(model, path, force=force)


def _write(model: ImportedModel, path: Path, *, force: bool) -> ImportedFile:
    before = there = _there(path)
    if there is None and model.model in model_names():  # ours, whose rules between fields no prose gives
        before = dict(read_schema(f"models/{model.model}.json"))
    schema, more = merged(model.schema, before) if before is not None else (model.schema, [])
    shadows = (_SHADOWS,) if there is None and before is not None else ()
    outcome = "wrote"
    if schema == there:
        outcome = "unchanged"
    elif there is not None and not force:
        outcome = "kept"
    else:
        data = schema_bytes(schema)
        if why := why_not_ours(data, model.model, path.as_posix()):
            raise UsageProblem(why)
        write_atomically(path, data)
    comparable = before is not None and not why_not_ours(schema_bytes(before), model.model, path.as_posix())
    changes = model_changes(before, schema) if before is not None and comparable else ()
    more += [f"{one.field or 'the model'}: {change_words(one)}" for one in changes]
    return ImportedFile(model.model, path.as_posix(), outcome, (*model.notes, *shadows, *more))


def _there(path: Path) -> dict[str, Any] | None:
    """The schema that is there; None where there is none. Raises UsageProblem where it can't be read."""
    if not path.exists():
        return None
    try:
        found = json.loads(read_source(str(path), most=MOST_BYTES).data)
    except (ValueError, RecursionError, UsageProblem) as error:
        raise UsageProblem(f"what is there can't be read: {error}") from error
    if not isinstance(found, dict):
        raise UsageProblem(f"{path} is no schema")
    return found


# --- a check: nothing is written ------------------------------------------------------------------


def models_check(pages: Sequence[str], model: str | None, screen: Screen) -> ExitCode:
    """Exit 0 where nothing changed, 3 where it did, 1 where that breaks something, 2 where a page or a
    schema in use can't be read; all of them are looked at in any case.
    """
    files = ModelFiles()
    checked: list[CheckedModel] = []
    problems: list[str] = []
    for reading in combined([_read(page, model) for page in pages]):
        problems += reading.problems
        for made in reading.models:
            found = _check(files, reading.name, made)
            if isinstance(found, CheckedModel):
                checked.append(found)
            else:
                problems += found
    if screen.form == "markdown":
        screen.show(check_markdown(checked, problems))
    else:
        document = partial(check_document, problems=problems)
        screen.answer(document, partial(check_text, problems=problems), checked)
    return _exit_code(checked, problems)


def _check(files: ModelFiles, page: str, model: ImportedModel) -> CheckedModel | list[str]:
    """What an import would change, so what people put into the schema in use by hand is no change.

    Or what is wrong with the schema in use.
    """
    schema, own = files.get(model.model), files.own.get(model.model)
    if schema is None and own is None:
        return CheckedModel(model.model, page, known=False)
    if schema is None:
        problems = files.reading(model.model).problems
        return [f"{problem.place}: {problem.message}" for problem in problems]
    return CheckedModel(model.model, page, tuple(page_changes(model.schema, dict(schema))), own)


def _exit_code(checked: Sequence[CheckedModel], problems: Sequence[str]) -> ExitCode:
    found = {one.status for one in checked}
    if problems:
        return ExitCode.INVALID
    if "breaking" in found:
        return ExitCode.SOME_FAILED
    return ExitCode.CHANGES_PENDING if found - {"unchanged"} else ExitCode.DONE
