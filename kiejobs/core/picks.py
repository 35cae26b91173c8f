"""What people chose: `picks.yaml`, one line for each address, so that git merges it line by line.

In: a file's source and its schema, or decisions. Out: `Picks`, what is wrong with the file and where, its text. Touches
nothing. A pick names the purchase that it is about by its fingerprint: it never enters one, nor a plan's digest or a
lock. Of several lines for one address the newest counts, since a union merge leaves them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.nodes import Document, Source, plain_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FILE: Final = "picks.yaml"
LARGEST = 32 * 2**20  # bytes; a line for each of 100,000 jobs, with notes

PICK, REJECT, UNDECIDED = "pick", "reject", "none"
"""The verdicts. `none` is a note without a verdict, or a decision that was taken back."""

YES, NO, NONE, STALE = "yes", "no", "none", "stale"
"""The state of a purchase: picked, rejected, undecided; STALE where another one was decided on at its address."""

WORDS: Final = {YES: YES, NO: NO, REJECT: NO, NONE: NONE, STALE: STALE}
"""What may follow `--select pick:`, and what is meant by it."""

CODE = "picks-structure"
_MARKER = re.compile(rb"^(?:<{7} |={7}\r?$|>{7} )", re.MULTILINE)
_LINE = re.compile(rb"""^ +("(?:\\.|[^"\\])*"|[^\s"'{}]+): \{.*?(?:when: "?([^\s",}]+)"?)?\}[ \r]*$""")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9][\w./=,\[\]+%~-]*(?:#[0-9]+)?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(?:e[0-9]+)?")
_PLAIN_TIME = re.compile(r"[0-9T:.Z-]+")


@dataclass(frozen=True, slots=True)
class Pick:
    """One decision. `fingerprint` and `take` are the purchase's; `when` is UTC text, empty where not known."""

    address: str
    take: int
    fingerprint: str
    verdict: str
    note: str | None = None
    who: str | None = None
    when: str = ""

    @property
    def age(self) -> tuple[str, str]:
        """Sorts by time; of the same time by content, so that every machine orders them alike."""
        return (self.when.removesuffix("Z"), line_of(self))  # 18:00:00Z is before 18:00:00.5Z


class Picks:
    """Decisions by address; of several for one address the newest."""

    def __init__(self, picks: Iterable[Pick] = ()) -> None:
        self._by_address: dict[str, Pick] = {}
        for pick in picks:
            known = self._by_address.get(pick.address)
            if known is None or pick.age > known.age:
                self._by_address[pick.address] = pick
        self._by_key = {(pick.fingerprint, pick.take): pick for pick in self._by_address.values()}

    def __iter__(self) -> Iterator[Pick]:
        """Sorted by address."""
        return (self._by_address[address] for address in sorted(self._by_address))

    def __len__(self) -> int:
        return len(self._by_address)

    def at(self, address: str) -> Pick | None:
        return self._by_address.get(address)

    def of(self, address: str, key: tuple[str, int]) -> Pick | None:
        """What was decided at an address, else about this purchase (fingerprint, take) when it had another one."""
        return self._by_address.get(address) or self._by_key.get(key)

    def word(self, address: str, key: tuple[str, int]) -> str:
        """The state of the purchase `key`, the newest of its address: YES, NO, NONE or STALE."""
        pick = self.of(address, key)
        if pick is None or pick.verdict == UNDECIDED:
            return NONE
        if pick.fingerprint != key[0]:
            return STALE
        return YES if pick.verdict == PICK else NO

    def merged(self, others: Iterable[Pick]) -> Picks:
        return Picks([*self, *others])

    def replaced(self, others: Iterable[Pick]) -> Picks:
        """With these in the place of what was decided at their addresses, whatever its time."""
        return Picks(
            ({pick.address: pick for pick in self} | {pick.address: pick for pick in others}).values()
        )


NO_PICKS = Picks()


# --- from text ---------------------------------------------------------------------------------------


def read_picks(source: Source, schema: Mapping[str, Any]) -> tuple[Picks | None, list[Diagnostic]]:
    """None, and what is wrong with its place, for a file that can't be used as it is."""
    marker = _MARKER.search(source.data)
    if marker is not None:
        line = source.data.count(b"\n", 0, marker.start()) + 1
        hint = "delete the markers and keep the lines between them; of one address the newest line counts"
        place = Place(source.name, line, 1)
        return None, [Diagnostic("picks-conflict", "an unresolved merge conflict", place, hint)]
    newest = Source(source.name, _newest_lines(source.data))
    document, found = _read(newest, schema, "a picks file", "begin with `version: 1` and `picks:`")
    if document is None or found:
        return None, found
    stated: Mapping[str, Any] = plain_json(document.root)["picks"] or {}
    return Picks(_pick(address, entry) for address, entry in stated.items()), []


def read_export(source: Source, schema: Mapping[str, Any]) -> tuple[list[Pick] | None, list[Diagnostic]]:
    """What a gallery exported, in JSON: each with its place, so that what is wrong can be shown."""
    start = 'it begins with `{"kiejobs_picks": 1`'
    document, found = _read(source, schema, "an export of picks", start)
    if document is None or found:
        return None, found
    return [_pick(entry["address"], entry) for entry in plain_json(document.root)["picks"]], []


def _read(
    source: Source, schema: Mapping[str, Any], noun: str, start: str
) -> tuple[Document | None, list[Diagnostic]]:
    from kiejobs.core.document.checked import Form, read_checked  # noqa: PLC0415 - most projects have no picks

    return read_checked(source, Form(schema, noun, CODE, start))


def _pick(address: str, entry: Mapping[str, Any]) -> Pick:
    take = entry.get("take") or take_of(address)
    texts = (entry.get("note") or None, entry.get("who") or None, entry.get("when") or "")
    return Pick(address, take, entry["fingerprint"], entry.get("verdict") or UNDECIDED, *texts)


def take_of(address: str) -> int:
    """`tea/pour#2` is a second take."""
    number = address.rpartition("#")[2] if "#" in address else ""
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 9 else 1


def _newest_lines(data: bytes) -> bytes:
    """With only the newest of several lines for one address; the others are blank, so that places stay."""
    lines = data.split(b"\n")
    newest: dict[bytes, int] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line)
        if found is None:
            continue
        before = newest.get(found[1])
        if before is not None:
            older = min(before, number, key=lambda at: _time_in(lines[at]))
            lines[older], number = b"", before + number - older  # noqa: PLW2901 - the one that stays
        newest[found[1]] = number
    return b"\n".join(lines)


def _time_in(line: bytes) -> bytes:
    found = _LINE.match(line)
    return ((found and found[2]) or b"").removesuffix(b"Z")


# --- to text -----------------------------------------------------------------------------------------


def to_text(picks: Picks, head: str = "") -> str:
    """The file: `head` are its first comment lines. Sorted by address, one line each."""
    return "".join([head, "version: 1\npicks:\n", *(f"{line_of(pick)}\n" for pick in picks)])


def head_of(text: str) -> str:
    """The comments that a file begins with."""
    lines = text.splitlines(keepends=True)
    count = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines[:count])


def line_of(pick: Pick) -> str:
    key = pick.address if _PLAIN_KEY.fullmatch(pick.address) else _quoted(pick.address)
    mark = _quoted(pick.fingerprint) if _NUMBER.fullmatch(pick.fingerprint) else pick.fingerprint
    parts = [f"verdict: {pick.verdict}", f"fingerprint: {mark}", f"take: {pick.take}"]
    parts += [f"note: {_quoted(pick.note)}"] if pick.note else []
    parts += [f"who: {_quoted(pick.who)}"] if pick.who else []
    if pick.when:
        parts.append(f"when: {pick.when if _PLAIN_TIME.fullmatch(pick.when) else _quoted(pick.when)}")
    return f"  {key}: {{{', '.join(parts)}}}"


def _quoted(text: str) -> str:
    """On one line, in double quotes; what can't be seen as an escape. Half a surrogate pair is no text."""
    whole = json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in whole)
