"""What the verbs ask, refuse and say, by the real command line: what a person meets first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """With an API that nobody answers at: nothing here may need it."""
    return Bench(tmp_path, "http://127.0.0.1:9")


# --- what is asked for and is not there ------------------------------------------------------------


@pytest.mark.parametrize("verb", ["render", "plan", "run"])
def test_a_selection_that_takes_no_job_is_a_slip_and_is_refused(bench: Bench, verb: str) -> None:
    bench.write({"one": "one"})
    refused = bench.do(verb, "jobs.yaml", "--select", "two tag:three")
    assert refused.code == 2
    assert refused.out == ""
    assert refused.err == (
        "error: --select matches no job\n"
        "  help: `kiejobs plan` without --select lists the addresses\n"
    )
    assert bench.journals() == []
