"""Kill it at every system call that touches disk or network: `python -m tests.proofs.kill_points`.

In: which points (`--every K` takes each Kth). Out: figures. A watched run tells which calls there are; at
each of them another campaign's run is killed, then the same command is given again, and `collect`, until
nothing more is to do. The sandbox's charge log is the oracle.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.proofs.campaign import CREATES_IN_FLIGHT, JOBS, UPLOADS_IN_FLIGHT, Books, shop
from tests.proofs.figures import tell, words
from tests.proofs.syscalls import MISSING, has_strace, killing, last

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.proofs.campaign import Shop
    from tests.proofs.syscalls import Call

_AT_ONCE = 2
_TRIES = 3
_POST = "POST /api/v1/jobs/createTask"


@dataclass(frozen=True, slots=True)
class Point:
    """One kill. `hit` is the call it died of; None where it came elsewhere or not at all."""

    meant: Call
    hit: Call | None
    died: bool
    books: Books

    @property
    def well(self) -> bool:
        few = self.books.in_doubt <= (CREATES_IN_FLIGHT if self.died else 0)
        again = self.books.uploaded_again <= (UPLOADS_IN_FLIGHT if self.died else 0)
        return self.books.well and few and again


@dataclass(frozen=True, slots=True)
class Figures:
    """All points together."""

    points: Sequence[Point]
    seconds: float

    @property
    def well(self) -> bool:
        return all(point.well for point in self.points)

    @property
    def hits(self) -> int:
        return sum(point.hit is not None for point in self.points)

    @property
    def kills(self) -> int:
        return sum(point.died for point in self.points)

    @property
    def books(self) -> Books:
        return sum((point.books for point in self.points), Books())

    def document(self) -> dict[str, Any]:
        kinds = Counter(point.hit.kind for point in self.points if point.hit is not None)
        return {
            "points": len({(point.meant.name, point.meant.number) for point in self.points}),
            "kills": self.kills,
            "kills_at_such_a_call": self.hits,
            "came_through": sum(not point.died for point in self.points),
            "jobs": len(JOBS),
            "creates_in_flight": CREATES_IN_FLIGHT,
            **self.books.figures(),
            "most_in_doubt_of_one_kill": max(p.books.in_doubt for p in self.points),
            "calls": dict(sorted(kinds.items())),
            "seconds": round(self.seconds, 1),
        }


def kill_points(
    folder: Path, choose: Callable[[Sequence[Call]], Sequence[Call]], *, pictured: bool = False
) -> Figures:
    """Kill at those calls of a watched run that `choose` takes."""
    start = time.monotonic()
    with shop(folder, pictured=pictured) as open_shop, ThreadPoolExecutor(_AT_ONCE) as hands:
        points = choose(open_shop.calls())
        tried = list(hands.map(lambda each: _tried(open_shop, *each), enumerate(points, start=1)))
    return Figures([point for each in tried for point in each], time.monotonic() - start)


def every(step: int) -> Callable[[Sequence[Call]], Sequence[Call]]:
    return lambda found: found[::step]


def decisive(found: Sequence[Call]) -> list[Call]:
    """Around the reservation, the POST, its outcome, the file and the manifest: the small version's."""
    reserved = next_call(found, 0, "write journal", "reserved")
    first = next_call(found, reserved, "sendto socket", _POST)  # may be a thread's wake-up call instead
    post = next_call(found, first + 1, "sendto socket", _POST)
    submitted = next_call(found, post, "write journal", "submitted")
    collected = next_call(found, submitted, "write journal", "collected")
    places = [
        reserved,
        next_call(found, reserved, "fsync journal"),
        post,
        next_call(found, post, "recvfrom socket"),
        submitted,
        next_call(found, submitted, "fsync journal"),
        next_call(found, submitted, "rename file"),
        collected,
        next_call(found, collected, "rename manifest"),
    ]
    return [found[place] for place in places]


def next_call(found: Sequence[Call], start: int, kind: str, said: str | None = None) -> int:
    """The place of the next such call."""
    for place, call in enumerate(found[start:], start):
        if call.kind == kind and (said is None or said in call.said):
            return place
    raise LookupError(f"no {kind} ({said}) after call {start}")


def _tried(open_shop: Shop, number: int, call: Call) -> list[Point]:
    """Again where it came elsewhere: who is faster in a run may shift the count by some."""
    points: list[Point] = []
    while not (points and points[-1].hit) and len(points) < _TRIES:
        points.append(_point(open_shop, f"point{number}-{len(points)}", call))
    return points


def _point(open_shop: Shop, name: str, call: Call) -> Point:
    campaign = open_shop.campaign(name)
    trace = open_shop.root / f"{name}.trace"
    died = campaign.buy(*killing(trace, call)).code == -9  # strace dies as its command did
    hit = last(trace, campaign.folder) if died else None
    early = campaign.files()
    campaign.finish()
    return Point(call, hit, died, campaign.books(early))


def main(
    name: str = "kill_points",
    doc: str | None = __doc__,
    points: Callable[[int], Callable[[Sequence[Call]], Sequence[Call]]] = every,
    *,
    pictured: bool = False,
) -> None:
    """The program; also that of the proof `name`, with its own `points` and a `pictured` campaign."""
    given = words(doc)
    given.add_argument("--every", type=int, default=1, metavar="K", help="each Kth point only")
    said = given.parse_args()
    if not has_strace():
        raise SystemExit(MISSING)
    with tempfile.TemporaryDirectory() as folder:
        figures = kill_points(Path(folder), points(said.every), pictured=pictured)
    command = f"python -m tests.proofs.{name}"
    command += f" --every {said.every}" if said.every > 1 else ""
    for point in figures.points:
        if not point.well:
            print(point)  # noqa: T201 - what to look at
    document = figures.document()
    raise SystemExit(tell(name, command, document, well=figures.well, record=said.record))


if __name__ == "__main__":
    main()
