"""Journals made up for tests of what is folded from them.

In: events, in the order in which they happened. Out: `JournalRecord`s as the adapter reads them.
Touches nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import JournalRecord, Timed
from kiejobs.core.ledger.records import Failure, FileRecord

ORIGIN = "https://api.example.com"
MODEL = "example/one"
REFUSED = Failure("rejected", "422", "no such size")
BROKEN = Failure("in_doubt", None, "the connection broke")
BUSY = Failure("not_accepted", "429", "slow down")


def journal(
    hour: int, *told: e.Event, live: bool = False, origin: str = ORIGIN, campaign: str = "tea"
) -> JournalRecord:
    """The run of one hour, `run-07` say; its events are a minute apart."""
    run_id = f"run-{hour:02}"
    header = e.RunStarted(run_id, "run", campaign, origin, None, "kiejobs 0", 1)
    lines = [Timed(at(hour, minute), event) for minute, event in enumerate((header, *told))]
    return JournalRecord(run_id, lines, live)


def at(hour: int, minute: int) -> str:
    return f"2026-11-22T{hour:02}:{minute:02}:00.000Z"


def reserved(attempt: str, address: str = "tea/pour", fingerprint: str = "f1", **more: Any) -> e.Reserved:
    """Sixteen credits for take 1, unless said otherwise."""
    given = {"take": 1, "input": {"prompt": fingerprint}, "credits": Decimal(16), **more}
    return e.Reserved(attempt, address, fingerprint, model=MODEL, callback_url=None, output="x.mp4", **given)


def upload(sha256: str, url: str, expires: str | None = "2026-11-23T08:00:00.000Z") -> e.Uploaded:
    """A local file on its way: a PNG of nine bytes."""
    return e.Uploaded(sha256, url, 9, "image/png", expires, "images/cup.png")


def submitted(attempt: str, task: str | None = None) -> e.Submitted:
    return e.Submitted(attempt, task or f"task-{attempt}")


def succeeded(attempt: str, charged: str | None = "16") -> e.Succeeded:
    url = f"https://files.example.com/{attempt}.mp4"
    return e.Succeeded(attempt, None if charged is None else Decimal(charged), (url,))


def failed(attempt: str, charged: str | None = "0") -> e.Failed:
    failure = Failure("failed", "500", "the model gave up")
    return e.Failed(attempt, failure, None if charged is None else Decimal(charged))


def collected(attempt: str) -> e.Collected:
    file = FileRecord(f"{attempt}.mp4", "ab" * 32, 9, "video/mp4", "https://files.example.com/x")
    return e.Collected(attempt, (file,))


def bought(attempt: str, *where: str, **more: Any) -> tuple[e.Event, ...]:
    """The whole of a purchase that went well."""
    told = (submitted(attempt), e.Running(attempt, "generating"), succeeded(attempt))
    return (reserved(attempt, *where, **more), *told, collected(attempt))
