"""What the verbs ask, refuse and say, by the real command line: what a person meets first."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import click
import pytest

from tests.docs.reference.cli import commands
from tests.support.bench import Bench
from tests.support.results import refused

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """With an API that nobody answers at: nothing here may need it."""
    return Bench(tmp_path, "http://127.0.0.1:9")


# --- what is asked for and is not there ------------------------------------------------------------


@pytest.mark.parametrize("verb", ["render", "plan", "run"])
def test_a_selection_that_takes_no_job_is_a_slip_and_is_refused(bench: Bench, verb: str) -> None:
    bench.write({"one": "one"})
    refused = bench.do(verb, "jobs.yaml", "--select", "two tag:three")
    assert refused.code == 2
    assert refused.out == ""
    assert refused.err == (
        "error: --select matches no job\n  help: `kiejobs plan` without --select lists the addresses\n"
    )
    assert bench.journals() == []


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("help",), " --help`?"),
        (("version",), " --version`?"),
        (("apply", "jobs.yaml"), " run`?"),
        (("history",), " runs`?"),
        (("ls",), " plan`, `kiejobs runs` or `kiejobs models list`?"),
        (("init-project",), " init`?"),
        (("plna", "jobs.yaml"), " plan`?"),
        (("sync",), " models sync`?"),
        (("models", "lst"), " models list`?"),
    ],
)
def test_an_unknown_command_is_refused_with_the_one_that_does_it_here(
    bench: Bench, words: tuple[str, ...], meant: str
) -> None:
    refused = bench.do(*words)
    assert (refused.code, refused.out) == (2, "")
    assert (
        f"unknown command `{words[-1 if words[0] == 'models' else 0]}`; did you mean `kiejobs{meant}"
        in refused.err
    )


# --- flags from the environment ---------------------------------------------------------------------


def test_every_flag_can_be_set_by_a_variable_of_its_name() -> None:
    options = [
        option
        for _, command in commands()
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    ]
    assert len(options) > 50
    for option in options:
        long = next(word for word in option.opts if word.startswith("--"))
        assert option.envvar == f"KIEJOBS_{long[2:].replace('-', '_').upper()}"


def test_a_report_goes_where_the_environment_says(bench: Bench) -> None:
    bench.write({"one": "one"})
    assert bench.do("run", "jobs.yaml", "--sandbox", "--yes", "--speed", "1000").code == 0
    assert bench.do("report", "--sandbox", KIEJOBS_OUT="a.xml b.json").code == 0
    assert (bench.folder / "a.xml").read_text().startswith("<?xml")
    assert '"standing": "succeeded"' in (bench.folder / "b.json").read_text()
    assert bench.do("report", "--sandbox", "--out", "c.sarif").code == 2


def test_a_ruling_may_come_from_the_environment_and_contradicts_itself_there_too(
    bench: Bench,
) -> None:
    both = bench.do("resolve", "tea/pour", "--lost", KIEJOBS_TASK="22" * 16)
    assert both.code == 2
    assert "add --task ID or --lost, but not both" in both.err
    none = bench.do("resolve", "tea/pour", KIEJOBS_LOST="1")
    assert none.code == 2
    assert "`tea/pour` is not in doubt" in none.err


# --- rehearsals ---------------------------------------------------------------------------------------


def test_a_rehearsal_asks_nothing_since_it_costs_nothing(bench: Bench) -> None:
    bench.write({"one": "one"})
    assert bench.do("run", "jobs.yaml", "--sandbox", "--speed", "1000").code == 0
    real = bench.do("run", "jobs.yaml")
    assert real.code == 2
    assert "1 job to buy, and no terminal to confirm on" in real.err
    assert bench.journals() == []


def test_the_commands_that_init_suggests_work_as_they_stand(bench: Bench) -> None:
    made = bench.do("init", "my first films")
    assert made.code == 0
    suggested = [shlex.split(line) for line in made.out.splitlines() if "  kiejobs " in line]
    assert [words[1] for words in suggested] == ["plan", "run"]
    for words in suggested:
        assert bench.do(*words[1:], KIEJOBS_SPEED="1000").code == 0
    assert len(list(bench.folder.glob("my first films/rehearsal/outputs/**/*.mp4"))) == 3
    job_file = bench.folder / "my first films" / "jobfiles" / "first.yaml"
    assert shlex.join(suggested[1]) in job_file.read_text()


def test_a_rehearsal_says_so_wherever_credits_are_told(bench: Bench) -> None:
    bench.write({"one": "one"})
    mark = " - a rehearsal, nothing is paid"
    planned = bench.do("plan", "jobs.yaml", "--sandbox")
    assert f"judged: 1 job to buy for 16 credits ($0.08){mark}" in planned.out.split("\n")
    ran = bench.do("run", "jobs.yaml", "--sandbox", "--speed", "1000")
    assert ran.out.count(mark) == 2
    for verb in ("report", "status"):
        assert bench.do(verb, "--sandbox").out.split("\n")[0].endswith(mark)
    assert mark not in bench.do("plan", "jobs.yaml").out


# --- what a report tells -----------------------------------------------------------------------------


def test_a_report_tells_what_its_run_bought_and_where_it_lies(bench: Bench) -> None:
    rehearse = ("run", "jobs.yaml", "--sandbox", "--speed", "1000")
    bench.write({"one": "one", "two": "two"})
    assert bench.do(*rehearse).code == 0
    bench.write({"one": "one", "two": "two", "three": "three"})
    second = bench.do(*rehearse)
    (_, latest) = sorted(path.name for path in (bench.folder / "rehearsal/runs").iterdir() if path.is_dir())
    ends = [
        "3 jobs: 3 succeeded; 16 credits charged, 32 in earlier runs",
        "this run bought 1 job for 16 credits",
        "all runs of the campaign: 48 credits spent or held",
        "files:  rehearsal/outputs",
        f"record: rehearsal/runs/{latest}/manifest.json",
    ]
    assert second.out.splitlines()[-5:] == ends
    assert bench.do("report", "--sandbox").out.splitlines()[-5:] == ends
    document = bench.do("report", "--sandbox", "--format", "json").json
    assert refused("documents/report", document) == []
    assert document["run"] == {"bought": 1, "credits": "16"}


def test_quietly_there_is_what_needs_attention_and_one_closing_line(bench: Bench) -> None:
    bench.write({"one": "one", "two": "two"})
    rehearse = ("-q", "run", "jobs.yaml", "--sandbox", "--speed", "1000")
    mark = " - a rehearsal, nothing is paid"
    over = "OVER BUDGET: 20 credits ($0.10) left; a run stops at the first job that does not fit"
    planned = bench.do("-q", "plan", "jobs.yaml", "--budget", "20")
    assert planned.out == f"{over}\njudged: 2 jobs to buy for 32 credits ($0.16)\n"
    assert bench.do("-q", "plan", "jobs.yaml").out == planned.out.partition("\n")[2]
    stopped = bench.do(*rehearse, "--budget", "20").out.splitlines()
    assert stopped == [
        (
            "Stopped (budget): the next job costs 16 credits, and 4 are left. 1 job was not bought. "
            "Raise the budget, then run again."
        ),
        "    kiejobs run jobs.yaml --sandbox",
        f"judged: 2 jobs: 1 succeeded, 1 not submitted; 16 credits charged{mark}",
    ]
    bought = bench.do(*rehearse)
    assert (bought.out, bought.err) == (
        f"judged: 2 jobs: 2 succeeded; 16 credits charged, 16 in earlier runs{mark}\n", ""
    )  # fmt: skip
    assert bench.do(*rehearse).out == "judged: 2 done. Nothing to buy in this rehearsal.\n"


def test_lost_files_that_are_gone_are_not_collected_and_not_called_succeeded(bench: Bench) -> None:
    bench.write({"one": "one"})
    rehearse = ("run", "jobs.yaml", "--sandbox", "--speed", "1000")
    assert bench.do(*rehearse).code == 0
    for path in (bench.folder / "rehearsal").glob("outputs/**/*.mp4"):
        path.unlink()
    shutil.rmtree(bench.folder / "rehearsal" / "sandbox")  # where the sandbox remembers its tasks
    ran = bench.do("-q", *rehearse, "--wait", "1s")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "Not collected: 1 job is paid for and made, but not all files are here; download them with",
        "    kiejobs collect --sandbox",
        "judged: 1 job: 1 not collected; 16 credits charged in earlier runs - a rehearsal, nothing is paid",
    ]


def test_after_detaching_the_report_says_submitted_as_status_does(bench: Bench) -> None:
    bench.write({"one": "one"})
    ran = bench.do("run", "jobs.yaml", "--sandbox", "--detach")
    assert ran.code == 0
    assert "1 job: 1 submitted; 0 credits charged, 16 credits held for unfinished jobs" in ran.out
    assert "  submitted  1" in bench.do("status", "--sandbox").out
    assert "files:" not in ran.out


# --- what to do next ---------------------------------------------------------------------------------

LOST_REPLIES = "rules: [{on: create, do: {lose_reply: after_accept}}]"


@pytest.fixture
def doubtful(bench: Bench) -> Bench:
    """A rehearsal in folders of its own after which one job is done and one in doubt."""
    bench.write({"good": "good"})
    rehearse = ("run", "jobs.yaml", "--sandbox", "--yes", "--speed", "1000", "--runs", "my runs")
    assert bench.do(*rehearse).code == 0
    bench.write({"good": "good", "doubt": "doubt"})
    (bench.folder / "faults.yaml").write_text(LOST_REPLIES)
    assert bench.do(*rehearse, "--faults", "faults.yaml").code == 4
    return bench


def test_with_nothing_to_collect_the_hint_leads_to_the_doubt(doubtful: Bench) -> None:
    nothing = doubtful.do("collect", "--sandbox", "--runs", "my runs")
    assert nothing.code == 4
    assert nothing.err == (
        "1 job in doubt: `kiejobs status --sandbox --runs 'my runs'` shows what to do\nNothing to collect.\n"
    )


def test_a_run_with_nothing_left_but_a_doubt_says_how_to_rule(doubtful: Bench) -> None:
    folders = ("--sandbox", "--runs", "my runs")
    again = doubtful.do("run", "jobs.yaml", *folders)
    assert again.code == 4
    assert "Nothing to buy in this rehearsal." in again.out
    rule = "    kiejobs resolve judged/doubt {} --sandbox --runs 'my runs'"
    lines = again.out.split("\n")
    assert rule.format("--task TASK_ID") in lines
    assert rule.format("--lost") in lines
    beside = doubtful.do("run", "jobs.yaml", *folders, "--format", "json")
    assert beside.code == 4
    assert "--lost --sandbox" in beside.out + beside.err
