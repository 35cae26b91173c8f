"""`kiejobs resolve ADDRESS --task ID | --lost`: the ruling that ends a doubt, or a conflict.

In: an address, and a person's ruling. Out: a `resolved` event with its evidence. Touches: the journals; the API
for `--task`, by asking.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from kiejobs.app.execute import new_journal
from kiejobs.app.project import mention_trouble, open_workspace, opened, require_key
from kiejobs.core.diagnostics import ExitCode, StillInDoubt, UsageProblem
from kiejobs.core.document.wording import suggest
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.outcomes import TaskRecord, Unanswered
from kiejobs.core.ledger.records import State
from kiejobs.core.ledger.uploads import mismatch
from kiejobs.reports.checks import Ruling, ruling_document, ruling_text
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Attempt, Ledger


def resolve(address: str, task_id: str | None, where: Locations, screen: Screen) -> ExitCode:
    """`task_id` None is the ruling `--lost`: nothing was made, so the job may be bought again."""
    space = open_workspace(where)
    journal = new_journal(space, "resolve", campaign=address.partition("/")[0])
    with space.claim(journal):
        ledger = space.ledger()
        attempt = _disputed(address, ledger, task_id)
        if attempt.task_id is None:
            evidence = _evidence(space, ledger, attempt, task_id)
        else:
            evidence = _seen(attempt, task_id)
        word = "lost" if task_id is None else "task"
        journal.append(e.Resolved(attempt.attempt_id, word, task_id, evidence))
        journal.close()
    space.store.publish(journal.run_id)
    mention_trouble(space, screen)
    ruling = Ruling(address, word, task_id, attempt.attempt_id, evidence)
    screen.answer(ruling_document, partial(ruling_text, flag=space.flag), ruling)
    return ExitCode.DONE


def _disputed(address: str, ledger: Ledger, task_id: str | None) -> Attempt:
    """What is in doubt under an address, else what has a conflict there, or was bought twice."""
    attempt = ledger.in_doubt_at(address)
    if attempt is not None:
        return attempt
    twice = [attempt for attempts in ledger.bought_twice() for attempt in attempts]
    disputed = [a for a in ledger.at(address) if a.conflicts or a in twice]
    if disputed:
        named = (attempt for attempt in disputed if attempt.task_id == task_id)
        return next(named, disputed[0])
    doubts = [a.address for a in ledger.attempts() if a.state is State.IN_DOUBT or a.conflicts]
    listed = f"in doubt: {', '.join(doubts)}" if doubts else "nothing is in doubt"
    hint = suggest(address, doubts) or listed
    raise UsageProblem(f"`{sanitize(address)}` is not in doubt", hint=hint)


def _seen(attempt: Attempt, task_id: str | None) -> str:
    """A conflict ends when a person has looked at it; the task that counts stays the same."""
    known = sanitize(attempt.task_id or "")
    if task_id is None or task_id != attempt.task_id:
        message = f"`{sanitize(attempt.address)}` has task {known} on record already"
        other = "any other task stays on record next to it, and its file is in the vendor's task log"
        raise UsageProblem(message, hint=f"end the conflict with --task {known}; {other}")
    return "a person ruled that this is the task to keep"


def _evidence(space: Workspace, ledger: Ledger, attempt: Attempt, task_id: str | None) -> str:
    """What the ruling rests on; raises where the API contradicts it."""
    if task_id is None:
        return "a person ruled that nothing was made"
    task, another = f"task {sanitize(task_id)}", "look for another task in the vendor's log"
    owner = next((a for a in ledger.attempts() if a.task_id == task_id), None)
    if owner is not None:
        raise StillInDoubt(f"{task} belongs to `{owner.address}` already", hint=another)
    record = _ask(space, task_id)
    if isinstance(record, Unanswered):
        hint = "check the id, or try again in a minute"
        if record.by_edge:
            hint = "`kiejobs doctor` asks who answers there; the id may be right"
        raise StillInDoubt(f"the API does not show {task}: {record.message}", hint=hint)
    found = mismatch(attempt, record.model, record.input, record.attempt_id, uploads=ledger.uploads)
    if found is not None:
        raise StillInDoubt(f"{task} is not this job: {sanitize(found)}", hint=another)
    return f"recordInfo shows the same request for task {task_id} ({record.api_state})"


def _ask(space: Workspace, task_id: str) -> TaskRecord | Unanswered:
    async def ask() -> TaskRecord | Unanswered:
        async with opened(space, require_key(space)) as (api, *_):
            return await api.record(task_id)

    return anyio.run(ask)
