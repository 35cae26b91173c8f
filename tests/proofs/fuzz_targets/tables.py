"""Tables of any kind, as a stranger's pull request may bring them.

In: a line that is the file's ending, then the table. Out: `Broken` where a cell was rendered, where two
jobs have one address, or where a problem has no place in a file. Touches: its room.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from kiejobs.app.load import load
from kiejobs.app.options import JobFileOptions
from kiejobs.core.diagnostics import InvalidJobFile, UsageProblem
from kiejobs.reports.diagnostics import diagnostics_text
from tests.proofs.fuzz_bytes import mutated
from tests.proofs.fuzz_guard import Broken, no_canary
from tests.proofs.fuzz_targets import job_files

if TYPE_CHECKING:
    from pathlib import Path

network = False
ENDINGS = ("csv", "tsv", "jsonl", "json", "yaml")
_ROWS = [{"id": "dawn", "mood": 'calm, "so"'}, {"id": "dusk", "mood": "{{ vars.never }}"}]
_CSV = b'id,mood\ndawn,"calm, ""so"""\ndusk,{{ vars.never }}\n'
EXAMPLE = b"csv\n" + _CSV
SEEDS = [
    EXAMPLE,
    b"tsv\n" + _CSV.replace(b",", b"\t"),
    b"jsonl\n" + b"\n".join(json.dumps(row).encode() for row in _ROWS),
    b"json\n" + json.dumps(_ROWS).encode(),
    b"yaml\n- {id: dawn, mood: calm}\n- id: dusk\n  mood: wild\n",
]
TOKENS = (
    *(b"id", b"mood", b",", b"\t", b'"', b'""', b";", b"\r\n", b"\n\n", b"{", b"}", b"[", b"]", b":"),
    *(b"{{", b"{%", b"null", b"true", b"1e999", b"NaN", b"9" * 400, b'"\\ud800"', b"- ", b"&a", b"*a"),
)  # fmt: skip
_JOBS = """version: 1
campaign: tea
vars: {never: rendered-all-the-same}
jobs:
  pour:
    model: bytedance/v1-pro-fast-image-to-video
    matrix: {scene: {from: "scenes.ENDING", key: id}}
    input:
      image_url: https://example.com/a.webp
      prompt: "{{ matrix.scene.id }}/{{ matrix.scene.mood }}"
  by-jinja:
    model: bytedance/v1-pro-fast-image-to-video
    matrix: {scene: {from: "scenes.ENDING", key: id}}
    input:
      image_url: https://example.com/a.webp
      prompt: "{% if true %}By Jinja: {{ matrix.scene.id }}/{{ matrix.scene.mood }}{% endif %}"
"""


def prepare(room: Path) -> None:
    job_files.prepare(room)


def inputs() -> Any:
    cells = st.text(max_size=9)
    rows = st.lists(st.fixed_dictionaries({"id": cells, "mood": cells}), max_size=4)
    made = rows.map(lambda found: b"json\n" + json.dumps(found).encode())
    return mutated(SEEDS, TOKENS) | made


def check(data: bytes, room: Path) -> None:
    first, _, table = data.partition(b"\n")
    ending = first.decode("ascii", "replace")
    ending = ending if ending in ENDINGS else "csv"
    folder = room / "inside"
    (folder / f"scenes.{ending}").write_bytes(table)
    (folder / "tables.yaml").write_text(_JOBS.replace("ENDING", ending), encoding="utf-8")
    try:
        loaded = load(JobFileOptions(file="tables.yaml"))
    except InvalidJobFile as invalid:
        if any(problem.place is None for problem in invalid.problems):
            raise Broken("a problem without a place") from invalid
        no_canary(diagnostics_text(invalid.problems, invalid.problems.lines))
        return
    except UsageProblem:
        return
    jobs = loaded.expansion.jobs
    if len({job.address for job in jobs}) != len(jobs):
        raise Broken("two rows with one address")
    if any("rendered-all-the-same" in str(job.input) for job in jobs):
        raise Broken("a cell was taken for a template")
