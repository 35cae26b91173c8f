"""How much memory this process held at most.

In: nothing. Out: bytes. Touches: `/proc/self/status` where there is one.

The kernel's `ru_maxrss` is no answer: it outlives `exec`, so that a small process started by a large
one is told the large one's peak.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """The peak of this process' own memory; outside of Linux, its parent's may be in it."""
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
