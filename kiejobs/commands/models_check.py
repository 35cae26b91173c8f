"""`kiejobs models check PAGE...`: what newer pages of the vendor's change about the models in use.

In: names of files and URLs. Out: the changes, each breaking or harmless. Touches: disk, by
reading; the network for URLs, never with the key. Nothing is written: `models import --force` does that.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kiejobs.adapters.http.fetch import page_name, page_text
from kiejobs.adapters.project.models import ModelFiles
from kiejobs.core.diagnostics import ExitCode, KiejobsError
from kiejobs.importer.changes import model_changes
from kiejobs.importer.merge import merged
from kiejobs.importer.page import PageReading, read_page
from kiejobs.importer.report import CheckedModel, check_document, check_markdown, check_text
from kiejobs.reports.documents import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.output import Screen
    from kiejobs.importer.page import ImportedModel


def models_check(pages: Sequence[str], screen: Screen) -> ExitCode:
    """Exit 0 where nothing changed, 3 where it did, 1 where that breaks something, 2 where a page or a
    schema in use can't be read; all of them are looked at in any case.
    """
    files = ModelFiles()
    checked: list[CheckedModel] = []
    problems: list[str] = []
    for page in pages:
        reading = _read(page)
        problems += reading.problems
        for model in reading.models:
            found = _check(files, reading.name, model)
            if isinstance(found, CheckedModel):
                checked.append(found)
            else:
                problems += found
    if screen.form == "json":
        screen.show(json_text(check_document(checked, problems)))
    elif screen.form == "markdown":
        screen.show(check_markdown(checked, problems))
    else:
        screen.show(check_text(checked, problems, color=screen.color_out))
    return _exit_code(checked, problems)


def _read(page: str) -> PageReading:
    name = page_name(page)
    try:
        text = page_text(page)
    except KiejobsError as error:
        return PageReading(name, problems=(error.message,))
    return read_page(name, text, imported=datetime.now(UTC).date().isoformat())


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
    newer, _ = merged(model.schema, dict(schema))
    return CheckedModel(model.model, page, tuple(model_changes(schema, newer)), own)


def _exit_code(checked: Sequence[CheckedModel], problems: Sequence[str]) -> ExitCode:
    found = {one.status for one in checked}
    if problems:
        return ExitCode.INVALID
    if "breaking" in found:
        return ExitCode.SOME_FAILED
    return ExitCode.CHANGES_PENDING if found - {"unchanged"} else ExitCode.DONE
