"""The file journal: JSON lines, append, fsync, read.

In: events of one run. Out: a journal as a record. Touches: `runs/<run-id>/journal.jsonl`, which is only ever
appended to. An intention that is written but not synced can be lost by a power cut, and is then paid for twice:
the file is synced before `append` returns, and its folders when it is born.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from kiejobs.adapters.storage.output_folder import sync_folder, write_all
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger.events import (
    EVENT_VERSION,
    JournalRecord,
    Reserved,
    RunStarted,
    Timed,
    bad_field,
    from_json,
    to_json,
)
from kiejobs.core.ledger.records import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.events import Event
    from kiejobs.ports import Clock

JOURNAL = "journal.jsonl"
_as_text = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
RESTORE = "restore the file from git; nothing is bought on top of a damaged journal"
_UTF_16 = (
    "a `working-tree-encoding` in .gitattributes does that: take it out for journals, remove the file, "
    "and restore it with `git checkout`"
)
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{", b"\0\0\0{", b"\0\0\xfe\xff")
"""How a journal begins that somebody turned into UTF-16 or UTF-32."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


class FileJournal:
    """Appends to one run's journal. The file is born with its first event: who does nothing leaves nothing."""

    def __init__(
        self, runs: Path, header: RunStarted, clock: Clock, require_claim: Callable[[], None] = lambda: None
    ) -> None:
        """`require_claim` raises JournalProblem where nothing may be reserved any more."""
        self.path = runs / header.run_id / JOURNAL
        self.header = header
        self._clock = clock
        self._require_claim = require_claim
        self._events: list[Timed] = []
        self._fd: int | None = None
        self._seq = 0
        self._size = 0
        self._previous: str | None = None
        self._broken = False

    @property
    def run_id(self) -> str:
        return self.header.run_id

    @property
    def is_born(self) -> bool:
        return self._fd is not None

    def append(self, *events: Event) -> str:
        """Write all events in one go and sync; the time they were given. Raises JournalProblem where the disk
        refuses: nothing of them is in the file then, and a later append may succeed.
        """
        if Reserved in map(type, events):
            self._require_claim()
        self._require_in_place()
        at = utc_text(self._clock.now())
        before = (self._seq, self._previous)
        try:
            fd = self._be_born() if self._fd is None else self._fd
            if self._seq == 0:
                events = (self.header, *events)
            data = self._lines(at, events)
            write_all(fd, data)
            os.fsync(fd)
        except OSError as error:
            self._seq, self._previous = before
            self._take_back()
            raise JournalProblem(
                f"can't write {self.path}: {error.strerror or error}",
                hint="make room or fix the permissions, then run the same command again",
            ) from error
        # Events first: another thread that reads meanwhile may know more than the size says, not less.
        for event in events:
            self._events.append(Timed(at, event))
        self._size += len(data)
        return at

    def record(self) -> JournalRecord | None:
        """What is in the file, without reading it; None where another hand changed its size."""
        try:
            size = self.path.stat().st_size
        except OSError:
            return None
        return JournalRecord(self.run_id, tuple(self._events)) if size == self._size else None

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _require_in_place(self) -> None:
        """What goes into a file that has lost its name is lost. Removed, it is written again; then spending stops."""
        if self._fd is None:
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(self.path.lstat(), os.fstat(self._fd)):
                return
        self.close()
        lines = [(timed.at, timed.event) for timed in self._events]
        self._seq, self._previous, self._size = 0, None, 0
        data = b"".join(self._lines(at, (event,)) for at, event in lines)
        try:
            self._fd = self._be_born()
            write_all(self._fd, data)
            os.fsync(self._fd)
            self._size = len(data)
            said = "it was written again"
        except OSError as error:
            self._broken = True
            self.close()
            said = f"it can't be written again: {error.strerror or error}"
        hint = "find out what removes files there; `kiejobs status` shows what is on record"
        raise JournalProblem(f"{self.path} was removed or replaced at work; {said}", hint=hint)

    def _be_born(self) -> int:
        if self._broken:
            raise OSError("the journal could not be repaired after a failed write")
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        fd = os.open(self.path, flags, 0o644)
        try:
            _sync_with_names(folder)
        except OSError:
            os.close(fd)
            self.path.unlink(missing_ok=True)
            raise
        self._fd, self._size = fd, 0
        return fd

    def _lines(self, at: str, events: tuple[Event, ...]) -> bytes:
        lines = chained(at, events, self._seq, self._previous)
        self._seq += len(lines)
        self._previous = hashlib.sha256(lines[-1]).hexdigest() if lines else self._previous
        return b"\n".join([*lines, b""])

    def _take_back(self) -> None:
        """Cut a half-written line off; where even that fails, close: only a torn end is expected."""
        if self._fd is not None:
            try:
                os.ftruncate(self._fd, self._size)
            except OSError:
                self._broken = True
                self.close()


def chained(at: str, events: Iterable[Event], seq: int, previous: str | None) -> list[bytes]:
    """The lines of these events, without their ends; `seq` and `previous` (a hash) are those of the line before."""
    lines = []
    for number, event in enumerate(events, start=seq + 1):
        body = {"v": EVENT_VERSION, "seq": number, "prev": previous, "at": at}
        lines.append(utf_8(_as_text({**body, **to_json(event)})))
        previous = hashlib.sha256(lines[-1]).hexdigest()
    return lines


def utf_8(text: str) -> bytes:
    r"""JSON text as bytes; half a surrogate pair, which UTF-8 has no bytes for, as JSON's own `\ud83d`."""
    return text.encode("utf-8", "backslashreplace")


def _sync_with_names(folder: Path) -> None:
    """A folder and the names that lead to it: `--runs a/b/c` may have made all of them."""
    sync_folder(folder)
    sync_folder(folder.parent)
    for place in folder.parent.parents:
        with contextlib.suppress(OSError):  # far up there may be what can't be synced
            sync_folder(place)


def read_journal(path: Path) -> JournalRecord:
    """One journal. A torn last line is expected and ignored; any other damage is an error."""
    return parse_journal(path, path.read_bytes())


def parse_journal(path: Path, data: bytes) -> JournalRecord:
    """One journal's content; `path` is for messages, and names its run."""
    if data.startswith(_WIDE) and b"\n" in data:  # without, it is a torn first write
        raise _damaged(path, 1, "this is UTF-16 or UTF-32; journals are UTF-8", _UTF_16)
    if b"\r" in data and b"\n" not in data:
        raise _damaged(path, 1, "its line breaks are CR; they must be LF")
    lines = complete_lines(data)  # what follows was never acknowledged: `append` returns after the break
    del data
    events: list[Timed] = []
    previous: str | None = None
    known: dict[str, str] = {}
    for number, line in enumerate(io.BytesIO(lines), start=1):  # one at a time: there may be a million
        if b"\0" in line and _is_torn_here(number, lines.split(b"\n")[number:-1]):
            break
        text = line.removesuffix(b"\n").removesuffix(b"\r")  # a checkout may have turned line ends
        timed = read_line(path, number, text, previous, known)
        if timed is not None:
            events.append(timed)
        previous = hashlib.sha256(text).hexdigest()
    else:
        if lines and not (events and isinstance(events[0].event, RunStarted)):
            raise _damaged(path, 1, "it does not begin with a run's header")
    return JournalRecord(path.parent.name, tuple(events))


def _is_torn_here(number: int, rest: list[bytes]) -> bool:
    """Is a line with a hole in it the last write? A power cut may keep a later sector and drop an earlier one.

    Only a journal's first write has several lines: its header, and one event or the plan.
    """
    return all(map(_is_of_the_plan, rest)) or (number == 1 and len(rest) == 1)


def _is_of_the_plan(line: bytes) -> bool:
    if b"\0" in line:
        return True
    try:
        return json.loads(line)["type"] in {"planned", "approved", "adopted"}
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def read_line(
    path: object, number: int, text: bytes, previous: str | None, known: dict[str, str]
) -> Timed | None:
    """The event of one line, None where its type is unknown. `known` are texts that are in memory already."""
    damaged = partial(_damaged, path, number)
    try:
        line = _shared(json.loads(text), known)
        version = line["v"]
        if not isinstance(version, int) or version > EVENT_VERSION:
            hint = "update kiejobs"
            raise JournalProblem(f"{path}:{number}: written by a newer kiejobs", hint=hint)
        if line["seq"] != number or line["prev"] != previous:
            raise damaged("a line was changed, added or removed before this one")
        if not _TIME.fullmatch(line["at"]):
            raise damaged("its time is not UTC")
        datetime.fromisoformat(line["at"])
        event = from_json(line)
        wrong = None if event is None else bad_field(event)
        if wrong is not None:
            raise damaged(f"`{wrong}` is not what it should be")
        return None if event is None else Timed(line["at"], event)
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise damaged(f"not a journal line ({type(error).__name__})") from error


def _damaged(path: object, number: int, why: str, hint: str = RESTORE) -> JournalProblem:
    return JournalProblem(f"{path}:{number}: {why}", hint=hint)


def _shared(value: Json, known: dict[str, str]) -> Json:
    """With each text once in memory: a purchase has four lines that say the same ids, models and addresses."""
    if type(value) is str:
        return known.setdefault(value, value)
    if type(value) is dict:
        return {known.setdefault(k, k): _shared(one, known) for k, one in value.items()}
    return [_shared(one, known) for one in value] if type(value) is list else value


# --- copies of a journal, in another home ------------------------------------------------------------


def complete_lines(data: bytes) -> bytes:
    """Without a last line that is being written, or was torn."""
    return data[: data.rfind(b"\n") + 1]


def take_in(path: Path, data: bytes, *, is_ours: bool = False) -> bool:
    """Make a journal as long as this copy of it, durably; False where it is. `is_ours`: this process appends to it.

    Raises JournalProblem where neither is the other's beginning, or the copy is damaged.
    """
    known = path.read_bytes() if os.path.lexists(path) else b""
    if known.startswith(data):
        return False
    parse_journal(path, data)
    if is_ours or not data.startswith(complete_lines(known)):
        hint = "one of the two was changed by hand: restore it; `kiejobs ledger verify` checks all of them"
        raise JournalProblem(f"{path}: its copy in the ledger's other home is another journal", hint=hint)
    try:
        _add_lines(path, known, data)
    except OSError as error:
        raise JournalProblem(f"can't write {path}: {error.strerror or error}") from error
    return True


def _add_lines(path: Path, known: bytes, data: bytes) -> None:
    """In place: whoever appends to it must notice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keep = len(known) if data.startswith(known) else len(complete_lines(known))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o644)
    try:
        os.ftruncate(fd, keep)
        write_all(fd, data[keep:])
        os.fsync(fd)
    finally:
        os.close(fd)
    _sync_with_names(path.parent)
