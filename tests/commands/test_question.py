"""The question before a purchase, asked on a terminal: what it is paid from, what it costs, and a no."""

from __future__ import annotations

import os
import pty
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import FAST, Bench, ended, judged
from tests.support.forked import WITHOUT_MEDIA
from tests.support.judge.tasks import accepted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench, judge = judged(tmp_path)
    bench.write({"a": "a", "b": "b"}, budget={"credits": 40})
    yield bench
    judge.close()


def answered(bench: Bench, answer: str, *words: str) -> tuple[int, str]:
    """The exit code, and what was said on stderr."""
    ran = bench.answer(answer, "run", *(words or ("jobs.yaml",)), *FAST)
    return ran.code, ran.err


def test_it_says_what_there_is_to_pay_from_and_what_it_costs_in_dollars_too(bench: Bench) -> None:
    code, said = answered(bench, "y\n")
    assert code == 0, said
    before, question = said.split("Buy ")[:2]
    assert "Account: " in before
    assert "Budget: 40 credits left\n" in before
    assert question.startswith("2 jobs for 32 credits ($0.16)?")
    assert len(accepted(bench.log)) == 2


def test_a_budget_that_is_too_small_is_named_before_it_is_asked(bench: Bench) -> None:
    _, said = answered(bench, "n\n", "jobs.yaml", "--budget", "20")
    assert "Budget: 20 credits left; buying stops when it is used up\n" in said


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04", "no\n"])
def test_a_no_buys_nothing_is_no_error_and_leaves_no_run_behind(bench: Bench, answer: str) -> None:
    code, said = answered(bench, answer)
    assert code == 130
    assert said.endswith("Cancelled; nothing was bought.\n")
    assert "error" not in said
    assert accepted(bench.log) == []
    assert "no recorded end" not in bench.run().err


@pytest.mark.parametrize("shown", ["digest: ", "Budget: "])
def test_ctrl_c_before_the_answer_buys_nothing(bench: Bench, shown: str) -> None:
    """After the plan, and when the question is due."""
    ours, theirs = pty.openpty()
    try:
        process = bench.start("run", "jobs.yaml", *FAST, stdin=theirs)
        stream = process.stdout if shown == "digest: " else process.stderr
        assert stream is not None
        assert any(line.startswith(shown) for line in stream)
        process.send_signal(signal.SIGINT)
        ran = ended(process)
    finally:
        os.close(ours)
        os.close(theirs)
    assert ran.code == 130
    assert ran.err.endswith("Cancelled; nothing was bought.\n")
    assert accepted(bench.log) == []


def test_a_run_that_could_not_begin_is_no_run_that_died(bench: Bench) -> None:
    rehearsal = ("run", "jobs.yaml", "--sandbox", "--speed", "1000")
    assert bench.do(*rehearsal, "--faults", "flats.yaml").code == 2
    again = bench.do(*rehearsal, PYTHONPATH=WITHOUT_MEDIA)
    assert again.code == 0
    assert "no recorded end" not in again.err
