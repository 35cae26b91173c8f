"""Resolve, manifest, report, status, doctor, init: what is done with what a run wrote down."""

from __future__ import annotations

import json
import shutil
from xml.etree import ElementTree as ET

import pytest

from tests.support.bench import Bench
from tests.support.judge.server import KEY, Judge

Set = tuple[Bench, Judge]


@pytest.fixture
def doubtful(table: Set) -> Set:
    """Two jobs in doubt, both of them paid, and one that is well."""
    bench, judge = table
    bench.write({"a": "a [create=drop_kept]", "b": "b [create=drop_kept]", "c": "c"})
    assert bench.run().code == 4
    return bench, judge


def task_of(judge: Judge, job: str) -> str:
    return next(t.task_id for t in judge.tasks.values() if t.body["input"]["prompt"][0] == job)


def test_resolve_takes_the_right_task_and_no_other(doubtful: Set) -> None:
    bench, judge = doubtful
    wrong = {
        task_of(judge, "b"): "`prompt` differs",
        task_of(judge, "c"): "belongs to `judged/c` already",
        "f" * 32: "does not show task",
    }
    for task_id, words in wrong.items():
        ran = bench.do("resolve", "judged/a", "--task", task_id)
        assert ran.code == 4
        assert words in ran.err
    assert bench.do("resolve", "judged/c", "--lost").code == 2
    assert bench.do("resolve", "judged/a").code == 2
    assert bench.states() == {"a": "in_doubt", "b": "in_doubt", "c": "succeeded"}
    right = bench.do("resolve", "judged/a", "--task", task_of(judge, "a"), "--format", "json")
    assert right.code == 0
    assert right.json["task_id"] == task_of(judge, "a")
    assert bench.job("a")["state"] == "submitted"
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert bench.job("a")["state"] == "succeeded"
    assert len(judge.creates) == 3


def test_what_is_ruled_lost_is_bought_again_once(doubtful: Set) -> None:
    bench, judge = doubtful
    ruled = bench.do("resolve", "judged/b", "--lost")
    assert ruled.code == 0
    assert bench.plan() == {"a": "hold", "b": "submit", "c": "keep"}
    assert bench.run().code == 4, "a is still in doubt"
    assert bench.job("b")["state"] == "succeeded"
    assert len(judge.creates) == 4
    assert bench.do("manifest", "verify").code == 0, "the first run's manifest tells of it too"


def test_a_rebuilt_manifest_has_the_same_bytes(doubtful: Set) -> None:
    bench, _ = doubtful
    (path,) = bench.folder.glob("runs/*/manifest.json")
    before = path.read_bytes()
    assert bench.do("manifest", "rebuild").code == 0
    assert path.read_bytes() == before
    path.unlink()
    assert bench.do("manifest", "verify").code == 1
    rebuilt = bench.do("manifest", "rebuild")
    assert "manifest.json" in rebuilt.out
    assert path.read_bytes() == before
    assert bench.do("manifest", "show").out.encode() == before
    path.write_bytes(before.replace(b"in_doubt", b"rejected", 1))
    verified = bench.do("manifest", "verify", "--format", "json")
    assert verified.code == 1
    assert not verified.json["ok"]


def test_an_edited_line_is_seen_and_nothing_is_bought_on_top_of_it(doubtful: Set) -> None:
    bench, judge = doubtful
    (journal,) = bench.journals()
    before = journal.read_bytes()
    lines = before.splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if b'"type": "submitted"' in line)
    task_id = json.loads(lines[number])["task_id"].encode()
    edits = {
        "changed": (before.replace(task_id, b"0" * 32, 1), number + 2),
        "removed": (b"".join(lines[:number] + lines[number + 1 :]), number + 1),
        "added": (b"".join([*lines[:2], lines[1], *lines[2:]]), 3),
        "torn in the middle": (b"".join([*lines[:2], lines[2][:9] + b"\n", *lines[3:]]), 3),
        "a newer version": (before.replace(b'"v": 1', b'"v": 2', 1), 1),
    }
    for what, (data, line) in edits.items():
        journal.write_bytes(data)
        where = f"journal.jsonl:{line}: "
        ran = bench.run()
        assert (ran.code, where in ran.err) == (7, True), (what, ran.err)
    verified = bench.do("manifest", "verify")
    assert (verified.code, where in verified.out) == (7, True)
    assert len(judge.creates) == 3
    journal.write_bytes(before.replace(b"\n", b"\r\n"))
    assert bench.plan() == {"a": "hold", "b": "hold", "c": "keep"}, "turned line ends are no edit"


def test_journals_come_through_git_in_any_order_and_twice(doubtful: Set) -> None:
    bench, judge = doubtful
    bench.do("resolve", "judged/a", "--task", task_of(judge, "a"))
    bench.do("collect", "--poll", "50ms")
    runs = bench.folder / "runs"
    for path in list(runs.glob("2*")):
        shutil.copytree(path, runs / f"copy-of-{path.name}")
    assert bench.plan() == {"a": "keep", "b": "hold", "c": "keep"}


def test_reports_are_told_in_all_forms(doubtful: Set) -> None:
    bench, _ = doubtful
    (run,) = bench.manifests()
    assert bench.do("report", run["run_id"]).code == 0
    document = bench.do("report", "--format", "json").json
    assert document["run_id"] == run["run_id"]
    junit = bench.do("report", "--format", "junit", "-o", "out.xml", "-o", "out.json", "-o", "out.txt")
    suite = ET.fromstring(junit.out)
    assert len(suite.findall(".//testcase")) == 3
    assert (bench.folder / "out.xml").read_text() == junit.out
    assert json.loads((bench.folder / "out.json").read_text()) == document
    assert "judged/a" in (bench.folder / "out.txt").read_text()
    assert bench.do("report", "no-such-run").code == 2
    assert bench.do("report", "-o", "out.pdf").code == 2


def test_status_tells_what_is_open_and_in_doubt(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a [end=held]"})
    assert bench.run("--detach").code == 0
    assert bench.do("status", "--exit-code").code == 8
    once = bench.do("collect", "--once")
    assert once.code == 8
    assert bench.job("a")["state"] == "running"
    document = bench.do("status", "jobs.yaml", "--format", "json").json
    assert [attempt["address"] for attempt in document["open"]] == ["judged/a"]
    judge.let_go.set()
    assert bench.do("collect", "--once").code == 0
    assert len(judge.creates) == 1


def test_a_file_that_is_due_and_can_not_be_had_is_told_even_when_asked_once(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    bench.run()
    (bench.folder / "outputs" / bench.job("a")["files"][0]["path"]).unlink()
    judge.close()
    ran = bench.do("collect", "--once", "--poll", "20ms")
    assert ran.code == 1
    assert "not collected" in ran.out


def test_a_key_that_the_api_refuses_stops_collecting_with_its_own_code(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    bench.run("--detach")
    ran = bench.do("collect", "--poll", "20ms", KIE_API_KEY="another-key")
    assert ran.code == 5
    assert bench.do("collect", "--poll", "20ms").code == 0


def test_doctor_looks_at_everything(table: Set) -> None:
    bench, judge = table
    well = bench.do("doctor", "--format", "json")
    assert well.code == 0
    checks = {check["name"]: check for check in well.json["checks"]}
    assert checks["balance"]["detail"] == "60.62 credits"
    assert {"key", "api", "runs", "outputs", "disk", "journals", "packages"} <= set(checks)
    assert {request.method for request in judge.requests} == {"GET"}
    assert "no access" in bench.do("doctor", KIE_API_KEY="wrong").out
    (bench.folder / "runs").write_text("in the way")
    judge.close()
    ill = bench.do("doctor", "--format", "json", KIE_API_KEY="ké\ny")
    assert ill.code == 1
    assert {c["name"] for c in ill.json["checks"] if not c["ok"]} == {"key", "runs", "journals"}


def test_init_makes_a_file_that_runs_at_once(table: Set) -> None:
    bench, judge = table
    assert bench.do("init", "new").code == 0
    new = bench.folder / "new"
    assert (new / "jobfiles/first.yaml").read_text().startswith("# yaml-language-server: $schema=")
    assert "rehearsal/" in (new / ".gitignore").read_text().splitlines()
    assert json.loads((new / "schemas/jobfile.schema.json").read_text())
    assert bench.do("validate", "new/jobfiles/first.yaml").code == 0
    words = ("run", "new/jobfiles/first.yaml", "--sandbox", "--yes", "--speed", "1000")
    assert bench.do(*words).code == 0
    assert bench.do("init", "new").code == 2, "nothing that is there is overwritten"
    assert judge.requests == []


def test_nothing_printed_holds_the_key_even_when_the_api_says_it_back(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a [end=fail]"})
    judge.failure = f"your key {KEY} \x1b[31mis red\x07"
    ran = bench.run()
    assert ran.code == 1
    assert "***" in ran.out
    assert "\x1b" not in ran.out + ran.err
    written = b"".join(p.read_bytes() for p in bench.folder.rglob("runs/**/*.json*"))
    assert KEY.encode() not in written
