"""Whether this clone may lack journals that others have pushed: then nothing is bought from it.

In: a runs folder. Out: nothing, or StalePlan. Touches: git, which asks the branch's remote for its tip. Not
looked at are branches that follow nothing, runs folders that git ignores, and a detached HEAD: a checkout by
commit, as CI makes it, says nothing of where journals go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.adapters.git import GitFailed, repository_of
from kiejobs.adapters.ledger.journal import JOURNAL
from kiejobs.core.diagnostics import StalePlan

if TYPE_CHECKING:
    from pathlib import Path

    from kiejobs.adapters.git import Repository, Upstream

_HINT = "`git pull`, then run again; --allow-behind buys without knowing what was bought there"


def require_current(runs: Path) -> list[str]:
    """Raises StalePlan where the upstream has journals, or may have some, that are not here.

    Answers with what could not be found out, in words: a machine that is offline may still buy.
    """
    try:
        repository = repository_of(runs)
        if repository is not None and not repository.ignores(runs / "RUN" / JOURNAL):
            return _require_up_to_date(repository, runs)
    except GitFailed as failed:
        return [f"can't ask git whether this clone is behind its upstream: {failed}"]
    return []


def _require_up_to_date(repository: Repository, runs: Path) -> list[str]:
    upstream = repository.upstream()
    if upstream is None:
        return []
    if upstream.known is not None:  # what was last fetched
        _require_in_head(repository, upstream, upstream.known, runs)
    try:
        tip = repository.tip_at(upstream)
    except GitFailed as failed:
        more = "whether there is more than was last fetched"
        return [f"can't ask {upstream.remote} {more}: {failed}"]
    if tip is not None and tip != upstream.known:
        _require_in_head(repository, upstream, tip, runs)
    return []


def _require_in_head(repository: Repository, upstream: Upstream, tip: str, runs: Path) -> None:
    """Commits without journals are no reason to stop."""
    if not repository.has(tip):
        why = ", whose last commit is not here and may hold journals"
    else:
        news = [] if repository.is_in_head(tip) else repository.added_since(tip, runs)
        names = sorted({name.rpartition("/")[0].rpartition("/")[2] for name in news})
        if not names:
            return
        one = len(names) == 1
        what = f"the journal of {names[0]}" if one else f"the journals of {len(names)} runs"
        why = f": it lacks {what}"
    raise StalePlan(f"this clone is behind {upstream}{why}; nothing was bought", hint=_HINT)
