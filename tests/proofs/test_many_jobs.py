"""A small `python -m tests.proofs.many_jobs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.many_jobs import many_jobs

if TYPE_CHECKING:
    from pathlib import Path


def test_three_hundred_tasks_of_a_dead_run_are_brought_home_and_nothing_is_bought(
    tmp_path: Path,
) -> None:
    figures = many_jobs(tmp_path, 300)
    assert figures.jobs == 300
    assert figures.well, figures
