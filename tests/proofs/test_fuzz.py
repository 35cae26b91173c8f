"""The small version of the fuzzing: every finding of the past, and a few hundred new inputs a target."""

from __future__ import annotations

import pytest

from tests.proofs.fuzz import fuzz, kept
from tests.proofs.fuzz_targets import TARGETS

EXAMPLES = {"yaml": 60, "template": 150, "faults": 80}


@pytest.mark.parametrize("target", TARGETS)
def test_hostile_input_breaks_nothing(target: str) -> None:
    tally = fuzz(target, seed=1, examples=EXAMPLES.get(target, 250))
    assert tally.found == {}
    assert tally.inputs >= len(kept(target)) + 50
    assert tally.peak < 500
