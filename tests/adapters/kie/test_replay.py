"""Exchanges of our own making, in the recorded form, through the real adapter."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from kiejobs.core.ledger import outcomes
from tests.support.replay import played_back

EXCHANGES = [
    json.loads(line)
    for line in (Path(__file__).resolve().parents[2] / "data" / "exchanges.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("number", range(len(EXCHANGES)))
def test_an_exchange_is_read_without_a_doubt(number: int) -> None:
    recorded = EXCHANGES[number]
    code = str(json.loads(recorded["response_body"]).get("code"))
    for outcome in played_back(recorded):
        if code == "200":
            assert not isinstance(outcome, outcomes.CreateInDoubt | outcomes.Unanswered)
        else:
            assert not isinstance(
                outcome, outcomes.Accepted | outcomes.TaskSucceeded | outcomes.TaskFailed | Decimal
            )


def test_there_is_an_exchange_of_each_kind() -> None:
    kinds = {type(outcome) for recorded in EXCHANGES for outcome in played_back(recorded)}
    assert {
        outcomes.Accepted,
        outcomes.StillRunning,
        outcomes.TaskSucceeded,
        outcomes.TaskRecord,
    } <= kinds
