"""Kill it while it uploads: `python -m tests.proofs.upload_kills`.

In: which points (`--every K` takes each Kth). Out: figures. As in kill_points.py, by a campaign whose jobs
have pictures of their own, two of them the same one. The points are the system calls from the first
upload's connection to the last reservation. The oracles are the sandbox's charge log and its log of
uploads: nothing may be bought twice, and a kill may cost at most the uploads that were under way.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.proofs.figures import tell, words
from tests.proofs.kill_points import kill_points, next_call
from tests.proofs.syscalls import MISSING, has_strace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.proofs.syscalls import Call

_UPLOAD = "POST /api/file-stream-upload"
_CONNECTING = 6  # calls before the first upload's first byte


def every(step: int) -> Callable[[Sequence[Call]], Sequence[Call]]:
    def chosen(found: Sequence[Call]) -> Sequence[Call]:
        first = next_call(found, 0, "sendto socket", _UPLOAD)
        last = max(place for place, call in enumerate(found) if "reserved" in call.said)
        return found[max(0, first - _CONNECTING) : last + 1 : step]

    return chosen


def decisive(found: Sequence[Call]) -> list[Call]:
    """Around the upload, its answer, its record and the first reservation: the small version's."""
    upload = next_call(found, 0, "sendto socket", _UPLOAD)
    uploaded = next_call(found, upload, "write journal", "uploaded")
    places = [
        upload,
        next_call(found, upload, "recvfrom socket"),
        uploaded,
        next_call(found, uploaded, "fsync journal"),
        next_call(found, uploaded, "write journal", "reserved"),
    ]
    return [found[place] for place in places]


def main() -> None:
    given = words(__doc__)
    given.add_argument("--every", type=int, default=1, metavar="K", help="each Kth point only")
    said = given.parse_args()
    if not has_strace():
        raise SystemExit(MISSING)
    with tempfile.TemporaryDirectory() as folder:
        figures = kill_points(Path(folder), every(said.every), pictured=True)
    command = "python -m tests.proofs.upload_kills"
    command += f" --every {said.every}" if said.every > 1 else ""
    for point in figures.points:
        if not point.well:
            print(point)  # noqa: T201 - what to look at
    document = figures.document()
    raise SystemExit(tell("upload_kills", command, document, well=figures.well, record=said.record))


if __name__ == "__main__":
    main()
