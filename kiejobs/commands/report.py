"""`kiejobs report [RUN|FILE]...`: the result of runs. No key, no network.

In: the journals; ids of runs (the latest where not named), job files for the latest runs of their campaigns. Out: a report on stdout, or in files whose endings
say the format. Touches: disk.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import STDIN
from kiejobs.app.output import READING, files_by_ending, write
from kiejobs.app.picks import pick_book
from kiejobs.app.project import open_workspace
from kiejobs.app.records import REPORT_FORMS, find_run, known_results, reports_in, view_of
from kiejobs.app.select import campaigns_of, narrowed
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.manifest import manifest
from kiejobs.reports.picks import count_words
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.events import JournalRecord
    from kiejobs.core.ledger.fold import History
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.reports.picks import Decision
    from kiejobs.reports.run.view import RunView


def report(names: Sequence[str], where: Locations, screen: Screen, select: Sequence[str] = ()) -> ExitCode:
    """Of several runs one after the other; then what they come to together."""
    targets = files_by_ending(screen.outs, REPORT_FORMS)
    files = [name for name in names if name == STDIN or Path(name).exists()]
    space = open_workspace(where, files[0] if files else "")
    with screen.busy(READING):
        history = space.store.read()
    records = [find_run(space, history, name) for name in names if name not in files] if names else []
    records += _latest_of(files, space, history, screen)
    if not names:
        records = [find_run(space, history, None)]
    unique = {record.run_id: record for record in records}.values()
    views = [_view(record, history, space, select) for record in unique]
    if select:
        views = [view for view in views if view.jobs]
        if not views:
            raise UsageProblem("--select matches no job", hint="`kiejobs report --full` lists the addresses")
    for path, kind in targets:
        write(path, reports_in(kind, views, detail=screen.detail))
    if not targets or screen.form != "text":
        screen.show(reports_in(screen.form, views, local=screen.local_out, **screen.look))
    return ExitCode.DONE


def _latest_of(
    files: Sequence[str], space: Workspace, history: History, screen: Screen
) -> Iterator[JournalRecord]:
    """The latest run of each campaign. Raises UsageProblem where there is none of any."""
    found = {one.header.campaign: one for one in history.records if one.header}
    wanted = campaigns_of(files)
    for campaign, file in wanted.items():
        if campaign in found:
            yield found[campaign]
        else:
            screen.note(f"no run of {sanitize(campaign)} ({sanitize(file)}) yet")
    if files and not found.keys() & wanted.keys():
        raise UsageProblem(
            f"no run of these job files in {space.store.name}", hint="`kiejobs run` starts one"
        )


def _view(record: JournalRecord, history: History, space: Workspace, select: Sequence[str]) -> RunView:
    ledger = history.ledger_of(record)
    ends = [timed.event for timed in record.events if isinstance(timed.event, e.RunFinished)]
    code, why = (ends[-1].exit_code, ends[-1].stopped) if ends else (None, None)
    stopped, made = (why, "") if why else None, manifest(record, ledger)
    attempts = filter(None, (ledger.attempt(job["attempt_id"] or "") for job in made["jobs"].values()))
    found = known_results(space, attempts)
    view = view_of(space, record, ledger, made, exit_code=code, stopped=stopped, notes={})
    view = replace(view, checks={address: checks for (address, _), checks in found.items()})
    view = replace(view, canary=bool(view.suspects), against=view.suspects)
    if select:
        view = narrowed(view, select, space, ledger)
    decisions = _decisions(view, space, ledger)
    choice = count_words(one.word for one in decisions.values())
    return replace(view, decisions=decisions, choice=[choice] if choice else [])


def _decisions(view: RunView, space: Workspace, ledger: Ledger) -> dict[str, Decision]:
    """By address, where people chose or noted something."""
    book, found = pick_book(space, ledger), {}
    for address, job in view.manifest["jobs"].items() if book.picks else ():
        attempt = ledger.attempt(job["attempt_id"]) if job["attempt_id"] else None
        decision = None if attempt is None else book.decision(attempt)
        if decision is not None:
            found[address] = decision
    return found
