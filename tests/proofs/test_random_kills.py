"""A small session of `python -m tests.proofs.random_kills`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.random_kills import random_kills

if TYPE_CHECKING:
    from pathlib import Path


def test_killed_ten_times_a_campaign_still_buys_each_job_once_and_brings_it_home(
    tmp_path: Path,
) -> None:
    figures = random_kills(tmp_path, kills=10, jobs=30, seed=3)
    assert figures.points >= 10
    assert figures.charged > 20
    assert figures.well, figures
