"""A few stories of `python -m tests.proofs.state_machine`; the many are told by hand."""

from __future__ import annotations

import pytest

from tests.proofs.state_machine import ForgetfulStory, Story, told


def test_whatever_people_and_crashes_do_the_model_and_the_charge_log_agree() -> None:
    counts = told(Story, examples=30, steps=14, again=True)
    assert counts["kills"] > 10
    assert counts["charges"] > 50
    assert counts["plans"] > 400


def test_a_journal_that_loses_reservations_is_found_out() -> None:
    with pytest.raises(AssertionError):
        told(ForgetfulStory, examples=100, steps=14, again=True, shrink=False)
