"""Journals and manifests that kiejobs 0.1.0 wrote are read and derived as it did, to the byte.

`tests/data/journals-0.1.0` holds every kind of event: runs with failures, doubts that were resolved both
ways, a callback, an upload, an adoption, an approved plan, conflicts, a result that is gone. They are
never written anew.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from kiejobs.adapters.ledger.folder import FolderStore
from kiejobs.core.ledger.events import Event, Priced, StillMissing, UnusedAnswer, to_json

if TYPE_CHECKING:
    from kiejobs.core.ledger.fold import History

GOLDEN = Path(__file__).parents[2] / "data" / "journals-0.1.0"
ORIGIN = "http://sandbox.invalid"
_LATER = {"api_state", "unused", "missing", "priced"}
"""What an attempt has that 0.1.0 did not know of."""


@pytest.fixture
def history() -> History:
    return FolderStore(GOLDEN / "runs").read()


def test_they_hold_every_kind_of_event(history: History) -> None:
    kinds = {type(timed.event) for record in history.records for timed in record.events}
    assert kinds == set(get_args(Event)) - {Priced, StillMissing, UnusedAnswer}  # which 0.1.0 did not write


def test_their_lines_would_be_written_so_today(history: History) -> None:
    for record in history.records:
        lines = (GOLDEN / "runs" / record.run_id / "journal.jsonl").read_bytes().splitlines()
        for line, timed in zip(lines, record.events, strict=True):
            of_all_lines = {key: json.loads(line)[key] for key in ("v", "seq", "prev")}
            body = {**of_all_lines, "at": timed.at, **to_json(timed.event)}
            assert json.dumps(body, ensure_ascii=False, sort_keys=True).encode() == line


def test_they_fold_to_the_same_ledger(history: History) -> None:
    ledger = history.ledger(ORIGIN)
    found = {
        "attempts": [
            {
                **{name: value for name, value in asdict(one).items() if name not in _LATER},
                "output": one.output,
                "committed": one.committed,
            }
            for one in ledger.attempts()
        ],
        "current": [one.attempt_id for one in ledger.current()],
        "committed": ledger.committed("golden"),
        "plans_used": ledger.plans_used,
        "uploads": {sha: [asdict(one) for one in known] for sha, known in ledger.uploads.items()},
    }
    text = json.dumps(found, default=_plain, indent=1, sort_keys=True, ensure_ascii=False)
    assert text + "\n" == (GOLDEN / "ledger.json").read_text(encoding="utf-8")


def test_their_manifests_have_the_same_bytes(history: History, tmp_path: Path) -> None:
    for record in history.records:
        there = (GOLDEN / "runs" / record.run_id / "manifest.json").read_bytes()
        assert history.manifest(record) == there
    copy = shutil.copytree(GOLDEN / "runs", tmp_path / "runs")
    assert FolderStore(copy).publish(every=True) == []


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else str(value)
