"""A small session of `python -m tests.proofs.lost_runners`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.lost_runners import lost_runners

if TYPE_CHECKING:
    from pathlib import Path


def test_a_lost_runner_leaves_a_window_in_doubt_and_nothing_is_bought_twice_or_lost(tmp_path: Path) -> None:
    figures = lost_runners(tmp_path, runners=1, jobs=24, seed=3)
    assert figures.charged == 24
    assert figures.well, figures
