"""The size of the house, and how far one job travels through it: what may grow only on purpose."""

from __future__ import annotations

from tests.proofs.short_trip import house, trip

MOST_IN_A_ROOM = 21  # twenty modules and the face


def test_the_house_keeps_its_size() -> None:
    size = house()
    assert size["modules"] <= 262
    assert size["lines"] <= 34_600
    assert size["fullest_room"] <= MOST_IN_A_ROOM


def test_one_job_takes_a_short_trip() -> None:
    taken = trip()
    assert (taken["exit_code"], taken["bought"]) == (0, 1)
    assert taken["files"] <= 135
    assert taken["functions"] <= 1_230
