"""Some of the stories of `python -m tests.proofs.stories`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.stories import STORIES, stories

if TYPE_CHECKING:
    from pathlib import Path

SOME = (
    "subfolder",
    "feature_branch",
    "tidied",
    "journal_in_utf_16",
    "git_clean_during_a_run",
    "cancelled_shell",
)


def test_from_elsewhere_and_whatever_happens_to_the_record_each_request_is_bought_once(
    tmp_path: Path,
) -> None:
    figures = stories(tmp_path, SOME)
    assert figures.stories == len(SOME)
    assert figures.refused >= 3
    assert figures.charged == figures.requests == 50
    assert figures.well, figures


def test_there_are_at_least_sixteen_of_them() -> None:
    assert len(STORIES) >= 16
