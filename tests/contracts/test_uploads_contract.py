"""What an upload adapter promises to the runner: in words, on the sandbox, on sockets."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from kiejobs.adapters.kie.client import KieUploads
from kiejobs.adapters.project.local_files import LocalFolder
from kiejobs.adapters.sandbox import InProcess
from kiejobs.adapters.system import Secret
from kiejobs.core.expand.job import LocalFile
from kiejobs.core.ledger import outcomes
from kiejobs.sandbox.app import Sandbox
from tests.contracts.fakes import FakeUploads
from tests.support.judge.server import KEY, Judge
from tests.support.sandbox_served import serving
from tests.support.sandbox_stage import HEADERS, MODEL, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from kiejobs import ports

    Scene = Callable[[ports.Uploads], Awaitable[Any]]
    Play = Callable[[Scene], Any]

PIXELS = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1_000 + b"\r\n--x\r\n"
CUP = LocalFile("images/cup one.png", hashlib.sha256(PIXELS).hexdigest(), len(PIXELS), "image/png")


def sandbox(folder: Path) -> Sandbox:
    return Sandbox({MODEL: SCHEMA}, folder / "store", speed=100_000.0)


def played(make: Callable[[], KieUploads]) -> Play:
    async def run(scene: Scene) -> Any:
        uploads = make()
        try:
            return await scene(uploads)
        finally:
            await uploads.close()

    return lambda scene: anyio.run(run, scene)


class Careful(FakeUploads):
    """Looks whether the file is what was planned, as the real ones do."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    async def upload(self, file: LocalFile) -> outcomes.UploadOutcome:
        path = anyio.Path(self._folder / file.path)
        data = await path.read_bytes() if await path.is_file() else b""
        if hashlib.sha256(data).hexdigest() != file.sha256:
            return outcomes.Unusable(f"{file.path} was changed")
        return await super().upload(file)


@contextmanager
def fake(folder: Path) -> Iterator[Play]:
    uploads = Careful(folder)
    yield lambda scene: anyio.run(scene, uploads)


@contextmanager
def in_process(folder: Path) -> Iterator[Play]:
    base, transport = "http://sandbox.invalid", InProcess(sandbox(folder))
    yield played(lambda: KieUploads(base, Secret("k"), LocalFolder(folder), transport=transport))


@contextmanager
def on_a_socket(folder: Path) -> Iterator[Play]:
    with serving(sandbox(folder)) as url:
        yield played(lambda: KieUploads(url, Secret("k"), LocalFolder(folder)))


@contextmanager
def at_the_judge(folder: Path) -> Iterator[Play]:
    with Judge(folder / "log") as judge:
        yield played(lambda: KieUploads(judge.url, Secret(KEY), LocalFolder(folder)))


@pytest.fixture(params=[fake, in_process, on_a_socket, at_the_judge])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Play]:
    (tmp_path / "images").mkdir()
    (tmp_path / CUP.path).write_bytes(PIXELS)
    with request.param(tmp_path) as made:
        yield made


def uploaded(play: Play, file: LocalFile = CUP) -> outcomes.UploadOutcome:
    outcome: outcomes.UploadOutcome = play(lambda uploads: uploads.upload(file))
    return outcome


def test_it_tells_where_the_file_can_be_fetched(play: Play) -> None:
    outcome = uploaded(play)
    assert isinstance(outcome, outcomes.UploadStored)
    assert outcome.url.startswith(("http://", "https://"))
    assert "cup" not in outcome.url, "no name of ours leaves the machine"


def test_the_same_content_has_the_same_address(play: Play, tmp_path: Path) -> None:
    (tmp_path / "twin.png").write_bytes(PIXELS)
    assert uploaded(play) == uploaded(play, replace(CUP, path="twin.png"))


@pytest.mark.parametrize("data", [b"", PIXELS[:-1], PIXELS + b"x", b"\0" + PIXELS[1:]])
def test_a_file_that_was_changed_is_unusable(play: Play, tmp_path: Path, data: bytes) -> None:
    (tmp_path / CUP.path).write_bytes(data)
    outcome = uploaded(play)
    assert isinstance(outcome, outcomes.Unusable)
    assert outcome.message.startswith("images/cup one.png was changed")


def test_a_file_that_is_gone_is_unusable(play: Play, tmp_path: Path) -> None:
    (tmp_path / CUP.path).unlink()
    assert isinstance(uploaded(play), outcomes.Unusable)


@pytest.mark.parametrize("make", [on_a_socket, at_the_judge])
def test_what_is_fetched_is_the_file_to_the_byte(tmp_path: Path, make: Any) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / CUP.path).write_bytes(PIXELS)
    with make(tmp_path) as play:
        outcome = uploaded(play)
        assert isinstance(outcome, outcomes.UploadStored)
        response = httpx.get(outcome.url, headers={"user-agent": HEADERS["user-agent"]})
    assert response.content == PIXELS
    assert response.headers["content-type"] == "image/png"
