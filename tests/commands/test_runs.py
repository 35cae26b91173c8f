"""The history of runs: the list, and every way to name one of them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import Bench
from tests.support.forked import WITHOUT_MEDIA
from tests.support.results import refused

if TYPE_CHECKING:
    from pathlib import Path

SANDBOX = ("--sandbox", "--speed", "1000")
VERBS = """
import sys
from kiejobs.cli import verbs
from kiejobs.cli.command_group import door
for words in sys.argv[1:]:
    print("==", words)
    door.main([*words.split(), "--sandbox"], "kiejobs", standalone_mode=False)
"""


def rehearse(bench: Bench, *words: str) -> int:
    return bench.do("run", *words, *SANDBOX, PYTHONPATH=WITHOUT_MEDIA).code


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Two runs of one campaign and one of another, the last one cut short by an empty account."""
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    bench.write({"a": "a"}, name="tea.yaml", campaign="tea")
    bench.write({"c": "c", "d": "d"}, name="cup.yaml", campaign="cup")
    assert rehearse(bench, "tea.yaml") == 0
    bench.write({"a": "a", "b": "b"}, name="tea.yaml", campaign="tea")
    assert rehearse(bench, "tea.yaml") == 0
    assert rehearse(bench, "cup.yaml", "--sandbox-credits", "20") == 5
    return bench


def ids(bench: Bench) -> list[str]:
    """The latest first."""
    found = bench.do("runs", "--sandbox", "--format", "json").json
    assert refused("documents/runs", found) == []
    return [run["run_id"] for run in found["runs"]]


def test_they_are_listed_with_what_they_bought_and_how_they_ended(bench: Bench) -> None:
    listed = bench.do("runs", "--sandbox")
    rows = [line.split() for line in listed.out.splitlines()[1:4]]
    assert [row[0] for row in rows] == ids(bench) == sorted(ids(bench), reverse=True)
    assert [" ".join(row[4:]) for row in rows] == [
        "run cup (cup.yaml) 1 succeeded 16 stopped: credits",
        "run tea (tea.yaml) 1 succeeded 16 done",
        "run tea (tea.yaml) 1 succeeded 16 done",
    ]
    assert listed.code == 0


def test_times_are_local_on_a_terminal_and_utc_elsewhere(tmp_path: Path) -> None:
    """One process for all verbs: what a verb prints is decided for each anew."""
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    bench.write({"a": "a"})
    (tmp_path / "faults.yaml").write_text("rules: [{on: create, do: {lose_reply: before_accept}}]")
    assert bench.do("run", "jobs.yaml", *SANDBOX, "--faults", "faults.yaml").code == 4
    files = "-o report.txt -o report.md"
    verbs = ["runs", "status", "explain judged/a jobs.yaml", f"report latest {files}", "report latest"]
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", VERBS, *verbs]
    said, env = b"", bench.environment(TZ="XYZ-5:30")
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=theirs), suppress(OSError):
        os.close(theirs)
        while part := os.read(ours, 65536):  # an OSError where the other side is closed
            said += part
    os.close(ours)
    parts = said.decode().split("== ")[1:]
    assert len(parts) == len(verbs)
    for part in parts:
        zones = set(re.findall(r"\d\d:\d\d:\d\d(\S*(?: \w+)?)", part))
        assert zones == (set() if "-o" in part else {" XYZ"}), part
    for written in ("report.txt", "report.md"):
        assert re.search(r"sent [-\d]+ [:\d]+ UTC, may", (tmp_path / written).read_text())
    assert " UTC " in bench.do("runs", "--sandbox").out


def test_a_campaign_is_named_by_its_name(bench: Bench) -> None:
    latest = ids(bench)[1]
    assert bench.do("runs", "tea", "--sandbox").out.count(" tea (tea.yaml) ") == 2
    assert bench.do("status", "tea", "--sandbox").out.startswith("tea: 2 runs")
    assert bench.do("report", "tea", "--sandbox").out.startswith(f"run {latest} of tea")
    assert json.loads(bench.do("manifest", "show", "tea", "--sandbox").out)["run_id"] == latest


def test_what_is_no_campaign_is_refused_with_what_is_meant(bench: Bench) -> None:
    (bench.folder / "jobfiles").mkdir()
    (bench.folder / "jobfiles" / "first.yaml").touch()
    for words, hint in (
        (("runs", "latest"), "it is a run: `kiejobs report latest --sandbox` shows it"),
        (("runs", "taa"), "did you mean `tea`?"),
        (("status", "nothing"), "`kiejobs runs --sandbox` lists the campaigns"),
        (("report", "taa"), "did you mean `tea`?"),
        (("plan", "first"), "did you mean `jobfiles/first.yaml`?"),
    ):
        refused = bench.do(*words, "--sandbox")
        assert refused.code == 2
        assert hint in refused.err


def test_job_files_and_a_limit_narrow_the_list(bench: Bench) -> None:
    assert bench.do("runs", "tea.yaml", "--sandbox").out.count(" tea (tea.yaml) ") == 2
    assert "cup" not in bench.do("runs", "tea.yaml", "--sandbox").out
    short = bench.do("runs", "--sandbox", "--limit", "1").out
    assert short.count(".yaml") == 1
    assert "2 older runs: --limit shows more" in short
    assert bench.do("runs").out == "No runs in runs yet.\n"


def test_a_collect_is_of_the_campaigns_that_it_had_a_hand_in(bench: Bench) -> None:
    bench.write({"x": "x"}, name="late.yaml", campaign="late")
    assert rehearse(bench, "late.yaml", "--detach") == 0
    assert bench.do("collect", *SANDBOX).code == 0
    found = bench.do("runs", "late.yaml", "--sandbox", "--format", "json").json["runs"]
    assert [(run["command"], run["campaign"], run["jobs"]) for run in found] == [
        ("collect", "late", {"succeeded": 1}),
        ("run", "late", {"succeeded": 1}),
    ]


@pytest.mark.parametrize("verb", [("report",), ("manifest", "show")])
def test_a_run_is_named_by_any_part_of_its_id_and_the_last_one_by_a_word(
    bench: Bench, verb: tuple[str, ...]
) -> None:
    latest, _, first = ids(bench)
    for name, run in ((first, first), (first[-6:], first), (first[9:-2], first), ("latest", latest)):
        assert run in bench.do(*verb, name, "--sandbox").out
    assert latest in bench.do(*verb, "--sandbox").out


def test_a_part_that_several_have_and_one_that_none_has_are_told_apart(bench: Bench) -> None:
    several = bench.do("report", "Z-", "--sandbox")
    assert several.code == 2
    assert all(run in several.err for run in ids(bench))
    near = bench.do("report", "lates", "--sandbox")
    assert "did you mean `latest`?" in near.err
    none = bench.do("report", "zzz", "--sandbox")
    assert "no run or campaign `zzz` in rehearsal/runs" in none.err
    assert "`kiejobs runs --sandbox` lists the runs" in none.err


def test_totals_tell_a_run_from_its_campaign(bench: Bench) -> None:
    _, second, first = ids(bench)
    lines = bench.do("report", second, "--sandbox").out.splitlines()
    assert "2 jobs: 2 succeeded; 16 credits charged, 16 in earlier runs" in lines
    assert "this run bought 1 job for 16 credits" in lines
    assert "all runs of the campaign: 32 credits spent or held" in lines
    assert "1 job: 1 succeeded; 16 credits charged" in bench.do("report", first, "--sandbox").out


def test_who_has_only_rehearsed_is_sent_to_the_rehearsals(bench: Bench) -> None:
    refused = bench.do("report", "latest")
    assert refused.code == 2
    assert "add --sandbox" in refused.err
    assert bench.do("report", "latest", "--sandbox").code == 0


def test_quiet_is_the_table_alone(bench: Bench) -> None:
    loud, quiet = (bench.do("runs", "--sandbox", *words).out for words in ((), ("-q",)))
    assert loud.startswith(quiet)
    assert len(quiet.splitlines()) == 4
    assert bench.do("doctor", "--sandbox", "-q").out == "all is well\n"
