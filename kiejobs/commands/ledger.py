"""`kiejobs ledger show|verify|move`: where purchases are on record, whether that is sound, another home for it.

In: the ledger. Out: its home and what is in it; what is wrong; all of it in another home, and the project's file
changed to use that. Touches: both homes; kiejobs.yaml.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from kiejobs.adapters.project.root import PROJECT_FILE
from kiejobs.app.move_ledger import move_ledger, use_in_project
from kiejobs.app.output import READING
from kiejobs.app.project import homes_for_move, mention_trouble, open_workspace
from kiejobs.app.verify import answer_verified, verify_journals
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.reports.ledger import LedgerView, ledger_document, ledger_text
from kiejobs.reports.terminal import plural

if TYPE_CHECKING:
    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen


def ledger_show(where: Locations, screen: Screen) -> ExitCode:
    space = open_workspace(where)
    history = space.store.read()
    mention_trouble(space, screen)
    attempts = list(history.ledger(None).attempts())
    view = LedgerView(
        home=space.store.name,
        runs=[record.run_id for record in history.records],
        states=[attempt.state for attempt in attempts],
        live=[space.store.owner(run_id) for run_id in sorted(history.live_runs)],
        campaigns=sorted({attempt.address.partition("/")[0] for attempt in attempts}),
    )
    screen.answer(ledger_document, partial(ledger_text, flag=space.flag), view)
    return ExitCode.DONE


def ledger_verify(where: Locations, screen: Screen) -> ExitCode:
    """Journals unbroken, and the same at both ends of a home that has two (else exit 7), manifests as they say."""
    space = open_workspace(where)
    with screen.busy(READING):
        history, found, is_damaged = verify_journals(space)
    mention_trouble(space, screen)
    return answer_verified(found, screen, journals=len(history.records), files=None, is_damaged=is_damaged)


def ledger_move(to: str, where: Locations, screen: Screen) -> ExitCode:
    """Every journal, compared after the move; then the old home is marked, so that nobody buys by it any more."""
    if where.sandbox:
        raise UsageProblem("a rehearsal's ledger is always a folder", hint="leave --sandbox out")
    space = open_workspace(replace(where, runs=None))
    old, new, setting, mark = homes_for_move(space, to, where)
    back_from = None if where.runs else f"ledger: {space.home}"
    if back_from is not None:  # what others know of the old home has to move along
        for unknown in old.require_current():
            screen.say(unknown)
    journals = move_ledger(old, new, mark, space.clock().now(), setting=setting, back_from=back_from)
    screen.show(f"moved {plural(journals, 'journal')} from {old.name} to {new.name}")
    if to != space.home:
        written = use_in_project(space.root, setting)
        what = f"wrote `{setting}` into" if written else f"now write `{setting}` into"
        in_files = [store.name for store, home in ((old, space.home), (new, to)) if home == "folder"]
        also = f" and all of {in_files[0]}, MOVED.json too" if in_files else ""
        screen.show(f"{what} {space.root.seen(PROJECT_FILE)}; commit it{also}, and push")
    return ExitCode.DONE
