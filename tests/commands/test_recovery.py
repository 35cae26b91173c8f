"""Recovery with the real command line: merged branches, copies, canaries, limits, results that expire.

The oracle is the judge's list of what it accepted. Old purchases are real ones whose journal is written
anew by a clock that stood in the past.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import pytest

from kiejobs.adapters.ledger.journal import FileJournal, read_journal
from kiejobs.app.execute import new_run_id
from kiejobs.app.options import Locations
from kiejobs.app.project import open_workspace
from kiejobs.app.records import lines_to_follow
from kiejobs.cli.options import failures
from tests.contracts.fakes import FakeClock
from tests.support.bench import MODEL, Bench, ended, judged
from tests.support.judge.server import LINK, RECORD, SIGNATURE, Judge
from tests.support.results import refused

if TYPE_CHECKING:
    from pathlib import Path

Set = tuple[Bench, Judge]
TWO = {"model": MODEL, "matrix": {"duration": [5, 10]}}


class Past(FakeClock):
    """A clock that stands some hours ago."""

    def __init__(self, hours: float) -> None:
        super().__init__()
        self._now = datetime.now(UTC) - timedelta(hours=hours)

    def now(self) -> datetime:
        return self._now


def age(bench: Bench, hours: float) -> None:
    """Write the only journal that there is anew, as of so long ago."""
    (path,) = bench.journals()
    record = read_journal(path)
    assert record.header is not None
    clock = Past(hours)
    header = replace(record.header, run_id=new_run_id(clock.now()))
    made = FileJournal(path.parent.parent, header, clock)
    for timed in record.events[1:]:
        made.append(timed.event)
    made.close()
    shutil.rmtree(path.parent)
    assert bench.do("manifest", "rebuild").code == 0


def git(folder: Path, *words: str) -> str:
    who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        who |= {f"GIT_{role}_NAME": "Ann", f"GIT_{role}_EMAIL": "ann@example.com"}
    environment = {"PATH": os.environ["PATH"], **who}
    done = subprocess.run(["git", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- apart and together --------------------------------------------------------------------------


@pytest.fixture
def merged(table: Set) -> tuple[Bench, Judge, list[str]]:
    """Two clones bought the same request, and one has merged the other; both runs' ids."""
    bench, judge = table
    bench.write({"one": "one"})
    (bench.folder / ".gitignore").write_text("outputs/\naccepted.jsonl\nclone/\nruns/.*\n")
    git(bench.folder, "init", "-q", "-b", "main")
    git(bench.folder, "add", "-A")
    git(bench.folder, "commit", "-qm", "a campaign")
    git(bench.folder, "clone", "-q", str(bench.folder), "clone")
    clone = Bench(bench.folder / "clone", bench.url)
    assert [bench.run().code, clone.run().code] == [0, 0]
    for apart in (bench, clone):
        git(apart.folder, "add", "-A")
        git(apart.folder, "commit", "-qm", "bought it")
    git(bench.folder, "pull", "-q", "--no-rebase", "--no-edit", str(clone.folder), "main")
    return bench, judge, [path.parent.name for path in bench.journals()]


def test_what_two_branches_bought_is_named_with_its_tasks_runs_and_cost(
    merged: tuple[Bench, Judge, list[str]],
) -> None:
    bench, judge, runs = merged
    assert len(judge.creates) == 2
    verified = bench.do("manifest", "verify")
    assert verified.code == 1
    (line,) = (line for line in verified.out.splitlines() if "was bought twice" in line)
    assert all(task_id in line for task_id in judge.tasks)
    assert all(run_id in line for run_id in runs)
    assert "16 credits more than once would have cost" in line
    document = bench.do("manifest", "verify", "--format", "json").json
    assert refused("documents/manifest-verify", document) == []
    assert not document["ok"]
    assert bench.run().code == 0
    assert len(judge.creates) == 2, "and nothing is bought a third time"


def test_a_ruling_ends_the_pair(merged: tuple[Bench, Judge, list[str]]) -> None:
    bench, judge, _ = merged
    assert bench.run().code == 0
    task_id = next(iter(judge.tasks))
    assert bench.do("resolve", "judged/one", "--task", "f" * 32).code == 2
    assert bench.do("resolve", "judged/one", "--lost").code == 2
    ruled = bench.do("resolve", "judged/one", "--task", task_id)
    assert ruled.code == 0
    verified = bench.do("manifest", "verify")
    assert "was bought twice" not in verified.out
    assert verified.code == 0, verified.out
    assert bench.plan() == {"one": "keep"}
    assert len(judge.creates) == 2


def test_a_copy_of_the_folder_says_that_another_run_may_be_at_work(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [end=held]"})
    process = bench.start("run", "jobs.yaml", "--yes", "--poll", "50ms")
    judge.wait_until(lambda: len(judge.sent(RECORD)) > 0)
    copy = Bench(bench.folder / "copy", bench.url)
    shutil.copytree(bench.folder / "runs", copy.folder / "runs")
    shutil.copy(bench.folder / "jobs.yaml", copy.folder)
    judge.let_go.set()
    ran = copy.run()
    assert ran.code == 0, "what was on record is followed there, too"
    assert "active on another copy of this folder" in ran.err
    assert ended(process).code == 0
    assert len(judge.creates) == 1
    assert "another copy" not in bench.run().err


def test_the_lock_of_a_killed_run_holds_nobody_up(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [create=hang_kept]", "two": "two [end=held]"})
    process = bench.start("run", "jobs.yaml", "--yes", "--poll", "50ms")
    judge.wait_until(lambda: len(judge.tasks) == 2)
    process.kill()
    process.communicate(timeout=100)
    judge.let_go.set()
    status = bench.do("status", "--exit-code")
    assert status.code == 4
    assert "may have cost 16 credits" in status.out
    assert "kiejobs resolve judged/one --task TASK_ID" in status.out
    assert "kiejobs resolve judged/one --lost" in status.out
    assert bench.do("collect", "--poll", "50ms").code in {0, 4}
    ran = bench.run()
    assert ran.code == 4
    assert len(judge.creates) == 2


# --- canaries and limits ---------------------------------------------------------------------------


def durations(judge: Judge, job: str) -> list[str]:
    bodies = [json.loads(create.body)["input"] for create in judge.creates]
    return [body["duration"] for body in bodies if body["prompt"].startswith(job)]


def test_only_what_its_canary_speaks_well_of_is_bought(table: Set) -> None:
    bench, judge = table
    bench.write({"good": "good", "bad": "bad [end=fail]", "odd": "odd [create=422]"}, defaults=TWO)
    ran = bench.run("--canary")
    assert ran.code == 1
    assert durations(judge, "good") == ["5", "10"]
    assert durations(judge, "bad") == ["5"]
    assert durations(judge, "odd") == ["5"]
    assert "not bought: judged/bad[duration=5] did not succeed" in ran.out
    assert "kiejobs run jobs.yaml --canary --retry failed" in ran.out
    assert "kiejobs run jobs.yaml\n" not in ran.out
    assert len(judge.tasks) == 3
    assert bench.run("--canary").code == 1
    assert len(judge.tasks) == 3
    assert durations(judge, "bad") == ["5"]


@pytest.mark.parametrize(("prompt", "code"), [("lost [create=drop_kept]", 4), ("slow [end=never]", 8)])
def test_a_canary_that_is_in_doubt_or_still_running_holds_the_rest(
    table: Set, prompt: str, code: int
) -> None:
    bench, judge = table
    bench.write({"one": prompt}, defaults=TWO)
    assert bench.run("--canary", "--wait", "1s").code == code
    assert len(judge.creates) == 1
    assert sorted(bench.plan().values()) in (["submit"], ["hold"])  # by job: the last of both
    assert bench.run("--canary", "--wait", "1s").code == code
    assert len(judge.creates) == 1


@pytest.mark.parametrize(("limit", "bought"), [("2", 2), ("50%", 3)])
def test_so_many_failures_stop_buying(table: Set, limit: str, bought: int) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n} [end=fail]" for n in range(6)})
    ran = bench.run("--max-failures", limit, "--in-flight", "1")
    assert len(judge.creates) == bought
    assert ran.code == 5
    assert f"{bought} failed; last: " in ran.out


def test_after_too_many_failures_what_was_bought_is_still_collected(table: Set) -> None:
    bench, judge = table
    prompts = {"held": "held [polls=12]", "a": "a [end=fail]", "b": "b [create=422]"}
    bench.write({**prompts, **{f"j{n}": f"{n} [end=fail]" for n in range(9)}})
    ran = bench.run("--max-failures", "2", "--in-flight", "2")
    assert ran.code == 5
    assert len(judge.creates) == 3
    assert bench.job("held")["state"] == "succeeded"
    assert bench.job("held")["files"]


@pytest.mark.parametrize("limit", ["0", "-1", "101%", "two", "1.5", "0%", "%", "²"])
def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a limit of failures"):
        failures(limit)


def test_a_budget_of_a_campaign_is_never_exceeded_by_one_job_whatever_befalls(table: Set) -> None:
    bench, judge = table
    budget = {"credits": 66, "per": "campaign"}
    faults = ["drop_kept", "drop", "slow", "slow", "slow", "slow", "slow", "slow"]
    bench.write({f"j{n}": f"{n} [create={what}]" for n, what in enumerate(faults)}, budget=budget)
    assert [bench.run().code, bench.run().code] == [4, 4]
    assert len(judge.creates) == 4, "4 times 16; what is in doubt holds its price"
    assert bench.do("resolve", "judged/j1", "--lost").code == 0
    assert bench.run().code == 4
    assert (len(judge.creates), 16 * len(judge.tasks)) == (5, 64), "its price came back, once"
    bench.write({"j9": "9"}, budget={"credits": 17, "per": "run"})
    assert bench.run().code == 4, "for what is still in doubt"
    assert len(judge.creates) == 6, "a budget of a run begins anew"


# --- what expires ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "expiring", "may_be_gone"), [
    (14 * 24 - 40, 1, True), (14 * 24 - 50, 0, None), (15 * 24, 1, True),
])  # fmt: skip
def test_status_tells_what_expires_within_two_days(
    table: Set, hours: float, expiring: int, may_be_gone: Any
) -> None:
    bench, _ = table
    bench.write({"one": "one"})
    assert bench.run("--detach").code == 0
    age(bench, hours)
    document = bench.do("status", "--expiring", "48h", "--format", "json").json
    assert refused("documents/status", document) == []
    assert [line["may_be_gone"] for line in document["expiring"]] == [may_be_gone] * expiring
    text = bench.do("status", "--expiring", "48h").out
    assert ("Expiring: download them now" in text) == bool(expiring)
    assert ("Nothing that is still to be downloaded expires within that time." in text) == (not expiring)


def test_a_link_that_is_refused_is_made_anew(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [file=old*9]"})
    assert bench.run().code == 0
    (asked,) = judge.sent(LINK)
    assert json.loads(asked.body)["url"].startswith(f"{judge.url}/files/")
    assert bench.job("one")["state"] == "succeeded"
    assert SIGNATURE.encode() not in b"".join(path.read_bytes() for path in bench.journals())


def test_within_a_day_what_is_refused_is_only_not_collected(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [file=404*99]"})
    assert bench.run().code == 1
    age(bench, 23)
    assert bench.do("collect", "--poll", "50ms").code == 1
    assert [event for event in bench.events() if event["type"] == "gone"] == []
    assert bench.plan("--retry", "gone") == {"one": "collect"}
    assert len(judge.creates) == 1


def test_after_a_day_it_is_gone_and_bought_again_only_when_asked(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [file=gone*8]"})
    assert bench.run().code == 1
    age(bench, 25)
    ran = bench.do("collect", "--poll", "50ms")
    assert ran.code == 1
    assert "gone at the vendor" in ran.out
    assert bench.plan() == {"one": "hold"}
    assert "! " in bench.do("plan", "jobs.yaml").out
    assert "result_gone" in bench.do("plan", "jobs.yaml").out
    assert (bench.run().code, bench.run("--format", "json").code) == (1, 1)
    status = bench.do("status")
    assert "Gone: made and paid for" in status.out
    document = bench.do("status", "--format", "json").json
    assert refused("documents/status", document) == []
    assert [attempt["address"] for attempt in document["gone"]] == ["judged/one"]
    explained = bench.do("explain", "judged/one", "jobs.yaml", "--format", "json").json
    assert refused("documents/explain", explained) == []
    assert explained["reason"] == "result_gone"
    assert all(refused("event", event) == [] for event in bench.events())
    assert all(refused("manifest", manifest) == [] for manifest in bench.manifests())
    assert bench.run("--retry", "failed").code == 1
    assert len(judge.creates) == 1
    assert bench.plan("--retry", "gone") == {"one": "submit"}
    assert bench.run("--retry", "gone").code == 0
    assert len(judge.creates) == 2
    assert bench.plan("--retry", "gone") == {"one": "keep"}
    assert bench.do("manifest", "verify").code == 0, "buying it again was meant"
    assert bench.known_tasks() == bench.accepted_tasks()


def test_what_is_gone_still_counts_beside_other_work(table: Set) -> None:
    bench, _ = table
    bench.write({"one": "one [file=gone*99]"})
    assert bench.run().code == 1
    age(bench, 25)
    assert bench.do("collect", "--poll", "50ms").code == 1
    bench.write({"one": "one [file=gone*99]", "two": "two"})
    assert bench.run().code == 1
    assert bench.job("two")["state"] == "succeeded"


def test_what_was_gone_and_comes_home_after_all_is_kept(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [file=gone*8]"})
    assert bench.run().code == 1
    age(bench, 25)
    assert bench.do("collect", "--poll", "50ms").code == 1
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert bench.plan("--retry", "gone") == {"one": "keep"}
    assert len(judge.creates) == 1


def test_what_was_made_first_is_fetched_first(tmp_path: Path) -> None:
    """The order they are started in; on the wire they overtake one another."""
    bench, judge = judged(tmp_path)
    with judge:
        for name, hours in (("young", 30.0), ("old", 300.0), ("middle", 100.0)):
            alone = Bench(tmp_path / name, bench.url)
            alone.folder.mkdir()
            (alone.folder / "kiejobs.yaml").write_text("version: 1\n")  # a project of its own
            alone.write({name: name})
            assert alone.run("--detach").code == 0
            age(alone, hours)
            shutil.copytree(alone.folder / "runs", bench.folder / "runs", dirs_exist_ok=True)
        folders = (str(bench.folder / "runs"), str(bench.folder / "outputs"))
        space = open_workspace(Locations(*folders, base_url=bench.url))
        lines = lines_to_follow(space, space.ledger(), "judged")
        assert [line.address for line in lines] == ["judged/old", "judged/middle", "judged/young"]
        assert bench.do("collect", "--once").code in {0, 8}
        assert len(judge.sent(RECORD)) >= 3
