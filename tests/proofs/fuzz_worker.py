"""One process of the fuzzing: a target, a seed, a time. Under limits that really hold.

In: words on the command line (`fuzz.py` writes them). Out: one JSON line: how many inputs, how slow,
how large, what was found. Touches: a folder of its own. Where it dies (a hang, a crash of the
interpreter, too much memory) the case lies in `FOLDER/current`.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import random
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from tests.proofs.fuzz_guard import Broken, Guard, plant
from tests.proofs.fuzz_targets import target_named
from tests.support.peak_memory import peak_bytes

_BATCH = 200
_SECONDS_SMALLER = 5.0


class _Session:
    """Counts inputs, keeps each finding once: by its kind and the place in kiejobs it came from."""

    def __init__(self, target: Any, folder: Path) -> None:
        self.inputs = 0
        self.found: dict[str, bytes] = {}
        self._folder = folder
        self._target = target
        self._room = plant(folder)
        target.prepare(self._room)
        self._inputs = target.inputs()
        self._guard = Guard(folder, self._room, network=target.network)
        target.check(target.EXAMPLE, self._room)  # what is imported late is imported now
        self._guard.begin()

    def check(self, data: bytes) -> None:
        self.inputs += 1
        with self._guard.over(data):
            self._target.check(data, self._room)

    def replay(self, data: bytes) -> None:
        try:
            self.check(data)
        except Exception as error:  # noqa: BLE001 - a finding is any exception at all
            self._note(error, data)

    def batch(self, seed: int, examples: int) -> None:
        """So many inputs; the smallest that breaks something is the last that was tried."""
        quiet = list(HealthCheck)
        phases = (Phase.generate, Phase.shrink)

        @seeded(seed)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=phases,
            suppress_health_check=quiet,
            report_multiple_bugs=False,
            print_blob=False,
        )
        @given(self._inputs)
        def run(data: bytes) -> None:
            self.check(data)

        try:
            with contextlib.redirect_stdout(sys.stderr):
                run()
        except Exception as error:  # noqa: BLE001 - a finding is any exception at all
            self._note(error, (self._folder / "current").read_bytes())

    def _note(self, error: Exception, data: bytes) -> None:
        what = _place_of(error)
        if what not in self.found:
            self.found[what] = self._smaller(what, data)

    def _smaller(self, what: str, data: bytes) -> bytes:
        """Pieces taken away, large ones first, for as long as the same thing breaks."""
        end, size = time.monotonic() + _SECONDS_SMALLER, (len(data) + 1) // 2
        while size and time.monotonic() < end:
            less = (data[:at] + data[at + size :] for at in range(0, len(data), size))
            found = next((case for case in less if self._breaks(what, case)), None)
            data, size = (data, size // 2) if found is None else (found, size)
        return data

    def _breaks(self, what: str, data: bytes) -> bool:
        try:
            self.check(data)
        except Exception as error:  # noqa: BLE001 - a finding is any exception at all
            return _place_of(error) == what
        return False

    def told(self) -> dict[str, Any]:
        found = [[what, base64.b64encode(data).decode()] for what, data in self.found.items()]
        return {
            "inputs": self.inputs,
            "slowest_s": self._guard.slowest,
            "slowest_case": repr(self._guard.slowest_case[:300]),
            "peak_mb": peak_bytes() / 2**20,
            "found": found,
        }


def _place_of(error: Exception) -> str:
    """What broke, and the place in kiejobs or in the target that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/kiejobs/" in f.filename or "/fuzz_targets/" in f.filename]
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "elsewhere"
    told = str(error)[:200] if isinstance(error, Broken) and "outside" in str(error) else str(error)[:16]
    return f"{type(error).__name__} at {place}: {told}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--examples", type=int, default=0)
    parser.add_argument("cases", nargs="*", type=Path)
    words = parser.parse_args()
    warnings.simplefilter("ignore")  # Hypothesis finds our strategies long
    cases = [path.read_bytes() for path in words.cases]
    session = _Session(target_named(words.target), words.folder)
    for case in cases:
        session.replay(case)
    numbers = random.Random(f"{words.target}/{words.seed}")
    if words.examples:
        session.batch(numbers.getrandbits(32), words.examples)
    end = time.monotonic() + words.seconds
    while time.monotonic() < end and len(session.found) < 10:
        session.batch(numbers.getrandbits(32), _BATCH)
    print(json.dumps(session.told()))  # noqa: T201 - a worker's answer


if __name__ == "__main__":
    main()
