"""The manifest: one run's document for people and tools, a projection of the journals.

In: a run's record and the ledger of all runs. Out: a JSON document, the same bytes as long as no
event is added. Every key is always there, null when empty. Touches nothing.
"""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.records import Failure, State, sibling_path
from kiejobs.core.money import money, money_or_null

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.events import JournalRecord
    from kiejobs.core.ledger.ledger import Attempt, Ledger

FORMAT_VERSION = "1.1"

_OF_HEADER = ("command", "campaign", "origin", "source", "created_with")
_TIMES = ("reserved", "submitted", "settled", "collected")
_PIECES = 10_000
_USUAL = {None, "waiting", "queuing", "generating"}
"""Words of the API for what is under way, which need no mention."""
NOT_COLLECTED = "not_collected"
"""The class of the error of what was made, and is not all here."""
_UNTOUCHED = "none"
"""How the totals count a planned job of which nothing was made (its state is null)."""


def manifest(record: JournalRecord, ledger: Ledger, *, also: Iterable[str] = ()) -> dict[str, Json]:
    """The manifest of one run: each job that its plan wanted or that it had a hand in.

    `also` names further attempts, for a report on a run that had nothing to write down.
    """
    jobs = _by_address(_jobs(record, ledger, also))
    return {
        "format_version": FORMAT_VERSION,
        "run_id": record.run_id,
        **{name: getattr(record.header, name, None) for name in _OF_HEADER},
        "totals": totals(jobs.values()),
        "jobs": jobs,
    }


def _by_address(found: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Later ones overwrite earlier ones of the same request.

    No task id is ever dropped: a task that another request has replaced under its address stays, as
    `ADDRESS~` and the beginning of its fingerprint.
    """
    jobs: dict[str, dict[str, Any]] = {}
    for job in found:
        address = job.pop("address")
        known = jobs.get(address)
        if known and known["task_id"] and known["fingerprint"] != job["fingerprint"]:
            jobs[f"{address}~{known['fingerprint'][:8]}"] = known
        jobs[address] = job
    return jobs


def to_bytes(document: Mapping[str, Json]) -> bytes:
    """Sorted keys, two blanks, LF, UTF-8: one key a line, so that git shows what changed."""
    return b"".join(to_pieces(document))


def to_pieces(document: Mapping[str, Json]) -> Iterator[bytes]:
    """The same, some at a time: a manifest of 100,000 jobs has 160 MB."""
    encoder = json.JSONEncoder(ensure_ascii=False, sort_keys=True, indent=2)
    pieces = encoder.iterencode(document)
    while text := "".join(islice(pieces, _PIECES)):
        yield text.encode("utf-8", "backslashreplace")  # half a surrogate pair as JSON spells it
    yield b"\n"


def totals(jobs: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Counts by state and sums in credits. `unpriced` counts jobs without a known price."""
    states = dict.fromkeys([_UNTOUCHED, *map(str, State)], 0)
    planned = charged = Decimal(0)
    files = unpriced = unsaid = 0
    for job in jobs:
        states[job["state"] or _UNTOUCHED] += 1
        planned += Decimal(job["credits"]["planned"] or 0)
        charged += Decimal(job["credits"]["charged"] or 0)
        unpriced += job["credits"]["planned"] is None
        unsaid += job["state"] == State.SUCCEEDED and job["credits"]["charged"] is None
        files += len(job["files"])
    return {
        "jobs": sum(states.values()),
        "states": states,
        "files": files,
        "unpriced": unpriced,
        # The API does not always say what it charged; a sum of what is not known would lie.
        "credits": {"planned": money(planned), "charged": None if unsaid else money(charged)},
    }


def job_of_attempt(attempt: Attempt) -> dict[str, Json]:
    """One job of the manifest, from the attempt that counts for it."""
    reserved, failure = attempt.reserved, attempt.failure
    if attempt.missing:
        words = (f"its {one.name} is missing ({one.url}): {one.message}" for one in attempt.missing)
        failure = Failure(NOT_COLLECTED, None, "; ".join(words))
    if attempt.gone is not None:
        failure = Failure("gone", None, attempt.gone)
    return {
        "address": attempt.address, "fingerprint": reserved.fingerprint, "take": reserved.take,
        "state": attempt.state.value if attempt.state else None, "task_id": attempt.task_id,
        "other_task_ids": sorted(attempt.other_task_ids), "attempt_id": attempt.attempt_id,
        "model": reserved.model, "input": reserved.input,
        "credits": {"planned": money_or_null(reserved.credits), "charged": money_or_null(attempt.charged)},
        "times": dict(zip(_TIMES, map(attempt.times.get, _TIMES), strict=True)),
        "files": [
            {"path": file.path, "sha256": file.sha256, "bytes": file.bytes,
             "media_type": file.media_type, "url": file.url, "url_expires": file.expires}
            for file in attempt.files
        ],
        "error": None if failure is None else {
            "class": failure.kind, "code": failure.code, "message": failure.message,
        },
        **_answer(attempt),
    }  # fmt: skip


def _answer(attempt: Attempt) -> dict[str, Json]:
    """Only where there is one: the manifests of runs that are over stay as they are."""
    unused, word = attempt.unused, attempt.api_state
    answer = None if unused is None else {"of": unused.of, "text": unused.answer, "task_id": unused.task_id}
    found = {"answer": answer, "api_state": None if word in _USUAL else word}
    return {name: value for name, value in found.items() if value is not None}


def _jobs(record: JournalRecord, ledger: Ledger, also: Iterable[str]) -> Iterable[dict[str, Any]]:
    """What was planned, then what was touched, in the order of reservation."""
    touched = dict.fromkeys(also)
    moved = set[str]()
    for timed in record.events:
        if isinstance(timed.event, e.Planned):
            yield _planned(timed.event, ledger)
        name = getattr(timed.event, "attempt_id", "")
        if isinstance(timed.event, e.Collected) and name not in touched:
            moved.add(name)
        else:
            moved.discard(name)
        touched[name] = None
    attempts = [a for a in map(ledger.attempt, touched) if a and not (a.attempt_id in moved and _is_aside(a))]
    for attempt in sorted(attempts, key=lambda attempt: attempt.times["reserved"]):
        # What has a task of its own stays known by it, even where a retry bought the same again;
        # of what has none, the attempt that counts for the purchase is the job.
        counts = None if attempt.task_id else ledger.bought(*attempt.key)
        yield job_of_attempt(counts or attempt)


def _is_aside(attempt: Attempt) -> bool:
    """Its file only made room for that of a newer purchase: that is no business of the run that moved it."""
    aside = sibling_path(attempt.reserved.output, attempt.reserved.fingerprint)
    return any(file.path == aside for file in attempt.files)


def _planned(line: e.Planned, ledger: Ledger) -> dict[str, Any]:
    attempt = ledger.bought(line.fingerprint, line.take)
    if attempt is not None:
        return {**job_of_attempt(attempt), "address": line.address}
    return {
        "address": line.address, "fingerprint": line.fingerprint, "take": line.take,
        "state": None, "task_id": None, "other_task_ids": [], "attempt_id": None,
        "model": line.model, "input": None,
        "credits": {"planned": money_or_null(line.credits), "charged": None},
        "times": dict.fromkeys(_TIMES), "files": [], "error": None,
    }  # fmt: skip
