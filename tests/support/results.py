"""Results to report on: a run in which everything happened, told by hostile strangers.

And what every report is held against: its schema, and that nothing in it steers a terminal.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import JournalRecord, Timed
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.manifest import manifest
from kiejobs.core.ledger.records import Failure, FileRecord
from kiejobs.core.plan.plan import NO_TERMS, Action, PlanTotals
from kiejobs.reports.terminal import is_control

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
HOSTILE = "\x1b]0;owned\x07\x1b[2J[red]泡\u202etxt\x9b31m\nnext\r\ud800\ufeff\U000e0041\uffff"
LONG = "steam rises over the cup, " * 400
RUN = "20261122T073600Z-1f0a2b"
SIGNS = re.compile("\x1b\\[[0-9;]*m")


def harmless(text: str) -> bool:
    """Nothing but line breaks that a terminal would obey, hide or choke on."""
    return not any(is_control(char) for char in text if char != "\n")


def uncolored(text: str) -> str:
    return SIGNS.sub("", text)


def refused(schema: str, document: Any) -> list[str]:
    """What the schema has against the document, each as `path keyword`."""
    text = (SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8")
    found = Draft202012Validator(json.loads(text)).iter_errors(document)
    return sorted(f"{'.'.join(map(str, e.absolute_path))} {e.validator}".strip() for e in found)


def hash_of(number: int) -> str:
    return f"{number:02x}" * 32


def reserved(number: int, name: str, credits_: int | None = 16) -> e.Reserved:
    return e.Reserved(
        attempt_id=hash_of(number)[:32],
        address=f"tea/{name}",
        fingerprint=hash_of(number),
        take=1,
        model="maker/model",
        input={"prompt": LONG},
        callback_url=None,
        credits=None if credits_ is None else Decimal(credits_),
        output=f"tea/{name}.mp4",
    )


def planned(number: int, name: str) -> e.Planned:
    price = Decimal(16)
    return e.Planned(f"tea/{name}", hash_of(number), 1, "maker/model", "submit", "new", price)


def record(*events: e.Event) -> JournalRecord:
    """A journal with one event a second."""
    source = {"file": "jobs/tea time.yaml", "sha256": hash_of(0), "git_commit": None}
    head = e.RunStarted(RUN, "run", "tea", "https://api.kie.ai", source, "kiejobs 0.1", 1)
    at = "2026-11-22T07:{:02}:{:02}.250Z"
    return JournalRecord(
        RUN,
        [Timed(at.format(*divmod(n, 60)), event) for n, event in enumerate([head, *events])],
    )


def ledger_of(*events: e.Event) -> Ledger:
    return fold([record(*events)])


def manifest_of(*events: e.Event) -> dict[str, Any]:
    journal = record(*events)
    return manifest(journal, fold([journal]))


FILE = FileRecord("tea/good.mp4", hash_of(9), 9000, "video/mp4", "https://files.example.com/a.mp4")


def one_of_each(said: str = "the model broke") -> list[e.Event]:
    """Events of a run with a job of every standing; `said` is what the API had to say."""
    names = ["good", "here[scene=浓缩]", "busy", "bad", "wrong", "doubt[d=5]", "poor", "lost"]
    failure = Failure("failed", "500", said)
    ids = [hash_of(number)[:32] for number in range(len(names))]
    return [
        *(planned(number, name) for number, name in enumerate([*names, "never"])),
        *(reserved(number, name) for number, name in enumerate(names)),
        *(e.Submitted(ids[number], f"task-{number}") for number in range(4)),
        e.Succeeded(ids[0], Decimal("15.5"), ("https://files.example.com/a.mp4",)),
        e.Collected(ids[0], (FILE,)),
        e.Succeeded(ids[1], Decimal(16), ()),
        e.Running(ids[2], "generating"),
        e.Failed(ids[3], failure, Decimal(0)),
        e.Rejected(ids[4], Failure("rejected", "422", said)),
        e.InDoubt(ids[5], Failure("in_doubt", None, said)),
        e.NotAccepted(ids[6], Failure("no_money", "402", said)),
        e.InDoubt(ids[7], Failure("in_doubt", None, said)),
        e.Resolved(ids[7], "lost", None, "a person ruled it"),
    ]


def totals_of(changes: Sequence[Change], digest: str) -> PlanTotals:
    """What a plan of these lines counts."""
    bought = [line for line in changes if line.spends]
    return PlanTotals(
        actions={action.value: sum(c.action is action for c in changes) for action in Action},
        credits=sum((line.credits or Decimal(0) for line in bought), Decimal(0)),
        unpriced=sum(line.credits is None for line in bought),
        in_doubt=sum(line.reason == "in_doubt" for line in changes),
        digest=digest,
        terms=NO_TERMS,
    )
