"""Measures kiejobs next to its peers: `python -m benchmarks`.

In: which measurements, at which size. Out: a table of medians and ratios on stdout. Touches: a temporary folder, a
port on the loopback; with `--record`, `benchmarks/latest.json`, which the documentation shows.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import record, text
from benchmarks.measurements import GROWTH, MEASUREMENTS, MILLION, SIZES, Bench
from benchmarks.process import CommandFailed, environment, program
from benchmarks.turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROUNDS_OF_GROWTH = 3


def main() -> int:
    """The exit code: 0 where everything was measured, whatever the figures; 1 where a command failed."""
    parser = _parser()
    given = parser.parse_args()
    if given.record and given.size != "full":
        parser.error("--record keeps figures of the full size only")
    with tempfile.TemporaryDirectory() as name, _sandbox(Path(name) / "sandbox") as url:
        snakemake = str(given.snakemake.absolute()) if given.snakemake else program("snakemake")
        bench = Bench(Path(name), SIZES[given.size], url, snakemake)
        try:
            found = _measured(bench, given)
        except CommandFailed as failed:
            sys.stderr.write(f"{failed}\n")
            return 1
    if given.record:
        record.keep(found, record.conditions(snakemake))
    return 0


def _measured(bench: Bench, given: argparse.Namespace) -> record.Found:
    """All that was asked for; each printed as soon as it is known."""
    rounds, only = given.rounds or bench.size.rounds, given.only or [*MEASUREMENTS, "growth"]
    only += ["million"] if given.million else []
    found: record.Found = {"measurements": {}, "growth": {}}
    for name in only:
        if name in MEASUREMENTS:
            found["measurements"][name] = _shown(in_turn(MEASUREMENTS[name](bench), rounds))
    if "growth" in only:
        for name, at in GROWTH.items():
            found["growth"][name] = {
                str(jobs): _shown(in_turn(at(bench, jobs), min(rounds, _ROUNDS_OF_GROWTH)))
                for jobs in bench.size.growth
            }
    if "million" in only:
        million = in_turn(GROWTH["plan"](bench, MILLION), 1, warm_up=False)
        found["growth"].setdefault("plan", {})[str(MILLION)] = _shown(million)
    return found


def _shown(result: dict[str, Any]) -> dict[str, Any]:
    sys.stdout.write(text.lines(result))
    sys.stdout.flush()
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [*MEASUREMENTS, "growth", "million"]
    parser.add_argument("--only", action="append", choices=names, help="measure only this; repeat")
    parser.add_argument("--size", choices=SIZES, default="full", help="tiny: only to see it run")
    parser.add_argument(
        "--rounds", type=int, choices=range(1, 101), metavar="N", help="how often each is measured"
    )
    parser.add_argument("--million", action="store_true", help="also plan a million jobs; takes minutes")
    parser.add_argument("--snakemake", type=Path, help="the program, where it has an environment of its own")
    parser.add_argument("--record", action="store_true", help="keep the figures in benchmarks/latest.json")
    return parser


@contextmanager
def _sandbox(store: Path) -> Iterator[str]:
    """The sandbox in a process of its own, for as long as the block lasts; gives its address."""
    store.mkdir()
    words = (sys.executable, str(Path(__file__).with_name("sandbox.py")), str(store))
    process = subprocess.Popen(words, env=environment({}), stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    try:
        yield process.stdout.readline().strip() if process.stdout else ""
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    raise SystemExit(main())
