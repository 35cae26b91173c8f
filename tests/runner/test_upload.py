"""Local files on stand-ins: uploaded before they are needed, once, and never bought with when they can't be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from kiejobs.core.expand.job import LocalFile
from kiejobs.core.ledger import outcomes, uploads
from kiejobs.core.ledger.events import Reserved, Uploaded
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.records import State
from kiejobs.runner import Budget, Rate, RunEnd, Runner, Settings, StopReason, World
from tests.contracts.fakes import (
    START,
    FakeApi,
    FakeClock,
    FakeUploads,
    MemoryArtifacts,
    MemoryJournal,
    Told,
    url_of,
)
from tests.runner.test_run import HEADER, UNREACHABLE, job, submit
from tests.support.histories import upload

if TYPE_CHECKING:
    from kiejobs.core.expand.job import Job

CUP = LocalFile("images/cup.png", "c" * 64, 9, "image/png")
JUG = LocalFile("images/jug.png", "d" * 64, 9, "image/png")
BUSY = outcomes.NotUploaded("the upload host answered 500")


@dataclass
class Stage:
    """One run on stand-ins whose jobs have local files."""

    uploads: FakeUploads = field(default_factory=FakeUploads)
    api: FakeApi = field(default_factory=FakeApi)
    known: dict[str, list[Uploaded]] = field(default_factory=dict)
    spending: Budget = field(default_factory=Budget)
    settings: Settings = field(default_factory=lambda: Settings(rate=Rate(1000, 1.0)))

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.uploads.clock = self.clock
        self.journal = MemoryJournal(HEADER, self.clock)
        self.told = Told()

    def go(self, *files: tuple[LocalFile, ...], until: float | None = None) -> RunEnd:
        """One job for each, in turn with those files; with `until` spending is interrupted then."""
        world = World(self.api, self.journal, MemoryArtifacts(), self.clock, self.told, None, self.uploads)
        runner = Runner(
            world,
            settings=self.settings,
            spending=self.spending,
            media_type=lambda _: "video/mp4",
            uploads=self.known,
        )

        async def scene() -> RunEnd:
            async with anyio.create_task_group() as group:
                if until is not None:
                    group.start_soon(self._interrupt, until)
                lines = [
                    submit(number)._replace(job=with_files(number, *files[number]))
                    for number in range(len(files))
                ]
                return await runner.carry_out(lines, list)

        return anyio.run(scene)

    async def _interrupt(self, after: float) -> None:
        await self.clock.sleep(after)
        self.spending.stop(StopReason.INTERRUPTED, "Ctrl-C")

    def events(self, kind: type[Any]) -> list[Any]:
        return [t.event for t in self.journal.record().events if isinstance(t.event, kind)]

    def sent(self) -> list[Any]:
        return [body["input"].get("image_url") for body in self.api.bodies]


def with_files(number: int, *files: LocalFile) -> Job:
    given = {"prompt": f"j{number}", "image_url": files[0].ref} if files else {"prompt": "none"}
    if len(files) > 1:
        given["image_urls"] = [{"at": file.ref} for file in files]  # type: ignore[assignment]
    return job(number)._replace(input=given, files=files)


# --- what is sent, what is written down ------------------------------------------------------------


def test_the_api_gets_the_address_and_the_reservation_keeps_the_content() -> None:
    stage = Stage()
    stage.go((CUP, JUG))
    assert stage.api.bodies[0]["input"] == {
        "prompt": "j0",
        "image_url": url_of(CUP),
        "image_urls": [{"at": url_of(CUP)}, {"at": url_of(JUG)}],
    }
    (reserved,) = stage.events(Reserved)
    assert reserved.input == with_files(0, CUP, JUG).input
    assert stage.journal.types()[:4] == ["run_started", "uploaded", "uploaded", "reserved"]
    assert stage.events(Uploaded) == [
        Uploaded("c" * 64, url_of(CUP), 9, "image/png", "2026-11-23T08:00:00.000Z", CUP.path),
        Uploaded("d" * 64, url_of(JUG), 9, "image/png", "2026-11-23T08:00:00.000Z", JUG.path),
    ]


def test_one_content_is_uploaded_once_however_many_jobs_and_names_it_has() -> None:
    stage = Stage(uploads=FakeUploads(takes=3.0))
    twin = replace(CUP, path="images/the-same-cup.png")
    stage.go((CUP,), (CUP,), (twin,), (JUG,), (CUP, twin))
    assert len(stage.uploads.asked) == 2
    assert len(stage.api.bodies) == 5
    assert set(stage.sent()) == {url_of(CUP), url_of(JUG)}


def test_no_job_waits_for_the_uploads_of_others_longer_than_there_are_places() -> None:
    stage = Stage(uploads=FakeUploads(takes=100.0))
    slow = [replace(CUP, path=f"{n}.png", sha256=f"{n:064x}") for n in range(6)]
    stage.go(*((file,) for file in slow), (), ())
    assert stage.uploads.most_at_once == 4
    first = [body["input"]["prompt"] for body in stage.api.bodies[:2]]
    assert first == ["none", "none"], "those without files are not kept waiting"


def test_at_most_four_creates_are_under_way_beside_the_uploads() -> None:
    stage = Stage(api=FakeApi(answer_after=1.0))
    stage.api.clock = stage.clock
    most = 0

    def watch() -> None:
        nonlocal most
        kinds = stage.journal.types()
        most = max(most, kinds.count("reserved") - kinds.count("submitted"))

    stage.api.watch = watch
    stage.go(*[(CUP,)] * 20)
    assert most == 4


# --- once a day ------------------------------------------------------------------------------------


def _at(hours: float) -> str:
    return (START + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.mark.parametrize(
    ("expires", "uploads"),
    [
        (_at(24), 0),
        (_at(4.1), 0),
        (_at(4), 1),
        (_at(-1), 1),
        (_at(24.1), 1),  # of a clock that was ahead of ours
        (None, 1),
        ("tomorrow", 1),
        ("2026-11-23T08:00:00", 1),
    ],
)
def test_an_upload_of_an_earlier_run_is_used_while_it_is_fresh(expires: str | None, uploads: int) -> None:
    old = upload(CUP.sha256, "http://fake.invalid/earlier", expires)
    stage = Stage(known={CUP.sha256: [old]})
    stage.go((CUP,))
    assert stage.sent() == [url_of(CUP) if uploads else old.url]
    assert len(stage.uploads.asked) == uploads


def test_of_several_the_one_that_lives_longest_is_used() -> None:
    urls = {hours: f"http://fake.invalid/{hours}" for hours in (5, 21, 8)}
    stage = Stage(known={CUP.sha256: [upload(CUP.sha256, u, _at(h)) for h, u in urls.items()]})
    stage.go((CUP,))
    assert stage.sent() == [urls[21]]


def test_it_is_uploaded_again_when_it_has_expired_in_the_middle_of_a_run() -> None:
    stage = Stage(api=FakeApi(answer_after=21 * 3600.0), settings=Settings(creates=1))
    stage.api.clock = stage.clock
    stage.go((CUP,), (CUP,), (CUP,))
    assert len(stage.uploads.asked) == 3
    assert [event.expires for event in stage.events(Uploaded)] == [_at(24), _at(45), _at(66)]


def test_an_address_with_a_query_is_used_here_and_written_down_without_it() -> None:
    stage = Stage()
    stage.uploads.query = "?signature=s3cret"
    stage.go((CUP,), (CUP,))
    assert stage.sent() == [f"{url_of(CUP)}?signature=s3cret"] * 2
    assert stage.events(Uploaded) == [Uploaded("c" * 64, url_of(CUP), 9, "image/png", None, CUP.path)]


# --- what does not come about ----------------------------------------------------------------------


def test_what_is_not_uploaded_is_tried_again() -> None:
    stage = Stage(uploads=FakeUploads(BUSY, BUSY, BUSY))
    end = stage.go((CUP,))
    assert (end.unsent, end.unready, len(stage.uploads.asked)) == (0, 0, 4)
    assert stage.clock.monotonic() >= 3.5, "0.5, 1 and 2 seconds between the tries"
    assert stage.sent() == [url_of(CUP)]


def test_a_host_that_takes_nothing_ends_the_spending() -> None:
    stage = Stage(uploads=FakeUploads(*[BUSY] * 100))
    end = stage.go((CUP,), (JUG,), (CUP,))
    assert (stage.spending.stopped, end.unsent, end.unready) == (StopReason.UNREACHABLE, 3, 0)
    assert "nothing could be uploaded for" in (stage.spending.why or "")
    assert stage.journal.types() == []


def test_one_file_that_the_host_never_takes_keeps_no_other_from_being_bought() -> None:
    class Fussy(FakeUploads):
        async def upload(self, file: LocalFile) -> outcomes.UploadOutcome:
            outcome = await super().upload(file)
            return BUSY if file == CUP else outcome

    many = [replace(JUG, path=f"{n}.png", sha256=f"{n:064x}") for n in range(60)]
    stage = Stage(uploads=Fussy(takes=4.0), settings=Settings(rate=Rate(1000, 1.0), uploads=2))
    end = stage.go((CUP,), *((file,) for file in many), (CUP,))
    assert (stage.spending.stopped, end.unsent, end.unready) == (None, 0, 2)
    assert len(stage.api.bodies) == 60
    assert "images/cup.png could not be uploaded" in end.notes["tea/j0"]
    assert end.notes["tea/j61"] == end.notes["tea/j0"], "it is not waited for twice"


@pytest.mark.parametrize("is_on_record", [True, False])
def test_an_address_that_another_content_has_is_not_bought_with(*, is_on_record: bool) -> None:
    there = outcomes.UploadStored(url_of(CUP))
    stage = Stage(uploads=FakeUploads(*[there] * 40, takes=1.0), settings=Settings(in_flight=1))
    jobs = [(CUP,), (JUG,)]
    if is_on_record:
        stage.known = {CUP.sha256: [upload(CUP.sha256, url_of(CUP), _at(12))]}
        del jobs[0]
    end = stage.go(*jobs)
    assert stage.sent() == [url_of(CUP)] * (not is_on_record)
    assert (stage.spending.stopped, end.unsent) == (StopReason.UNREACHABLE, 1)
    assert "the address of another file" in (stage.spending.why or "")


def test_an_address_whose_content_is_gone_may_be_given_to_another() -> None:
    stage = Stage(uploads=FakeUploads(outcomes.UploadStored(url_of(CUP))))
    stage.known = {CUP.sha256: [upload(CUP.sha256, url_of(CUP), _at(-1))]}
    stage.go((JUG,))
    assert stage.sent() == [url_of(CUP)]


def test_a_miss_of_an_hour_ago_is_no_reason_to_stop() -> None:
    refused = outcomes.Unusable("the upload host refuses images/cup.png: 400")
    stage = Stage(uploads=FakeUploads(BUSY, refused, BUSY), settings=Settings(in_flight=1))
    stage.api.clock, stage.api.answer_after = stage.clock, 3600.0
    end = stage.go((CUP,), (), (JUG,))
    assert (stage.spending.stopped, end.unsent, end.unready) == (None, 0, 1)
    assert stage.sent()[1:] == [url_of(JUG)]


def test_what_can_not_be_sent_is_not_bought_and_the_others_are() -> None:
    changed = outcomes.Unusable("images/cup.png was changed")
    stage = Stage(uploads=FakeUploads(changed), spending=Budget(most_failures=9))
    end = stage.go((CUP,), (CUP,), (JUG,), ())
    assert len(stage.events(Reserved)) == len(stage.api.bodies) == 2
    assert (end.unsent, end.unready) == (0, 2)
    assert end.notes == {"tea/j0": changed.message, "tea/j1": changed.message}
    assert stage.spending.failures == 2
    assert len(stage.uploads.asked) == 2, "a file that can't be sent is not read again"
    assert ("tea/j0", "not submitted", changed.message) in stage.told.lines


def test_a_refused_key_stops_spending_before_anything_is_reserved() -> None:
    stage = Stage(uploads=FakeUploads(outcomes.Refused("401", "Authentication failed")))
    end = stage.go((CUP,), (CUP,))
    assert (stage.spending.stopped, end.unsent) == (StopReason.KEY, 2)
    assert stage.spending.why == "the upload host says 401: Authentication failed"
    assert stage.journal.types() == []


def test_where_the_journal_refuses_the_upload_nothing_is_bought_with_it() -> None:
    stage = Stage()
    stage.journal.fails = 1
    end = stage.go((CUP,), (CUP,))
    assert (stage.spending.stopped, end.unsent) == (StopReason.JOURNAL, 2)
    assert stage.api.bodies == []


@pytest.mark.parametrize("outcomes", [(), (BUSY,) * 99])
def test_an_interruption_ends_uploads_and_waits_for_them(outcomes: Any) -> None:
    stage = Stage(uploads=FakeUploads(*outcomes, takes=0.0 if outcomes else 500.0))
    end = stage.go((CUP,), (CUP,), (JUG,), until=10.0)
    assert (stage.spending.stopped, end.unsent) == (StopReason.INTERRUPTED, 3)
    assert stage.clock.monotonic() < 13
    assert stage.journal.types() == []


def test_a_create_that_was_not_sent_goes_again_with_the_same_upload() -> None:
    stage = Stage()
    stage.api.creates.extend([UNREACHABLE, outcomes.CreateNotAccepted("429", "slow down", 1.0)])
    stage.go((CUP,))
    assert (len(stage.uploads.asked), stage.sent()) == (1, [url_of(CUP)] * 2)
    (attempt,) = fold([stage.journal.record()]).current()
    assert attempt.state is State.SUCCEEDED


# --- words -----------------------------------------------------------------------------------------


def test_only_whole_values_are_replaced() -> None:
    value = {"a": [CUP.ref, f"see {CUP.ref}", 7, None], "b": {"c": JUG.ref}, CUP.ref: True}
    assert uploads.as_sent(value, {CUP.ref: "https://x/c"}) == {
        "a": ["https://x/c", f"see {CUP.ref}", 7, None],
        "b": {"c": JUG.ref},
        CUP.ref: True,
    }


def test_an_upload_expires_a_day_after_it_began() -> None:
    begun = datetime(2026, 12, 31, 23, 59, 59, 123_999, tzinfo=UTC)
    assert uploads.expiry(begun) == "2027-01-01T23:59:59.123Z"
    assert uploads.is_fresh(uploads.expiry(begun), begun)
