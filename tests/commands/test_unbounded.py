"""Inputs without an end or a bound: refused at once, in words, wherever a file is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bench import MODEL, Bench
from tests.support.forked import PACKAGE

ROOT = Path(__file__).resolve().parents[2]


JOB = f"""\
version: 1
campaign: h
vars: {{x: tea}}
jobs:
  j:
    model: {MODEL}
    input: {{image_url: https://example.com/a.webp, prompt: "{{{{ vars.x }}}}"}}
"""
INCLUDE = JOB.replace("{{ vars.x }}", "{{ vars.x }}{% include 'odd.j2' ignore missing %}")
TABLE = JOB.replace("    input", "    matrix: {s: {from: odd.csv, key: id}}\n    input")
IMAGE = JOB.replace("https://example.com/a.webp", "odd.png")
OWN = JOB.replace(MODEL, "own/model")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Where nothing is bought."""
    return Bench(tmp_path, "http://127.0.0.1:9")


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize(
    ("odd", "text", "words"),
    [
        ("odd.yaml", JOB, ("validate", "odd.yaml")),
        ("odd.yaml", JOB, ("plan", "odd.yaml")),
        ("odd.yaml", JOB, ("plan", "jobs.yaml", "--policy", "odd.yaml")),
        ("odd.yaml", JOB, ("plan", "jobs.yaml", "--vars-file", "odd.yaml")),
        ("odd.json", JOB, ("run", "--plan", "odd.json", "--yes")),
        ("kiejobs.yaml", JOB, ("plan", "jobs.yaml")),
        ("prices.yaml", JOB, ("plan", "jobs.yaml")),
        ("schemas/models/own/model.json", OWN, ("plan", "jobs.yaml")),
        ("jobs.yaml.lock", JOB, ("plan", "jobs.yaml", "--locked")),
        ("jobs.yaml.lock", JOB, ("lock", "jobs.yaml")),
        ("odd.j2", INCLUDE, ("plan", "jobs.yaml")),
        ("odd.csv", TABLE, ("plan", "jobs.yaml")),
        ("odd.png", IMAGE, ("plan", "jobs.yaml")),
        (".gitignore", JOB, ("init", "--github")),
    ],
)
def test_a_pipe_or_a_device_is_refused_at_once(
    bench: Bench, odd: str, text: str, words: tuple[str, ...], kind: str
) -> None:
    (bench.folder / "jobs.yaml").write_text(text)
    path = bench.folder / odd
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    ran = bench.do(*words)
    assert ran.code == 2, ran.err
    assert path.name in ran.err


@pytest.mark.parametrize(
    "line",
    [
        'input: {image_url: "https://example.com/BIG", prompt: x}',
        "input: {image_url: https://example.com/a.webp, prompt: BIG}",
        "input: {image_url: https://example.com/a.webp, prompt: x, resolution: BIG}",
        "input: {image_url: https://example.com/a.webp, prompt: x, BIG: y}",
        "callBackUrl: BIG",
        "output: BIG",
        'output: "BIG',
    ],
)
def test_a_text_of_many_megabytes_is_refused_in_bounded_memory(tmp_path: Path, line: str) -> None:
    """Its own size some ten times, the interpreter's included: the file, its text, its value, and what compares them."""
    size, head = 20_000_000, f"version: 1\ncampaign: h\njobs:\n  j:\n    model: {MODEL}\n    "
    (tmp_path / "jobs.yaml").write_text(head + line.replace("BIG", "a" * size) + "\n")
    code = (
        "from kiejobs.app.load import load;"
        "from kiejobs.app.options import JobFileOptions; from kiejobs.core.diagnostics import InvalidJobFile\n"
        "from tests.support.peak_memory import peak_bytes\n"
        "try: load(JobFileOptions('jobs.yaml'))\n"
        "except InvalidJobFile as invalid: print(peak_bytes(), *[one.message for one in invalid.problems])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([PACKAGE, str(ROOT)])}
    made = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    peak, _, told = made.stdout.partition(" ")
    assert "20,000,0" in told or "never closed" in told
    assert len(told) < 1_000
    assert int(peak) < 20 * size
