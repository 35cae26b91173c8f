"""The files that the measured commands work on.

In: a folder, how many jobs or runs. Out: nothing. Touches: that folder.
"""

from __future__ import annotations

import csv
import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "bytedance/v1-pro-fast-image-to-video"
JOBS_A_ROW = 4  # two resolutions, two durations

_ROWS_OF_A_TABLE = 100_000  # a table may have 16 MB

_HEAD = f"""version: 1
campaign: bench
defaults: {{model: {MODEL}}}
jobs:
"""

_MATRIX = """  tea{name}:
    matrix:
      scene: {{from: scenes{name}.csv, key: id}}
      resolution: [720p, 1080p]
      duration: ["5", "10"]
    input:
      image_url: "{{{{ matrix.scene.image }}}}"
      prompt: >-
        {{{{ matrix.scene.subject }}}}, in a {{{{ matrix.scene.mood }}}} mood, lit by {{{{ matrix.scene.light }}}} light;
        the camera moves slowly around it while steam rises
"""

_JOB = """  tea-{number:06d}:
    input:
      image_url: https://example.com/{number}.webp
      prompt: A glass of tea number {number} on a stone table, in a calm mood; the camera moves slowly around it
      resolution: {resolution}
      duration: "{duration}"
"""


def write_table(folder: Path, jobs: int) -> None:
    """A job file with a matrix over a table: its rows x 2 x 2. Many rows are in several tables, a matrix for each."""
    folder.mkdir(parents=True)
    rows = jobs // JOBS_A_ROW
    names = ["" if first == 0 else f"-{first}" for first in range(0, rows, _ROWS_OF_A_TABLE)]
    text = _HEAD + "".join(_MATRIX.format(name=name) for name in names)
    (folder / "jobs.yaml").write_text(text, encoding="utf-8")
    for number, name in enumerate(names):
        first = number * _ROWS_OF_A_TABLE
        numbers = range(first, min(rows, first + _ROWS_OF_A_TABLE))
        _write_scenes(folder / f"scenes{name}.csv", numbers)


def _write_scenes(path: Path, numbers: range) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("id", "subject", "mood", "light", "image"))
        for number in numbers:
            mood = ("calm", "wild", "tender", "strange")[number % 4]
            light = ("dawn", "noon", "dusk")[number % 3]
            subject = f"a glass of tea number {number} on a stone table"
            image = f"https://example.com/{number}.webp"
            table.writerow((f"scene-{number:06d}", subject, mood, light, image))


def write_listed(folder: Path, jobs: int) -> None:
    """The same kind of jobs, each written out in one YAML file: what an editor's schema can check."""
    folder.mkdir(parents=True)
    head = f"limits: {{max_jobs: {jobs}}}\n{_HEAD}"
    listed = (
        _JOB.format(
            number=number,
            resolution=("720p", "1080p")[number % 2],
            duration=(5, 10)[number // 2 % 2],
        )
        for number in range(jobs)
    )
    (folder / "jobs.yaml").write_text(head + "".join(listed), encoding="utf-8")


def write_single(folder: Path) -> None:
    """One job, to be rehearsed once."""
    folder.mkdir(parents=True)
    job = _JOB.format(number=0, resolution="720p", duration=5)
    (folder / "jobs.yaml").write_text(_HEAD + job, encoding="utf-8")


def write_shots(folder: Path, jobs: int) -> None:
    """Jobs that are told apart by a number, as the plain script's are."""
    folder.mkdir(parents=True)
    document = {
        "version": 1,
        "campaign": "bench",
        "limits": {"max_jobs": jobs},
        "defaults": {"model": MODEL},
        "jobs": {
            "shots": {
                "matrix": {"shot": list(range(jobs))},
                "input": {
                    "image_url": "https://example.com/a.webp",
                    "prompt": "Shot {{ matrix.shot }}",
                },
            }
        },
    }
    (folder / "jobs.yaml").write_text(json.dumps(document), encoding="utf-8")


def multiply_runs(rehearsal: Path, count: int) -> None:
    """A rehearsal of one job becomes `count` of them: each with ids, address, file and hashes of its own."""
    runs, outputs = rehearsal / "runs", rehearsal / "outputs"
    (first,) = (path for path in runs.iterdir() if path.is_dir())
    journal = (first / "journal.jsonl").read_text(encoding="utf-8")
    manifest = (first / "manifest.json").read_text(encoding="utf-8")
    ((address, job),) = json.loads(manifest)["jobs"].items()
    name = address.rpartition("/")[2]
    same = [first.name, job["attempt_id"], job["task_id"], job["fingerprint"], name]
    (video,) = (file["path"] for file in job["files"])
    for number in range(1, count):
        run_id = f"{first.name[:-6]}{number:06x}"
        own = [
            run_id,
            f"{number:032x}",
            f"{number + count:032x}",
            f"{number:064x}",
            f"tea-{number:06d}",
        ]
        folder = runs / run_id
        folder.mkdir()
        text = _replaced(journal, same, own)
        (folder / "journal.jsonl").write_text(_chained(text), encoding="utf-8")
        (folder / "manifest.json").write_text(_replaced(manifest, same, own), encoding="utf-8")
        copy = outputs / video.replace(name, own[-1])
        copy.parent.mkdir(parents=True)
        copy.hardlink_to(outputs / video)


def _replaced(text: str, same: list[str], own: list[str]) -> str:
    for old, new in zip(same, own, strict=True):
        text = text.replace(old, new)
    return text


def _chained(journal: str) -> str:
    """Each line holds the hash of the one before."""
    lines: list[str] = []
    for line in journal.splitlines():
        event = json.loads(line)
        event["prev"] = hashlib.sha256(lines[-1].encode()).hexdigest() if lines else None
        lines.append(json.dumps(event, ensure_ascii=False, sort_keys=True))
    return "".join(f"{line}\n" for line in lines)
