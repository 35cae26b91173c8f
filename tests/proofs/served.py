"""The sandbox as a process of its own, that can be killed and come back at the same address.

In: a folder for its store, speed, faults, credits. Out: an address, the charge log. Touches: a port on
the loopback, the store. It is `kiejobs sandbox`, with more money: a campaign of 2,000 jobs costs more
than a rehearsal's account has.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.sandbox import make_sandbox
from kiejobs.adapters.server import serve
from tests.support.bench import PACKAGE
from tests.support.sandbox_served import read_charges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.sandbox.tasks import Task

_PLENTY = Decimal(10_000_000)  # credits
_ROOT = Path(__file__).resolve().parents[2]


class Served:
    """A running sandbox; `store` is what it remembers from one life to the next."""

    def __init__(
        self, store: Path, *, speed: float, rules: Sequence[Mapping[str, Any]] = (), seed: int = 0
    ) -> None:
        self.store = store
        self.speed = speed
        self._rules, self._seed = list(rules), seed
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self.url = self.start()

    def start(self) -> str:
        """Begin a life; each draws its faults with a seed of its own."""
        self._seed += 1
        self.store.mkdir(parents=True, exist_ok=True)
        faults = self.store / "faults.yaml"
        faults.write_text(json.dumps({"seed": self._seed, "rules": self._rules}))
        words = ["--port", self._port, "--store", self.store, "--speed", self.speed]
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.proofs.served",
                *map(str, words),
                "--faults",
                str(faults),
            ],
            cwd=self.store,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((PACKAGE, str(_ROOT)))},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        url = self._process.stdout.readline().strip()
        self._port = int(url.rpartition(":")[2])
        return url

    def die(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def calm(self) -> None:
        """From its next life on it makes no faults."""
        self._rules = []
        self.die()
        self.start()

    def charges(self) -> list[Task]:
        return read_charges(self.store)

    def charged(self) -> int:
        """How many creates were charged so far, without reading what they say."""
        return (self.store / "charges.jsonl").read_bytes().count(b"\n")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--port", type=int, default=0)
    words.add_argument("--store", type=Path, required=True)
    words.add_argument("--speed", type=float, default=1.0)
    words.add_argument("--faults")
    given = words.parse_args()
    app = make_sandbox(given.store, given.speed, given.faults, credits_=_PLENTY)
    serve(app, "127.0.0.1", given.port, ready=_announce)


def _announce(url: str) -> None:
    print(url, flush=True)  # noqa: T201 - what the starting process waits for


if __name__ == "__main__":
    main()
