"""Files that ask for far too many jobs are refused by counting, before anything is made of them.

What is counted here are calls of functions, and bytes: they are the same on a busy machine.
"""

from __future__ import annotations

import tracemalloc

import pytest

from kiejobs.core.jobfile import HIGHEST_MAX_JOBS
from tests.support.beside import Beside
from tests.support.expanding import MODEL, expanded
from tests.support.work import calls_of

FORTY = ", ".join(map(str, range(40)))
TEN = ", ".join(map(str, range(10)))
RANGE = "{range: [1, 100000]}"
LARGEST_TABLE = "id,mood\n" + "".join(f"scene-{row},calm\n" for row in range(100_000))


def file(matrix: str, *, jobs: int = 1, takes: int = 1, defaults: str = "{}") -> str:
    body = f"{{takes: {takes}, matrix: {{{matrix}}}}}"
    entries = "".join(f"\n  j{number}: {body}" for number in range(jobs))
    return f"""
version: 1
campaign: c
limits: {{max_jobs: {HIGHEST_MAX_JOBS}}}
defaults: {{model: {MODEL}, input: {{image_url: https://example.com/a.webp, prompt: x}}, matrix: {defaults}}}
jobs:{entries}
"""


def excludes(count: int) -> str:
    return f"exclude: [{', '.join(f'{{a: {number}}}' for number in range(1, count + 1))}]"


SHAPES = {
    "a hundred million takes": (file("a: [1]", takes=100_000_000), "jobfile-structure"),
    "a million rows of a hundred takes": (
        file("a: {range: [1, 1000]}, b: {range: [1, 1000]}", takes=100),
        "too-many-jobs",
    ),
    "five axes of forty": (
        file(", ".join(f"a{number}: [{FORTY}]" for number in range(5))),
        "too-many-jobs",
    ),
    "a range of a hundred million": (file("a: {range: [1, 100000000]}"), "too-many-jobs"),
    "a range of the tiniest steps": (
        file("a: {range: {from: 0, to: 100, step: 0.000001}}"),
        "too-many-jobs",
    ),
    "two of the longest ranges": (file(f"a: {RANGE}, b: {RANGE}"), "too-many-jobs"),
    "two pairs of ranges": (
        file(
            f"a: {RANGE}, b: {RANGE}, c: {{range: [1, 1000]}}, d: {{range: [1, 1000]}}, zip: [[a, b], [c, d]]"
        ),
        "too-many-jobs",
    ),
    "eight pairs of lists": (
        file(
            ", ".join(f"a{number}: [{TEN}], b{number}: [{TEN}]" for number in range(8))
            + f", zip: [{', '.join(f'[a{number}, b{number}]' for number in range(8))}]"
        ),
        "too-many-jobs",
    ),
    "excludes of half of them": (
        file(f"a: {{range: [1, 10000]}}, b: {{range: [1, 10000]}}, {excludes(100)}"),
        "too-many-jobs",
    ),
    "includes in all of them": (
        file("a: {range: [1, 10000]}, b: {range: [1, 10000]}, include: [{a: 1, x: 1}, {x: 2}]"),
        "too-many-jobs",
    ),
    "a hundred jobs of the longest range each": (file(f"a: {RANGE}", jobs=100), "too-many-jobs"),
    "fifty jobs at the limit each": (file(f"a: {RANGE}", jobs=50), "too-many-jobs"),
    "a range and its excludes from the defaults of a hundred jobs": (
        file("", jobs=100, defaults=f"{{a: {RANGE}, {excludes(100)}}}"),
        "too-many-jobs",
    ),
    "a list from the defaults of a hundred jobs": (
        file("", jobs=100, defaults=f"{{a: [{', '.join(map(str, range(2_000)))}]}}"),
        "too-many-jobs",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_is_made_of_far_too_many(name: str) -> None:
    """Reading the file is all there is to do; values that are made would be a million calls."""
    text, code = SHAPES[name]
    tracemalloc.start()
    try:
        with calls_of() as calls:
            made = expanded(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made.codes == [code]
    assert calls.count < 100_000
    assert peak < 2_000_000


def test_a_table_is_made_into_values_once_for_all_jobs() -> None:
    """As much work as reading it."""
    beside = Beside({"t.csv": LARGEST_TABLE})
    with calls_of() as calls:
        made = expanded(file("a: {from: t.csv, key: id}", jobs=100), data=beside)
    assert made.codes == ["too-many-jobs"]
    assert calls.count < 1_500_000
    assert beside.read_names == ["t.csv"]


def test_a_file_may_allow_no_more_than_the_ceiling_and_a_flag_may() -> None:
    """The 400 jobs of a file with a broken limit are no second problem."""
    text = file("duration: [5, 10], resolution: [720p, 1080p]", takes=100)
    assert expanded(text.replace(f"{HIGHEST_MAX_JOBS}}}", "100001}")).told == [
        (
            "jobfile-structure 4:20 `limits.max_jobs` is 100,001; at most 100,000 is allowed"
            " | a number from 1 to 100,000, for example `max_jobs: 5000`;"
            " for more, add `--max-jobs NUMBER` to the command"
        )
    ]
    many = file("a: {range: [1, 100000]}, b: [1, 2]")
    assert expanded(many).told == [
        (
            "too-many-jobs 7:3 the file makes 200,000 jobs; at most 100,000 are allowed"
            " | narrow a matrix, or add `--max-jobs NUMBER` to the command"
        )
    ]
    refused = next(iter(expanded(many, max_jobs=199_999).problems))
    assert refused.message == "the file makes 200,000 jobs; at most 199,999 are allowed"


def test_a_file_at_its_own_limit_is_sent_to_the_flag() -> None:
    """Whatever excludes may leave: a file can't raise its limit any further."""
    told = expanded(SHAPES["excludes of half of them"][0]).only("too-many-jobs")
    assert told.hint == "narrow a matrix, or add `--max-jobs NUMBER` to the command"
