"""A command reads each journal at most once, and its own not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import Bench
from tests.support.forked import WITHOUT_MEDIA

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import json, sys
opened = []
def heard(event, arguments):
    if event == "open" and str(arguments[0]).endswith("journal.jsonl"):
        opened.append([str(arguments[0]), bool(arguments[2] & 3)])
sys.addaudithook(heard)
from kiejobs.__main__ import main
sys.argv = ["kiejobs", *sys.argv[1:]]
try:
    main()
finally:
    print(json.dumps(opened), file=sys.stderr)
"""


@pytest.fixture
def rehearsed(tmp_path: Path) -> Bench:
    """Three runs on record, one of them killed before it could write its manifest, as it looks."""
    bench = Bench(tmp_path, "http://unused.invalid")
    for prompts in ({"a": "one"}, {"a": "one", "b": "two"}, {"a": "one", "b": "two", "c": "three"}):
        bench.write(prompts)
        words = ("run", "jobs.yaml", "--sandbox", "--yes", "--speed", "500")
        assert bench.do(*words, PYTHONPATH=WITHOUT_MEDIA).code == 0
    manifest = sorted(tmp_path.glob("rehearsal/runs/*/manifest.json"))[1]
    manifest.unlink()
    bench.write({"a": "one", "b": "two", "c": "three", "d": "four"})
    return bench


@pytest.mark.parametrize(
    ("words", "writes"),
    [
        (("run", "jobs.yaml", "--yes", "--speed", "500"), 1),
        (("collect", "--speed", "500"), 0),
        (("status",), 0),
        (("report",), 0),
        (("plan", "jobs.yaml"), 0),
        (("manifest", "verify"), 0),
    ],
)
def test_each_journal_is_read_once(rehearsed: Bench, words: tuple[str, ...], writes: int) -> None:
    read, written = opened(rehearsed, *words, "--sandbox")
    assert sorted(read.values()) == [1, 1, 1]
    assert sum(written.values()) == writes
    assert not set(read) & set(written), "what it wrote it knows"


def opened(bench: Bench, *words: str) -> tuple[Counter[str], Counter[str]]:
    """How often each journal was opened to be read, and to be written."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=bench.folder,
        env=bench.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    seen = json.loads(done.stderr.splitlines()[-1])
    read = Counter(path for path, for_writing in seen if not for_writing)
    return read, Counter(path for path, for_writing in seen if for_writing)
