"""Every case played to creates and polls, and held against the sandbox's own log.

In: a stage, how dense the offsets are. Out: `Creates`, `Polls`: counts, and what was wrong
in words. Touches what the stage touches.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from kiejobs.core.ledger import outcomes
from tests.proofs.hostile_cases import (
    FRAMINGS,
    NOT_SENT,
    NOT_TOLD,
    TOLD,
    Case,
    Sizes,
    every_case,
)
from tests.proofs.hostile_stage import ALL_THE_TIME, HURRIED, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.proofs.tcp_proxy import Line

Played: TypeAlias = "list[tuple[Case, str, outcomes.CreateOutcome, int]]"
_MAY_GO_AGAIN = (
    outcomes.NotSent, outcomes.CreateNotAccepted, outcomes.Refused, outcomes.NoMoney, outcomes.CreateRejected,
)  # fmt: skip


@dataclass
class Creates:
    """`classes` by the outcome's name. `unsafe`: charged, and yet in a class that lets it go again."""

    cases: int = 0
    behaviours: set[str] = field(default_factory=set)
    classes: Counter[str] = field(default_factory=Counter)
    in_doubt_and_charged: int = 0
    charged_twice_by_the_network: int = 0
    unsafe: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Polls:
    """`ended_wrongly`: a terminal state that the task is not in."""

    cases: int = 0
    told: int = 0
    unanswered: int = 0
    ended_wrongly: int = 0
    wrong: list[str] = field(default_factory=list)


def play_creates(stage: Stage, *, every: int) -> Creates:
    """All cases, then the judgement, when nothing is under way any more."""
    played: Played = []
    sizes = measured(stage, lambda: stage.create("case 0000000"))
    for number, case in enumerate(cases_of(sizes, every), start=1):
        prompt = f"case {number:07}"
        stage.proxy.script = case.script
        outcome = stage.create(prompt, HURRIED if case.hangs else ALL_THE_TIME)
        stage.proxy.settle()
        played.append((case, prompt, outcome, stage.reserved))
    return judge_creates(played, stage.charges())


def judge_creates(played: Played, charges: dict[str, list[str]]) -> Creates:
    found = Creates()
    for case, prompt, outcome, reserved in played:
        ids = charges.get(prompt, [])
        found.cases += 1
        found.behaviours.add(case.behaviour)
        found.classes[type(outcome).__name__] += 1
        found.in_doubt_and_charged += bool(ids) and isinstance(outcome, outcomes.CreateInDoubt)
        found.charged_twice_by_the_network += len(ids) > 1
        found.unsafe += bool(ids) and isinstance(outcome, _MAY_GO_AGAIN)
        for what in _what_is_wrong(case, outcome, reserved, ids):
            found.wrong.append(f"{case.behaviour} ({prompt}): {what}: {outcome}")
    return found


def _what_is_wrong(
    case: Case, outcome: outcomes.CreateOutcome, reserved: int, ids: list[str]
) -> Iterator[str]:
    if _thought_of(outcome) not in case.thinks:
        yield "another class than the design's"
    if len(ids) not in case.copies:
        yield f"charged {len(ids)} times, not {case.copies}"
    if isinstance(outcome, outcomes.Accepted) and outcome.task_id not in ids:
        yield "a task that the log does not have"
    if reserved != (0 if isinstance(outcome, outcomes.NotSent) else 1):
        yield f"reserved {reserved} times"


def _thought_of(outcome: outcomes.CreateOutcome) -> str:
    kinds = {outcomes.Accepted: TOLD, outcomes.CreateInDoubt: NOT_TOLD, outcomes.NotSent: NOT_SENT}
    return kinds.get(type(outcome), type(outcome).__name__)


def play_polls(stage: Stage, *, every: int) -> Polls:
    """The task has ended long ago; whoever says anything else of it is wrong."""
    task_id, truth = stage.finished_task()
    found = Polls()
    for case in cases_of(measured(stage, lambda: stage.poll(task_id)), every):
        stage.proxy.script = case.script
        outcome = stage.poll(task_id, HURRIED if case.hangs else ALL_THE_TIME)
        stage.proxy.settle()
        _count(found, case, outcome, truth)
    return found


def _count(found: Polls, case: Case, outcome: outcomes.PollOutcome, truth: outcomes.PollOutcome) -> None:
    unanswered = isinstance(outcome, outcomes.Unanswered)
    terminal = isinstance(outcome, outcomes.TaskSucceeded | outcomes.TaskFailed)
    found.cases += 1
    found.told += outcome == truth
    found.unanswered += unanswered
    found.ended_wrongly += terminal and outcome != truth
    may_be_told, may_be_unanswered = TOLD in case.thinks, case.thinks != {TOLD}
    if not (may_be_told if outcome == truth else may_be_unanswered and unanswered):
        found.wrong.append(f"poll, {case.behaviour}: {outcome}")


def cases_of(sizes: Sizes, every: int) -> Iterator[Case]:
    return every_case(sizes, every=every, patience=HURRIED.answer)


def measured(stage: Stage, ask: Callable[[], object]) -> Sizes:
    """How long the request and its honest answer are, in each framing."""
    heard: list[tuple[bytes, bytes]] = []

    def listen(line: Line) -> None:
        request = line.request()
        heard.append((request, line.asked(request)))
        line.say(heard[-1][1])
        line.end()

    stage.proxy.script = listen
    ask()
    stage.proxy.settle()
    request, answer = heard[-1]
    return Sizes(len(request), {name: len(shape(answer)) for name, shape in FRAMINGS.items()})
