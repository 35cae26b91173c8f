"""Runs that end early: Ctrl-C, SIGKILL, a server that dies, a disk that is full, two at once."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import FAST, Bench, Ran, ended, judged
from tests.support.judge.server import KEY, RECORD, Judge

if TYPE_CHECKING:
    from pathlib import Path

Set = tuple[Bench, Judge]


def start(bench: Bench, *words: str) -> subprocess.Popen[str]:
    return bench.start("run", "jobs.yaml", "--yes", *FAST, *words)


def said(process: subprocess.Popen[str], words: str) -> None:
    """Read its stderr until it says so."""
    assert process.stderr is not None
    assert any(words in line for line in process.stderr), f"it never said {words!r}"


def test_one_interrupt_stops_spending_and_collects_what_is_in_flight(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n} [end=held]" for n in range(9)})
    process = start(bench, "--in-flight", "3")
    judge.wait_until(lambda: len(judge.tasks) == 3)
    process.send_signal(signal.SIGINT)
    said(process, "Ctrl-C again")
    judge.let_go.set()
    ran = ended(process)
    assert ran.code == 130
    assert len(judge.creates) == 3
    states = list(bench.states().values())
    assert states.count("succeeded") == 3
    assert states.count(None) == 6
    assert len(list(bench.folder.rglob("*.mp4"))) == 3
    assert "\nInterrupted; 6 jobs were not bought. Run again to continue;" in ran.out
    assert "    kiejobs run jobs.yaml\n" in ran.out
    assert bench.run().code == 0
    assert len(judge.tasks) == 9


def test_an_interrupt_after_all_was_bought_leaves_nothing_to_do(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [end=held]"})
    process = start(bench)
    judge.wait_until(lambda: len(judge.sent(RECORD)) > 0)
    process.send_signal(signal.SIGINT)
    said(process, "Ctrl-C again")
    judge.let_go.set()
    ran = ended(process)
    assert ran.code == 130
    assert "\nInterrupted; all that was bought is here.\n" in ran.out
    assert bench.plan() == {"one": "keep"}


def test_a_create_under_way_is_answered_before_an_interrupt_takes_hold(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n} [create=hang_kept]" for n in range(6)})
    process = start(bench)
    judge.wait_until(lambda: len(judge.tasks) == 4)
    process.send_signal(signal.SIGINT)
    said(process, "Ctrl-C again")
    judge.let_go.set()
    ran = ended(process)
    assert ran.code == 130
    assert len(judge.creates) == 4
    assert bench.known_tasks() == bench.accepted_tasks()


def test_a_second_interrupt_leaves_at_once_and_says_how_to_go_on(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [end=held]", "two": "two [create=hang_kept]"})
    process = start(bench, "--outputs", "my films")
    judge.wait_until(lambda: len(judge.tasks) == 2 and len(judge.sent(RECORD)) > 0)
    process.send_signal(signal.SIGINT)
    said(process, "Ctrl-C again")
    process.send_signal(signal.SIGINT)
    ran = ended(process)
    assert ran.code == 130
    command = "kiejobs collect --outputs 'my films'"
    assert command in ran.err
    judge.let_go.set()
    status = bench.do("status", "--exit-code")
    assert status.code == 4, "the one that was never answered"
    assert bench.do("collect", "--outputs", "my films", "--poll", "50ms").code in {0, 4}
    assert len(list((bench.folder / "my films").rglob("*.mp4"))) == 1
    assert bench.run().code == 4
    assert len(judge.creates) == 2


def test_terminating_is_as_good_as_an_interrupt(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n} [end=held]" for n in range(4)})
    process = start(bench, "--in-flight", "1")
    judge.wait_until(lambda: len(judge.tasks) == 1)
    process.terminate()
    said(process, "Ctrl-C again")
    judge.let_go.set()
    assert ended(process).code == 130
    assert len(judge.creates) == 1


def test_killed_after_the_api_took_it_the_job_is_in_doubt_and_not_bought_again(table: Set) -> None:
    bench, judge = table
    bench.write({"paid": "paid [create=hang_kept]", "good": "good [end=held]"})
    process = start(bench)
    judge.wait_until(lambda: len(judge.tasks) == 2 and len(judge.sent(RECORD)) > 0)
    process.kill()
    process.communicate(timeout=100)
    judge.let_go.set()
    ran = bench.run()
    assert ran.code == 4
    assert len(judge.creates) == 2
    assert bench.states() == {"paid": "in_doubt", "good": "succeeded"}
    assert len(bench.manifests()) == 2, "the killed run has its manifest now"
    task_id = next(t.task_id for t in judge.tasks.values() if "paid" in str(t.body))
    assert bench.do("resolve", "judged/paid", "--task", task_id).code == 0
    assert bench.run().code == 0
    assert bench.known_tasks() == bench.accepted_tasks()
    assert len(judge.creates) == 2


def test_killed_before_the_api_took_it_the_job_is_in_doubt_all_the_same(table: Set) -> None:
    bench, judge = table
    bench.write({"lost": "lost [create=hang]"})
    process = start(bench)
    judge.wait_until(lambda: len(judge.creates) == 1)
    process.kill()
    process.communicate(timeout=100)
    judge.let_go.set()
    assert judge.tasks == {}
    assert bench.run().code == 4
    assert bench.do("plan", "jobs.yaml").code == 0
    assert len(judge.creates) == 1
    assert bench.do("resolve", "judged/lost", "--lost").code == 0
    assert bench.run().code == 0
    assert len(judge.tasks) == 1
    assert bench.do("manifest", "verify").code == 0


def test_killed_before_it_reserved_nothing_is_in_doubt(table: Set) -> None:
    """The connection is made, nothing was written: an API that never lets anybody in."""
    bench, _ = table
    bench.write({"one": "one"})
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
        port = deaf.getsockname()[1]
        # TLS is asked for and never answered, so that there is a connection but no request.
        process = start(bench, "--base-url", f"https://127.0.0.1:{port}")
        sock, _ = deaf.accept()
        with sock:
            assert sock.recv(1) == b"\x16"
            process.kill()
            process.communicate(timeout=100)
    assert bench.plan("--base-url", f"https://127.0.0.1:{port}") == {"one": "submit"}


def test_a_server_that_dies_in_between_costs_one_doubt_and_no_more(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    first, port = serve(log, 0)
    bench = Bench(tmp_path, f"http://127.0.0.1:{port}")
    prompts = {"dead": "dead [create=die_kept]", "one": "one", "two": "two"}
    bench.write({"zero": "zero [polls=14]", **prompts})
    process = start(bench, "--in-flight", "2")
    assert first.wait(20) == 9
    second, _ = serve(log, port)
    ran = ended(process)
    assert ran.code == 4
    stop(second, first)
    states = bench.states()
    assert states.pop("dead") == "in_doubt"
    assert set(states.values()) == {"succeeded"}
    assert len(bench.accepted_tasks()) == 4
    assert len(bench.accepted_tasks() - bench.known_tasks()) == 1


def serve(log: Path, port: int) -> tuple[subprocess.Popen[str], int]:
    """The judge's server as a process of its own, and its port."""
    words = [
        sys.executable,
        "-m",
        "tests.support.judge.server",
        "--log",
        str(log),
        "--port",
        str(port),
    ]
    environment = Bench(log.parent, "").environment()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def stop(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.kill()
        process.communicate(timeout=100)


def test_of_two_at_once_one_buys_and_the_other_says_who(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n} [create=hang_kept]" for n in range(6)})
    first = start(bench)
    judge.wait_until(lambda: len(judge.creates) == 4)
    refused = bench.run()
    judge.let_go.set()
    assert (ended(first).code, refused.code) == (0, 7)
    (manifest,) = bench.manifests()
    assert f"in use by run {manifest['run_id']}" in refused.err
    assert len(judge.creates) == len(judge.tasks) == 6


def test_a_clean_up_at_work_lets_nobody_else_buy(table: Set) -> None:
    """As `git clean -fdX` does it, and `rm runs/.lock*`."""
    bench, judge = table
    bench.write({f"j{n}": f"{n} [create=hang_kept]" for n in range(6)})
    first = start(bench)
    judge.wait_until(lambda: len(judge.creates) == 4)
    for file in (bench.folder / "runs").glob(".lock*"):
        file.unlink()
    refused = bench.run()
    judge.let_go.set()
    assert (ended(first).code, refused.code) == (0, 7)
    assert "in use by another run" in refused.err
    assert len(judge.creates) == len(judge.tasks) == 6


def test_a_runs_folder_that_is_removed_at_work_stops_spending_and_loses_nothing(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n} [end=held]" for n in range(9)})
    first = start(bench, "--in-flight", "3")
    judge.wait_until(lambda: len(judge.tasks) == 3)
    shutil.rmtree(bench.folder / "runs")
    judge.let_go.set()
    stopped = ended(first)
    assert stopped.code == 7
    assert "was removed or replaced" in stopped.out + stopped.err
    assert len(judge.tasks) == 3
    assert bench.known_tasks() == set(judge.tasks)
    assert bench.run().code == 0
    assert len(judge.creates) == len(judge.tasks) == 9


def test_of_two_started_in_the_same_moment_none_buys_what_the_other_has(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n}" for n in range(9)})
    processes = [start(bench), start(bench)]
    assert {ended(process).code for process in processes} <= {0, 7}
    assert len(judge.creates) == len(judge.tasks) == 9
    assert set(bench.states().values()) == {"succeeded"}


def test_while_one_still_waits_another_may_run_and_buys_nothing_twice(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [end=held]"})
    waiting = start(bench)
    judge.wait_until(lambda: len(judge.sent(RECORD)) > 0)
    bench.write({"one": "one [end=held]", "two": "two"})
    assert bench.plan() == {"one": "resume", "two": "submit"}
    second = start(bench)
    judge.wait_until(lambda: len(judge.tasks) == 2)
    judge.let_go.set()
    assert [ended(waiting).code, ended(second).code] == [0, 0]
    assert len(judge.creates) == 2
    assert bench.do("manifest", "verify").code == 0
    assert {job["state"] for m in bench.manifests() for job in m["jobs"].values()} == {"succeeded"}


def limited(bench: Bench, blocks: int, *words: str) -> Ran:
    """Run with no file larger than so many blocks of 1024 bytes: a full disk, as far as we can tell."""
    command = ["bash", "-c", f'ulimit -f {blocks}; exec "$@"', "-", *bench.command(*words)]
    # A module that Python could only half write would stay behind, for everybody who comes later.
    environment = bench.environment(KIE_API_BASE=bench.url, PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run(
        command, cwd=bench.folder, env=environment, capture_output=True, text=True, check=False,
        timeout=280,
    )  # fmt: skip
    assert KEY not in done.stdout + done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("blocks", [0, 1])
def test_where_the_journal_can_not_be_written_nothing_is_sent(table: Set, blocks: int) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n}" for n in range(6)})
    ran = limited(bench, blocks, "run", "jobs.yaml", "--yes", *FAST)
    assert ran.code == 7
    assert judge.creates == []
    assert bench.run().code == 0
    assert len(judge.creates) == 6


def test_a_disk_that_fills_up_in_between_stops_spending_and_loses_nothing(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n}" for n in range(12)})
    ran = limited(bench, 9, "run", "jobs.yaml", "--yes", *FAST)
    assert ran.code == 7
    sent = len(judge.creates)
    assert 0 < sent < 12
    again = bench.run()
    doubts = list(bench.states().values()).count("in_doubt")
    assert again.code == (4 if doubts else 0)
    assert len(judge.creates) == 12
    unknown = bench.accepted_tasks() - bench.known_tasks()
    assert len(unknown) <= doubts <= 4


def test_a_runs_folder_that_is_none_sends_nothing(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    (bench.folder / "runs").write_text("not a folder")
    assert bench.run().code == 7
    assert judge.requests == []


def test_a_burst_of_refusals_is_kept_below_the_apis_limit(tmp_path: Path) -> None:
    """Slower than others: the default rate against a server that counts as the vendor does."""
    bench, judge = judged(tmp_path, limit=(20, 10.0))
    with judge:
        bench.write({f"j{n}": f"{n}" for n in range(24)})
        ran = bench.do("run", "jobs.yaml", "--yes", "--poll", "200ms")
        assert ran.code == 0
        assert len(judge.creates) == len(judge.tasks) == 24, "none was refused"
    times = [request.at for request in judge.creates]
    assert max(sum(1 for t in times if start <= t < start + 10) for start in times) <= 20


def test_the_journal_of_a_killed_run_may_end_in_the_middle_of_a_line(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    bench.run("--detach")
    (journal,) = bench.journals()
    with journal.open("ab") as stream:
        stream.write(b'{"type": "reserved", "attempt')
    assert bench.run().code == 0
    assert len(judge.creates) == 1
    assert json.loads(journal.read_bytes().splitlines()[0])["type"] == "run_started"


@pytest.mark.parametrize(("shell", "bought"), [("", 3), ("trap '' HUP; ", 9)], ids=["plain", "nohup"])
def test_a_run_whose_shell_was_killed_stops_spending_unless_it_was_meant_to_go_on(
    table: Set, shell: str, bought: int
) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n} [end=held]" for n in range(9)})
    words = bench.command("run", "jobs.yaml", "--yes", *FAST, "--in-flight", "3")
    with (bench.folder / "said.txt").open("wb") as said_here:
        outer = subprocess.Popen(
            ["env", "--default-signal=HUP", "sh", "-c", f"{shell}{shlex.join(words)}; true"],
            cwd=bench.folder,
            env=bench.environment(KIE_API_BASE=judge.url),
            stdin=subprocess.DEVNULL,
            stdout=said_here,
            stderr=subprocess.STDOUT,
        )
        judge.wait_until(lambda: len(judge.tasks) == 3)
        outer.kill()
        outer.wait()
        gone = "the process that started this run is gone"
        if bought == 3:
            while gone not in (bench.folder / "said.txt").read_text():
                judge.wait_a_little()
        judge.let_go.set()
        while not bench.manifests():  # the last thing that a run writes
            judge.wait_a_little()
    assert len(judge.creates) == bought
    assert list(bench.states().values()).count("succeeded") == bought
