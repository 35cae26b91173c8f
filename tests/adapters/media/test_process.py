"""The process that examines and draws: what hangs it or breaks it ends it alone."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.media.process import MediaProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DIES = "import os, sys; sys.stdin.readline(); os.kill(os.getpid(), {})"


@pytest.fixture
def process() -> Iterator[MediaProcess]:
    made = MediaProcess()
    yield made
    made.stop()


def test_what_the_file_does_to_a_decoder_is_an_answer(process: MediaProcess, tmp_path: Path) -> None:
    missing = {"files": [str(tmp_path / "nothing.mp4")], "written": None, "request": {}, "kind": "video"}
    assert process.ask("examine", missing) == {"error": "FileNotFoundError"}
    assert process.ask("compare", {"signatures": {}, "asked": []}) == {}


@pytest.mark.parametrize(
    ("number", "why"), [(signal.SIGALRM, "it takes too long"), (signal.SIGSEGV, "it breaks the decoder")]
)
def test_a_process_that_ends_is_an_answer_and_the_next_one_starts(number: int, why: str) -> None:
    process = MediaProcess(_DIES.format(int(number)))
    assert process.ask("examine", {}) == {"error": why}
    assert process.ask("examine", {}) == {"error": why}
    assert process.stop() == 0
