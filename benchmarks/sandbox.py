"""The sandbox in a process of its own, with enough credits for many rounds: `python benchmarks/sandbox.py FOLDER`.

In: the folder of its charge log. Out: the address, on the first line of stdout. Touches: a port on the loopback, the
folder. It answers a thousand times faster than the API, so what a run spends is its own time.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

from kiejobs.adapters.sandbox import make_sandbox
from kiejobs.adapters.server import serve

_SPEED = 1000.0
_CREDITS = Decimal(100_000_000)


def main() -> None:
    sandbox = make_sandbox(Path(sys.argv[1]), _SPEED, None, credits_=_CREDITS)
    serve(sandbox, "127.0.0.1", 0, ready=_announce)


def _announce(url: str) -> None:
    print(url, flush=True)  # noqa: T201 - what the starting process waits for


if __name__ == "__main__":
    main()
