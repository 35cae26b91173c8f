"""What strangers wrote, in the log of a CI server: no line of it is a command there, and all of it is UTF-8."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = re.compile(r"##\w*\[|(?:^|[\r\n])\s*::")
HOSTILE = "##[stop-commands]x ##vso[task]y\n::add-mask::z"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, "http://127.0.0.1:9")


def test_no_prompt_name_or_message_speaks_to_the_log(bench: Bench) -> None:
    name = bench.write({"one": HOSTILE, "two": "two"}, name="::add-mask::jobs.yaml")
    rehearse = ("--sandbox", "--speed", "1000")
    said = [
        bench.do("validate", name),
        bench.do("render", name),
        bench.do("plan", name),
        bench.do("plan", name, "--format", "json"),
        bench.do("run", name, *rehearse),
        bench.do("manifest", "show", "--sandbox"),
        bench.do("manifest", "export", "--format", "in-toto", "--sandbox"),
        bench.do("report", "--sandbox", "--format", "junit"),
    ]
    assert [ran.code for ran in said] == [0] * len(said)
    bench.write({"one": "one"}, name=name)
    said += [
        bench.do("plan", name, "--sandbox"),
        bench.do("explain", "judged/one", name, "--sandbox"),
        bench.do("run", name, "::stop-commands::x", "--sandbox"),
        bench.do("report", "::stop-commands::x\n::error::y"),
        bench.do("::error::verb"),
    ]
    for ran in said:
        assert COMMAND.search(ran.out) is None
        assert COMMAND.search(ran.err) is None
    prompts = [json.loads(line)["body"]["input"]["prompt"] for line in said[1].out.splitlines()]
    assert prompts[0] == HOSTILE
    assert any(job["input"]["prompt"] == HOSTILE for job in said[5].json["jobs"].values())


def test_annotations_are_commands_as_they_are_meant_to_be(bench: Bench) -> None:
    (bench.folder / "jobs.yaml").write_text("campaign: x\njobs: {}\n")
    assert bench.do("validate", "jobs.yaml", "--format", "github").out.startswith("::error ")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii", "utf-8"])
def test_what_a_program_reads_is_utf_8_in_any_locale(bench: Bench, encoding: str) -> None:
    bench.write({"one": "Käse \u2603"})
    for words in (["render", "jobs.yaml"], ["plan", "missing é.yaml"]):
        done = subprocess.run(
            bench.command(*words),
            cwd=bench.folder,
            env=bench.environment(PYTHONIOENCODING=encoding),
            capture_output=True,
            check=False,
        )
        assert ("Käse \u2603" in done.stdout.decode()) == (words[0] == "render")
        assert ("é" in done.stderr.decode()) == (words[0] == "plan")
