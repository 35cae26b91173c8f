"""Results in an object store: whole or absent, never overwritten, and never anywhere else."""

from __future__ import annotations

import hashlib
import io
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import obstore
import pytest

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.adapters.storage.object_store import StoredOutputs
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.ledger.outcomes import CollectOutcome, NotCollected
from kiejobs.core.ledger.records import FileRecord
from tests.support.judge.replies import download, video
from tests.support.judge.wire import Reply, Request, Wire
from tests.support.object_server import PREFIX, SECRET, ObjectServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from kiejobs.ports import Artifacts

AT = "2026-11-22T08:44:27.501Z"
PATH = "tea/pour,d=5%2F ü~1.mp4"
BYTES = video("a")
DIGEST = hashlib.sha256(BYTES).hexdigest()
ASIDE = f"{PREFIX}/tea/pour,d=5%2F ü~1~{DIGEST[:8]}.mp4"


@dataclass
class Stage:
    """A server of objects, a host of results, and a folder of this machine."""

    server: ObjectServer
    folder: Path
    port: int
    downloads: list[Request]

    def outputs(self, **other: str) -> StoredOutputs:
        return StoredOutputs(self.server.url, self.folder, self.server.store(**other))

    def collect(self, path: str = PATH, key: str = "t1", folder: str = "") -> CollectOutcome:
        url = f"http://127.0.0.1:{self.port}/a.mp4?sig=1"
        return self.play(lambda its: its.collect(url, path, key=key, media_type="video/mp4"), folder)

    def play(self, scene: Callable[[Artifacts], Awaitable[CollectOutcome]], folder: str) -> CollectOutcome:
        """On a machine whose own folder it is."""
        incoming = self.folder / folder

        async def run() -> CollectOutcome:
            downloads = FileArtifacts(incoming, AddressRule(private_too=True))
            outputs = StoredOutputs(self.server.url, incoming, self.server.store())
            try:
                return await scene(outputs.artifacts(downloads))
            finally:
                await downloads.close()

        return anyio.run(run)

    def put(self, path: str, data: bytes) -> None:
        obstore.put(self.server.store(), path, data)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    downloads: list[Request] = []

    def answer(asked: Request) -> Reply:
        downloads.append(asked)
        return download(BYTES, "", asked.headers.get("range", ""))

    wire = Wire(answer)
    with ObjectServer() as server:
        yield Stage(server, tmp_path, wire.port, downloads)
    wire.close()


def recorded(outcome: CollectOutcome) -> FileRecord:
    assert isinstance(outcome, FileRecord), outcome
    return outcome


def refused(outcome: CollectOutcome) -> str:
    assert isinstance(outcome, NotCollected), outcome
    assert not outcome.gone
    return outcome.message


def test_an_object_says_what_it_is_and_which_digest_it_has(stage: Stage) -> None:
    file = recorded(stage.collect())
    assert (file.path, file.sha256, file.bytes) == (PATH, DIGEST, len(BYTES))
    assert stage.server.objects() == {f"{PREFIX}/{PATH}": BYTES}
    found = obstore.get(stage.server.store(), PATH)
    assert found.attributes == {"Content-Type": "video/mp4", "sha256": DIGEST}
    assert list(stage.folder.iterdir()) == []


def test_the_condition_of_an_object_is_known_without_reading_it(stage: Stage) -> None:
    file = recorded(stage.collect())
    stage.server.asked.clear()
    assert stage.outputs().condition([file], AT) is None
    assert [method for method, _ in stage.server.asked] == ["HEAD"]


def test_many_are_asked_for_at_once_and_each_answer_is_good_for_one_question(stage: Stage) -> None:
    names = [f"tea/{number}.mp4" for number in range(40)]
    for name in names[1:]:
        stage.put(name, BYTES)
    files = [FileRecord(name, DIGEST, len(BYTES), "video/mp4", "urn:x") for name in names]
    outputs = stage.outputs()
    stage.server.asked.clear()
    outputs.look_ahead(files)
    assert sorted(stage.server.asked) == sorted(("HEAD", f"{PREFIX}/{name}") for name in names)
    stage.server.before = lambda method, *_: "500 No" if method == "HEAD" else None
    assert outputs.condition(files[:1], AT) == "file_missing"
    assert outputs.condition(files[1:], AT) is None  # their bytes were read
    with pytest.raises(UsageProblem, match="HTTP 500"):
        outputs.condition(files[:1], AT)
    with pytest.raises(UsageProblem, match="HTTP 500"):
        outputs.look_ahead(files)


def test_its_digest_is_read_from_its_bytes(stage: Stage) -> None:
    file = recorded(stage.collect())
    assert stage.outputs().digest_of(file) == DIGEST
    forged = {"Content-Type": "video/mp4", "sha256": DIGEST}
    obstore.put(stage.server.store(), PATH, b"x" * len(BYTES), attributes=forged)
    assert stage.outputs().digest_of(file) == hashlib.sha256(b"x" * len(BYTES)).hexdigest()


def test_other_content_at_the_name_stays_and_the_file_goes_next_to_it(stage: Stage) -> None:
    stage.put(PATH, b"somebody's")
    file = recorded(stage.collect())
    assert stage.server.objects() == {f"{PREFIX}/{PATH}": b"somebody's", ASIDE: BYTES}
    assert f"{PREFIX}/{file.path}" == ASIDE
    assert stage.outputs().condition([file], AT) is None
    assert recorded(stage.collect()) == file


def test_names_next_to_it_end_at_some_time_and_the_file_stays_here(stage: Stage) -> None:
    stem, end = PATH.removesuffix(".mp4"), ".mp4"
    mark = f"~{DIGEST[:8]}"
    for times in range(4):
        stage.put(f"{stem}{mark * times}{end}", b"somebody's")
    assert "hold other files" in refused(stage.collect())
    assert set(stage.server.objects().values()) == {b"somebody's"}
    (left,) = stage.folder.iterdir()
    assert left.read_bytes() == BYTES


def test_what_was_received_and_not_put_is_not_asked_for_again(stage: Stage) -> None:
    stage.server.before = lambda method, *_: "503 Slow Down" if method == "PUT" else None
    assert "HTTP 503" in refused(stage.collect())
    assert stage.server.objects() == {}
    stage.server.before = lambda *_: None
    first = recorded(stage.collect())
    assert len(stage.downloads) == 1
    assert first.url == f"http://127.0.0.1:{stage.port}/a.mp4"
    assert (first.media_type, first.bytes) == ("video/mp4", len(BYTES))
    assert list(stage.folder.iterdir()) == []


def test_an_object_whose_answer_was_lost_is_known_again(stage: Stage) -> None:
    """The store has it, and says that it can't: the next try finds it."""

    def lose(method: str, _key: str, environ: dict[str, Any]) -> str | None:
        if method != "PUT":
            return None
        lost.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        return "500 Internal Server Error"

    lost: list[bytes] = []
    stage.server.before = lose
    refused(stage.collect())
    stage.server.before = lambda *_: None
    stage.put(PATH, lost[0])
    assert recorded(stage.collect()).path == PATH
    assert stage.server.objects() == {f"{PREFIX}/{PATH}": BYTES}


def test_what_comes_back_otherwise_is_not_on_record(stage: Stage) -> None:
    """Something between us and the store, or the store itself, changes a byte of what is put."""

    def spoil(method: str, _key: str, environ: dict[str, Any]) -> None:
        if method == "PUT":
            data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(data.replace(b"mdat", b"mdot"))

    stage.server.before = spoil
    assert "is not there as it was put" in refused(stage.collect())
    stage.server.before = lambda *_: None
    assert f"{PREFIX}/{recorded(stage.collect()).path}" == ASIDE


def test_a_link_where_a_result_would_wait_is_not_followed(stage: Stage, tmp_path: Path) -> None:
    stage.server.before = lambda method, *_: "503 No" if method == "PUT" else None
    refused(stage.collect())
    stage.server.before = lambda *_: None
    (left,) = stage.folder.iterdir()
    left.unlink()
    secret = tmp_path.parent / f"{tmp_path.name}-secret"
    secret.write_bytes(b"a secret of this machine")
    left.symlink_to(secret)
    assert "refused" in refused(stage.collect())
    assert stage.server.objects() == {}


def test_eight_that_bring_the_same_file_at_once_have_one_object(stage: Stage) -> None:
    outcomes = at_once(lambda n: stage.collect(folder=f"machine-{n}"))
    assert {recorded(one).path for one in outcomes} == {PATH}
    assert stage.server.objects() == {f"{PREFIX}/{PATH}": BYTES}


def test_eight_on_one_machine_too(stage: Stage) -> None:
    outcomes = at_once(lambda _: stage.collect())
    assert {recorded(one).path for one in outcomes} == {PATH}
    assert stage.server.objects() == {f"{PREFIX}/{PATH}": BYTES}


def test_eight_with_other_content_for_one_name_lose_nothing(stage: Stage) -> None:
    def keep(number: int) -> CollectOutcome:
        words = {"key": "t", "media_type": "application/json"}
        return stage.play(lambda its: its.keep(b"%d" % number, "a/j.json", **words), str(number))

    outcomes = [recorded(one) for one in at_once(keep)]
    assert sorted(stage.server.objects().values()) == [b"%d" % n for n in range(8)]
    assert len({one.path for one in outcomes}) == 8
    assert "a/j.json" in {one.path for one in outcomes}
    assert stage.outputs().condition(outcomes, AT) is None


def at_once(do: Any) -> list[CollectOutcome]:
    outcomes: list[CollectOutcome] = []
    gate = threading.Barrier(8)

    def one(number: int) -> None:
        gate.wait()
        outcomes.append(do(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 8
    return outcomes


@pytest.mark.parametrize(
    "path",
    [
        "../up.mp4",
        "a/../../up.mp4",
        "/up.mp4",
        "a//b.mp4",
        "",
        ".",
        "a/./b",
        "a\0b",
        "a\nb",
        "\ud800",
        "a" * 1025,
    ],
)
def test_no_name_leads_out_of_the_prefix(stage: Stage, path: str) -> None:
    assert refused(stage.collect(path)).startswith("refused: ")
    record = FileRecord(path, DIGEST, len(BYTES), "video/mp4", "urn:x")
    obstore.put(stage.server.store(prefix=None), "up.mp4", BYTES)
    assert stage.outputs().condition([record], AT) == "file_missing"
    assert stage.outputs().digest_of(record) is None
    assert set(stage.server.objects()) == {"up.mp4"}


def test_a_store_that_can_not_be_asked_is_not_one_without_files(stage: Stage) -> None:
    file = recorded(stage.collect())
    stage.server.before = lambda *_: "503 Slow Down"
    with pytest.raises(UsageProblem, match="it answered HTTP 503"):
        stage.outputs().condition([file], AT)
    with pytest.raises(UsageProblem, match="it answered HTTP 503"):
        stage.outputs().digest_of(file)
    outputs = stage.outputs(endpoint="http://127.0.0.1:1")
    with pytest.raises(UsageProblem, match="it can't be reached"):
        outputs.condition([file], AT)
    assert outputs.unwritable() == "it can't be reached"


def test_a_place_that_takes_files_is_left_as_it_is(stage: Stage) -> None:
    for _ in range(3):
        assert stage.outputs().unwritable() is None
    assert stage.server.objects() == {}


def test_a_store_that_would_overwrite_takes_nothing(stage: Stage) -> None:
    def forget(_method: str, _key: str, environ: dict[str, Any]) -> None:
        environ.pop("HTTP_IF_NONE_MATCH", None)

    stage.server.before = forget
    with pytest.raises(UsageProblem, match="it overwrites what is there"):
        stage.outputs().require()


def test_refusals_say_their_code_and_no_secret(stage: Stage) -> None:
    assert stage.outputs(bucket="nobody-has-it").unwritable() == "there is no such bucket"
    stage.server.before = lambda *_: "403 Forbidden"
    problem = stage.outputs().unwritable()
    assert problem == "it answered HTTP 403"
    assert SECRET not in problem
