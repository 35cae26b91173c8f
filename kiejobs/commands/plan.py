"""`kiejobs plan FILE`: what would be bought, line by line, and for how much. No key, no network.

In: a job file, the journals. Out: a table, or the document of schemas/plan.schema.json, streamed.
Touches: disk, by reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.commands.loading import load
from kiejobs.commands.planning import (
    budget_left,
    diff_of,
    make_plan,
    require_selected,
    usd_per_credit,
    widest_address,
)
from kiejobs.commands.policy import Gate
from kiejobs.commands.workspace import open_workspace
from kiejobs.core.errors import ExitCode
from kiejobs.reports.plan_report import PlanText, plan_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from kiejobs.commands.loading import Wanted
    from kiejobs.commands.screen import Screen
    from kiejobs.commands.workspace import Where


def plan(
    wanted: Wanted,
    where: Where,
    form: str,
    screen: Screen,
    *,
    detailed_exitcode: bool,
    retry: Sequence[str],
    budget: Decimal | None,
) -> ExitCode:
    space = open_workspace(where)
    loaded = load(wanted)
    require_selected(loaded, wanted)
    ledger = space.ledger(space.journals())
    made = make_plan(loaded, wanted, space, ledger, retry)
    gate = Gate(space.policy, loaded, ledger)
    if form == "json":
        campaign = loaded.jobfile.campaign
        pieces = plan_json(
            gate.watch(made.changes()),
            lambda change: diff_of(loaded, change),
            campaign,
            lambda: made.totals,
        )
        screen.stream(pieces)
    else:
        text = PlanText(
            screen.color_out,
            widest_address(loaded),
            usd_per_credit(loaded),
            space.flag,
            rehearsal=space.sandbox,
        )
        screen.show(text.header())
        for change in gate.watch(made.changes()):
            screen.show(text.line(change, diff_of(loaded, change) or ()))
        left = budget_left(loaded, ledger, budget)
        screen.show(text.footer(made.totals, campaign=loaded.jobfile.campaign, budget_left=left))
    gate.require_open(screen)
    if detailed_exitcode and made.totals.pending:
        return ExitCode.CHANGES_PENDING
    return ExitCode.DONE
