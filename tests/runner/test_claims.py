"""Reservations that are published before anything is sent, and homes that refuse one."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import anyio
import pytest

from kiejobs.core.diagnostics import Held, TooSoon
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.events import RunStarted
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.records import State
from kiejobs.runner import Budget, Rate, RunEnd, Runner, Settings, StopReason, World
from tests.contracts.fakes import (
    FakeApi,
    FakeClaims,
    FakeClock,
    FakeUploads,
    MemoryArtifacts,
    MemoryJournal,
    Told,
)
from tests.runner.test_run import UNREACHABLE, submit
from tests.runner.test_upload import CUP

HEADER = RunStarted("run-1", "run", "tea", "http://fake.invalid", None, "kiejobs 0", 1)
QUICKLY = Settings(rate=Rate(1000, 1.0))


@dataclass
class Stage:
    """One run whose claims are published."""

    api: FakeApi = field(default_factory=FakeApi)
    clock: FakeClock = field(default_factory=FakeClock)
    spending: Budget = field(default_factory=Budget)
    settings: Settings = QUICKLY
    size: int = 18

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(HEADER, self.clock)
        self.claims = FakeClaims(self.journal, self.size)

    def go(self, count: int, *, ahead: bool = True) -> RunEnd:
        claims = self.claims if ahead else None
        world = World(self.api, self.journal, MemoryArtifacts(), self.clock, Told(), None, None, claims)
        runner = Runner(
            world, settings=self.settings, spending=self.spending, media_type=lambda _: "video/mp4"
        )
        return anyio.run(runner.carry_out, [submit(number) for number in range(count)], lambda: None)

    def states(self) -> list[State | None]:
        return [attempt.state for attempt in fold([self.journal.record()]).attempts()]


def test_all_are_claimed_in_their_order_and_never_more_than_a_window_is_open() -> None:
    stage = Stage()
    stage.go(100)
    claimed = [address for window in stage.claims.windows for address in window]
    assert claimed == [f"tea/j{number}" for number in range(100)]
    assert stage.states() == [State.SUCCEEDED] * 100
    assert 9 <= stage.claims.most_open <= 18
    assert max(map(len, stage.claims.windows)) <= 18


def test_nothing_is_sent_before_its_claim_is_published() -> None:
    stage = Stage(size=4)
    early: list[int] = []

    def watch() -> None:
        published = sum(map(len, stage.claims.windows))
        early.extend([len(stage.api.bodies)] if len(stage.api.bodies) >= published else [])

    stage.api.watch = watch
    stage.go(20)
    assert len(stage.api.bodies) == 20
    assert early == []


def test_a_window_of_one_takes_one_after_the_other() -> None:
    stage = Stage(size=1)
    stage.go(5)
    assert [len(window) for window in stage.claims.windows] == [1] * 5
    assert stage.states() == [State.SUCCEEDED] * 5


def test_what_another_run_has_is_passed_over_and_the_rest_is_bought() -> None:
    stage = Stage()
    stage.claims.taken = {"f1": "run run-9 has it", "f3": "run run-9 has it"}
    end = stage.go(5)
    assert len(stage.api.bodies) == 3
    assert end.held == 2
    assert end.notes["tea/j1"] == "run run-9 has it"
    assert stage.spending.stopped is None


def test_where_nothing_can_be_published_nothing_is_sent() -> None:
    stage = Stage()
    stage.claims.fails = 1
    end = stage.go(5)
    assert stage.api.bodies == []
    assert (stage.spending.stopped, stage.spending.why) == (StopReason.JOURNAL, "the remote refused it")
    assert end.unsent == 5
    assert set(stage.states()) == {None}, "given back, in no doubt"


def test_once_the_lease_has_run_out_nothing_that_was_claimed_is_sent() -> None:
    stage = Stage()
    stage.claims.lost = True
    stage.go(5)
    assert stage.api.bodies == []
    assert stage.spending.stopped is StopReason.JOURNAL
    assert set(stage.states()) == {None}


def test_what_was_claimed_and_not_sent_is_given_back_with_its_money() -> None:
    stage = Stage(spending=Budget(Decimal(160), most_failures=2))
    stage.api.creates.extend([outcomes.CreateRejected("422", "no")] * 2)
    stage.go(10)
    states = stage.states()
    assert states.count(State.REJECTED) >= 2
    assert State.RESERVED not in states
    assert State.IN_DOUBT not in states
    paid = sum(attempt.committed for attempt in fold([stage.journal.record()]).attempts())
    assert stage.spending.left == Decimal(160) - paid


def test_a_budget_ends_the_claiming() -> None:
    stage = Stage(spending=Budget(Decimal(40)))
    stage.go(10)
    assert len(stage.api.bodies) == 2
    assert stage.spending.stopped is StopReason.BUDGET
    assert stage.states() == [State.SUCCEEDED] * 2


def test_what_was_not_taken_is_claimed_once_more() -> None:
    stage = Stage()
    stage.api.creates.append(outcomes.CreateNotAccepted("429", "slowly", retry_after=1.0))
    stage.go(3)
    assert sorted(stage.states(), key=str) == [None, *[State.SUCCEEDED] * 3]
    assert len([address for window in stage.claims.windows for address in window]) == 4


def test_an_api_out_of_reach_keeps_its_claim() -> None:
    stage = Stage()
    stage.api.creates.extend([UNREACHABLE] * 3)
    stage.go(2)
    assert stage.states() == [State.SUCCEEDED] * 2


@pytest.mark.parametrize("problem", [Held("run run-9 has it"), TooSoon(3.0)], ids=["held", "too-soon"])
def test_a_home_that_refuses_a_reservation_as_it_is_written(problem: Held | TooSoon) -> None:
    stage = Stage(spending=Budget(Decimal(100)))
    stage.journal.refuses.append(problem)
    before = stage.clock.monotonic()
    end = stage.go(3, ahead=False)
    held = isinstance(problem, Held)
    assert (len(stage.api.bodies), end.held) == ((2, 1) if held else (3, 0))
    assert stage.spending.stopped is None
    assert stage.spending.left == Decimal(100 - 16 * (2 if held else 3))
    assert held or stage.clock.monotonic() - before >= 3.0


def test_a_file_that_can_t_be_sent_gives_its_claim_back() -> None:
    """Ten of them filled the window for ever, and the run with them hung."""
    stage = Stage(spending=Budget(Decimal(16 * 40)))
    files = [
        line._replace(job=line.job._replace(files=(CUP,))) for line in map(submit, range(12)) if line.job
    ]
    uploads = FakeUploads(*[outcomes.Unusable("too big")] * 12)
    world = World(
        stage.api, stage.journal, MemoryArtifacts(), stage.clock, Told(), None, uploads, stage.claims
    )
    runner = Runner(world, settings=QUICKLY, spending=stage.spending, media_type=lambda _: "video/mp4")

    async def run() -> RunEnd:
        with anyio.fail_after(60):
            return await runner.carry_out([*files, *map(submit, range(12, 52))], lambda: None)

    end = anyio.run(run)
    assert end.unready == 12
    assert len(stage.api.bodies) == 40
    states = stage.states()
    assert states.count(State.SUCCEEDED) == 40
    assert State.IN_DOUBT not in states
    assert stage.spending.left == 0
