"""A small session of `python -m tests.proofs.full_disk`: one refusal of each sort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.proofs.full_disk import full_disk, telling
from tests.proofs.syscalls import MISSING, has_strace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(not has_strace(), reason=MISSING)
def test_refused_by_the_disk_it_says_so_and_buys_nothing_twice_and_loses_nothing(
    tmp_path: Path,
) -> None:
    figures = full_disk(tmp_path, telling)
    assert figures.refused >= 5, figures
    assert figures.well, "\n".join(str(one) for one in figures.tried if not one.well)
