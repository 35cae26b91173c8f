"""A small `python -m tests.proofs.big_table`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.big_table import big_table

if TYPE_CHECKING:
    from pathlib import Path


def test_a_table_comes_to_what_the_plain_way_comes_to_in_less_memory_to_read(
    tmp_path: Path,
) -> None:
    figures = big_table(tmp_path, 20_000)
    assert figures.well, figures
    assert figures.read.memory < figures.read_plainly.memory
