"""A small session of `python -m tests.proofs.shared_database`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.shared_database import shared_database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Postgres


def test_checkouts_a_worker_and_a_database_that_are_killed_buy_each_job_once_and_miss_no_file(
    tmp_path: Path, postgres: Postgres
) -> None:
    figures = shared_database(tmp_path, postgres, kills=10, jobs=60, seed=5)
    assert figures.kills >= 10
    assert figures.database_kills > 0
    assert figures.charged == 60
    assert figures.well, figures
