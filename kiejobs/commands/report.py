"""`kiejobs report [RUN]`: the result of a run. No key, no network.

In: the journals; a run's id (the latest where not named). Out: a report on stdout, or in files whose endings
say the format. Touches: disk.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.app.output import files_by_ending, write
from kiejobs.app.picks import pick_book
from kiejobs.app.project import open_workspace
from kiejobs.app.records import REPORT_FORMS, find_run, known_results, reports_in, view_of
from kiejobs.app.select import narrowed
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.manifest import manifest
from kiejobs.reports.picks import count_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.reports.picks import Decision
    from kiejobs.reports.run.view import RunView


def report(run_id: str | None, where: Locations, screen: Screen, select: Sequence[str] = ()) -> ExitCode:
    targets = files_by_ending(screen.outs, REPORT_FORMS)
    space = open_workspace(where)
    history = space.store.read()
    record = find_run(space, history, run_id)
    ledger = history.ledger_of(record)
    ends = [timed.event for timed in record.events if isinstance(timed.event, e.RunFinished)]
    code, why = (ends[-1].exit_code, ends[-1].stopped) if ends else (None, None)
    stopped, made = (why, "") if why else None, manifest(record, ledger)
    attempts = filter(None, (ledger.attempt(job["attempt_id"] or "") for job in made["jobs"].values()))
    found = known_results(space, attempts)
    view = view_of(space, record, ledger, made, exit_code=code, stopped=stopped, notes={})
    view = replace(view, checks={address: checks for (address, _), checks in found.items()})
    if select:
        view = narrowed(view, select, space, ledger)
    decisions = _decisions(view, space, ledger)
    choice = count_words(one.word for one in decisions.values())
    view = replace(view, decisions=decisions, choice=[choice] if choice else [])
    for path, kind in targets:
        write(path, reports_in(kind, (view,)))
    if not targets or screen.form != "text":
        screen.show(reports_in(screen.form, (view,), color=screen.color_out))
    return ExitCode.DONE


def _decisions(view: RunView, space: Workspace, ledger: Ledger) -> dict[str, Decision]:
    """By address, where people chose or noted something."""
    book, found = pick_book(space, ledger), {}
    for address, job in view.manifest["jobs"].items() if book.picks else ():
        attempt = ledger.attempt(job["attempt_id"]) if job["attempt_id"] else None
        decision = None if attempt is None else book.decision(attempt)
        if decision is not None:
            found[address] = decision
    return found
