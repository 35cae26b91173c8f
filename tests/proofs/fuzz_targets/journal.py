"""The journal reader and what is folded from it, by journals that disks, merges and strangers changed.

In: a journal's bytes. Out: `Broken` where a line that is whole is lost, where a task that was accepted
would be bought again or is in no manifest, or where a path leads out of the outputs. The oracle reads
the lines with nothing of ours. Touches: its room.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from kiejobs.adapters.ledger.folder import FolderStore
from kiejobs.adapters.ledger.journal import JOURNAL
from kiejobs.adapters.storage.output_folder import OutputFolder, PathRefused
from kiejobs.core.diagnostics import JournalProblem, Place
from kiejobs.core.expand.job import Job
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import to_json
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.manifest import manifest, to_bytes
from kiejobs.core.plan.plan import plan
from tests.proofs.fuzz_bytes import mutated
from tests.proofs.fuzz_guard import CANARY, Broken, no_canary
from tests.support import histories as h

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kiejobs.core.ledger.ledger import Ledger

network = False
_RUN = "run-07"
_SPOT = re.compile(r"journal\.jsonl(:[0-9]+)?: ")
"""What contradicts other lines has no line of its own."""
_PAIRS = (("tea/pour", "f1"), ("tea/steam", "f2"), ("tea/foam", "f3"), ("tea/cup", "f4"))
_TOLD = (
    *h.bought("a", *_PAIRS[0]),
    *(h.reserved("b", *_PAIRS[1]), h.submitted("b"), h.failed("b")),
    *(
        h.reserved("c", *_PAIRS[2]),
        e.InDoubt("c", h.BROKEN),
        e.Resolved("c", "task", "t-c", "param"),
    ),
    *(h.reserved("d", *_PAIRS[3]), e.NotAccepted("d", h.BUSY), h.reserved("d2", *_PAIRS[3])),
    *(
        e.Submitted("d2", "t-d2"),
        e.Planned("tea/pour", "f1", 1, h.MODEL, "submit", "new", Decimal(16)),
    ),
    *(e.Adopted("tea/new", "tea/pour", "f1", 1), h.upload("ab" * 32, "https://x/1")),
    e.RunFinished(0, None),
)
_TOKENS = (
    *(b'"v":1', b'"v":2', b'"seq":', b'"prev":null', b'"type":"submitted"', b'"task_id":', b"null", b"{}"),
    *(b"\n", b"\r\n", b"\n\n", b"\0" * 512, b"[" * 2000, b"NaN", b"9" * 5000, b"<<<<<<< HEAD\n", b"=======\n"),
)  # fmt: skip
_HOSTILE: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**70, 0.5, "", " ", "x", [], {}, ["a"], [[]], {"a": []}, "\ud800", "a\0b"),
    *("../../canary.txt", "/etc/passwd", "a/../../../canary.txt", "link/x", "a" * 5000, "1e999999999"),
    *("-5", "NaN", "0001-01-01T00:00:00.000Z", "2026-11-22", "9999-12-31T23:59:59.999Z", "\x1b[2J", "f1"),
)  # fmt: skip


def _lines_of(bodies: Sequence[Any]) -> bytes:
    """A chained journal of these bodies, as a run would have written it."""
    previous, lines = None, []
    for number, body in enumerate(bodies, start=1):
        head = {"v": 1, "seq": number, "prev": previous, "at": h.at(7, number)}
        whole = {**head, **body} if isinstance(body, dict) else body
        line = json.dumps(whole, sort_keys=True).encode()
        previous = hashlib.sha256(line).hexdigest()
        lines.append(line + b"\n")
    return b"".join(lines)


_BODIES = [to_json(timed.event) for timed in h.journal(7, *_TOLD).events]
EXAMPLE = _lines_of(_BODIES)


def prepare(room: Path) -> None:
    (room / "runs" / _RUN).mkdir(parents=True)
    (room / "outputs").mkdir()
    (room / "outputs" / "link").symlink_to("../..")


def inputs() -> Any:
    seeds = [EXAMPLE, _lines_of(_BODIES[:4]), _lines_of(_BODIES[:1])]
    return mutated(seeds, _TOKENS) | _rewritten()


def _rewritten() -> Any:
    """Whole journals, rightly chained, whose values somebody changed by hand."""
    place = st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 9))
    value = st.sampled_from(_HOSTILE)
    change = st.tuples(st.sampled_from(("set", "set", "inner", "drop", "away", "twice")), place, value)
    return st.lists(change, min_size=1, max_size=4).map(_with_changes)


def _with_changes(changes: Sequence[Any]) -> bytes:
    bodies: list[Any] = json.loads(json.dumps(_BODIES))
    for kind, (line, key, inner), shared in changes:
        value = copy.deepcopy(shared)
        at = line % len(bodies)
        body = bodies[at]
        if kind == "away" and len(bodies) > 1:
            del bodies[at]
        elif kind == "twice":
            bodies.insert(key % len(bodies), body)
        elif isinstance(body, dict) and body:
            _change(body, sorted(body)[key % len(body)], kind, inner, value)
    return _lines_of(bodies)


def _change(body: dict[str, Any], name: str, kind: str, inner: int, value: Any) -> None:
    old = body[name]
    held = old[0] if isinstance(old, list) and old else old
    if kind == "drop":
        del body[name]
    elif kind == "inner" and isinstance(held, dict) and held:
        held[sorted(held)[inner % len(held)]] = value
    else:
        body[name] = value


def check(data: bytes, room: Path) -> None:
    (room / "runs" / _RUN / JOURNAL).write_bytes(data)
    try:
        journals = FolderStore(room / "runs").read().records
    except JournalProblem as problem:
        no_canary(problem.message)
        if not _SPOT.search(problem.message):
            raise Broken(f"no file and line: {problem.message[:200]}") from problem
        return
    kept = _whole_lines(data)
    known = [line for line in kept if line["type"] in {body["type"] for body in _BODIES}]
    if len(journals[0].events) < len(known):
        raise Broken(f"{len(known)} lines are whole, {len(journals[0].events)} events were read")
    ledger = fold(journals)
    folder = OutputFolder(room / "outputs")
    document = to_bytes(manifest(journals[0], ledger))
    changes = _planned(ledger, folder)
    if isinstance(kept[0] if kept else None, dict) and kept[0]["type"] == "run_started":
        _nothing_is_lost(kept, ledger, document, changes)
    _nothing_leads_out(ledger, folder, room)


def _whole_lines(data: bytes) -> list[Any]:
    """What the lines say; the reader took all of them, so all must be JSON.

    But for a hole that a power cut left in the last write: what was acknowledged lies before it.
    """
    lines = data.split(b"\n")[:-1]
    hole = next((at for at, line in enumerate(lines) if b"\0" in line), len(lines))
    if hole or len(lines) != 2:
        behind = [json.loads(line)["type"] for line in lines[hole:] if b"\0" not in line]
        if not set(behind) <= {"planned", "approved", "adopted"}:
            raise Broken(f"acknowledged lines behind a hole: {behind}")
    return [json.loads(line) for line in lines[:hole]]


def _planned(ledger: Ledger, folder: OutputFolder) -> dict[str, Any]:
    made = plan(
        [_job(address, mark) for address, mark in _PAIRS],
        ledger,
        lambda attempt: folder.condition(attempt.files, attempt.times["collected"]),
        campaign="tea",
    )
    return {change.fingerprint: change for change in made.changes}


def _job(address: str, mark: str) -> Job:
    return Job(
        address=address, fingerprint=mark, take=1, campaign="tea", name="pour", model=h.MODEL,
        input={}, axes=(), tags=(), credits=Decimal(16), output=f"{address}.mp4",
        callback_url=None, place=Place("tea.yaml", 1, 1),
    )  # fmt: skip


def _nothing_is_lost(kept: list[Any], ledger: Ledger, document: bytes, changes: Any) -> None:
    """Every task whose reservation is told as well is in the ledger and in the manifest; no second."""
    reserved = {line["attempt_id"]: line for line in kept if line["type"] == "reserved"}
    for line in kept:
        task = line.get("task_id") if line["type"] in {"submitted", "resolved"} else None
        home = reserved.get(line.get("attempt_id")) if isinstance(task, str) else None
        if home is None:
            continue
        attempt = ledger.attempt(home["attempt_id"])
        if attempt is None or task not in {attempt.task_id, *attempt.other_task_ids}:
            raise Broken(f"the ledger lost {task!r}")
        if (
            attempt.task_id
            and json.dumps(attempt.task_id, ensure_ascii=False).encode("utf-8", "surrogatepass")
            not in document
        ):
            raise Broken(f"the manifest lost {attempt.task_id!r}")
        change = changes.get(home["fingerprint"]) if home["take"] == 1 else None
        if change is not None and change.spends:
            raise Broken(f"{task!r} would be bought again: {change.reason}")


def _nothing_leads_out(ledger: Ledger, folder: OutputFolder, room: Path) -> None:
    for attempt in ledger.attempts():
        for file in attempt.files:
            digest = folder.digest_of(file)
            if digest == hashlib.sha256(f"{CANARY} of a file\n".encode()).hexdigest():
                raise Broken(f"{file.path!r} was read")
        try:
            target = folder.target(attempt.reserved.output)
        except (PathRefused, OSError):
            continue
        if not target.resolve().is_relative_to(room / "outputs"):
            raise Broken(f"{attempt.reserved.output!r} leads out")
