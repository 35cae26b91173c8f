"""`kiejobs pick ADDRESS…`: what was chosen goes into `picks.yaml`, next to the job file. No key, no network.

In: addresses or patterns, a verdict, a note; or what a gallery exported. Out: a line for each decision. Touches: the
journals, by reading; `picks.yaml`; git's settings, by reading. Nothing of it is part of a request or of a plan.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.adapters.git import user_of
from kiejobs.adapters.picks import exported_picks
from kiejobs.app.decisions import bought_picks, named_picks, named_purchases, write_picks
from kiejobs.app.picks import pick_book
from kiejobs.app.project import mention_trouble, mention_two_ledgers, open_workspace
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.core.ledger.records import utc_text
from kiejobs.core.picks import PICK, REJECT, UNDECIDED, Pick
from kiejobs.reports.picks import decision_words, shown_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.options import Locations, PickOptions
    from kiejobs.app.output import Screen
    from kiejobs.app.picks import PickBook
    from kiejobs.app.project import Workspace


def pick(addresses: Sequence[str], where: Locations, how: PickOptions, screen: Screen) -> ExitCode:
    _require_one_meaning(addresses, how)
    space = open_workspace(where)
    mention_two_ledgers(space, screen)
    book = pick_book(space, space.ledger())
    mention_trouble(space, screen)
    now = utc_text(space.clock().now())
    who = user_of(space.root.path)
    if how.exported is not None:
        picks = _taken_in(how.exported, book, now, who)
    elif how.undo:
        taken_back = named_picks(addresses, how.take, book)
        picks = [replace(one, verdict=UNDECIDED, note=None, who=who, when=now) for one in taken_back]
    else:
        picks = _decisions(addresses, how, space, book, now, who)
    written = write_picks(picks, space, book, merge=how.exported is not None) if picks else []
    for one in picks:
        screen.show(decision_words(one))
    screen.show(shown_files(picks, written))
    return ExitCode.DONE


def _require_one_meaning(addresses: Sequence[str], how: PickOptions) -> None:
    if (how.exported is None) != bool(addresses):
        raise UsageProblem("name one or more ADDRESSes, or --from FILE", hint="kiejobs pick tea/pour")
    if how.undo and (how.reject or how.note is not None):
        raise UsageProblem("--undo takes a decision back: leave --reject and --note out")
    if how.exported is not None and (how.undo or how.reject or how.note is not None or how.take):
        raise UsageProblem("--from FILE says it all: leave the other flags out")


def _decisions(
    addresses: Sequence[str], how: PickOptions, space: Workspace, book: PickBook, now: str, who: str | None
) -> list[Pick]:
    """A note stays where the same purchase is decided on again without one."""
    verdict = REJECT if how.reject else PICK
    found = []
    for attempt in named_purchases(addresses, how.take, space, book.ledger):
        known, was = book.picks.at(attempt.address), attempt.reserved
        kept = known.note if known and known.fingerprint == was.fingerprint else None
        note = ((kept if how.note is None else how.note) or "").strip() or None
        found.append(Pick(attempt.address, was.take, was.fingerprint, verdict, note, who, now))
    return found


def _taken_in(file: str, book: PickBook, now: str, who: str | None) -> list[Pick]:
    """What the page exported, but for what was decided since. Of a file without times now counts."""
    exported = bought_picks(exported_picks(file), book.ledger, os.path.relpath(file))
    stated = [replace(one, who=one.who or who, when=one.when or now) for one in exported]
    known = {one.address: one for one in book.picks}
    return [one for one in stated if one.address not in known or one.age > known[one.address].age]
