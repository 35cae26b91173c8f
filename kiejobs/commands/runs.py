"""`kiejobs runs [FILE]...`: the runs on record, the latest first. No key, no network.

In: the journals; job files narrow them to their campaigns. Out: a table, or a document. Touches: disk.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from kiejobs.app.output import READING
from kiejobs.app.project import mention_trouble, mention_two_ledgers, open_workspace
from kiejobs.app.select import campaigns_of
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.fold import campaigns_of_run, hand_in, runs_of
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.selection import NONE, state_of
from kiejobs.reports.run.runs import RunLine, runs_document, runs_footer, runs_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.core.ledger.events import JournalRecord
    from kiejobs.core.ledger.fold import History


def runs(files: Sequence[str], limit: int, where: Locations, screen: Screen) -> ExitCode:
    """At most `limit` of them; each is worked out when it is shown."""
    space = open_workspace(where, files[0] if files else "")
    mention_two_ledgers(space, screen)
    with screen.busy(READING):
        history = space.store.read()
        campaigns = campaigns_of(files, history, space.flag)
        lines = [partial(_run_line, one, history) for one in reversed(runs_of(history, campaigns))]
    mention_trouble(space, screen)
    text = partial(
        runs_text,
        after=[] if screen.quiet else runs_footer(max(len(lines) - limit, 0), space.flag),
        place=space.store.name,
        wide=screen.wide_out,
        local=screen.local_out,
    )
    screen.answer(runs_document, text, [line() for line in lines[:limit]])
    return ExitCode.DONE


def _run_line(record: JournalRecord, history: History) -> RunLine:
    header, attempts = record.header, hand_in(record, history)
    states = list(map(state_of, attempts))
    ends = [timed.event for timed in record.outline if isinstance(timed.event, e.RunFinished)]
    own = (attempt.committed for attempt in attempts if attempt.run_id == record.run_id)
    campaigns = sorted(campaigns_of_run(record, history))
    return RunLine(
        record.run_id,
        record.outline[0].at,
        header.command if header else "",
        ", ".join(campaigns) or None,
        str(header.source["file"]) if header and header.source else None,
        header.origin if header else "",
        {state: states.count(state) for state in (*map(str, State), NONE) if state in states},
        sum(own, Decimal(0)),
        ends[-1].exit_code if ends else None,
        ends[-1].stopped if ends else None,
        record.live,
    )
