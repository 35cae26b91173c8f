"""The desk on stand-ins: what callbacks wake, which doubts they end, and what they never change."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from kiejobs.core.diagnostics import JournalProblem, Place
from kiejobs.core.expand.job import Job
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.callbacks import Claim
from kiejobs.core.ledger.events import JournalRecord, Timed
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action, Change
from kiejobs.runner import Budget, Rate, RunEnd, Runner, Settings, StopReason, World
from tests.contracts.fakes import (
    FakeApi,
    FakeCallbacks,
    FakeClock,
    MemoryArtifacts,
    MemoryJournal,
    Told,
)
from tests.support.histories import BROKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from kiejobs.core.ledger.ledger import Attempt, Ledger

HOOK = "http://me.invalid/hook"
HEADER = e.RunStarted("run-1", "run", "tea", "http://fake.invalid", None, "kiejobs 0", 1)
OTHERS = replace(HEADER, run_id="run-0")
DOUBT = outcomes.CreateInDoubt("ReadTimeout")
FIRST, SECOND = f"{0:032x}", f"{1:032x}"
STRANGER = "5e" * 16
SETTINGS = Settings(rate=Rate(1000, 1.0), callback_url=HOOK)
STAYING = replace(SETTINGS, stay=True, until_done=True)


class Api(FakeApi):
    """Tasks run until their time is up. `makes` tells of one that no create of this run named."""

    def __init__(self, clock: FakeClock, *creates: outcomes.CreateOutcome) -> None:
        super().__init__(deque(creates), clock=clock)
        self.time = clock
        self.ends: dict[str, float] = {}
        self.polled: dict[str, list[float]] = {}
        self.records: dict[str, outcomes.TaskRecord] = {}
        self.questions: list[str] = []

    def makes(self, task_id: str, number: int = 0, **more: Any) -> None:
        """Of job `number`, as recordInfo shows it."""
        given = {"attempt_id": None, "input": {"prompt": f"j{number}"}, **more}
        model = given.pop("model", "example/one")
        self.records[task_id] = outcomes.TaskRecord(task_id, model, api_state="success", **given)

    async def poll(self, task_id: str) -> outcomes.PollOutcome:
        self.polled.setdefault(task_id, []).append(self.time.monotonic())
        if task_id not in self.asked and task_id not in self.records:
            return outcomes.Unanswered("recordInfo is null", "422")
        if self.time.monotonic() < self.ends.get(task_id, 0):
            return outcomes.StillRunning("generating")
        return outcomes.TaskSucceeded((f"http://fake.invalid/{task_id}.mp4?sig=1",), Decimal(16))

    async def record(self, task_id: str) -> outcomes.TaskRecord | outcomes.Unanswered:
        self.questions.append(task_id)
        return self.records.get(task_id) or await super().record(task_id)

    def gaps(self, task_id: str, after: float, before: float) -> list[float]:
        """Seconds between its polls in that time."""
        times = [at for at in self.polled[task_id] if after <= at <= before]
        return [then - at for at, then in pairwise(times)]


@dataclass
class Stage:
    """One run that hears callbacks. `others` are journals of other processes."""

    clock: FakeClock = field(default_factory=FakeClock)
    creates: Sequence[outcomes.CreateOutcome] = ()
    settings: Settings = SETTINGS
    spending: Budget = field(default_factory=Budget)
    others: list[JournalRecord] = field(default_factory=list)
    reading_takes: float = 0.0
    damaged: bool = False

    def __post_init__(self) -> None:
        self.api = Api(self.clock, *self.creates)
        self.callbacks = FakeCallbacks()
        self.artifacts = MemoryArtifacts()
        self.journal = MemoryJournal(HEADER, self.clock)
        self.told = Told()
        self.readings = 0

    def go(
        self,
        script: Callable[[], Coroutine[Any, Any, None]] | None = None,
        *lines: Change,
        **job: Any,
    ) -> RunEnd:
        """Run it, and beside it the script."""
        world = World(self.api, self.journal, self.artifacts, self.clock, self.told, self.callbacks)
        runner = Runner(
            world,
            settings=self.settings,
            spending=self.spending,
            media_type=lambda _: "video/mp4",
            reread=self.reread,
        )

        async def scene() -> RunEnd:
            async with anyio.create_task_group() as group:
                if script is not None:
                    group.start_soon(script)
                changed = [
                    line._replace(job=line.job._replace(**job)) if line.job else line for line in lines
                ]
                end = await runner.carry_out(changed, lambda: None)
                group.cancel_scope.cancel()
            return end

        return anyio.run(scene)

    async def reread(self) -> Ledger:
        self.readings += 1
        found = self.ledger()
        await self.clock.sleep(self.reading_takes)
        if self.damaged:
            raise JournalProblem("runs/x/journal.jsonl:3: not what was written")
        return found

    def ledger(self) -> Ledger:
        return fold([*self.others, replace(self.journal.record(), live=True)])

    def attempt(self, job: str = "j0") -> Attempt:
        (attempt,) = self.ledger().at(f"tea/{job}")
        return attempt

    def hear(self, task_id: str, job: str = "j0", *, signed: bool = False) -> None:
        self.callbacks.hear(Claim(self.attempt(job).attempt_id, task_id, signed))

    def types(self) -> list[str]:
        return self.journal.types()

    def at(self, kind: str) -> list[float]:
        """When events of that kind were written, in seconds of the clock."""
        base = self.clock.now().timestamp() - self.clock.monotonic()
        return [
            datetime.fromisoformat(timed.at).timestamp() - base
            for timed in self.journal.record().events
            if timed.event.type == kind
        ]

    def events(self, kind: type[e.Event]) -> list[Any]:
        return [t.event for t in self.journal.record().events if isinstance(t.event, kind)]


def job_of(number: int, **more: Any) -> Job:
    name = f"j{number}"
    return Job(
        address=f"tea/{name}", fingerprint=f"f{number}", take=1, campaign="tea",
        name=name, model="example/one", input={"prompt": name}, axes=(), tags=(),
        credits=Decimal(16), output=f"tea/{name}.mp4", callback_url=HOOK, place=Place("f", 1, 1),
    )._replace(**more)  # fmt: skip


def submit(number: int) -> Change:
    j = job_of(number)
    return Change(
        address=j.address, action=Action.SUBMIT, sign="+", reason="new", fingerprint=j.fingerprint,
        take=1, model=j.model, credits=j.credits, job=j,
    )  # fmt: skip


def reserved(name: str = "a", number: int = 0) -> e.Reserved:
    j = job_of(number)
    return e.Reserved(name * 32, j.address, j.fingerprint, 1, j.model, j.input, HOOK, j.credits, j.output)


def elsewhere(*events: e.Event, live: bool = False, at: str = "2026-11-22T07:59:00.000Z") -> Any:
    return JournalRecord("run-0", [Timed(at, event) for event in (OTHERS, *events)], live)


# --- polls ---------------------------------------------------------------------------------------


def test_a_callback_wakes_its_tasks_poll_at_once() -> None:
    stage = Stage()
    stage.api.ends[FIRST] = 200.0

    async def script() -> None:
        await stage.clock.sleep(200)
        stage.hear(FIRST)

    stage.go(script, submit(0))
    assert stage.at("succeeded") == [pytest.approx(200, abs=0.5)]
    assert stage.types()[-3:] == ["called", "succeeded", "collected"]
    assert stage.readings == 0, "what is followed from here needs no journals"


def test_a_callback_that_comes_before_the_record_says_so_is_asked_after_quickly() -> None:
    stage = Stage()
    stage.api.ends[FIRST] = 210.0

    async def script() -> None:
        await stage.clock.sleep(200)
        stage.hear(FIRST)

    stage.go(script, submit(0))
    assert stage.at("succeeded") == [pytest.approx(210, abs=4)]


def test_as_long_as_callbacks_arrive_polling_is_a_safety_net() -> None:
    stage = Stage()
    stage.api.ends.update({FIRST: 50.0, SECOND: 600.0})

    async def script() -> None:
        await stage.clock.sleep(50)
        stage.hear(FIRST)

    stage.go(script, submit(0), submit(1))
    before, after = stage.api.gaps(SECOND, 0, 50), stage.api.gaps(SECOND, 80, 600)
    assert max(before) < 9
    assert min(after) >= 0.9 * 60
    assert stage.told.notes == ["callbacks arrive: polling is only a safety net now"]


def test_tasks_that_end_untold_bring_the_polling_ladder_back() -> None:
    stage = Stage()
    ids = [f"{n:032x}" for n in range(5)]
    stage.api.ends.update(zip(ids, (50.0, 300.0, 300.0, 300.0, 900.0), strict=True))

    async def script() -> None:
        await stage.clock.sleep(50)
        stage.hear(ids[0])

    stage.go(script, *map(submit, range(5)))
    assert "callbacks have stopped: polling as usual" in stage.told.notes
    assert min(stage.api.gaps(ids[4], 80, 300)) > 50
    assert max(stage.api.gaps(ids[4], 500, 900)) < 25


def test_without_any_callback_the_ladder_is_as_ever() -> None:
    stage = Stage()
    stage.api.ends[FIRST] = 600.0
    stage.go(None, submit(0))
    assert max(stage.api.gaps(FIRST, 0, 600)) < 25
    assert stage.told.notes == []


# --- ends of doubts ------------------------------------------------------------------------------


@pytest.mark.parametrize("signed", [True, False])
def test_a_callback_ends_the_doubt_and_the_task_is_brought_home(*, signed: bool) -> None:
    stage = Stage(creates=[DOUBT], spending=Budget(Decimal(40)))

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.api.makes(FIRST)
        stage.hear(FIRST, signed=signed)

    stage.go(script, submit(0))
    assert stage.types() == [
        "run_started", "reserved", "in_doubt", "resolved", "called", "succeeded", "collected",
    ]  # fmt: skip
    assert stage.attempt().state is State.SUCCEEDED
    assert stage.attempt().task_id == FIRST
    (ruling,) = stage.events(e.Resolved)
    assert ruling.evidence.startswith("a signed callback" if signed else "a callback")
    assert len(stage.api.bodies) == 1, "nothing was bought for it"
    assert stage.spending.left == 24, "the doubt held its price, and that was charged"
    assert 30 <= stage.clock.monotonic() < 60, "and then nothing is waited for"


def test_a_record_that_comes_late_is_waited_for() -> None:
    stage = Stage(creates=[DOUBT])

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.hear(FIRST)
        await stage.clock.sleep(40)
        stage.api.makes(FIRST)

    stage.go(script, submit(0))
    assert stage.attempt().state is State.SUCCEEDED


def test_a_task_that_the_api_never_shows_ends_no_doubt() -> None:
    stage = Stage(creates=[DOUBT])

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.hear(FIRST)

    stage.go(script, submit(0))
    assert stage.types()[1:] == ["reserved", "in_doubt"]
    assert "names a task that the API lacks" in stage.told.notes[-1]


def test_a_claim_that_comes_as_the_wait_runs_out_is_seen_through() -> None:
    stage = Stage(creates=[DOUBT])

    async def script() -> None:
        await stage.clock.sleep(895)
        stage.hear(FIRST)
        await stage.clock.sleep(40)
        stage.api.makes(FIRST)

    stage.go(script, submit(0))
    assert stage.attempt().state is State.SUCCEEDED


def test_what_a_person_ruled_lost_is_taken_when_its_task_calls() -> None:
    lost = (e.InDoubt("a" * 32, BROKEN), e.Resolved("a" * 32, "lost", None, "ruled"))
    stage = Stage(others=[elsewhere(reserved(), *lost)])
    stage.api.ends[FIRST] = 60.0
    stage.api.makes("late")

    async def script() -> None:
        await stage.clock.sleep(10)
        stage.hear("late")

    stage.go(script, submit(5))
    assert stage.attempt().state is State.SUCCEEDED
    assert stage.attempt().task_id == "late"


def test_doubts_are_waited_for_as_long_as_a_task_may_take_and_no_longer() -> None:
    stage = Stage(creates=[DOUBT])
    stage.go(None, submit(0))
    assert 900 <= stage.clock.monotonic() <= 906
    assert stage.told.notes == ["waiting up to 15 min for callbacks that may end doubts; Ctrl-C goes on"]
    assert stage.attempt().failure is not None


def test_an_interrupt_ends_the_wait_for_doubts() -> None:
    stage = Stage(creates=[DOUBT])

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.spending.stop(StopReason.INTERRUPTED, "Ctrl-C")

    stage.go(script, submit(0))
    assert stage.clock.monotonic() < 40


def test_an_interrupt_does_not_leave_a_task_whose_doubt_has_just_ended() -> None:
    stage = Stage(creates=[DOUBT])
    stage.api.ends[FIRST] = 100.0

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.api.makes(FIRST)
        stage.hear(FIRST)
        await stage.clock.sleep(30)
        stage.spending.stop(StopReason.INTERRUPTED, "Ctrl-C")

    stage.go(script, submit(0))
    assert stage.attempt().state is State.SUCCEEDED


@pytest.mark.parametrize("more", [{"callback_url": "http://theirs.invalid/"}, {"correlate": False}])
def test_no_callback_is_waited_for_that_can_not_come_to_us(more: dict[str, Any]) -> None:
    stage = Stage(creates=[DOUBT])
    stage.go(None, submit(0), **more)
    assert stage.clock.monotonic() < 10
    assert stage.types()[1:] == ["reserved", "in_doubt"]


# --- conflicts -----------------------------------------------------------------------------------

AGAINST: dict[str, tuple[dict[str, Any], str]] = {
    "another prompt": ({"number": 7}, "its `prompt` differs"),
    "another model": ({"model": "example/two"}, "its model is example/two"),
    "nothing shown": ({"input": None}, "does not say what was sent"),
    "another create": ({"attempt_id": STRANGER}, "made by another create of ours"),
}


@pytest.mark.parametrize("name", AGAINST)
def test_evidence_against_a_claim_is_a_conflict_and_the_doubt_stays(name: str) -> None:
    stage = Stage(creates=[DOUBT])
    shown, words = AGAINST[name]
    stage.api.makes("t", **shown)

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.hear("t")

    stage.go(script, submit(0))
    (conflict,) = stage.events(e.Conflicted)
    assert words in conflict.why
    assert not conflict.may_be_paid
    assert "resolved" not in stage.types()
    assert "called" not in stage.types()
    (attempt,) = fold([stage.journal.record()]).attempts()
    assert (attempt.state, attempt.task_id) == (State.IN_DOUBT, None)
    assert [claim.task_id for claim in attempt.conflicts] == ["t"]
    assert attempt.committed == 16
    assert any(note.startswith("CONFLICT at tea/j0: task t") for note in stage.told.notes)


def test_a_task_that_another_attempt_has_ends_no_doubt() -> None:
    stage = Stage(creates=[DOUBT], others=[elsewhere(reserved("b", 3), e.Submitted("b" * 32, "t"))])
    stage.api.makes("t")

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.hear("t")

    stage.go(script, submit(0))
    (conflict,) = stage.events(e.Conflicted)
    assert conflict.why == "the task belongs to `tea/j3`"
    assert "resolved" not in stage.types()


def test_one_task_ends_one_of_two_doubts_that_claim_it_in_the_same_moment() -> None:
    """Two takes of one request: their records don't tell them apart where none carries a URL."""
    stage = Stage(creates=[DOUBT, DOUBT])
    stage.api.makes("t")

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.hear("t", "j0")
        stage.hear("t", "j1")

    stage.go(script, submit(0), submit(1), input={"prompt": "j0"})
    assert len(stage.events(e.Resolved)) == 1
    (conflict,) = stage.events(e.Conflicted)
    assert "the task belongs to `tea/j" in conflict.why


def test_a_second_task_for_one_create_may_be_paid_for_too() -> None:
    stage = Stage()
    stage.api.ends[FIRST] = 100.0
    stage.api.makes("twin")

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.hear("twin")

    stage.go(script, submit(0))
    (conflict,) = stage.events(e.Conflicted)
    assert conflict.may_be_paid
    assert FIRST in conflict.why
    attempt = stage.attempt()
    assert (attempt.state, attempt.task_id) == (State.SUCCEEDED, FIRST)
    assert attempt.other_task_ids == {"twin"}
    assert attempt.committed == 32
    assert stage.told.notes[-1].startswith("CONFLICT at tea/j0: task twin: a second task")
    assert stage.at("succeeded") == [pytest.approx(100, abs=9)], "it was not even woken"


def test_a_second_task_that_calls_as_the_run_ends_is_not_lost() -> None:
    stage = Stage(reading_takes=2.0)
    stage.api.ends[FIRST] = 30.0
    stage.api.makes("twin")

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.hear(FIRST)
        stage.hear("twin")

    stage.go(script, submit(0))
    assert "conflicted" in stage.types()


def test_of_two_tasks_for_one_doubt_the_first_is_taken_and_the_other_told() -> None:
    stage = Stage(creates=[DOUBT])
    stage.api.makes("t1")
    stage.api.makes("t2")

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.hear("t1")
        stage.hear("t2")

    stage.go(script, submit(0))
    attempt = stage.attempt()
    assert (attempt.state, attempt.task_id) == (State.SUCCEEDED, "t1")
    (conflict,) = stage.events(e.Conflicted)
    assert (conflict.task_id, conflict.may_be_paid) == ("t2", True)


def test_a_conflict_that_is_on_record_is_not_written_again() -> None:
    told = (
        e.Submitted("a" * 32, "t"),
        e.Conflicted("a" * 32, "twin", "a second task", may_be_paid=True),
    )
    stage = Stage(others=[elsewhere(reserved(), *told, e.Succeeded("a" * 32, None, ()))])
    stage.api.ends[FIRST] = 60.0
    stage.api.makes("twin")

    async def script() -> None:
        await stage.clock.sleep(10)
        stage.callbacks.hear(Claim("a" * 32, "twin", signed=False))

    stage.go(script, submit(5))
    assert "conflicted" not in stage.types()
    assert stage.api.questions == []


# --- what changes nothing ------------------------------------------------------------------------


def test_an_attempt_that_nobody_knows_changes_nothing_and_is_not_asked_about() -> None:
    stage = Stage()
    stage.api.ends[FIRST] = 60.0

    async def script() -> None:
        await stage.clock.sleep(20)
        for number in range(200):
            stage.callbacks.hear(Claim(f"{number:032x}", FIRST, signed=False))

    stage.go(script, submit(0))
    assert stage.types()[1:] == ["reserved", "submitted", "running", "succeeded", "collected"]
    assert stage.api.questions == []
    assert stage.told.notes == []


def test_a_flood_of_strangers_does_not_keep_a_run_from_its_end() -> None:
    stage = Stage(reading_takes=2.0)
    stage.api.ends[FIRST] = 30.0

    async def script() -> None:
        for number in range(3000):
            await stage.clock.sleep(0.5)
            stage.callbacks.hear(Claim(f"{number:032x}", FIRST, signed=False))

    stage.go(script, submit(0))
    assert stage.clock.monotonic() < 60


def test_a_late_callback_for_what_is_over_is_passed_over() -> None:
    told = (e.Submitted("a" * 32, "t"), e.Succeeded("a" * 32, Decimal(16), ()))
    stage = Stage(others=[elsewhere(reserved(), *told)])
    stage.api.ends[FIRST] = 60.0

    async def script() -> None:
        await stage.clock.sleep(10)
        stage.callbacks.hear(Claim("a" * 32, "t", signed=False))

    stage.go(script, submit(5))
    assert "called" not in stage.types()
    assert "t" not in stage.api.polled


# --- what comes in the middle of something -------------------------------------------------------


def test_a_claim_that_comes_before_the_creates_own_answer_waits_for_it() -> None:
    stage = Stage()
    stage.api.answer_after = 5.0
    stage.api.ends[FIRST] = 60.0

    async def script() -> None:
        await stage.clock.sleep(2)
        stage.hear(FIRST)

    stage.go(script, submit(0))
    assert "resolved" not in stage.types()
    assert "conflicted" not in stage.types()
    assert stage.types().index("called") > stage.types().index("submitted")
    assert stage.attempt().state is State.SUCCEEDED


def test_a_claim_that_comes_before_the_doubt_itself_ends_it_all_the_same() -> None:
    stage = Stage(creates=[DOUBT])
    stage.api.answer_after = 60.0
    stage.api.makes("t")

    async def script() -> None:
        await stage.clock.sleep(40)
        stage.hear("t")

    stage.go(script, submit(0))
    assert stage.types()[2:5] == ["in_doubt", "resolved", "called"]
    assert stage.attempt().state is State.SUCCEEDED


def test_a_claim_for_what_another_run_is_sending_waits_for_that_runs_record() -> None:
    stage = Stage(others=[elsewhere(reserved(), live=True)])
    stage.api.ends[FIRST] = 120.0
    stage.api.makes("t")

    async def script() -> None:
        await stage.clock.sleep(10)
        stage.callbacks.hear(Claim("a" * 32, "t", signed=False))
        await stage.clock.sleep(20)
        stage.others[0] = elsewhere(reserved(), e.Submitted("a" * 32, "t"), live=True)

    stage.go(script, submit(5))
    assert "resolved" not in stage.types()
    assert stage.ledger().attempt("a" * 32) == stage.attempt()
    assert stage.attempt().state is State.SUCCEEDED


def resume(attempt: Attempt) -> Change:
    return Change(
        attempt.address, Action.RESUME, "~", "in_flight", "f0", 1, "example/one", Decimal(0),
        attempt=attempt,
    )  # fmt: skip


def test_a_task_that_is_picked_up_while_its_callback_is_looked_into_is_followed_once() -> None:
    told = (reserved(), e.Submitted("a" * 32, "t"))
    stage = Stage(settings=STAYING, reading_takes=5.0, others=[elsewhere(*told)])
    stage.api.makes("t")
    stage.api.ends["t"] = 20.0

    async def script() -> None:
        await stage.clock.sleep(3.1)  # a tenth after the desk began to look for others' tasks
        stage.callbacks.hear(Claim("a" * 32, "t", signed=False))

    stage.go(script)
    assert stage.types().count("collected") == 1
    assert stage.artifacts.urls == ["http://fake.invalid/t.mp4?sig=1"]


def test_a_journal_that_refuses_stops_spending_but_not_collecting() -> None:
    stage = Stage(settings=replace(SETTINGS, in_flight=1))
    stage.api.ends[FIRST] = 60.0

    async def script() -> None:
        await stage.clock.sleep(30)
        stage.journal.fails = 1
        stage.hear(FIRST)

    end = stage.go(script, submit(0), submit(1))
    assert stage.spending.stopped is StopReason.JOURNAL
    assert end.unsent == 1
    assert stage.attempt().state is State.SUCCEEDED


# --- staying -------------------------------------------------------------------------------------


def test_what_others_buy_meanwhile_is_picked_up_and_brought_home() -> None:
    stage = Stage(settings=STAYING, others=[elsewhere(reserved(), e.Submitted("a" * 32, "t0"))])
    stage.api.makes("t0")
    stage.api.makes("t1", 1)
    stage.api.ends.update({"t0": 100.0, "t1": 200.0})

    async def script() -> None:
        await stage.clock.sleep(50)
        more = (reserved("b", 1), e.Submitted("b" * 32, "t1"))
        stage.others.append(replace(elsewhere(*more), run_id="run-2"))

    stage.go(script, resume(stage.attempt()))
    assert stage.attempt("j0").state is State.SUCCEEDED
    assert stage.attempt("j1").state is State.SUCCEEDED
    assert stage.types().count("collected") == 2
    assert stage.clock.monotonic() < 300


def test_until_done_is_over_at_once_where_nothing_is_to_come() -> None:
    stage = Stage(settings=STAYING)
    stage.go()
    assert stage.clock.monotonic() < 5
    assert stage.types() == []


def test_until_done_is_not_over_while_another_run_is_buying() -> None:
    stage = Stage(settings=STAYING, others=[elsewhere(reserved(), live=True)])
    stage.api.makes("t")

    async def script() -> None:
        await stage.clock.sleep(50)
        stage.others[0] = elsewhere(reserved(), e.Submitted("a" * 32, "t"))

    stage.go(script)
    assert stage.attempt().state is State.SUCCEEDED


def test_until_done_waits_for_a_young_doubt_whose_callback_comes_to_us() -> None:
    stage = Stage(settings=STAYING, others=[elsewhere(reserved())])
    stage.api.makes("t")

    async def script() -> None:
        await stage.clock.sleep(200)
        stage.hear("t")

    stage.go(script)
    assert stage.attempt().state is State.SUCCEEDED
    assert stage.clock.monotonic() < 300


@pytest.mark.parametrize(
    ("born", "hook"), [("2026-11-20T08:00:00.000Z", HOOK), ("2026-11-22T07:59:00.000Z", "http://x")]
)
def test_until_done_waits_for_no_doubt_that_is_old_or_whose_callback_goes_elsewhere(
    born: str, hook: str
) -> None:
    told = replace(reserved(), callback_url=hook)
    stage = Stage(settings=STAYING, others=[elsewhere(told, at=born)])
    stage.go()
    assert stage.clock.monotonic() < 5


@pytest.mark.parametrize("gone", [False, True])
def test_until_done_ends_where_our_patience_does(gone: bool) -> None:  # noqa: FBT001
    """A task that is never over, or an API that never answers, keeps no CI job for ever."""
    stage = Stage(
        settings=replace(STAYING, wait=600.0), others=[elsewhere(reserved(), e.Submitted("a" * 32, "t"))]
    )
    if not gone:
        stage.api.makes("t")
        stage.api.ends["t"] = 10_000_000.0
    end = stage.go()
    assert "collect it later" in end.notes["tea/j0"]
    assert stage.clock.monotonic() < 1_000
    assert stage.attempt().is_open


def test_whoever_stays_is_there_until_interrupted() -> None:
    stage = Stage(settings=replace(SETTINGS, stay=True))

    async def script() -> None:
        await stage.clock.sleep(5000)
        stage.spending.stop(StopReason.INTERRUPTED, "Ctrl-C")

    stage.go(script)
    assert 5000 <= stage.clock.monotonic() < 5010


def test_journals_that_can_not_be_read_any_more_end_the_listening_with_their_reason() -> None:
    stage = Stage(settings=replace(SETTINGS, stay=True))

    async def script() -> None:
        await stage.clock.sleep(100)
        stage.damaged = True

    stage.go(script)
    assert stage.spending.stopped is StopReason.JOURNAL
    assert "journal.jsonl:3" in (stage.spending.why or "")


def test_what_others_buy_is_looked_for_once_a_minute_and_not_at_every_poll() -> None:
    stage = Stage(settings=replace(SETTINGS, stay=True))

    async def script() -> None:
        await stage.clock.sleep(600)
        stage.spending.stop(StopReason.INTERRUPTED, "Ctrl-C")

    stage.go(script)
    assert 5 <= stage.readings <= 11
