"""Completion: in the three shells, at a terminal, and what is offered."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.project.files import model_names
from tests.support.forked import WITHOUT_MEDIA
from tests.support.shells import completed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bench import Bench
    from tests.support.judge.server import Judge

MODEL = "bytedance/v1-pro-fast-image-to-video"
JOB_FILE = f"""version: 1
campaign: tea
defaults: {{model: {MODEL}}}
jobs:
  pour:
    tags: [close-up, hero]
    matrix: {{duration: [5, 10]}}
    input: {{image_url: https://example.com/a.webp, prompt: tea}}
  steam:
    input: {{image_url: https://example.com/a.webp, prompt: steam}}
"""
TYPED = {
    "kiejobs comple": ["kiejobs", "completion"],
    "kiejobs run --files-el": ["kiejobs", "run", "--files-elsewhere"],
    "kiejobs models show kling/v2-1-master-t": ["kiejobs", "models", "show", "kling/v2-1-master-text-to-video"],
    "kiejobs explain tea/s": ["kiejobs", "explain", "tea/steam"],
    "kiejobs explain tea/pour'[duration=1'": ["kiejobs", "explain", "tea/pour[duration=10]"],
    "kiejobs explain 'tea/pour[duration=1": ["kiejobs", "explain", "tea/pour[duration=10]"],
    "kiejobs plan tea.yaml --select job:st": ["kiejobs", "plan", "tea.yaml", "--select", "job:steam"],
    "kiejobs plan tea.yaml --select axis:duration=1": ["kiejobs", "plan", "tea.yaml", "--select", "axis:duration=10"],
    "kiejobs plan te": ["kiejobs", "plan", "tea.yaml"],
    "kiejobs run tea.yaml --vars-file not": ["kiejobs", "run", "tea.yaml", "--vars-file", "notes [old].txt"],
    "kiejobs explain tea/steam te": ["kiejobs", "explain", "tea/steam", "tea.yaml"],
    "kiejobs explain tea.yaml tea/s": ["kiejobs", "explain", "tea.yaml", "tea/steam"],
    "kiejobs plan --select tea/s": ["kiejobs", "plan", "--select", "tea/steam"],
    "kiejobs plan tea.yaml --quie": ["kiejobs", "plan", "tea.yaml", "--quiet"],
    "kiejobs models list --js": ["kiejobs", "models", "list", "--json"],
    "kiejobs runs --no-c": ["kiejobs", "runs", "--no-color"],
    "kiejobs -v run --verb": ["kiejobs", "-v", "run", "--verbose"],
}  # fmt: skip
"""What is typed before a Tab, and the words that the shell makes of it."""


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed here")
    return name


@pytest.fixture
def bench(table: tuple[Bench, Judge]) -> Bench:
    bench, _ = table
    (bench.folder / "tea.yaml").write_text(JOB_FILE)
    programs = bench.folder / "bin"
    programs.mkdir()
    program = programs / "kiejobs"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m kiejobs "$@"\n')
    program.chmod(0o755)
    (bench.folder / "notes [old].txt").write_text("a file like any other")
    return bench


def offered(bench: Bench, line: str) -> list[str]:
    """By the program itself, whatever the shell makes of it."""
    ran = bench.do(_KIEJOBS_COMPLETE="zsh_complete", COMP_LINE=line)
    assert ran.code == 0
    assert not ran.err
    return [one.partition("\t")[0] for one in ran.out.splitlines() if one]


def test_a_tab_completes_the_word(shell: str, bench: Bench) -> None:
    env = bench.environment()
    env["PATH"] = f"{bench.folder / 'bin'}:{env['PATH']}"
    assert completed(shell, list(TYPED), bench.folder, env) == TYPED


def test_runs_and_doubts_come_from_the_ledger(bench: Bench) -> None:
    bench.write({"one": "one"})
    assert bench.run().code == 0
    (run,) = [path.parent.name for path in bench.journals()]
    assert offered(bench, "kiejobs report ") == ["latest", run]
    assert offered(bench, f"kiejobs manifest show {run[:6]}") == [run]
    assert offered(bench, "kiejobs report --select addr") == []
    assert "judged/one" in offered(bench, "kiejobs status --select jud")
    assert offered(bench, "kiejobs resolve ") == []


def test_a_doubt_is_offered_to_be_ruled_on(bench: Bench) -> None:
    bench.write({"one": "one"})
    (bench.folder / "faults.yaml").write_text("rules: [{on: create, do: {lose_reply: before_accept}}]")
    words = ("run", "jobs.yaml", "--sandbox", "--faults", "faults.yaml", "--speed", "1000")
    bench.do(*words, PYTHONPATH=WITHOUT_MEDIA)
    assert offered(bench, "kiejobs resolve --sandbox ") == ["judged/one"]


def test_behind_a_verb_the_flags_are_offered_that_every_command_takes(bench: Bench) -> None:
    short = {"-q", "-v", "-C", "--quiet", "--verbose", "--no-color", "--json"}
    assert short <= set(offered(bench, "kiejobs plan tea.yaml -"))
    assert short <= set(offered(bench, "kiejobs ledger show -"))


def test_tags_are_those_of_the_job_file(bench: Bench) -> None:
    assert offered(bench, "kiejobs plan tea.yaml --select tag:") == ["tag:close-up", "tag:hero"]


def test_what_was_typed_before_a_comma_or_a_blank_stays(bench: Bench) -> None:
    assert offered(bench, "kiejobs plan tea.yaml --select job:pour,axis:duration=1") == [
        "job:pour,axis:duration=10"
    ]
    assert offered(bench, "kiejobs plan tea.yaml --select 'job:pour tea/st") == ["job:pour tea/steam"]


def test_of_very_many_addresses_those_of_a_job_are_offered_as_one(bench: Bench) -> None:
    many = JOB_FILE.replace("[5, 10]", "[5, 10], take_no: {range: [1, 400]}")
    (bench.folder / "tea.yaml").write_text(many.replace("prompt: tea", "prompt: 'tea {{ matrix.take_no }}'"))
    assert offered(bench, "kiejobs plan tea.yaml --select tea/") == ["tea/pour*", "tea/steam*"]
    assert offered(bench, "kiejobs explain tea/") == ["tea/pour", "tea/steam"]


def test_every_model_is_offered(bench: Bench) -> None:
    assert set(offered(bench, "kiejobs models show ")) == set(model_names())


@pytest.mark.parametrize("text", ["jobs: [", "version: 1\ncampaign: tea\njobs: {a: {model: no/such}}\n"])
def test_a_job_file_with_problems_offers_what_can_be_read(text: str, bench: Bench) -> None:
    (bench.folder / "tea.yaml").write_text(text)
    assert offered(bench, "kiejobs plan tea.yaml --select job:") == []


def test_completion_works_in_another_folder(bench: Bench) -> None:
    (bench.folder / "below").mkdir()
    (bench.folder / "tea.yaml").rename(bench.folder / "below" / "other.yaml")
    assert offered(bench, "kiejobs -C below explain tea/st") == ["tea/steam"]


def test_no_question_of_a_shell_writes_anything(bench: Bench) -> None:
    before = _files(bench.folder)
    for line in ("kiejobs explain ", "kiejobs report ", "kiejobs run tea.yaml --select "):
        offered(bench, line)
    assert _files(bench.folder) == before


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*"))
