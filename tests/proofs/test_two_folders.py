"""A small session of `python -m tests.proofs.two_folders`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.two_folders import most_at_once, two_folders

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Postgres


def test_two_folders_on_one_database_buy_each_job_once_through_kills_and_a_crash(
    postgres: Postgres, tmp_path: Path
) -> None:
    figures = two_folders(tmp_path, postgres, step=12, kills=2, seed=5, paced=False)
    assert (figures.charged, figures.database_kills) == (figures.jobs, 1)
    assert figures.well, figures


def test_what_any_ten_seconds_hold_is_counted() -> None:
    assert most_at_once([0.0, 1.0, 10.0, 10.5, 20.6]) == 3
    assert most_at_once([]) == 0
