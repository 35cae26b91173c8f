"""Small trials of `python -m tests.proofs.three_homes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.three_homes import trial

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Postgres


def test_a_folder_that_is_removed_at_work_and_damaged_after_it(postgres: Postgres, tmp_path: Path) -> None:
    figures = trial(tmp_path, "folder", postgres, kills=1, damages=6, seed=3, clocks=False)
    assert figures.kills >= 1
    assert 0 < figures.charged_on_the_way < figures.charged
    assert figures.well, figures


def test_a_branch_that_somebody_has_damaged(postgres: Postgres, tmp_path: Path) -> None:
    figures = trial(tmp_path, "git", postgres, kills=0, damages=5, seed=4, absences=0, clocks=False)
    assert figures.refused > 0
    assert figures.well, figures


def test_a_database_that_goes_down_at_work_and_is_damaged_after_it(
    postgres: Postgres, tmp_path: Path
) -> None:
    figures = trial(tmp_path, "postgresql", postgres, kills=0, damages=6, seed=5, absences=1, clocks=False)
    assert 0 < figures.charged_on_the_way < figures.charged
    assert figures.refused > 0
    assert figures.well, figures
