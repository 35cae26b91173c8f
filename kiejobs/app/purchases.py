"""What a run is about to buy: lines with their jobs aimed, the plan on record, uploads to go on with, the pace so far.

In: the ledger, the plan's lines. Out: lines, events, uploads, ages of creates.
Touches the clock.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from kiejobs.core.expand.job import refs_in
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.records import State, sibling_path
from kiejobs.core.plan.plan import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.project import Workspace
    from kiejobs.core.expand.job import Job
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.ledger.uploads import Uploads
    from kiejobs.core.plan.plan import Change

_LATEST = 1_000  # attempts whose age can still matter to any sensible rate


def aimed(
    lines: Sequence[Change], ledger: Ledger, elsewhere: Ledger, callback_url: str | None
) -> list[Change]:
    """The lines as they are carried out: no job goes to a file that another purchase has.

    What was bought from another API into the same folder is another purchase, whatever it shows.
    `callback_url` is for jobs that name none themselves.
    """
    taken, foreign = ledger.paths(), elsewhere.paths()

    def aim(job: Job) -> Job:
        if job.callback_url is None and callback_url is not None:
            job = replace(job, callback_url=callback_url, correlate=True)
        ours = taken.get(job.output, job.fingerprint) == job.fingerprint
        if ours and job.output not in foreign:
            return job
        return replace(job, output=sibling_path(job.output, job.fingerprint))

    return [
        replace(line, job=aim(line.job)) if line.spends and line.job is not None else line
        for line in lines
    ]


def intentions(lines: Sequence[Change]) -> list[e.Event]:
    """The plan on record, and the adoptions, which cost nothing and hold at once."""
    events: list[e.Event] = [
        e.Planned(
            address=line.address,
            fingerprint=line.fingerprint,
            take=line.take,
            model=line.model,
            action=str(line.action),
            reason=line.reason,
            credits=line.credits,
        )
        for line in lines
        if line.action is not Action.ORPHAN
    ]
    events += [
        e.Adopted(line.address, line.attempt.address, line.fingerprint, line.take)
        for line in lines
        if line.action is Action.ADOPT and line.attempt is not None
    ]
    return events


def reusable_uploads(ledger: Ledger) -> Uploads:
    """Those on record, but for what a task was made with that failed, or a create that was rejected.

    It may have been the address's fault: a file that the vendor dropped early, say. Another upload costs
    nothing, and another failure may.
    """
    if not ledger.uploads:
        return {}
    failed = (a for a in ledger.attempts() if a.state in {State.FAILED, State.REJECTED})
    suspect = {ref for attempt in failed for _, ref in refs_in(dict(attempt.reserved.input))}
    return {sha: told for sha, told in ledger.uploads.items() if f"sha256:{sha}" not in suspect}


def recent_create_ages(ledger: Ledger, space: Workspace) -> tuple[float, ...]:
    """How long ago the last creates were, in this workspace's seconds: the account's pace goes on."""
    now = space.clock().now()
    speed = space.speed if space.sandbox else 1.0
    times = [datetime.fromisoformat(attempt.times["reserved"]) for attempt in ledger.attempts()]
    ages = [(now - at).total_seconds() for at in times[-_LATEST:]]
    return tuple(max(age, 0.0) * speed for age in ages)  # below 0 where the clock was set back
