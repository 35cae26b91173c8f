"""A table of a million rows, beside the plain way: `python -m tests.proofs.big_table`.

In: how many rows. Out: figures: processor seconds and megabytes of each side, and their ratios. The plain
way is what a script would do: `csv.DictReader` into a list, a sandboxed Jinja template for each field, a
SHA-256 of the request. It checks nothing but that keys are unique.

The oracle is that both sides come to the same addresses and fingerprints. Each is a process of its own.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kiejobs.app.job_file import JobFileOptions
from kiejobs.app.load import load
from kiejobs.core.diagnostics import InvalidJobFile, Place
from kiejobs.core.document.nodes import Source
from kiejobs.core.table.table import read_table
from tests.proofs.figures import tell, words
from tests.support.bench import MODEL
from tests.support.expanding import SCHEMAS
from tests.support.peak_memory import peak_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIELDS = {
    "image_url": "{{ matrix.scene.image }}",
    "prompt": "{{ matrix.scene.mood }} in the morning",
    "duration": "{{ matrix.scene.length }}",
}
ROOT = Path(__file__).resolve().parents[2]
MOST_MEMORY = 800.0  # MB for a million rows, beside what both need to start


@dataclass(frozen=True)
class Side:
    """One process: processor seconds, megabytes more than at its start, what it came to."""

    seconds: float
    memory: float
    digest: str


@dataclass(frozen=True)
class Figures:
    """`read`: the table alone; `expand`: every job named, rendered and identified."""

    rows: int
    megabytes: float
    read: Side
    read_plainly: Side
    expand: Side
    expand_plainly: Side

    @property
    def well(self) -> bool:
        same = self.read.digest == self.read_plainly.digest
        same = same and self.expand.digest == self.expand_plainly.digest
        return same and self.expand.memory < max(MOST_MEMORY * self.rows / 1e6, 60)

    @property
    def ratios(self) -> dict[str, float]:
        """Ours to theirs: below 1 is less."""
        pairs = {
            "read": (self.read, self.read_plainly),
            "expand": (self.expand, self.expand_plainly),
        }
        return {
            f"{name}_{what}": round(getattr(ours, what) / getattr(theirs, what), 2)
            for name, (ours, theirs) in pairs.items()
            for what in ("seconds", "memory")
        }


def big_table(folder: Path, rows: int) -> Figures:
    table = folder / "scenes.csv"
    _write(table, rows)
    (folder / "tea.yaml").write_text(_job_file(rows), encoding="utf-8")
    sides = {name: _in_a_process(name, folder) for name in SIDES}
    return Figures(rows=rows, megabytes=round(table.stat().st_size / 2**20, 1), **sides)


def _write(table: Path, rows: int) -> None:
    with table.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "mood", "image", "length"])
        for n in range(rows):
            mood = f'calm, and {n} times "so", with mist over the tea'
            writer.writerow([f"scene-{n}", mood, f"https://example.com/{n}.webp", 5 + n % 2 * 5])


def _job_file(rows: int) -> str:
    job = {
        "model": MODEL,
        "matrix": {"scene": {"from": "scenes.csv", "key": "id"}},
        "input": FIELDS,
    }
    limits = {"max_jobs": rows}
    return json.dumps({"version": 1, "campaign": "tea", "limits": limits, "jobs": {"pour": job}})


# --- the two sides ---------------------------------------------------------------------------------


def _read(folder: Path) -> Iterator[str]:
    source = Source("scenes.csv", (folder / "scenes.csv").read_bytes())
    table, problems = read_table(source, "id", 10**7, Place("tea.yaml", 1, 1))
    assert table is not None, problems
    return (table.label(number) for number in (0, len(table) // 2, len(table) - 1))


def _read_plainly(folder: Path) -> Iterator[str]:
    rows = _rows(folder)
    assert len({row["id"] for row in rows}) == len(rows)
    return (rows[number]["id"] for number in (0, len(rows) // 2, len(rows) - 1))


def _expand(folder: Path) -> Iterator[str]:
    try:
        expansion = load(JobFileOptions(file=str(folder / "tea.yaml"))).expansion
    except InvalidJobFile as invalid:
        raise AssertionError([str(problem) for problem in invalid.problems]) from invalid
    return (f"{line.address} {line.fingerprint}" for line in expansion.jobs)


def _expand_plainly(folder: Path) -> Iterator[str]:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    templates = {name: environment.from_string(text) for name, text in FIELDS.items()}
    schema = json.loads((SCHEMAS / "models" / f"{MODEL}.json").read_text(encoding="utf-8"))
    fields = schema["properties"]["input"]["properties"]
    silent = {name: field["default"] for name, field in fields.items() if "default" in field}
    made = []
    for row in _rows(folder):
        context: dict[str, Any] = {"matrix": {"scene": row}}
        given = {name: template.render(context) for name, template in templates.items()}
        body = {"input": {**silent, **given}, "model": MODEL}
        text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        made.append(f"tea/pour[scene={row['id']}] {digest}")
    return iter(made)


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "scenes.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


SIDES: dict[str, Callable[[Path], Iterator[str]]] = {
    "read": _read,
    "read_plainly": _read_plainly,
    "expand": _expand,
    "expand_plainly": _expand_plainly,
}


def _in_a_process(name: str, folder: Path) -> Side:
    """A new one each, so that both start from the same; it tells its answer in JSON."""
    words = [sys.executable, "-m", "tests.proofs.big_table", "--side", name, str(folder)]
    told = subprocess.run(
        words,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(ROOT)])},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return Side(**json.loads(told))


def _measured(side: Callable[[Path], Iterator[str]], folder: Path) -> Side:
    before, start = peak_bytes(), time.process_time()
    digest = hashlib.sha256()
    for line in side(folder):
        digest.update(line.encode())
    used = time.process_time() - start
    return Side(round(used, 2), round((peak_bytes() - before) / 2**20, 1), digest.hexdigest())


def main() -> None:
    line = words(__doc__)
    line.add_argument("--rows", type=int, default=1_000_000)
    line.add_argument("--side", nargs=2, metavar=("NAME", "FOLDER"), help="one side alone, in JSON")
    given = line.parse_args()
    if given.side:
        name, made = given.side
        print(json.dumps(asdict(_measured(SIDES[name], Path(made)))))  # noqa: T201 - its answer
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = big_table(Path(folder), given.rows)
    command = f"python -m tests.proofs.big_table --rows {given.rows}"
    told = {**asdict(figures), "ours_to_plain": figures.ratios}
    raise SystemExit(tell("big_table", command, told, well=figures.well, record=given.record))


if __name__ == "__main__":
    main()
