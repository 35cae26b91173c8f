"""What an edited journal may hold in the place of a value, and that each is told by its name."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import bad_field
from kiejobs.core.ledger.records import FileRecord
from tests.support import histories as h

FILE = FileRecord("a.mp4", "ab" * 32, 9, "video/mp4", "https://files.example.com/x")


def test_what_runs_write_is_well_formed() -> None:
    told = (*h.bought("a"), h.failed("a"), e.Rejected("a", h.REFUSED), e.RunFinished(0, None))
    journal = h.journal(7, *told, e.Conflicted("a", "t", "two", may_be_paid=True))
    assert [bad_field(timed.event) for timed in journal.events] == [None] * len(journal.events)


@pytest.mark.parametrize(
    ("event", "field", "value"),
    [
        (h.reserved("a"), "attempt_id", ["a"]),
        (h.reserved("a"), "fingerprint", None),
        (h.reserved("a"), "take", True),
        (h.reserved("a"), "input", "x"),
        (h.reserved("a"), "credits", 16),
        (h.reserved("a"), "credits", Decimal("1e999999999")),
        (h.succeeded("a"), "charged", Decimal("0e-999999999")),
        (h.submitted("a"), "task_id", 7),
        (h.upload("ab" * 32, "https://x"), "sha256", ["a"]),
        (h.upload("ab" * 32, "https://x"), "bytes", True),
        (h.upload("ab" * 32, "https://x"), "expires", 7),
        (h.succeeded("a"), "urls", ("x", 7)),
        (h.failed("a"), "failure", dataclasses.replace(h.BROKEN, message=None)),
        (h.collected("a"), "files", (FILE, dataclasses.replace(FILE, bytes="9"))),
        (e.RunFinished(0, None), "exit_code", Decimal(0)),
        (e.RunStarted("r", "run", None, h.ORIGIN, None, "k", 1), "source", True),
    ],
)
def test_a_value_of_another_type_is_told_by_its_field(event: Any, field: str, value: Any) -> None:
    changed = dataclasses.replace(event, **{field: value})
    assert bad_field(changed) == field
