"""A plan as its reports take it, and in the format that was asked for.

In: a loaded job file, a plan's lines and totals. Out: a `PlanView`; text. Touches: the journals' folder
and git, by reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import below_root
from kiejobs.app.plan import diff_of, prices_of, usd_per_credit, widest_address
from kiejobs.reports.plan import PlanRow, PlanView, plan_json, plan_text

if TYPE_CHECKING:
    from decimal import Decimal

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.project import JobFileOptions, Workspace
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Plan

FORMS = ("text", "json", "markdown")


def plan_view(
    loaded: LoadedJobFile,
    wanted: JobFileOptions,
    space: Workspace,
    ledger: Ledger,
    plan: Plan,
    left: Decimal | None,
) -> PlanView:
    """`left` is what is left of a budget, None where nobody set one."""
    return PlanView(
        loaded.jobfile.campaign,
        [PlanRow(line, diff_of(loaded, line, ledger)) for line in plan.changes],
        plan.totals,
        file=below_root(wanted.file) or wanted.file,
        budget_left=left,
        usd_per_credit=usd_per_credit(loaded),
        prices=prices_of(loaded, space),
        flag=space.flag,
        rehearsal=space.sandbox,
        address_width=widest_address(loaded),
    )


def plan_in(form: str, view: PlanView, *, color: bool = False) -> str:
    """With a line break at its end."""
    if form == "json":
        return plan_json(view)
    if form == "markdown":
        from kiejobs.reports.markdown import plan_markdown  # noqa: PLC0415 - only if asked for

        return plan_markdown(view)
    return f"{plan_text(view, color=color)}\n"
