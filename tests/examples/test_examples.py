"""Folders of job files: what each of them is expanded to, or told, to the letter.

A new file needs no code: put it below tests/examples and run `python tests/examples/update.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.examples.update import EXAMPLES, expectation

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(EXAMPLES.glob("*/*.yaml"))


@pytest.mark.parametrize("source", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_example_is_what_is_written_beside_it(source: Path) -> None:
    beside, text = expectation(source)
    assert text == beside.read_text(encoding="utf-8")


def test_every_invalid_example_is_told_something_with_a_place() -> None:
    for path in (EXAMPLES / "invalid").glob("*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            code, place, *_ = line.split(" ")
            assert code.replace("-", "").isalpha()
            assert all(part.isdigit() for part in place.split(":")[-2:])


def test_nothing_lies_beside_an_example_that_is_gone() -> None:
    written = [*EXAMPLES.glob("*/*.jsonl"), *EXAMPLES.glob("*/*.txt")]
    assert {path.with_suffix(".yaml") for path in written} == set(FILES)
