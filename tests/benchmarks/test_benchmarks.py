"""The benchmarks still run: at a tiny size, without a look at any time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.bench import PACKAGE

ROOT = Path(__file__).resolve().parents[2]


def benchmarks(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_measurement_runs_at_a_tiny_size() -> None:
    done = benchmarks("--size", "tiny")
    assert done.returncode == 0, done.stderr
    titles = [line for line in done.stdout.splitlines() if line.endswith("(medians of 1)")]
    assert len(titles) == 12
    pairs = done.stdout.count("ratio of processor time") + done.stdout.count("not measured: ")
    assert pairs == 10


def test_a_command_that_fails_is_reported_and_measures_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "snakemake"
    broken.write_text("#!/bin/sh\necho no such rule >&2\nexit 3\n")
    broken.chmod(0o755)
    done = benchmarks("--size", "tiny", "--only", "dry_run", "--snakemake", str(broken))
    assert (done.returncode, done.stdout) == (1, "")
    assert "exit code 3\nno such rule" in done.stderr


def test_figures_of_a_tiny_size_are_not_kept() -> None:
    done = benchmarks("--size", "tiny", "--record")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--record keeps figures of the full size only" in done.stderr


def test_a_program_that_is_not_there_is_reported() -> None:
    done = benchmarks("--size", "tiny", "--only", "dry_run", "--snakemake", "no/such")
    assert (done.returncode, done.stdout) == (1, "")
    assert "snakemake --dry-run --quiet all: " in done.stderr
