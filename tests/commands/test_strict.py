"""With `--strict` each warning is an error, in every verb that reads job files; without it none keeps anything back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bench import MODEL, Bench

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.judge.server import Judge

    Set = tuple[Bench, Judge]

HEAD = "version: 1\ncampaign: h\n"
JOB = f"jobs:\n  j:\n    model: {MODEL}\n    input:\n      image_url: https://example.com/a.webp\n"
TABLE = JOB.replace("    input", "    matrix: {s: {from: s.yaml, key: id}}\n    input")

WARNED = {
    "comment": HEAD + JOB + "      prompt: Cup of tea #cozy\n",
    "anchor": HEAD + JOB + "      prompt: &then a dog\n",
    "comment of a template": HEAD + JOB + '      prompt: "a {#sale#} b"\n',
    "unused variable": HEAD + "vars: {a: b}\n" + JOB + "      prompt: x\n",
    "near limit": HEAD + JOB + f"      prompt: {'tea ' * 2_400}\n",
    "table": HEAD + TABLE + '      prompt: "{{ matrix.s.p }}"\n',
    "variables": HEAD + "vars: {a: b}\n" + JOB + '      prompt: "{{ vars.a }}"\n',
}


def written(bench: Bench, kind: str) -> tuple[str, ...]:
    """What to name on the command line."""
    (bench.folder / "jobs.yaml").write_text(WARNED[kind])
    (bench.folder / "s.yaml").write_text("- id: a\n  p: tea #cozy\n")
    (bench.folder / "v.yaml").write_text("a: tea #cozy\n")
    return ("jobs.yaml", "--vars-file", "v.yaml") if kind == "variables" else ("jobs.yaml",)


@pytest.mark.parametrize("kind", WARNED)
def test_a_warning_is_an_error_with_strict(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    names = written(bench, kind)
    for verb in ("validate", "plan", "render"):
        ran = bench.do(verb, *names)
        assert (ran.code, "error[" in ran.err) == (0, False), ran.err
        assert verb == "render" or "warning[" in ran.err
        ran = bench.do(verb, *names, "--strict")
        assert (ran.code, "error[" in ran.err, "warning[" in ran.err) == (2, True, False), ran.err
    ran = bench.do("run", *names, "--strict", "--yes")
    assert (ran.code, "error[" in ran.err) == (2, True), ran.err


def test_nothing_is_bought_with_strict_of_any_file_while_one_has_a_warning(table: Set) -> None:
    bench, _ = table
    written(bench, "comment")
    bench.write({"fine": "fine"}, name="fine.yaml")
    ran = bench.do("run", "fine.yaml", "jobs.yaml", "--yes", "--strict")
    assert ran.code == 2, ran.err
    assert bench.accepted_tasks() == set()
    ran = bench.do("plan", "fine.yaml", "jobs.yaml", KIEJOBS_STRICT="1")
    assert ran.code == 2, ran.err
