"""For a Python under libfaketime, which refuses the call that `time.sleep` makes where monotonic time is not faked.

In: a folder on PYTHONPATH. Out: a `time.sleep` that waits by another call. Touches the module `time` of such a process.
"""

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep
