"""Expansion in bounded memory: 100,000 jobs fit into 300 MB, hostile matrices end early."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from kiejobs.core.diagnostics import Place
from kiejobs.core.document.nodes import Source
from kiejobs.core.ledger.fold import fold
from kiejobs.core.plan.plan import Plan, plan
from kiejobs.core.table.formats import MAX_ROWS
from kiejobs.core.table.table import read_table
from tests.support.beside import Beside
from tests.support.expanding import MODEL, Expanded, expanded

ROOT = Path(__file__).resolve().parents[3]


def large(rows: int, prompt: str) -> str:
    """A file of 4 x `rows` jobs, each with another prompt."""
    return f"""
version: 1
campaign: large
limits: {{max_jobs: 100000}}
jobs:
  scene:
    model: {MODEL}
    matrix:
      n: [{", ".join(map(str, range(rows)))}]
      resolution: [720p, 1080p]
      duration: [5, 10]
    input:
      image_url: https://example.com/{{{{ matrix.n }}}}.webp
      prompt: "{prompt} {{{{ matrix.n }}}} {{{{ matrix.duration }}}}"
"""


def plan_of(made: Expanded) -> Plan:
    assert made.expansion is not None
    return plan(made.expansion.jobs, fold([]), lambda _attempt: None, campaign="large")


IN_A_PROCESS_OF_ITS_OWN = """
from tests.support.peak_memory import peak_bytes
from tests.core.expand.test_expand_sizes import expanded, large, plan_of

expanded(large(1, "x"))
before = peak_bytes()
made = expanded(large(25_000, "a cup of steam " * 20))
plan = plan_of(made)
print(len(made.problems), len(plan.changes), plan.totals.credits, (peak_bytes() - before) / 2**20)
"""


def test_a_hundred_thousand_jobs_and_their_plan_fit_into_300_megabytes() -> None:
    """Each is held once, with its request; prompts that several jobs have are held once, too."""
    told = subprocess.run(
        [sys.executable, "-P", "-c", IN_A_PROCESS_OF_ITS_OWN],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert told[:3] == ["0", "100000", "4000000"]
    assert float(told[3]) < 300


def test_what_an_expansion_keeps_is_its_jobs_and_each_prompt_once() -> None:
    """Of 4,000 jobs each two share a prompt of 9,000 characters: 18 MB, twice while requests are joined."""
    tracemalloc.start()
    try:
        made = expanded(large(1_000, "a cup of steam " * 600))
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made.expansion is not None
    assert len(made.expansion.jobs) == 4_000
    assert kept < 18_000_000 + 4_000 * 2_000
    assert peak < 2 * 18_000_000 + 4_000 * 4_000


def test_jobs_whose_prompts_read_the_same_share_them() -> None:
    jobs = expanded(large(500, "a cup")).jobs
    assert len({job.input["prompt"] for job in jobs}) == 1_000
    assert len({id(job.input["prompt"]) for job in jobs}) == 1_000
    assert [job.input["prompt"] for job in jobs[:2]] == ["a cup 0 5", "a cup 0 10"]


# --- hostile files ---------------------------------------------------------------------------------

HUNDRED = ", ".join(map(str, range(100)))
THOUSAND = ", ".join(map(str, range(1_000)))


def matrix(body: str) -> str:
    fields = "prompt: x, image_url: 'https://example.com/{{ matrix | length }}.png'"
    return (
        f"{{version: 1, campaign: c, jobs: {{a: {{model: {MODEL}, matrix: {{{body}}}, "
        f"input: {{{fields}}}}}}}}}"
    )


HOSTILE = {
    "ten axes of a hundred values": (
        ", ".join(f"a{n}: [{HUNDRED}]" for n in range(10)),
        "too-many-jobs",
        "the file makes more than a quadrillion jobs; at most 1,000 are allowed",
    ),
    "three axes of a hundred values": (
        ", ".join(f"a{n}: [{HUNDRED}]" for n in range(3)),
        "too-many-jobs",
        "the file makes 1,000,000 jobs; at most 1,000 are allowed",
    ),
    "a thousand excludes of half a million rows each": (
        f"a: [{THOUSAND}], b: [{THOUSAND}], c: [x], exclude: [{', '.join(['{c: x}'] * 1_000)}]",
        "matrix-too-large",
        (
            "job `a`: 1,000,000 combinations against 1000 exclude and 0 include entries take too long"
            " to work out"
        ),
    ),
    "a thousand includes of all rows": (
        f"a: [{THOUSAND}], b: [{HUNDRED}], include: [{', '.join(['{x: 1}'] * 1_000)}]",
        "matrix-too-large",
        (
            "job `a`: 100,000 combinations against 0 exclude and 1000 include entries take too long"
            " to work out"
        ),
    ),
    "excludes that look into thousands of mappings": (
        (
            f"a: [{', '.join(f'{{id: {n}}}' for n in range(10_000))}],"
            f" exclude: [{', '.join(['{a: {id: x}}'] * 2_000)}]"
        ),
        "matrix-too-large",
        ("job `a`: 10,000 combinations against 2000 exclude and 0 include entries take too long to work out"),
    ),
    "thousands of includes of no axis": (
        f"include: [{', '.join(['{x: 1}'] * 30_000)}]",
        "duplicate-row",
        "job `a`: include makes the combination `x=1` twice",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_matrix_ends_with_a_clear_problem(name: str) -> None:
    body, code, message = HOSTILE[name]
    made = expanded(matrix(body))
    first = next(iter(made.problems))
    assert (first.code, first.message) == (code, message)


def test_a_table_without_end_is_not_read_to_its_end() -> None:
    """A row that is broken far behind is never looked at."""
    rows = b"".join(b"r%d,x\n" % n for n in range(150_000))
    made = expanded(
        matrix("s: {from: t.csv, key: id}"), data=Beside({"t.csv": b"id,mood\n" + rows + b"broken"})
    )
    assert made.told == [
        (
            "table-syntax t.csv:100002:1 the table has more than 100,000 rows"
            " | split it into several tables, for several job files"
        )
    ]


def test_the_largest_table_is_held_in_little_memory() -> None:
    rows = MAX_ROWS
    text = "id,mood\n" + "".join(f"scene-{n},calm and {n} times so\n" for n in range(rows))
    source = Source("t.csv", text.encode())
    tracemalloc.start()
    try:
        table, problems = read_table(source, "id", Place("job.yaml", 1, 1))
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert table is not None, problems
    assert table.numbers["scene-99999"] == rows - 1
    assert kept < 1_000 * rows
    assert peak < 1_200 * rows


@pytest.mark.parametrize(
    "table",
    [
        b'id,mood\na,"' + b'""' * 500_000,
        b"id,mood\na," + b"x" * 2_000_000 + b"\n",
        b"id,mood\n" + b'"' * 1_000_001 + b"\n",
        b"," * 3_000_000,
        b"id,mood\n" + b"\n" * 3_000_000,
        b'id,"mood\n' + b"a,b\n" * 500_000,
    ],
)
def test_a_hostile_table_ends_with_a_clear_problem(table: bytes) -> None:
    made = expanded(matrix("s: {from: t.csv, key: id}"), data=Beside({"t.csv": table}))
    assert {problem.code for problem in made.problems} <= {"table-syntax", "table-key"}
    assert made.problems.fatal


def test_many_axes_of_one_value_are_no_trouble() -> None:
    body = ", ".join(f"a{n}: [{n}]" for n in range(1_200))
    assert len(expanded(matrix(f"{body}, include: [{{a7: 7, x: 1}}]")).jobs) == 1


def test_thousands_of_the_same_mistake_are_not_told_thousands_of_times() -> None:
    made = expanded(matrix(f"a: [1, 2], exclude: [{', '.join(['{a: 3}'] * 1_000)}]"))
    assert made.codes == ["useless-exclude"] * 100


def test_thousands_of_jobs_written_out_are_refused_before_a_template_is_compiled() -> None:
    jobs = "\n".join(
        f"  j{n}: {{model: {MODEL}, input: {{prompt: '{{{{ nope }}}} {n}'}}}}" for n in range(3_000)
    )
    made = expanded(f"version: 1\ncampaign: c\njobs:\n{jobs}\n")
    assert made.codes == ["too-many-jobs"]
