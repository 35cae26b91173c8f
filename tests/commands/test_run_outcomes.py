"""What createTask's answers mean, end to end: the real command line against the judge's server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bench import Bench, judged
from tests.support.judge.server import Judge

if TYPE_CHECKING:
    from pathlib import Path

Set = tuple[Bench, Judge]


DOUBTFUL = (
    "drop", "drop_kept", "reset", "reset_kept", "html", "html_kept", "502", "502_kept", "garbage",
    "garbage_kept", "noise", "no_id", "no_id_kept", "500", "500_kept", "501", "cut_kept",
)  # fmt: skip


def test_whatever_leaves_a_doubt_is_never_sent_again_by_itself(table: Set) -> None:
    bench, judge = table
    prompts = {f"j{n}": f"shot {n} [create={fault}]" for n, fault in enumerate(DOUBTFUL)}
    # A good one after each keeps the run from stopping at ten doubts in a row.
    prompts = {k: v for n, name in enumerate(prompts) for k, v in _pair(n, name, prompts)}
    bench.write(prompts)
    assert bench.run().code == 4
    assert len(judge.creates) == len(prompts)
    for n, fault in enumerate(DOUBTFUL):
        job = bench.job(f"j{n}")
        assert (job["state"], job["error"]["class"], job["task_id"]) == (
            "in_doubt",
            "in_doubt",
            None,
        ), fault
        assert bench.job(f"good{n}")["state"] == "succeeded"
    # All that was accepted is known, or its address is in doubt.
    unknown = bench.accepted_tasks() - bench.known_tasks()
    assert len(unknown) == sum(fault.endswith("_kept") for fault in DOUBTFUL)
    again = bench.run()
    assert again.code == 4
    assert len(judge.creates) == len(prompts)


def _pair(n: int, name: str, prompts: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, prompts[name]), (f"good{n}", f"a good one, {n}")]


REJECTED = {"404": "404", "422": "422", "505": "505", "500_text": "500"}


def test_a_rejected_job_keeps_its_code_and_the_others_go_on(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{f}": f"{f} [create={f}*1]" for f in REJECTED} | {"good": "a good one"})
    ran = bench.run()
    assert ran.code == 1
    for fault, code in REJECTED.items():
        job = bench.job(f"j{fault}")
        assert (job["state"], job["error"]["code"], job["task_id"]) == ("rejected", code, None)
    assert bench.job("good")["state"] == "succeeded"
    assert bench.run().code == 1
    assert len(judge.creates) == 5, "what was rejected is not sent again by itself"
    assert bench.run("--retry", "failed").code == 0
    assert len(judge.creates) == 9
    assert set(bench.states().values()) == {"succeeded"}


def test_what_was_not_accepted_goes_again_after_a_pause(table: Set) -> None:
    bench, judge = table
    faults = ("429", "429_http", "429_after", "455")
    bench.write({f"j{fault}": f"{fault} [create={fault}]" for fault in faults})
    assert bench.run().code == 0
    assert set(bench.states().values()) == {"succeeded"}
    assert len(judge.creates) == 8
    assert len(judge.tasks) == 4
    attempts = [event["attempt_id"] for event in bench.events() if event["type"] == "reserved"]
    assert len(attempts) == len(set(attempts)) == 8, "each request has a reservation of its own"
    second = sorted(request.at for request in judge.creates)[4:]
    assert second[0] - judge.creates[3].at > 0.9, "everyone pauses, for as long as was asked"


@pytest.mark.parametrize("fault", ["401_http", "402", "402_as_500"])
def test_without_key_or_credits_nothing_more_is_bought_and_all_is_collected(table: Set, fault: str) -> None:
    bench, judge = table
    prompts = {"first": "in flight [polls=8]", "second": f"no [create={fault}]"}
    bench.write(prompts | {f"later{n}": f"later {n}" for n in range(6)})
    ran = bench.run("--in-flight", "2")
    assert ran.code == 5
    assert bench.job("first")["state"] == "succeeded"
    assert bench.job("first")["files"]
    assert bench.job("second")["state"] is None
    assert bench.job("second")["task_id"] is None
    # At most those that were on their way at the same moment came after the refusal.
    assert len(judge.tasks) <= 2
    assert len(judge.creates) <= 3
    assert bench.run().code == 0
    assert set(bench.states().values()) == {"succeeded"}
    assert len(judge.tasks) == 8, "once the account is in order the rest is bought, once"


def test_no_connection_is_waited_out_and_reserves_nothing(tmp_path: Path) -> None:
    bench, judge = judged(tmp_path)
    judge.close()
    bench.write({"one": "one", "two": "two"})
    process = bench.start("run", "jobs.yaml", "--yes", "--poll", "50ms", "--rate", "1000/1s")
    assert process.stderr is not None
    for line in process.stderr:
        if "no connection" in line:
            break
    assert not any(event["type"] == "reserved" for event in bench.events())
    with Judge(bench.log, port=judge.port) as back:
        process.communicate(timeout=100)
        assert process.returncode == 0
        assert len(back.creates) == len(back.tasks) == 2
    assert set(bench.states().values()) == {"succeeded"}


def test_ten_doubts_in_a_row_are_enough(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n} [create=drop_kept]" for n in range(30)})
    assert bench.run().code == 4
    assert 10 <= len(judge.creates) <= 13
    assert "in doubt" in bench.do("status").out


def test_polling_waits_out_what_is_no_verdict(table: Set) -> None:
    bench, judge = table
    bench.write({
        "young": "right after a create it is not known [null=3]",
        "flaky": "between [poll=html,500,drop,429,404]",
        "odd": "a state that nobody knows [end=strange]",
        "failed": "moderated [end=fail]",
    })  # fmt: skip
    ran = bench.run()
    assert ran.code == 1
    states = bench.states()
    assert states.pop("failed") == "failed"
    assert set(states.values()) == {"succeeded"}
    failed = bench.job("failed")
    assert failed["error"] == {"class": "failed", "code": "500", "message": "the scene was flagged"}
    assert failed["credits"] == {"planned": "16", "charged": "0"}
    assert failed["task_id"] in judge.tasks
    assert "pondering" not in {e.get("api_state") for e in bench.events() if e["type"] == "failed"}


def test_the_end_of_patience_is_no_failure(table: Set) -> None:
    bench, judge = table
    bench.write({"slow": "takes its time [end=held]", "empty": "no result yet [end=empty]"})
    ran = bench.run("--wait", "300ms")
    assert ran.code == 8
    assert set(bench.states().values()) == {"running"}
    assert bench.plan() == {"slow": "resume", "empty": "resume"}
    judge.let_go.set()
    assert bench.run("--wait", "300ms").code == 8
    assert bench.job("slow")["state"] == "succeeded"
    assert len(judge.creates) == 2


def test_a_success_that_names_no_file_is_asked_for_again(table: Set) -> None:
    bench, judge = table
    bench.write({"bare": "nothing [end=no_urls]"})
    ran = bench.run("--wait", "300ms")
    assert ran.code == 8
    assert "named no result" in ran.out
    assert "no result" in bench.do("report").out
    assert (bench.job("bare")["state"], bench.job("bare")["api_state"]) == ("running", "success")
    assert bench.plan() == {"bare": "resume"}
    assert len(judge.creates) == 1


def test_broken_downloads_are_tried_again_and_stay_whole(table: Set) -> None:
    bench, judge = table
    faults = ("500", "cut", "page", "type", "short", "gone", "404", "cut,cut,500")
    bench.write({f"j{n}": f"{n} [file={fault}]" for n, fault in enumerate(faults)})
    ran = bench.run()
    assert ran.code == 0, ran.out
    assert len(judge.creates) == len(faults)
    assert bench.do("manifest", "verify").code == 0
    assert list(bench.folder.rglob("*.part")) == []
    ranges = [r.headers["range"] for r in judge.requests if "range" in r.headers]
    assert len(ranges) >= 3, "what was cut goes on where it stopped"


def test_a_download_that_never_works_is_bought_but_not_collected(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "no luck [file=500*4]", "two": "a good one"})
    ran = bench.run()
    assert ran.code == 1
    assert bench.job("one")["state"] == "succeeded"
    assert bench.job("one")["files"] == []
    assert "HTTP 500" in ran.out
    assert bench.do("status", "--format", "json").json["not_collected"]
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert bench.job("one")["files"]
    assert len(judge.creates) == 2


def test_the_key_goes_to_the_api_and_never_to_the_result_host(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    bench.run()
    files = [request for request in judge.requests if request.path.startswith("/files/")]
    assert len(files) == 1
    assert "authorization" not in files[0].headers
    assert all("authorization" in r.headers for r in judge.requests if r not in files)
    assert all(r.headers["user-agent"].startswith("kiejobs/") for r in judge.requests)


def test_signatures_keys_and_absolute_paths_are_not_written_down(table: Set) -> None:
    bench, _ = table
    bench.write({"one": "one"})
    bench.run()
    written = b"".join(p.read_bytes() for p in bench.folder.rglob("runs/**/*") if p.is_file())
    for word in (b"do-not-write-me-down", b"judge-key", str(bench.folder).encode(), b"sig="):
        assert word not in written
