"""The power cut after each write of a small run; the large one is run by hand."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.proofs.disk_model import Disk
from tests.proofs.disk_recording import ROOT, Made, Renamed, Synced, Wrote
from tests.proofs.power_cut import proof

if TYPE_CHECKING:
    from pathlib import Path

    from tests.proofs.disk_model import Tree
    from tests.proofs.disk_recording import Operation

_MADE = Made(1, ROOT, "film.part", is_folder=False)
_WROTE = Wrote(1, 0, b"frames" * 200)
_RENAMED = Renamed(1, ROOT, "film.part", "film")


def left(*operations: Operation) -> list[Tree]:
    disk = Disk()
    for operation in operations:
        disk.take(operation)
    return list(disk.states(random.Random(3), 60))


def test_a_name_may_be_there_before_the_data_that_nobody_synced() -> None:
    trees = left(_MADE, _WROTE, _RENAMED)
    assert {} in trees
    assert {"film": b""} in trees
    assert {"film": bytes(1200)} in trees
    assert {"film": _WROTE.data[:600]} in trees
    assert {"film": bytes(512) + _WROTE.data[512:]} in trees
    assert {"film.part": _WROTE.data} in trees
    assert all(len(tree) < 2 for tree in trees), "a rename is atomic"


def test_what_was_synced_is_there_but_without_its_folder_it_has_no_name() -> None:
    assert left(_MADE, _WROTE, Synced(1), Synced(ROOT)) == [{"film.part": _WROTE.data}]
    trees = left(_MADE, _WROTE, Synced(1), _RENAMED)
    assert {} in trees
    assert {data for tree in trees for data in tree.values()} == {_WROTE.data}


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_power_cut_loses_nothing_that_was_promised_and_leaves_nothing_torn(
    tmp_path: Path,
) -> None:
    figures, well = proof(tmp_path, jobs=2, seed=5, samples=1, restarts=1, every=20, most=80)
    assert figures["charged"] == 2
    assert figures["events"] > 15
    assert figures["states"] > 1_000
    assert figures["downloads"]["states"] == 80
    assert well, figures
