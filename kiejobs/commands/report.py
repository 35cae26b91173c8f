"""`kiejobs report [RUN]`: what a run came to, as text, JSON or JUnit. No key, no network.

In: a run's id (the latest where not named). Out: the report on stdout, or in files whose endings say
the format. Touches: disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.journal import write_atomically
from kiejobs.commands.records import find_run
from kiejobs.commands.workspace import open_workspace
from kiejobs.core import events as e
from kiejobs.core.errors import ExitCode, UsageProblem
from kiejobs.core.fold import fold
from kiejobs.core.manifest import manifest
from kiejobs.reports.documents import json_text
from kiejobs.reports.run_report import report_document, report_junit, report_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.commands.screen import Screen
    from kiejobs.commands.workspace import Where
    from kiejobs.core.fold import JournalRecord
    from kiejobs.core.types import Json

_BY_ENDING = {".json": "json", ".xml": "junit", ".txt": "text"}


def report(
    name: str | None, where: Where, form: str, files: Sequence[str], screen: Screen
) -> ExitCode:
    space = open_workspace(where)
    journals = space.journals()
    record = find_run(space, journals, name)
    origin = record.header.origin if record.header else None
    document = manifest(record, fold(journals, origin))
    for file in files:
        ending = Path(file).suffix
        if ending not in _BY_ENDING:
            raise UsageProblem(f"--out {file}: the ending must be .json, .xml or .txt")
        text = _words(_BY_ENDING[ending], record, document, space.flag, color=False)
        write_atomically(Path(file), text.encode())
    if not files or form != "text":
        screen.show(_words(form, record, document, space.flag, color=screen.color_out))
    return ExitCode.DONE


def _words(
    form: str, record: JournalRecord, document: Mapping[str, Json], flag: str, *, color: bool
) -> str:
    end = _end_of(record)
    stopped = (end.stopped, "") if end is not None and end.stopped else None
    code = end.exit_code if end is not None else None
    if form == "json":
        return json_text(report_document(document, {}, stopped, code, flag=flag)) + "\n"
    if form == "junit":
        return report_junit(document)
    return report_text(document, {}, stopped, code, color=color, flag=flag)


def _end_of(record: JournalRecord) -> e.RunFinished | None:
    ends = [timed.event for timed in record.events if isinstance(timed.event, e.RunFinished)]
    return ends[-1] if ends else None
