"""`kiejobs report [RUN]`: the result of a run. No key, no network.

In: the journals; a run's id (the latest where not named). Out: a report on stdout, or in files whose endings
say the format. Touches: disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.app.output import files_by_ending, write
from kiejobs.app.project import open_workspace
from kiejobs.app.records import find_run, view_of
from kiejobs.app.select import narrowed
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.manifest import manifest
from kiejobs.reports.documents import json_text
from kiejobs.reports.markdown import report_markdown
from kiejobs.reports.run.report import report_document, report_junit, report_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.reports.run.view import RunView


def report(run_id: str | None, where: Locations, screen: Screen, select: Sequence[str] = ()) -> ExitCode:
    targets = files_by_ending(screen.outs, ("text", "json", "junit", "markdown"))
    space = open_workspace(where)
    history = space.store.read()
    record = find_run(space, history, run_id)
    ledger = history.ledger_of(record)
    ends = [timed.event for timed in record.events if isinstance(timed.event, e.RunFinished)]
    code, why = (ends[-1].exit_code, ends[-1].stopped) if ends else (None, None)
    stopped, made = (why, "") if why else None, manifest(record, ledger)
    view = view_of(space, record, ledger, made, exit_code=code, stopped=stopped, notes={})
    if select:
        view = narrowed(view, select, space, ledger)
    for path, kind in targets:
        write(path, _words(kind, view, color=False))
    if not targets or screen.form != "text":
        screen.show(_words(screen.form, view, color=screen.color_out))
    return ExitCode.DONE


def _words(form: str, view: RunView, *, color: bool) -> str:
    if form == "text":
        return f"{report_text(view, color=color)}\n"
    if form == "json":
        return f"{json_text(report_document(view))}\n"
    return (report_junit if form == "junit" else report_markdown)(view)
