"""A small session of `python -m tests.proofs.racing_clones`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.racing_clones import racing_clones

if TYPE_CHECKING:
    from pathlib import Path


def test_two_clones_that_run_one_job_file_at_once_buy_each_job_once(tmp_path: Path) -> None:
    figures = racing_clones(tmp_path, rounds=2, jobs=14, kills=1, seed=2)
    assert figures.charged == 28
    assert figures.well, figures
