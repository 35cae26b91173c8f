"""Refuse it the disk, call by call: `python -m tests.proofs.full_disk`.

In: which calls (`--every K` takes each Kth). Out: figures. First each write, sync, new name, rename and
new folder of a watched run fails in turn: once, for a while, and for good from there on. Then the disk is
really full (a tmpfs with so many pages, or so many files, where this machine lets us mount one), a folder
is read-only, or what is said goes to a full disk. After that there is room again, and the same command
is given until nothing more is to do.
The sandbox's charge log is the oracle; besides, every refusal must be told in words and by an exit code
of design's table, never by a traceback.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.proofs.campaign import JOBS, Books, shop
from tests.proofs.figures import tell, words
from tests.proofs.refusals import (
    Refusal,
    full_folders,
    full_screens,
    read_only_folders,
    refused_calls,
    trace_of,
)
from tests.proofs.syscalls import MISSING, calls, has_strace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.proofs.campaign import Shop
    from tests.support.bench import Ran

_AT_ONCE = 2
_IN_WORDS = {0, 1, 2, 4, 7, 8}
"""Exit codes that a refusal may come to: done all the same, or not collected, refused before anything was bought,
in doubt, journal, open.
"""
_INTERPRETERS_OWN = 120  # Python could not even say its last words
_TOLD = "PAID BUT NOT RECORDED"


@dataclass(frozen=True, slots=True)
class Tried:
    """One refusal and what came of it. `told` counts ids that stood on the screen only.

    `refused`: it really was; a disk of many pages has room for all, and a count may have shifted.
    """

    refusal: Refusal
    ran: Ran
    refused: bool
    told: int
    books: Books

    @property
    def clear(self) -> bool:
        """Where strace refused the screen's writes, and /dev/null's, there is hardly a code."""
        mute = self.refusal.silences and self.refusal.sort != "full screen"
        if mute and self.ran.code == _INTERPRETERS_OWN:
            return True
        text = self.ran.out + self.ran.err
        bug = "Traceback" in text or "this is a bug in kiejobs" in text
        says = self.refusal.silences or self.ran.code != 7 or "can't" in text
        return self.ran.code in _IN_WORDS and says and not bug

    @property
    def well(self) -> bool:
        kept = not self.refusal.passes or not (self.told or self.books.in_doubt)
        return self.clear and kept and self.books.well

    def __str__(self) -> str:
        return f"{self.refusal.name}: exit {self.ran.code}, {self.books}\n{self.ran.out}{self.ran.err}"


@dataclass(frozen=True, slots=True)
class Figures:
    """All of them together."""

    tried: Sequence[Tried]
    seconds: float

    @property
    def well(self) -> bool:
        return all(one.well for one in self.tried)

    @property
    def refused(self) -> int:
        return sum(one.refused for one in self.tried)

    @property
    def books(self) -> Books:
        return sum((one.books for one in self.tried), Books())

    def exit_codes(self) -> dict[str, int]:
        found = Counter(one.ran.code for one in self.tried)
        return {str(code): found[code] for code in sorted(found)}

    def document(self) -> dict[str, Any]:
        sorts = Counter(one.refusal.sort for one in self.tried if one.refused)
        return {
            "tried": len(self.tried),
            "refused": self.refused,
            "of_these": dict(sorted(sorts.items())),
            "jobs": len(JOBS),
            **self.books.figures(),
            "told_on_the_screen_only": sum(one.told for one in self.tried),
            "unclear": sum(not one.clear for one in self.tried),
            "exit_codes": self.exit_codes(),
            "seconds": round(self.seconds, 1),
        }


def full_disk(folder: Path, choose: Callable[[Sequence[Refusal]], Sequence[Refusal]]) -> Figures:
    """Those refusals that `choose` takes of all that this machine can make."""
    start = time.monotonic()
    with shop(folder) as open_shop, ThreadPoolExecutor(_AT_ONCE) as hands:
        found = refused_calls(open_shop.calls())
        found += [
            *full_folders(open_shop.root),
            *read_only_folders(open_shop.root),
            *full_screens(),
        ]
        each = enumerate(choose(found), start=1)
        tried = list(hands.map(lambda one: _try(open_shop, *one), each))
    return Figures(tried, time.monotonic() - start)


def every(step: int) -> Callable[[Sequence[Refusal]], Sequence[Refusal]]:
    return lambda found: found[::step]


def telling(found: Sequence[Refusal]) -> list[Refusal]:
    """One of each sort, where it matters most: the small version's."""
    wanted = (
        ("one call", "write journal (reserved)"),
        ("one call", "write journal (submitted)"),
        ("one call", "fsync journal"),
        ("one call", "rename file"),
        ("from a call on", "fsync partial file"),
        ("full disk", "a disk of 2 pages"),
        ("read-only folder", "runs"),
        ("read-only folder", "outputs"),
    )
    fitting = (
        next((one for one in found if one.sort == sort and one.name.startswith(name)), None)
        for sort, name in wanted
    )
    return [one for one in fitting if one is not None]


def _try(open_shop: Shop, number: int, refusal: Refusal) -> Tried:
    campaign = open_shop.campaign(f"refusal{number}")
    with refusal.at(campaign.folder) as before:
        ran = campaign.buy(*before)
    early = campaign.files()
    campaign.finish()
    trace = trace_of(campaign.folder)
    refused = any(call.refused for call in calls(trace, campaign.folder)) if trace.exists() else ran.code != 0
    return Tried(refusal, ran, refused, ran.err.count(_TOLD), campaign.books(early))


def main() -> None:
    given = words(__doc__)
    given.add_argument("--every", type=int, default=1, metavar="K", help="each Kth refusal only")
    said = given.parse_args()
    if not has_strace():
        raise SystemExit(MISSING)
    with tempfile.TemporaryDirectory() as folder:
        figures = full_disk(Path(folder), every(said.every))
    command = "python -m tests.proofs.full_disk"
    command += f" --every {said.every}" if said.every > 1 else ""
    for one in figures.tried:
        if not one.well:
            print(one)  # noqa: T201 - what to look at
    document = figures.document()
    raise SystemExit(tell("full_disk", command, document, well=figures.well, record=said.record))


if __name__ == "__main__":
    main()
