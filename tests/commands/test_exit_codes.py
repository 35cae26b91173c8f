"""One test for each exit code, in the order of the table."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from kiejobs.core.diagnostics import ExitCode
from tests.support.bench import FAST, PACKAGE, Bench, ended
from tests.support.judge.server import KEY, RECORD, Judge

Set = tuple[Bench, Judge]


def test_0_is_done(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    assert bench.run().code == ExitCode.DONE == 0


def test_1_is_some_failed(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a [end=fail]", "b": "b"})
    assert bench.run().code == ExitCode.SOME_FAILED == 1


def test_2_is_wrong_usage_or_an_invalid_file(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a"}, jbos={})
    for words in (("run", "jobs.yaml", "--yes"), ("run", "nowhere.yaml"), ("fly",), ("run",)):
        ran = bench.do(*words)
        assert ran.code == ExitCode.INVALID == 2
        assert ran.out == ""
        assert ran.err
    assert judge.requests == []


def test_3_is_changes_pending(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    pending = bench.do("plan", "jobs.yaml", "--detailed-exitcode")
    assert pending.code == ExitCode.CHANGES_PENDING == 3


def test_4_is_in_doubt_and_wins_over_1(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a [end=fail]", "b": "b [create=drop]"})
    assert bench.run().code == ExitCode.IN_DOUBT == 4


def test_5_is_stopped(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a [create=402]"})
    assert bench.run().code == ExitCode.STOPPED == 5


def test_6_is_a_plan_that_is_stale(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    assert bench.run("--expect", "ab" * 32).code == ExitCode.STALE_PLAN == 6
    assert judge.creates == []


def test_7_is_journals_that_are_locked_or_unreadable(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    (bench.folder / "runs" / "x").mkdir(parents=True)
    (bench.folder / "runs" / "x" / "journal.jsonl").write_text("<<<<<<< HEAD\n")
    ran = bench.do("plan", "jobs.yaml")
    assert ran.code == ExitCode.JOURNAL == 7
    assert "runs/x/journal.jsonl:1: " in ran.err


def test_8_is_still_running(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a [end=held]"})
    bench.run("--detach")
    assert bench.do("collect", "--once").code == ExitCode.STILL_RUNNING == 8


def test_70_is_a_bug_with_a_report_that_holds_no_key(tmp_path: Path) -> None:
    """An installation that lost a file: nobody's input is to blame."""
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    package = Path(PACKAGE) / "kiejobs"
    shutil.copytree(package, tmp_path / "broken/kiejobs", ignore=shutil.ignore_patterns("schemas"))
    bench.package = str(tmp_path / "broken")
    bench.write({"a": f"a secret place, {KEY}"})
    ran = bench.do("run", "jobs.yaml", "--yes", "--var", f"a={KEY}")
    assert ran.code == ExitCode.BUG == 70
    (report,) = tmp_path.glob("kiejobs-crash-*.txt")
    assert report.name in ran.err
    text = report.read_text()
    assert "FileNotFoundError" in text
    assert "Python 3." in text
    assert KEY not in text
    assert "secret place" not in text


def test_130_is_interrupted(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a [end=held]"})
    process = bench.start("run", "jobs.yaml", "--yes", *FAST)
    judge.wait_until(lambda: len(judge.sent(RECORD)) > 0)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert any("Ctrl-C" in line for line in process.stderr)
    judge.let_go.set()
    assert ended(process).code == ExitCode.INTERRUPTED == 130
