"""Hostile input: what comes from strangers, disks and networks, made worse by the hundred thousand.

In: `python -m tests.proofs.fuzz [TARGET...] --minutes 10 --seed 1 --record`. Out: figures; a case in
`fuzz_cases/TARGET/` for each new finding, as small as it could be made. Touches: those cases, and
temporary folders.

Each target runs in processes of its own, under a limit of memory, an alarm after 5 s of work on one input, and
an audit hook that sees every file that is opened. Secrets are planted in the environment and beside the
folder. A finding is an exception that is none of ours, a death, a secret, an open outside, or a promise
of the target's that does not hold (each target's module says which).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.proofs import figures
from tests.proofs.fuzz_targets import TARGETS
from tests.support.bench import PACKAGE

CASES = Path(__file__).parent / "fuzz_cases"
_REPO = Path(__file__).resolve().parents[2]
_DEATHS = {
    -signal.SIGPROF: "hang: more than 5 s of work",
    -signal.SIGALRM: "hang: more than 30 s",
    77: "memory: more than 500 MB",
}
_TRIES = 24  # of making a case smaller that kills its process; each may take 5 s
_MOST_DEATHS = 5  # of one target; something is wrong with all inputs then
_GRACE = 60.0  # seconds for a worker's start, and for making a finding small


@dataclass(slots=True)
class Tally:
    """What one target came to. `found` holds cases by what they break."""

    inputs: int = 0
    slowest: float = 0.0
    peak: float = 0.0
    deaths: int = 0
    found: dict[str, bytes] = field(default_factory=dict)


def kept(target: str) -> list[Path]:
    """The findings of the past, each fixed."""
    return sorted(path for path in (CASES / target).glob("*") if path.is_file())


def fuzz(target: str, seed: int, *, seconds: float = 0.0, examples: int = 0) -> Tally:
    """The kept cases, then new ones, for so long or so many."""
    tally = Tally()
    end = time.monotonic() + seconds
    cases = kept(target)
    while True:
        left = max(end - time.monotonic(), 0.0)
        words = [*cases, "--seed", seed, "--seconds", left, "--examples", examples]
        death = _work(target, words, tally, left + _GRACE)
        if death is None or end - time.monotonic() < 1 or tally.deaths >= _MOST_DEATHS:
            return tally
        seed, cases = seed + 1, []


def _work(target: str, words: list[object], tally: Tally, patience: float) -> str | None:
    """One worker, counted; how it died, if it did."""
    with tempfile.TemporaryDirectory(prefix="kiejobs-fuzz-") as name:
        folder = Path(name)
        worker = [sys.executable, "-P", "-m", "tests.proofs.fuzz_worker", target, folder, *words]
        done = subprocess.run(
            list(map(str, worker)),
            env={**os.environ, "PYTHONPATH": os.pathsep.join([PACKAGE, str(_REPO)])},
            capture_output=True,
            timeout=patience + _GRACE,
            check=False,
        )
        if done.returncode == 0:
            _count(json.loads(done.stdout), tally)
            return None
        said = done.stderr.decode("utf-8", "replace")[-300:]
        death = _DEATHS.get(done.returncode, f"death: exit {done.returncode} {said}")
        current = folder / "current"
        tally.deaths += 1
        tally.found[death] = current.read_bytes() if current.exists() else b""
        return death


def _count(told: dict[str, object], tally: Tally) -> None:
    values = json.loads(json.dumps(told))
    tally.inputs += values["inputs"]
    tally.slowest = max(tally.slowest, values["slowest_s"])
    tally.peak = max(tally.peak, values["peak_mb"])
    tally.found |= {what: base64.b64decode(case) for what, case in values["found"]}


# --- keeping what was found ----------------------------------------------------------------------


def keep(target: str, what: str, case: bytes) -> Path:
    """The case as a file of its own; one that kills its process is made smaller first."""
    if what.startswith(("hang", "memory", "death")):
        case = _smaller(target, what, case)
    folder = CASES / target
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(case).hexdigest()[:12]
    path.write_bytes(case)
    return path


def _smaller(target: str, what: str, case: bytes) -> bytes:
    """Take pieces away, large ones first, for as long as it still dies."""
    tries, size = 0, len(case) // 2
    while size and tries < _TRIES:
        for start in range(0, len(case), size):
            tries += 1
            less = case[:start] + case[start + size :]
            if tries <= _TRIES and _kills(target, what, less):
                case = less
                break
        else:
            size //= 2
    return case


def _kills(target: str, what: str, case: bytes) -> bool:
    with tempfile.NamedTemporaryFile(prefix="kiejobs-case-") as file:
        file.write(case)
        file.flush()
        return _work(target, [file.name], Tally(), _GRACE) == what


# --- the program ---------------------------------------------------------------------------------


def main() -> int:
    parser = figures.words(__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    targets = words.targets or list(TARGETS)
    seconds = 60 * words.minutes / len(targets)
    tallies = {target: fuzz(target, words.seed, seconds=seconds) for target in targets}
    for target, tally in tallies.items():
        for what, case in tally.found.items():
            print(f"{target}: {what}\n  kept as {keep(target, what, case)}", file=sys.stderr)  # noqa: T201 - while it runs
    command = f"python -m tests.proofs.fuzz --minutes {words.minutes:g} --seed {words.seed}"
    found = sum(len(tally.found) for tally in tallies.values())
    return figures.tell("fuzz", command, _figures(tallies), well=not found, record=words.record)


def _figures(tallies: dict[str, Tally]) -> dict[str, object]:
    found = [what for tally in tallies.values() for what in tally.found]
    return {
        "inputs": {target: tally.inputs for target, tally in tallies.items()},
        "found": len(found),
        "found_ever": sum(len(kept(target)) for target in tallies),
        "crashes_and_hangs": sum(tally.deaths for tally in tallies.values()),
        "slowest_s": round(max(tally.slowest for tally in tallies.values()), 2),
        "peak_mb": round(max(tally.peak for tally in tallies.values())),
        "files_outside": sum("outside" in what for what in found),
        "secrets": sum("a secret got out" in what for what in found),
    }


if __name__ == "__main__":
    raise SystemExit(main())
