"""Whether this clone may lack journals that others have pushed: then nothing is bought from it.

In: a workspace. Out: nothing, or StalePlan. Touches: git, which asks the branch's remote for its tip.

A branch that follows nothing is not looked at, and neither is a detached HEAD: a checkout by commit, as
CI makes it, says nothing of where journals go. Nor are runs folders that git ignores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.adapters.git.repository import GitFailed, repository_of
from kiejobs.core.diagnostics import StalePlan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.adapters.git.repository import Repository, Upstream
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace

_HINT = "`git pull`, then run again; --allow-behind buys without knowing what was bought there"


def require_fresh(space: Workspace, screen: Screen) -> None:
    """Raises StalePlan where the upstream has journals, or may have some, that are not here.

    What can't be found out is said and lived with: a machine that is offline may still buy.
    """
    if space.sandbox:
        return
    try:
        repository = repository_of(space.runs)
        if repository is not None and not repository.ignores(space.runs / "RUN" / "journal.jsonl"):
            _require_up_to_date(repository, space, screen)
    except GitFailed as failed:
        screen.say(f"can't ask git whether this clone is behind its upstream: {failed}")


def _require_up_to_date(repository: Repository, space: Workspace, screen: Screen) -> None:
    upstream = repository.upstream()
    if upstream is None:
        return
    for tip in _tips(repository, upstream, screen):
        if not repository.has(tip):
            raise StalePlan(
                f"this clone is behind {upstream}, whose last commit is not here and may hold "
                "journals; nothing was bought",
                hint=_HINT,
            )
        if not repository.is_in_head(tip):
            _require_nothing_new(repository, upstream, tip, space)


def _tips(repository: Repository, upstream: Upstream, screen: Screen) -> Iterator[str]:
    """What was last fetched, and what the remote has now."""
    if upstream.known is not None:
        yield upstream.known
    try:
        tip = repository.tip_at(upstream)
    except GitFailed as failed:
        screen.say(
            f"can't ask {upstream.remote} whether there is more than was last fetched: {failed}"
        )
        return
    if tip is not None and tip != upstream.known:
        yield tip


def _require_nothing_new(
    repository: Repository, upstream: Upstream, tip: str, space: Workspace
) -> None:
    """Commits without journals are no reason to stop."""
    news = repository.added_since(tip, space.runs)
    runs = sorted({name.rpartition("/")[0].rpartition("/")[2] for name in news})
    if runs:
        what = (
            f"the journal of {runs[0]}" if len(runs) == 1 else f"the journals of {len(runs)} runs"
        )
        raise StalePlan(
            f"this clone is behind {upstream}: it lacks {what}; nothing was bought",
            hint=_HINT,
        )
