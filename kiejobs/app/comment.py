"""`plan --comment`: one comment for each project on a pull request, always as the last plan has it.

In: plans, and files without one. Out: a comment at GitHub or GitLab, or words on why there is none. Touches: the
forge's API. What there is to buy, or why nothing can be, makes a comment; an existing one is changed in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from kiejobs.adapters.forge import keep_comment, pull_request
from kiejobs.adapters.project.root import below_checkout, find_root
from kiejobs.reports.markdown import plans_markdown

if TYPE_CHECKING:
    from kiejobs.app.output import Screen
    from kiejobs.reports.plan import PlansView


def comment(plans: PlansView, file: str, screen: Screen) -> None:
    """`file` is one of the project's. Raises UsageProblem where the forge refuses, or there is no pull request."""
    pull = pull_request()
    if pull.silent is not None:
        screen.say(f"no comment on this pull request: {pull.silent}")
        return
    root = find_root(file).path
    text = plans_markdown(plans, below_checkout(str(root)) or root.name, pull.commit)
    asks = [view.totals.pending or view.broken or view.doubts for view in plans.views]
    marker = text.partition("\n")[0]

    async def kept() -> bool:
        return await keep_comment(pull, marker, text, create=any(asks) or bool(plans.refused))

    done = anyio.run(kept)
    screen.say("the comment is up to date" if done else "no comment: there is nothing to do")
