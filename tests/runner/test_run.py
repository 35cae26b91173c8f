"""The runner on stand-ins: what it writes down before what, and when it stops."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.core.diagnostics import Place
from kiejobs.core.expand.job import Job
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.events import RunStarted
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.records import Failure, FileRecord, State
from kiejobs.core.plan.plan import Action, Change
from kiejobs.runner import Budget, Rate, RunEnd, Runner, Settings, StopReason, World
from kiejobs.runner.follow import FollowedTask, Follower
from tests.contracts.fakes import FakeApi, FakeClock, MemoryArtifacts, MemoryJournal, Told
from tests.proofs import virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from kiejobs.core.document.nodes import Json

HEADER = RunStarted("run-1", "run", "tea", "http://fake.invalid", None, "kiejobs 0", 1)
WHOLE = FileRecord("tea/j0.mp4", "0" * 64, 1, "video/mp4", "http://fake.invalid/a")
UNREACHABLE = outcomes.NotSent("ConnectError: refused")


@dataclass
class Stage:
    """One run on stand-ins. `go` may be called once for each journal that is continued."""

    api: FakeApi = field(default_factory=FakeApi)
    clock: FakeClock = field(default_factory=FakeClock)
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    told: Told = field(default_factory=Told)
    spending: Budget = field(default_factory=Budget)
    settings: Settings = field(default_factory=lambda: Settings(rate=Rate(1000, 1.0)))
    released: list[int] = field(default_factory=list)
    media_type: str = "video/mp4"

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(HEADER, self.clock)

    def go(self, count: int = 1) -> RunEnd:
        world = World(self.api, self.journal, self.artifacts, self.clock, self.told)
        runner = Runner(
            world,
            settings=self.settings,
            spending=self.spending,
            media_type=lambda _: self.media_type,
        )
        lines = [submit(number) for number in range(count)]

        def all_reserved() -> None:
            self.released.append(self.journal.types().count("reserved"))

        return anyio.run(runner.carry_out, lines, all_reserved)

    def states(self) -> dict[str, State | None]:
        ledger = fold([self.journal.record()])
        return {attempt.address: attempt.state for attempt in ledger.current()}


def job(number: int) -> Job:
    name = f"j{number}"
    return Job(
        address=f"tea/{name}", fingerprint=f"f{number}", take=1, campaign="tea",
        name=name, model="example/one", input={"prompt": name}, axes=(), tags=(),
        credits=Decimal(16), output=f"tea/{name}.mp4", callback_url=None, place=Place("f", 1, 1),
    )  # fmt: skip


def submit(number: int) -> Change:
    j = job(number)
    return Change(
        address=j.address, action=Action.SUBMIT, sign="+", reason="new", fingerprint=j.fingerprint,
        take=1, model=j.model, credits=j.credits, job=j,
    )  # fmt: skip


def test_one_job_is_told_straight_through() -> None:
    stage = Stage()
    end = stage.go()
    assert stage.journal.types() == [
        "run_started", "reserved", "submitted", "running", "succeeded", "collected",
    ]  # fmt: skip
    assert stage.artifacts.marked == ["tea/j0.mp4"]
    assert stage.released == [1]
    assert (end.notes, end.unsent) == ({}, 0)


def test_no_request_leaves_before_its_reservation_is_on_record() -> None:
    stage = Stage()
    seen: list[tuple[int, int]] = []

    def watch() -> None:
        seen.append((len(stage.api.bodies) + 1, stage.journal.types().count("reserved")))

    stage.api.watch = watch
    stage.go(6)
    assert len(seen) == 6
    assert all(reserved >= requests for requests, reserved in seen)


def test_at_most_four_creates_are_under_way() -> None:
    stage = Stage(api=FakeApi(answer_after=1.0))
    stage.api.clock = stage.clock
    most = 0

    def watch() -> None:
        nonlocal most
        kinds = stage.journal.types()
        most = max(most, kinds.count("reserved") - kinds.count("submitted"))

    stage.api.watch = watch
    stage.go(20)
    assert most == 4


def test_where_the_journal_refuses_nothing_is_sent_and_nothing_more_is_tried() -> None:
    stage = Stage()
    stage.journal.fails = 1
    end = stage.go(5)
    assert stage.api.bodies == []
    assert stage.spending.stopped is StopReason.JOURNAL
    assert end.unsent == 5


def test_the_id_of_a_paid_task_is_tried_again_until_it_is_written_down() -> None:
    stage = Stage()

    def watch() -> None:
        stage.journal.fails = 3

    stage.api.watch = watch
    stage.go(1)
    assert stage.spending.stopped is StopReason.JOURNAL
    assert stage.states() == {"tea/j0": State.SUCCEEDED}


def test_an_id_that_the_disk_refused_for_long_is_written_before_anything_else_of_its_task() -> None:
    stage = Stage()

    def watch() -> None:
        stage.journal.fails = 5  # all the tries

    stage.api.watch = watch
    stage.go(1)
    told = stage.journal.types()
    assert told[told.index("reserved") :][:2] == ["reserved", "submitted"]
    assert {"succeeded", "collected"} <= set(told)
    (attempt,) = fold([stage.journal.record()]).attempts()
    assert attempt.task_id == f"{0:032x}"


def test_an_id_that_can_not_be_written_down_is_at_least_said() -> None:
    stage = Stage()

    def watch() -> None:
        stage.journal.fails = 99

    stage.api.watch = watch
    stage.go(3)
    assert len(stage.api.bodies) == 1
    (note,) = stage.told.notes
    assert "PAID BUT NOT RECORDED" in note
    assert f"kiejobs resolve 'tea/j0' --task {0:032x}" in note
    assert stage.states() == {"tea/j0": State.IN_DOUBT}


def test_an_api_out_of_reach_is_waited_for_and_then_left() -> None:
    stage = Stage(api=FakeApi(creates=deque([UNREACHABLE] * 200)))
    end = stage.go(5)
    assert stage.spending.stopped is StopReason.UNREACHABLE
    assert stage.clock.monotonic() >= 60
    assert "reserved" not in stage.journal.types()
    assert end.unsent == 5


def test_an_api_that_comes_back_is_bought_from() -> None:
    stage = Stage(api=FakeApi(creates=deque([UNREACHABLE] * 4)))
    stage.go(3)
    assert stage.spending.stopped is None
    assert set(stage.states().values()) == {State.SUCCEEDED}


def test_a_refused_create_takes_nothing_from_the_budget_for_good() -> None:
    busy = outcomes.CreateNotAccepted("429", "slow down", None)
    stage = Stage(api=FakeApi(creates=deque([busy] * 3)), spending=Budget(Decimal(32)))
    stage.go(2)
    assert set(stage.states().values()) == {State.SUCCEEDED}
    assert stage.spending.left == 0
    assert len(stage.api.bodies) == 5


@pytest.mark.parametrize(
    ("outcome", "stop"),
    [
        (outcomes.Refused("401", "no"), StopReason.KEY),
        (outcomes.NoMoney("402", "no"), StopReason.CREDITS),
    ],
)
def test_what_concerns_the_account_stops_all(outcome: outcomes.CreateOutcome, stop: StopReason) -> None:
    stage = Stage(api=FakeApi(creates=deque([outcome])), spending=Budget(Decimal(1000)))
    end = stage.go(40)
    assert stage.spending.stopped is stop
    assert stage.spending.left == 1000 - 16 * (len(stage.api.bodies) - 1)
    assert len(stage.api.bodies) <= 4
    assert end.unsent >= 36


def test_a_budget_that_does_not_reach_is_never_overdrawn() -> None:
    stage = Stage(spending=Budget(Decimal(100)))
    stage.go(40)
    assert len(stage.api.bodies) == 6
    assert stage.spending.stopped is StopReason.BUDGET


def test_a_failed_task_gives_its_credits_to_the_next() -> None:
    failed = outcomes.TaskFailed("500", "flagged", Decimal(0))
    settings = Settings(rate=Rate(1000, 1.0), in_flight=1)
    stage = Stage(spending=Budget(Decimal(16)), settings=settings)
    stage.api.polls = deque([failed])
    stage.go(2)
    assert stage.states() == {"tea/j0": State.FAILED, "tea/j1": State.SUCCEEDED}


_ENDS = {"done": outcomes.TaskSucceeded(("http://fake.invalid/a.mp4",), Decimal(60)),
         "unstated": outcomes.TaskSucceeded(("http://fake.invalid/a.mp4",), None),
         "failed": outcomes.TaskFailed("500", "flagged", Decimal(0))}  # fmt: skip


@pytest.mark.parametrize(
    ("named", "end", "left", "events"),
    [
        (60, None, 40, 1),
        (4, None, 96, 1),
        (16, None, 84, 0),
        (60, "done", 40, 1),
        (60, "unstated", 40, 1),
        (60, "failed", 100, 1),
        (150, None, -50, 1),
    ],
)
def test_a_price_that_a_poll_names_is_held_from_then_on_and_counted_once(
    named: int, end: str | None, left: int, events: int
) -> None:
    running = outcomes.StillRunning("waiting", price=Decimal(named))
    settings = Settings(rate=Rate(1000, 1.0), once=end is None)
    stage = Stage(spending=Budget(Decimal(100)), settings=settings)
    stage.api.polls = deque([running] if end is None else [running, running, _ENDS[end]])
    stage.go()
    assert stage.spending.left == left
    assert stage.journal.types().count("priced") == events
    assert fold([stage.journal.record()]).committed() == 100 - left


def test_a_task_of_an_earlier_run_takes_what_it_costs_more_and_gives_nothing_back() -> None:
    for named, left in ((60, 56), (4, 100)):
        stage = Stage(spending=Budget(Decimal(100)), settings=Settings(once=True))
        stage.api.polls = deque([outcomes.StillRunning("waiting", price=Decimal(named))])
        world = World(stage.api, stage.journal, stage.artifacts, stage.clock, stage.told)
        follower = Follower(world, stage.settings, stage.spending, lambda _: "video/mp4")
        task = FollowedTask("tea/j0", "a", "t", "example/one", "a.mp4", planned=None, held=Decimal(16))
        anyio.run(follower.follow, task)
        assert stage.spending.left == left


def test_a_bug_in_one_job_does_not_tear_down_the_others() -> None:
    class Buggy(FakeApi):
        async def create(
            self, body: Mapping[str, Json], reserve: Callable[[], Awaitable[None]]
        ) -> outcomes.CreateOutcome:
            if body["input"]["prompt"] == "j2":
                raise ZeroDivisionError("a bug")
            return await super().create(body, reserve)

    stage = Stage(api=Buggy())
    with pytest.raises(ZeroDivisionError):
        stage.go(3)
    assert stage.states() == {"tea/j0": State.SUCCEEDED, "tea/j1": State.SUCCEEDED}
    assert stage.spending.stopped is StopReason.BUG


def test_an_expired_address_is_asked_for_anew() -> None:
    stage = Stage()
    stage.artifacts.outcomes = deque([outcomes.NotCollected("HTTP 403", gone=True)])
    stage.go()
    assert len(stage.artifacts.urls) == 2
    assert stage.states() == {"tea/j0": State.SUCCEEDED}
    assert stage.journal.types()[-1] == "collected"


def test_several_files_of_one_task_get_names_of_their_own() -> None:
    stage = Stage()
    urls = ("http://fake.invalid/a.mp4", "http://fake.invalid/b.mp4")
    stage.api.polls = deque([outcomes.TaskSucceeded(urls, Decimal(16))])
    stage.go()
    assert set(stage.artifacts.files) == {"tea/j0.mp4", "tea/j0-2.mp4"}


def test_frames_come_home_beside_the_video_and_keep_nothing_back() -> None:
    stage = Stage()
    stills = (
        ("first-frame", "http://fake.invalid/f"),
        ("last-frame", "http://fake.invalid/l.jpg?s"),
    )
    video = ("http://fake.invalid/a.mp4",)
    stage.api.polls = deque([outcomes.TaskSucceeded(video, Decimal(16), None, stills)])
    stage.go()
    assert {*stage.artifacts.files} == {
        "tea/j0.mp4", "tea/j0-first-frame.png", "tea/j0-last-frame.jpg",
    }  # fmt: skip

    stage = Stage()
    stage.api.polls = deque([outcomes.TaskSucceeded(video, Decimal(16), None, stills[1:])])
    refusals = [outcomes.NotCollected("HTTP 404", gone=True)] * 4
    stage.artifacts.outcomes = deque([WHOLE, *refusals])
    end = stage.go()
    assert stage.journal.types()[-2:] == ["collected", "still_missing"]
    assert "without its last-frame" in end.notes["tea/j0"]


def test_a_result_that_is_no_file_becomes_one_where_the_model_promises_that() -> None:
    stage = Stage(media_type="application/json")
    stage.api.polls = deque([outcomes.TaskSucceeded((), Decimal(16), {"text": "Grüße"})])
    stage.go()
    assert json.loads(stage.artifacts.files["tea/j0.mp4"]) == {"text": "Grüße"}
    assert stage.journal.types()[-1] == "collected"


def test_a_value_where_files_were_promised_is_kept_as_json_and_on_record() -> None:
    stage = Stage()
    stage.api.polls = deque([outcomes.TaskSucceeded((), Decimal(16), {"text": "Grüße"})])
    stage.go()
    assert json.loads(stage.artifacts.files["tea/j0.json"]) == {"text": "Grüße"}
    assert stage.journal.types()[-3:] == ["succeeded", "unused_answer", "collected"]


def test_silence_is_waited_out_for_five_minutes_and_then_left_for_later() -> None:
    stage = Stage()
    stage.api.polls = deque([outcomes.Unanswered("ConnectError")] * 500)
    end = stage.go()
    assert stage.states() == {"tea/j0": State.SUBMITTED}
    assert 300 <= stage.clock.monotonic() < 400
    assert "could not be reached" in end.notes["tea/j0"]
    assert stage.spending.stopped is None


def test_patience_ends_after_an_hour_and_nothing_failed() -> None:
    stage = Stage()
    stage.api.polls = deque([outcomes.StillRunning("generating")] * 5000)
    end = stage.go()
    assert stage.states() == {"tea/j0": State.RUNNING}
    assert 3600 <= stage.clock.monotonic() < 3700
    assert "still running" in end.notes["tea/j0"]
    polls = 5000 - len(stage.api.polls)
    assert 100 < polls < 250, "the ladder: often at first, seldom later"


class Dripping(httpx.AsyncBaseTransport):
    """A host that sends a byte a second, and hangs up after so many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        self.asked += 1

        async def drops() -> AsyncIterator[bytes]:
            for _ in range(self.most):
                await anyio.sleep(1)
                yield b"\0"

        headers = {"Content-Type": "video/mp4", "Content-Length": "1000000", "ETag": '"a"'}
        return httpx.Response(200, headers=headers, content=drops())


@pytest.mark.parametrize(("most", "asked"), [(10**6, 1), (50, 3)])
def test_a_host_that_drips_is_left_when_the_patience_with_the_file_ends(
    tmp_path: Path, most: int, asked: int
) -> None:
    """All tries together, by a clock that need not be waited for."""
    host, told = Dripping(most), Told()

    async def go() -> tuple[RunEnd, float]:
        clock = virtual_time.LoopClock()
        files = FileArtifacts(tmp_path, AddressRule(private_too=True), host)
        journal = MemoryJournal(HEADER, clock)
        settings = Settings(rate=Rate(1000, 1.0), wait=120.0)
        world = World(FakeApi(), journal, files, clock, told)
        runner = Runner(world, settings=settings, spending=Budget(), media_type=lambda _: "video/mp4")
        end = await runner.carry_out([submit(0)], lambda: None)
        return end, clock.monotonic()

    end, passed = virtual_time.run(go)
    assert "did not arrive in time" in end.notes["tea/j0"]
    assert passed < 150
    assert host.asked == asked


def test_detached_it_submits_and_does_not_ask() -> None:
    stage = Stage(settings=Settings(rate=Rate(1000, 1.0), detach=True))
    stage.go(3)
    assert set(stage.states().values()) == {State.SUBMITTED}
    assert stage.artifacts.urls == []
    assert [state for _, state, _ in stage.told.lines].count("detached") == 3


def doubt(stage: Stage) -> Any:
    (attempt,) = fold([stage.journal.record()]).attempts()
    return attempt.failure


def test_a_doubt_is_written_down_with_what_is_known() -> None:
    stage = Stage(api=FakeApi(creates=deque([outcomes.CreateInDoubt("ReadTimeout")])))
    stage.go()
    assert len(stage.api.bodies) == 1
    assert doubt(stage) == Failure("in_doubt", None, "ReadTimeout")


def test_a_doubt_whose_record_fails_is_a_doubt_all_the_same() -> None:
    stage = Stage(api=FakeApi(creates=deque([outcomes.CreateInDoubt("ReadTimeout")])))

    def watch() -> None:
        stage.journal.fails = 1

    stage.api.watch = watch
    stage.go(3)
    assert stage.spending.stopped is StopReason.JOURNAL
    assert len(stage.api.bodies) == 1
    assert stage.states() == {"tea/j0": State.IN_DOUBT}
