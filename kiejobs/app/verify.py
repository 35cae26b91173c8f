"""The ledger held against itself: journals, the manifests made of them, and what was bought twice.

In: a workspace. Out: what is wrong, with its place. Touches: the ledger's home, by reading.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.money import price_text
from kiejobs.reports.checks import Damage, verify_document, verify_text
from kiejobs.reports.terminal import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.diagnostics import JournalProblem
    from kiejobs.core.ledger.fold import History
    from kiejobs.core.ledger.ledger import Attempt


def verify_journals(space: Workspace) -> tuple[History, list[Damage], bool]:
    """The journals that can be read, what is wrong, and whether that is a journal: then nothing else was looked at."""
    history, damaged = space.store.check()
    if damaged:
        return history, [_damage(place, problem) for place, problem in damaged], True
    return history, [*_stale_manifests(space, history), *_bought_twice(space, history)], False


def answer_verified(
    found: Sequence[Damage], screen: Screen, *, journals: int, files: int | None, is_damaged: bool
) -> ExitCode:
    """Show what is wrong; `files` None where none was looked at."""
    document = partial(verify_document, journals=journals, files=files)
    screen.answer(document, partial(verify_text, journals=journals, files=files), found)
    if is_damaged:
        return ExitCode.JOURNAL
    return ExitCode.SOME_FAILED if found else ExitCode.DONE


def _damage(place: str, problem: JournalProblem) -> Damage:
    """The problem's own place, `FILE:LINE: what`, taken apart."""
    line, colon, what = problem.message.removeprefix(f"{place}:").partition(": ")
    known = bool(colon) and line.isdecimal()
    return Damage(place, int(line) if known else None, what if known else problem.message)


def _stale_manifests(space: Workspace, history: History) -> Iterator[Damage]:
    for record in history.records:
        if record.header is None or record.live:
            continue  # a run writes its manifest at its end
        place, data = space.store.manifest_place(record.run_id), space.store.manifest(record.run_id)
        if data is None:
            yield Damage(place, None, "missing; `kiejobs manifest rebuild` writes it")
        elif data != history.manifest(record):
            yield Damage(place, None, "differs from its journals; `kiejobs manifest rebuild`")


def _bought_twice(space: Workspace, history: History) -> Iterator[Damage]:
    """What two folders bought that were apart, two branches say, and one create with several tasks.

    Until a person rules which one to keep: `resolve ADDRESS --task ID`.
    """
    for origin in sorted({record.header.origin for record in history.records if record.header}):
        ledger = history.ledger(origin)
        for attempts in ledger.bought_twice():
            yield Damage(space.store.place(attempts[0].run_id), None, _pair(attempts, space))
        for attempt in ledger.attempts():
            if attempt.conflicts and attempt.other_task_ids:
                yield Damage(space.store.place(attempt.run_id), None, _several(attempt, space))


def _pair(attempts: Sequence[Attempt], space: Workspace) -> str:
    first, *rest = attempts
    tasks = " and ".join(f"task {attempt.task_id} in run {attempt.run_id}" for attempt in attempts)
    times = "twice" if len(attempts) == 2 else f"{len(attempts)} times"
    cost = _cost(first.charged or first.reserved.credits, len(rest))
    return f"{first.address} was bought {times}: {tasks}; {cost}; {_ruling(first, space)}"


def _several(attempt: Attempt, space: Workspace) -> str:
    others = sorted(attempt.other_task_ids)
    tasks = " and ".join([str(attempt.task_id), *others])
    what = f"{attempt.address} is one create with several tasks: {tasks}"
    return f"{what}; {_cost(attempt.reserved.credits, len(others))}; {_ruling(attempt, space)}"


def _cost(credits_: Decimal | None, times: int) -> str:
    if credits_ is None:
        return "at an unknown price"
    return f"{price_text(credits_ * times)} more than once would have cost"


def _ruling(attempt: Attempt, space: Workspace) -> str:
    return (
        f"`kiejobs resolve {quoted(attempt.address)} --task {attempt.task_id}{space.flag}` says that you know"
    )
