"""One run at a time per folder, and who holds it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.ledger.locks import FolderLock, RunsLock, holder, is_locked, live_run, manifests_lock
from kiejobs.core.diagnostics import JournalProblem
from tests.support.bench import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SINCE = "2026-11-22T08:00:00.000Z"


@contextmanager
def another_process(runs: Path) -> Iterator[subprocess.Popen[str]]:
    """One that holds the lock as `run-1` until it is killed."""
    words = (
        "import pathlib, sys; from kiejobs.adapters.ledger.locks import RunsLock;"
        f"lock = RunsLock(pathlib.Path(sys.argv[1]), 'run-1', '{SINCE}'); lock.__enter__();"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", words, str(runs)], text=True, cwd=runs.parent,
        env={**os.environ, "PYTHONPATH": PACKAGE},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    with another_process(tmp_path) as first:
        with pytest.raises(JournalProblem) as caught:
            RunsLock(tmp_path, "run-2", SINCE).__enter__()
        assert f"run run-1 (process {first.pid}, since {SINCE})" in caught.value.message
        assert caught.value.exit_code == 7
        assert live_run(tmp_path) == "run-1"
        assert holder(tmp_path)["run_id"] == "run-1", "a refusal leaves the holder's words alone"


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    with another_process(tmp_path) as first:
        first.kill()
        first.wait()
        assert live_run(tmp_path) is None
        with RunsLock(tmp_path, "run-2", SINCE):
            assert live_run(tmp_path) == "run-2"


def test_it_may_be_released_before_its_end(tmp_path: Path) -> None:
    with RunsLock(tmp_path, "run-1", SINCE) as lock:
        lock.release()
        assert live_run(tmp_path) is None
        with RunsLock(tmp_path, "run-2", SINCE):
            lock.release()
            assert live_run(tmp_path) == "run-2", "the first does not take the second's away"


def test_those_who_look_do_not_keep_anybody_out(tmp_path: Path) -> None:
    for _ in range(20):
        assert live_run(tmp_path) is None
        with RunsLock(tmp_path, "run-1", SINCE):
            pass


def test_words_that_are_torn_still_mean_that_somebody_is_there(tmp_path: Path) -> None:
    with another_process(tmp_path):
        (tmp_path / ".lock.json").write_text('{"run_')
        with pytest.raises(JournalProblem, match="in use by another run"):
            RunsLock(tmp_path, "run-2", SINCE).__enter__()


def test_no_clean_up_takes_the_lock_away(tmp_path: Path) -> None:
    """`git clean -fdX` removes what is ignored; who holds the lock is then known by no name."""
    with another_process(tmp_path):
        for file in tmp_path.glob(".lock*"):
            file.unlink()
        with pytest.raises(JournalProblem, match="in use by another run"):
            RunsLock(tmp_path, "run-2", SINCE).__enter__()
        assert is_locked(tmp_path)
        assert live_run(tmp_path) is None


@pytest.mark.parametrize("again", [True, False], ids=["replaced", "removed"])
def test_a_folder_that_is_another_one_by_now_is_seen(tmp_path: Path, *, again: bool) -> None:
    runs = tmp_path / "runs"
    with RunsLock(runs, "run-1", SINCE) as lock:
        lock.require_same()
        runs.rename(tmp_path / "moved")
        if again:
            with RunsLock(runs, "run-2", SINCE) as second, pytest.raises(JournalProblem, match="replaced"):
                lock.require_same()
            second.require_same()
            with RunsLock(runs, "run-2", SINCE):
                lock.release()
                assert live_run(runs) == "run-2"
        else:
            with pytest.raises(JournalProblem, match="was removed or replaced while this run was at work"):
                lock.require_same()


def test_a_folder_that_may_only_be_read_can_be_watched(tmp_path: Path) -> None:
    with another_process(tmp_path):
        tmp_path.chmod(0o500)
        assert live_run(tmp_path) == "run-1"
        tmp_path.chmod(0o700)


def test_a_note_that_is_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    runs, precious = tmp_path / "runs", tmp_path / "kiejobs.yaml"
    runs.mkdir()
    precious.write_text("mine")
    (runs / ".lock.json").symlink_to(precious)
    with RunsLock(runs, "run-1", SINCE):
        assert holder(runs)["run_id"] == "run-1"
    assert precious.read_text() == "mine"


class FileLocksOnly(FolderLock):
    """As on NFS, where folders have no locks."""

    def lockable(self, *, to_look: bool) -> Iterator[tuple[Path, int]]:
        yield from list(super().lockable(to_look=to_look))[1:]


def test_without_locks_on_folders_the_lock_file_is_watched_as_the_folder_is(tmp_path: Path) -> None:
    first, second = FileLocksOnly(tmp_path), FileLocksOnly(tmp_path)
    assert first.take(0)
    assert not second.take(0)
    assert not second.take(0, to_look=True)
    (tmp_path / ".lock").unlink()
    assert not first.is_same(), "so nothing more is reserved"
    assert second.take(0)
    first.release()
    second.release()


def test_where_nothing_can_be_locked_nothing_can_be_bought(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.write_text("a file")
    with pytest.raises(JournalProblem, match="can't lock"):
        RunsLock(runs, "run-1", SINCE).__enter__()
    assert live_run(runs) is None


def test_manifests_are_written_even_where_there_is_no_folder_yet(tmp_path: Path) -> None:
    with manifests_lock(tmp_path / "nowhere"):
        pass
    with manifests_lock(tmp_path):
        pass
    assert not (tmp_path / "nowhere").exists()
