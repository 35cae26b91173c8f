"""What is measured, and next to what.

In: a folder for the files, sizes, the address of a sandbox. Out: `Measurement`s. Touches: that folder.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import files
from benchmarks.process import Command, CommandFailed, measure, program
from benchmarks.turns import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).parent / "peers"
_SCHEMA = ROOT / "schemas" / "jobfile.schema.json"
_MODEL_SCHEMA = ROOT / "schemas" / "models" / f"{files.MODEL}.json"
_RECORD = ("runs", "outputs")
_STATUS = ("status", "--sandbox")


@dataclass(frozen=True)
class Size:
    """How many jobs (or runs) each measurement has. `rounds` of each, after a warm-up."""

    plan: int
    validate: int
    run: int
    dry_run: int
    runs: int
    growth: tuple[int, ...]
    rounds: int


SIZES = {
    "full": Size(20_000, 10_000, 400, 10_000, 5_000, (1_000, 10_000, 100_000), rounds=5),
    "tiny": Size(8, 4, 2, 4, 3, (4, 8), rounds=1),
}
MILLION = 1_000_000


@dataclass(frozen=True)
class Bench:
    """The place where everything is measured."""

    folder: Path
    size: Size
    sandbox: str
    snakemake: str | None

    def plan(self, jobs: int, *words: str) -> Command:
        folder = self.folder / f"table-{jobs}"
        if not folder.exists():
            files.write_table(folder, jobs)
        return kiejobs(folder, "plan", "jobs.yaml", "--max-jobs", str(jobs), *words)

    def plain_plan(self, jobs: int) -> Command:
        words = (sys.executable, str(PEERS / "plain_plan.py"), str(_MODEL_SCHEMA))
        return Command("plain_plan.py", words, self.folder / f"table-{jobs}")

    def validate(self, jobs: int) -> Command:
        folder = self.folder / f"listed-{jobs}"
        if not folder.exists():
            files.write_listed(folder, jobs)
        return kiejobs(folder, "validate", "jobs.yaml")

    def check_jsonschema(self, jobs: int) -> Command | None:
        words = ("--schemafile", str(_SCHEMA), "jobs.yaml")
        shown = "check-jsonschema --schemafile jobfile.schema.json jobs.yaml"
        return peer(self.folder / f"listed-{jobs}", program("check-jsonschema"), words, shown)

    def runs(self) -> Path:
        """A folder with many finished runs."""
        folder = self.folder / "runs"
        if not folder.exists():
            files.write_single(folder)
            measure(kiejobs(folder, "run", "jobs.yaml", "--sandbox", "--yes", "--speed", "1000"))
            files.multiply_runs(folder / "rehearsal", self.size.runs)
        return folder

    def status_of_none(self) -> Command:
        folder = self.folder / "no-runs"
        folder.mkdir(exist_ok=True)
        return kiejobs(folder, *_STATUS)


def plan(bench: Bench) -> Measurement:
    jobs = bench.size.plan
    title = f"Plan of {jobs:,} jobs: a table of {jobs // files.JOBS_A_ROW:,} rows x 2 x 2"
    ours, theirs = bench.plan(jobs), bench.plain_plan(jobs)
    return Measurement(title, ours, theirs, most=0.33, most_memory=150)


def plan_as_json(bench: Bench) -> Measurement:
    jobs = bench.size.plan
    ours, theirs = bench.plan(jobs, "--format", "json"), bench.plain_plan(jobs)
    return Measurement("The same plan, printed as JSON", ours, theirs)


def validate(bench: Bench) -> Measurement:
    jobs = bench.size.validate
    title = f"Validate {jobs:,} jobs, each written out in one file"
    return with_peer(title, bench.validate(jobs), bench.check_jsonschema(jobs), most=1 / 15)


def status(bench: Bench) -> Measurement:
    folder = bench.folder / "empty"
    folder.mkdir(exist_ok=True)
    theirs = peer(folder, program("pre-commit"), ("--version",), "pre-commit --version")
    title = "Start: status in an empty folder"
    return with_peer(title, kiejobs(folder, "status"), theirs, most=1.1)


def run(bench: Bench) -> Measurement:
    """Both buy from one sandbox, with the same number of jobs in flight and the same time between polls."""
    jobs, folder = str(bench.size.run), bench.folder / "shots"
    files.write_shots(folder, bench.size.run)
    api = {"KIE_API_BASE": bench.sandbox, "KIE_API_KEY": "benchmark"}
    flags = ("--yes", "--rate", "1000000/1s", "--in-flight", "16", "--poll", "500ms")
    ours = kiejobs(folder, "run", "jobs.yaml", *flags, clear=_RECORD, **api)
    words = ("--jobs", jobs, "--folder", "plain", "--at-once", "16", "--poll", "0.5")
    script = (sys.executable, str(PEERS / "plain_run.py"), "--base-url", bench.sandbox, *words)
    theirs = Command(f"plain_run.py {' '.join(words)}", script, folder, api, clear=("plain",))
    return Measurement(
        f"Run of {jobs} jobs without a rate limit, less its plan",
        ours,
        theirs,
        less=kiejobs(folder, "plan", "jobs.yaml", clear=_RECORD, **api),
        most=1.5,
    )


def dry_run(bench: Bench) -> Measurement:
    jobs = bench.size.dry_run
    ours, snakefile = bench.plan(jobs), str(PEERS / "Snakefile")
    words = ("--dry-run", "--quiet", "all", "--snakefile", snakefile)
    shown = "snakemake --dry-run --quiet all"
    theirs = peer(bench.folder / f"table-{jobs}", bench.snakemake, words, shown)
    return with_peer(f"Plan of {jobs:,} jobs, next to a workflow engine's dry run", ours, theirs)


def status_of_runs(bench: Bench) -> Measurement:
    """The peer is the same command with nothing to read: what is more is the price of the record."""
    title = f"Status with {bench.size.runs:,} runs on record, next to none"
    return Measurement(title, kiejobs(bench.runs(), *_STATUS), bench.status_of_none())


def status_unindexed(bench: Bench) -> Measurement:
    """As after a clone: all journals are read, and the index next to them is made."""
    index = ("rehearsal/runs/.lock.index",)
    ours = kiejobs(bench.runs(), *_STATUS, clear=index)
    return Measurement("The same without an index, as after a clone", ours, bench.status_of_none())


MEASUREMENTS: dict[str, Callable[[Bench], Measurement]] = {
    "plan": plan,
    "plan_as_json": plan_as_json,
    "validate": validate,
    "status": status,
    "run": run,
    "dry_run": dry_run,
    "status_of_runs": status_of_runs,
    "status_unindexed": status_unindexed,
}
"""In the order in which they are measured and shown."""


def plan_growth(bench: Bench, jobs: int) -> Measurement:
    """A million jobs are planned without the peer, which takes minutes."""
    theirs = bench.plain_plan(jobs) if jobs < MILLION else None
    return Measurement(f"Plan of {jobs:,} jobs", bench.plan(jobs), theirs)


def validate_growth(bench: Bench, jobs: int) -> Measurement:
    """Without the peer: it takes minutes for the most jobs, and its growth is not the question."""
    return Measurement(f"Validate {jobs:,} jobs", bench.validate(jobs))


GROWTH: dict[str, Callable[[Bench, int], Measurement]] = {
    "plan": plan_growth,
    "validate": validate_growth,
}


def kiejobs(folder: Path, *words: str, clear: tuple[str, ...] = (), **environment: str) -> Command:
    """A command of ours, as the installed program."""
    found = program("kiejobs")
    if found is None:
        raise CommandFailed("kiejobs: not installed")
    return Command(f"kiejobs {' '.join(words)}", (found, *words), folder, environment, clear)


def peer(folder: Path, found: str | None, words: tuple[str, ...], shown: str) -> Command | None:
    """A peer's command; None where it isn't installed."""
    return None if found is None else Command(shown, (found, *words), folder)


def with_peer(title: str, ours: Command, theirs: Command | None, most: float | None = None) -> Measurement:
    """Where the peer isn't installed, ours is measured alone and the table says so."""
    missing = None if theirs else "the peer is not installed"
    return Measurement(title, ours, theirs, most=most, missing=missing)
