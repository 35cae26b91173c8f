"""Kill it while it uploads: `python -m tests.proofs.upload_kills`.

In: which points (`--every K` takes each Kth). Out: figures. As in kill_points.py, by a campaign whose jobs
have pictures of their own, two of them the same one. The points are the system calls from the first
upload's connection to the last reservation. The oracles are the sandbox's charge log and its log of
uploads: nothing may be bought twice, and a kill may cost at most the uploads that were under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proofs.kill_points import main, next_call

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


if __name__ == "__main__":
    main("upload_kills", __doc__, every, pictured=True)
