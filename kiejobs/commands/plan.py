"""`kiejobs plan FILE`: what would be bought, line by line, and for how much. No key, no network.

In: a job file, the journals. Out: a table, the document of schemas/plan.schema.json, or Markdown for a pull
request; the same in files, where a plan's document is a plan file. Touches: disk.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.app.load import load
from kiejobs.app.output import files_by_ending, write
from kiejobs.app.plan import FORMS, budget_left, make_plan, plan_in, plan_view, require_selected
from kiejobs.app.project import mention_two_ledgers, open_workspace
from kiejobs.core.diagnostics import ExitCode
from kiejobs.reports.plan import plan_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from kiejobs.app.options import JobFileOptions, Locations
    from kiejobs.app.output import Screen
    from kiejobs.core.diagnostics import Diagnostic


def plan(
    wanted: JobFileOptions,
    where: Locations,
    screen: Screen,
    *,
    detailed_exitcode: bool,
    retry: Sequence[str],
    budget: Decimal | None,
    since: str | None = None,
) -> ExitCode:
    """Exit 3 where asked to and something is to be done, 5 where a policy has something against it.

    No plan is made of a file that did not change `since` a revision.
    """
    if since is not None:
        from kiejobs.app.by_git import Changes  # noqa: PLC0415 - behind a flag

        if not Changes(since).touch(wanted):
            screen.say(f"{wanted.file} is unchanged since {since}: no plan")
            return ExitCode.DONE
    files = files_by_ending(screen.outs, FORMS, (wanted.file,))
    space = open_workspace(where, wanted.file)
    mention_two_ledgers(space, screen)
    loaded = load(wanted)
    require_selected(loaded)
    ledger = space.ledger()
    if wanted.locked or wanted.check_assets:
        from kiejobs.app.approve import require_locked  # noqa: PLC0415 - where it is asked for

        require_locked(loaded, screen, base=space.base, ledger=ledger)
    made = make_plan(loaded, space, ledger, retry)
    broken: Sequence[Diagnostic] = ()
    if space.policy is not None:
        from kiejobs.app.approve import breaches_of  # noqa: PLC0415 - most have no policy

        broken = breaches_of(space, loaded, ledger, made.changes)
    left = budget_left(loaded, ledger, made.changes, budget)
    view = plan_view(loaded, space, ledger, made, left)
    view = replace(view, own_schemas=loaded.own_schemas, broken=broken)
    screen.show(plan_in(screen.form, view, color=screen.color_out))
    for path, kind in files:
        if kind == "json":
            from kiejobs.app.approve import plan_file_keys  # noqa: PLC0415 - for a plan file only

            write(path, plan_json(view, plan_file_keys(loaded, retry, space)))
        else:
            write(path, plan_in(kind, view))
    if broken and space.policy is not None:
        from kiejobs.app.approve import require_none  # noqa: PLC0415 - most have no policy

        require_none(broken, space.policy, screen)
    if detailed_exitcode and made.totals.pending:
        return ExitCode.CHANGES_PENDING
    return ExitCode.DONE
