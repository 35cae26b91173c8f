"""What commands print for a person fits 60, 80 and 120 columns: nothing is broken within a word."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import FAST, MODEL, Bench, judged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAMPAIGN = {
    "version": 1,
    "campaign": "espresso",
    "defaults": {
        "model": MODEL,
        "matrix": {"resolution": ["720p", "1080p"], "duration": [5, 10], "shot": {"range": [1, 7]}},
    },
    "jobs": {
        "pour": {
            "input": {
                "image_url": "https://example.com/cup.webp",
                "prompt": "{% include 'shared.j2' %} {{ matrix.shot }}",
            }
        }
    },
}
BROKEN = """version: 1
campaign: espresso
jobs:
  pour: {model: bytedance/v1-pro-fast-image-to-video, inptu: {prompt: A cup of coffee that is poured slowly, and a line that goes on and on}}
"""
COMMANDS = """
--help
plan --help
run --help
plan espresso.yaml
plan espresso.yaml --full
plan espresso.yaml --poll
plan nothing.yaml
validate broken.yaml
explain 'espresso/pour[duration=5,resolution=720p,shot=1]' espresso.yaml
report
report --full
report nothing
runs
status
status espresso.yaml other.yaml
costs
models list
models show bytedance/v1-pro-fast-image-to-video
render nothing.yaml
ledger show
doctor
-v plan espresso.yaml
-q -v plan espresso.yaml
"""
BREAKS = re.compile(r"[^\s,/&?;]+[,/&?;]?|[,/&?;]")
"""What is never broken: a word, or the part of one up to a comma or a slash."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Twenty-eight jobs were bought, and then the words that all of them share were edited."""
    folder: Path = tmp_path_factory.mktemp("widths")
    bench, judge = judged(folder)
    (folder / "espresso.yaml").write_text(json.dumps(CAMPAIGN))
    (folder / "broken.yaml").write_text(BROKEN)
    bench.write({"a": "a"}, name="other.yaml", campaign="other")
    (folder / "shared.j2").write_text("A close-up of a cup in warm light, poured slowly, in one take")
    assert bench.do("run", "espresso.yaml", "--yes", *FAST).code == 0
    (folder / "shared.j2").write_text("A close-up of a cup in cold light, poured slowly, in one take")
    yield bench
    judge.close()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_what_is_printed_fits(bench: Bench, columns: int) -> None:
    commands = COMMANDS.strip().splitlines()
    for command in commands if columns == 60 else commands[2::3]:
        ran = bench.do(*shlex.split(command), COLUMNS=str(columns))
        for line in (ran.out + ran.err).splitlines():
            fits = (
                len(line) <= columns
                or len(line.split()) == 1
                or max(map(len, BREAKS.findall(line))) > columns - 20
            )
            assert fits, f"{command}: {line}"


def test_one_edit_of_all_jobs_is_shown_once_and_full_shows_each(bench: Bench) -> None:
    page, full, short = (
        bench.do("plan", "espresso.yaml", *words).out for words in ((), ("--full",), ("--summary",))
    )
    assert (page.count("cold light"), full.count("cold light"), short.count("cold light")) == (1, 28, 0)
    assert "the same change in 28 jobs" in page
    assert page.endswith(short)
    assert bench.do("-v", "plan", "espresso.yaml").out == full
    assert bench.do("plan", "espresso.yaml", "--quiet").out == short.splitlines(keepends=True)[0]


def test_a_report_of_many_lists_what_needs_attention_and_full_lists_all(bench: Bench) -> None:
    page, full = bench.do("report").out, bench.do("report", "--full").out
    assert "  all 28 succeeded: --full lists them" in page.splitlines()
    assert page.count("espresso/pour[") == 0
    assert full.count("  succeeded      espresso/pour[") == 28
    (line,) = bench.do("-q", "report").out.splitlines()
    assert line.startswith("espresso: 28 jobs: 28 succeeded; ")


def test_the_report_has_totals_of_the_campaign(bench: Bench) -> None:
    found = bench.do("report", "--json").json["campaign_totals"]
    assert found["states"]["succeeded"] == 28
    assert found["credits"] == bench.do("status", "espresso.yaml", "--json").json["committed"]


def test_status_takes_several_files_and_folders(bench: Bench) -> None:
    several = bench.do("status", "espresso.yaml", "other.yaml")
    assert several.out.startswith("espresso: 1 run at ")
    assert "\nother: no runs " in several.out
    assert "2 campaigns together: 28 succeeded; 1,120 credits spent or held" in several.out
    first, second = bench.do("--json", "status", "espresso.yaml", "other.yaml").json["statuses"]
    assert (first["campaign"], second["campaign"]) == ("espresso", "other")
    assert first["counts"]["succeeded"] == 28
    assert (second["counts"]["succeeded"], second["runs"]) == (0, [])


def test_flags_of_every_command_exclude_each_other(bench: Bench) -> None:
    assert bench.do("plan", "espresso.yaml", KIEJOBS_JSON="true").json["campaign"] == "espresso"
    assert bench.do("lock", "other.yaml", KIEJOBS_JSON="true").code == 0
    for words, refused in (
        (("lock", "--json", "espresso.yaml"), "`kiejobs lock` has no JSON output"),
        (("-q", "runs", "-v"), "-q and -v exclude each other"),
        (("plan", "espresso.yaml", "--full", "--summary"), "--summary and --full exclude each other"),
        (("report", "--json", "--format", "junit"), "--json and --format junit exclude each other"),
    ):
        ran = bench.do(*words)
        assert (ran.code, ran.err.splitlines()[-1]) == (2, f"Error: {refused}")


def test_what_programs_read_is_never_broken(bench: Bench) -> None:
    for words in (
        "manifest show --json",
        "manifest export --format csv --out -",
        "render other.yaml",
        "costs --format csv",
    ):
        narrow, free = (bench.do(*words.split(), **more).out for more in ({"COLUMNS": "40"}, {}))
        assert narrow == free
