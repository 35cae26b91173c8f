"""`plan --comment`: one comment for each project on a pull request, always as the last plan has it.

In: plans, and files without one. Out: a comment at GitHub or GitLab, or words on why there is none. Touches: the
forge's API; git. An existing comment is changed in any case. A new one is made where there is something to say:
there is something to do, or nothing can be done, and, given a base, the pull request touches what is planned; or it
touches what was picked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from kiejobs.adapters.forge import keep_comment, pull_request
from kiejobs.adapters.project.root import below_checkout, find_root
from kiejobs.app.by_git import Changes
from kiejobs.core.picks import FILE as PICKS
from kiejobs.reports.markdown import plans_markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.options import JobFileOptions
    from kiejobs.app.output import Screen
    from kiejobs.reports.plan import PlansView


def comment(
    plans: PlansView, planned: Sequence[JobFileOptions], file: str, base: str | None, screen: Screen
) -> None:
    """`file` is one of the project's. Raises UsageProblem where the forge refuses, or there is no pull request."""
    pull = pull_request()
    if pull.silent is not None:
        screen.note(f"no comment on this pull request: {pull.silent}")
        return
    root = find_root(file).path
    text = plans_markdown(plans, below_checkout(str(root)) or root.name, pull.commit)
    marker, create = text.partition("\n")[0], _has_news(plans, planned, base)

    async def kept() -> bool:
        return await keep_comment(pull, marker, text, create=create)

    done = anyio.run(kept)
    screen.note("the comment is up to date" if done else "no comment: nothing changes here")


def _has_news(plans: PlansView, planned: Sequence[JobFileOptions], base: str | None) -> bool:
    if plans.refused or plans.whole.guards:
        return True
    changes = None if base is None else Changes(base)
    if any(view.totals.pending or view.broken or view.doubts for view in plans.views):
        return changes is None or any(map(changes.touch, planned))
    choice = [str(Path(one.file).parent / PICKS) for one in planned]
    return changes is not None and any(map(changes.has, choice))
