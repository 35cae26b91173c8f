"""A small session of `python -m tests.proofs.kill_points`: the nine calls that decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.proofs.kill_points import decisive, kill_points
from tests.proofs.syscalls import MISSING, has_strace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(not has_strace(), reason=MISSING)
def test_killed_at_the_calls_that_decide_nothing_is_bought_twice_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    figures = kill_points(tmp_path, decisive)
    # A busy machine shifts the count of calls: then it dies of a neighbour of the one that was meant.
    assert figures.kills >= 8, figures
    assert figures.hits >= 4, figures
    assert figures.books.charged >= 25
    assert figures.books.in_doubt >= 1
    assert figures.well, figures
