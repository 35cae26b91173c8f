"""A small session of `python -m tests.proofs.upload_kills`: the five calls that decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.proofs.kill_points import kill_points
from tests.proofs.syscalls import MISSING, has_strace
from tests.proofs.upload_kills import decisive

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(not has_strace(), reason=MISSING)
def test_killed_while_it_uploads_nothing_is_bought_twice_and_little_is_uploaded_again(
    tmp_path: Path,
) -> None:
    figures = kill_points(tmp_path, decisive, pictured=True)
    # A busy machine shifts the count of calls: then it dies of a neighbour of the one that was meant.
    assert figures.kills >= 4, figures
    assert figures.hits >= 2, figures
    assert figures.books.charged >= 12
    assert figures.books.uploaded_again >= 1, "what was not written down has to be uploaded again"
    assert figures.well, figures
