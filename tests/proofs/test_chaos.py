"""A small session of `python -m tests.proofs.chaos`; the large ones are run by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.chaos import chaos

if TYPE_CHECKING:
    from pathlib import Path


def test_killed_at_random_moments_nothing_is_bought_twice_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    figures = chaos(tmp_path, kills=10, seed=4, jobs=30)
    assert figures.kills == 10
    assert figures.accepted > 5
    assert figures.well, figures
