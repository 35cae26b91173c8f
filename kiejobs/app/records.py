"""What is on record, as verbs ask for it: runs, what there is to follow, what goes on elsewhere.

In: a workspace, the ledger. Out: runs by name and as a report is to show them; lines as a plan has them, those
that expire first ahead. Touches: the output folder, by reading.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.document.wording import suggest
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.fold import runs_of
from kiejobs.core.ledger.ledger import Attempt, Ledger, submitted_at
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action, Change
from kiejobs.reports.run.view import RunView

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from kiejobs.adapters.storage.check_results import CheckRecord
    from kiejobs.app.project import Workspace
    from kiejobs.core.checks import CheckResult
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.events import JournalRecord
    from kiejobs.core.ledger.fold import History

    Results = Mapping[tuple[str, int], Sequence[CheckResult]]

_RECENT = timedelta(hours=1)
_MOST_NAMES = 5
LATEST = "latest"
"""What the last run may be called by."""


def find_run(space: Workspace, history: History, name: str | None) -> JournalRecord:
    """A run by its id or any part of it that no other has; the latest by that word, or without a name, or by its campaign.

    Raises UsageProblem.
    """
    known = runs_of(history)
    listing = f"`kiejobs runs{space.flag}` lists the runs"
    if not known:
        hint = f"`kiejobs run{space.flag}` makes the first one"
        if space.has_rehearsals:
            hint = "rehearsals are on record of their own: add --sandbox"
        raise UsageProblem(f"no run yet in {space.store.name}", hint=hint)
    if name in {None, LATEST}:
        return known[-1]
    named = str(name)
    campaigns = {record.header.campaign: record for record in known if record.header}
    if named in campaigns:
        return campaigns[named]
    found = [record for record in known if named in record.run_id]
    if len(found) == 1 or any(record.run_id == named for record in found):
        return min(found, key=lambda record: len(record.run_id))
    if found:
        names = ", ".join(record.run_id for record in found[-_MOST_NAMES:])
        some = "" if len(found) <= _MOST_NAMES else f"{len(found)} runs, the latest "
        raise UsageProblem(f"`{named}` could be any of {some}{names}", hint="give more of its id")
    every = [LATEST, *filter(None, campaigns), *(record.run_id for record in known)]
    likely = suggest(named, every, f"{listing}; `{LATEST}` is the last")
    raise UsageProblem(f"no run or campaign `{named}` in {space.store.name}", hint=likely)


# --- a run, for its report ------------------------------------------------------------------------


def view_of(
    space: Workspace,
    record: JournalRecord,
    ledger: Ledger,
    document: Mapping[str, Json],
    *,
    exit_code: int | None,
    stopped: tuple[str, str] | None,
    notes: Mapping[str, str],
) -> RunView:
    """A run as its report is to show it; `notes` are what went wrong on the way home, by address.

    `settled` is what it reserved or saw the end of: a detached run's jobs end in a later `collect`.
    """
    file = document["source"] and document["source"]["file"]
    seen = {at.event.attempt_id for at in record.events if isinstance(at.event, e.Succeeded)}
    own, settled, campaign = [], [], document["campaign"]
    states: Counter[State | None] = Counter()
    for attempt in ledger.current():
        states[attempt.state] += campaign is not None and attempt.is_of(campaign)
    for attempt in ledger.attempts():
        is_own = attempt.run_id == record.run_id
        own += [attempt] if is_own else []
        settled += [attempt] if is_own or attempt.attempt_id in seen else []
    return RunView(
        document,
        notes=notes,
        stopped=stopped,
        exit_code=exit_code,
        attempts=own,
        settled=settled,
        of_campaign=None if campaign is None else ledger.committed(campaign),
        states_of_campaign=states,
        flag=space.flag,
        typed=None if file is None else space.typed(space.root.seen(file)),
        rehearsal=space.sandbox,
        outputs=space.folder.name,
        record=document["run_id"] and space.store.document(record.run_id),
    )


def known_results(space: Workspace, attempts: Iterable[Attempt]) -> Results:
    """What checks found of their files as they are on record; nothing is looked at."""
    from kiejobs.adapters.storage.check_results import CheckStore  # noqa: PLC0415 - only who shows them

    known = CheckStore(space.checks).read()
    found: dict[tuple[str, int], Sequence[CheckResult]] = {}
    for attempt in attempts:
        record = known.get((attempt.address, attempt.reserved.take))
        if record is not None and is_of(record, attempt):
            found[attempt.address, attempt.reserved.take] = record.results
    return found


def is_of(record: CheckRecord, attempt: Attempt) -> bool:
    """Were these its files?"""
    files = tuple(file.sha256 for file in attempt.files)
    return (record.files, record.fingerprint) == (files, attempt.reserved.fingerprint)


REPORT_FORMS = ("text", "json", "junit", "markdown")


def reports_in(form: str, views: Sequence[RunView], *, several: bool = False, **look: Any) -> str:
    """Reports one after the other and one total, with a line break at the end; JSON is one document.

    `look` is how text is to be: its `color`, `detail` and `wide`.
    """
    from kiejobs.reports.documents import json_text  # noqa: PLC0415 - only who reports, as below
    from kiejobs.reports.run import report  # noqa: PLC0415

    if form == "text":
        texts = [f"{report.report_text(view, **look)}\n" for view in views]
        if len(views) > 1:
            texts.append(f"{report.reports_sum(views, color=look.get('color', False))}\n")
        return "\n".join(texts)
    if form == "json":
        return f"{json_text(report.report_in(views, several=several))}\n"
    if form == "junit":
        return report.report_junit(views)
    from kiejobs.reports.markdown import report_markdown  # noqa: PLC0415 - as above

    total = [f"**{report.reports_sum(views)}**\n"] if len(views) > 1 else []
    return "\n".join([*map(report_markdown, views), *total])


# --- what there is to follow -----------------------------------------------------------------------


def lines_to_follow(
    space: Workspace,
    ledger: Ledger,
    campaign: str | None,
    takes: Callable[[Attempt], bool] = lambda _: True,
) -> list[Change]:
    """What is at the API, or done there and not complete here; what was made first is fetched first.

    And doubts whose answer names a task that is nobody else's: the API may be asked about it.
    """
    attempts = list(filter(takes, ledger.attempts(campaign)))
    space.look_ahead(attempts)
    known = {one.task_id for one in ledger.attempts()} if any(one.named_task for one in attempts) else set()
    lines = (_line(space, attempt, known) for attempt in sorted(attempts, key=submitted_at))
    return [line for line in lines if line is not None]


def doubts(ledger: Ledger, campaign: str | None) -> list[Change]:
    """What is in doubt and keeps an address from being bought."""
    return [
        _change(attempt, Action.HOLD, "?", "in_doubt")
        for attempt in ledger.current()
        if attempt.state is State.IN_DOUBT
        and (campaign is None or attempt.address.startswith(f"{campaign}/"))
    ]


def _line(space: Workspace, attempt: Attempt, known: Collection[str | None]) -> Change | None:
    if attempt.named_task and attempt.named_task not in known:
        return _change(attempt, Action.HOLD, "?", "in_doubt")._replace(then=Action.RESUME)
    if attempt.is_open:
        return _change(attempt, Action.RESUME, "~", "in_flight")
    if attempt.state is not State.SUCCEEDED:
        return None
    damage = space.condition(attempt) if attempt.is_collected else "file_missing"
    return None if damage is None else _change(attempt, Action.COLLECT, "v", damage)


def _change(attempt: Attempt, action: Action, sign: str, reason: str) -> Change:
    was = attempt.reserved
    what = (attempt.address, action, sign, reason, was.fingerprint, was.take, was.model)
    return Change(*what, credits=Decimal(0), attempt=attempt)


# --- what goes on elsewhere ------------------------------------------------------------------------


def unfinished_runs(history: History, space: Workspace) -> list[JournalRecord]:
    """Runs without an end on record that were heard of lately, from this API.

    The claim is ours, so nobody else buys from this folder; but a run may be at work on a copy of it. Those that are
    known to be at work elsewhere have claims of their own.
    """
    now, found = space.clock().now(), []
    for record in history.records:
        header = record.header
        if header is None or record.live or header.command != "run" or header.origin != space.origin:
            continue
        last = record.outline[-1]
        is_over = isinstance(last.event, e.RunFinished)
        if not is_over and abs(now - datetime.fromisoformat(last.at)) < _RECENT:
            found.append(record)
    return found
