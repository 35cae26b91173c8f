"""What an artifact store promises to the runner: in a folder, in an object store, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import obstore
import pytest
from obstore.store import MemoryStore

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.adapters.storage.object_store import StoredOutputs
from kiejobs.core.ledger.records import FileRecord
from tests.contracts.fakes import MemoryArtifacts
from tests.support.judge.replies import download, video
from tests.support.judge.wire import Reply, Request, Wire
from tests.support.object_server import ObjectServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from obstore.store import ObjectStore

    from kiejobs import ports
    from kiejobs.core.ledger import outcomes

AT = "2026-11-22T08:44:27.501Z"


class Folder:
    """A real folder, and a real host."""

    def __init__(self, root: Path, url: str) -> None:
        self.url = url
        self._root = root

    def play(self, scene: Callable[[ports.Artifacts], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            artifacts = FileArtifacts(self._root, AddressRule(private_too=True))
            try:
                return await scene(artifacts)
            finally:
                await artifacts.close()

        return anyio.run(run)

    def damage(self, path: str, data: bytes | None) -> None:
        if data is None:
            (self._root / path).unlink()
        else:
            (self._root / path).write_bytes(data)


class Bucket:
    """An object store, and a real host."""

    def __init__(self, incoming: Path, url: str, store: ObjectStore) -> None:
        self.url = url
        self._incoming = incoming
        self._store = store

    def play(self, scene: Callable[[ports.Artifacts], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            downloads = FileArtifacts(self._incoming, AddressRule(private_too=True))
            outputs = StoredOutputs("s3://films/autumn", self._incoming, self._store)
            try:
                return await scene(outputs.artifacts(downloads))
            finally:
                await downloads.close()
                assert list(self._incoming.iterdir()) == []  # nothing stays on this machine

        return anyio.run(run)

    def damage(self, path: str, data: bytes | None) -> None:
        if data is None:
            obstore.delete(self._store, path)
        else:
            obstore.put(self._store, path, data)


class Memory:
    """A dictionary."""

    url = "http://fake.invalid/a.mp4?sig=1"

    def __init__(self) -> None:
        self._artifacts = MemoryArtifacts()

    def play(self, scene: Callable[[ports.Artifacts], Awaitable[Any]]) -> Any:
        return anyio.run(scene, self._artifacts)

    def damage(self, path: str, data: bytes | None) -> None:
        if data is None:
            del self._artifacts.files[path]
        else:
            self._artifacts.files[path] = data


Stage = Folder | Bucket | Memory


@pytest.fixture(params=["folder", "s3", "store_in_memory", "memory"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    if request.param == "memory":
        yield Memory()
        return

    def answer(asked: Request) -> Reply:
        return download(video("a"), "", asked.headers.get("range", ""))

    wire = Wire(answer)
    url = f"http://127.0.0.1:{wire.port}/a.mp4?sig=1"
    if request.param == "folder":
        yield Folder(tmp_path, url)
    elif request.param == "s3":
        with ObjectServer() as server:
            yield Bucket(tmp_path, url, server.store())
    else:
        yield Bucket(tmp_path, url, MemoryStore())
    wire.close()


def collected(stage: Stage, path: str = "c/j.mp4") -> outcomes.CollectOutcome:
    async def scene(artifacts: ports.Artifacts) -> outcomes.CollectOutcome:
        return await artifacts.collect(stage.url, path, key="t1", media_type="video/mp4")

    outcome: outcomes.CollectOutcome = stage.play(scene)
    return outcome


def condition(stage: Stage, outcome: outcomes.CollectOutcome) -> str | None:
    assert isinstance(outcome, FileRecord)
    file = outcome

    async def scene(artifacts: ports.Artifacts) -> str | None:
        return artifacts.condition([file], AT)

    found: str | None = stage.play(scene)
    return found


def test_what_is_collected_is_recorded_without_its_signature(stage: Stage) -> None:
    outcome = collected(stage)
    assert isinstance(outcome, FileRecord)
    file = outcome
    assert (file.path, file.media_type) == ("c/j.mp4", "video/mp4")
    assert file.url == stage.url.partition("?")[0]
    assert file.bytes > 0
    assert len(file.sha256) == 64


def test_a_result_that_came_in_an_answer_is_kept_like_a_file(stage: Stage) -> None:
    async def scene(artifacts: ports.Artifacts) -> outcomes.CollectOutcome:
        for _ in range(2):  # again, as after a crash
            outcome = await artifacts.keep(
                b'{"text": "tea"}', "c/j.json", key="t1", media_type="application/json"
            )
        return outcome

    outcome = stage.play(scene)
    assert isinstance(outcome, FileRecord)
    assert (outcome.path, outcome.bytes) == ("c/j.json", 15)
    assert (outcome.media_type, outcome.url) == (
        "application/json",
        "urn:kiejobs:task:t1",
    )
    assert condition(stage, outcome) is None
    stage.damage("c/j.json", b"something else.")
    assert condition(stage, outcome) == "file_damaged"


def test_the_condition_follows_what_becomes_of_the_file(stage: Stage) -> None:
    outcome = collected(stage)
    assert condition(stage, outcome) is None
    stage.damage("c/j.mp4", b"something else")
    assert condition(stage, outcome) == "file_damaged"
    stage.damage("c/j.mp4", None)
    assert condition(stage, outcome) == "file_missing"
    assert condition(stage, collected(stage)) is None


def test_marking_changes_nothing_about_whole_files(stage: Stage) -> None:
    outcome = collected(stage)
    assert isinstance(outcome, FileRecord)
    file = outcome

    async def scene(artifacts: ports.Artifacts) -> None:
        artifacts.mark([file], AT)

    stage.play(scene)
    assert condition(stage, outcome) is None


def test_no_files_are_whole(stage: Stage) -> None:
    async def scene(artifacts: ports.Artifacts) -> str | None:
        return artifacts.condition([], AT)

    assert stage.play(scene) is None
