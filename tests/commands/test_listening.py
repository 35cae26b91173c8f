"""The real command line with callbacks coming in: doubts that end by themselves, claims that change nothing.

The oracle is the judge's list of what it accepted, or the sandbox's charge log; both are written before
any reply.
"""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bench import FAST, Bench, ended, judged
from tests.support.results import refused
from tests.support.sandbox_served import read_charges

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.judge.server import Judge

Set = tuple["Bench", "Judge"]
HOOK_KEY = "hook-key-55aa"
HEARING = ("--listen", "--port", "0")


@pytest.fixture
def signing(tmp_path: Path) -> Iterator[Set]:
    """A judge that signs its callbacks."""
    bench, judge = judged(tmp_path, hook_key=HOOK_KEY)
    with judge:
        yield bench, judge


def start(bench: Bench, *words: str, **environment: str) -> subprocess.Popen[str]:
    return bench.start("run", "jobs.yaml", "--yes", *FAST, *HEARING, *words, **environment)


def until(holds: Callable[[], bool], judge: Judge) -> None:
    """Look again with each request that the judge gets, and now and then besides."""
    while not holds():
        judge.wait_a_little()


def told(process: subprocess.Popen[str], words: str) -> str:
    """Read its stderr up to the line that says so; it is killed where that takes too long."""
    assert process.stderr is not None
    patience = threading.Timer(30, process.kill)
    patience.start()
    try:
        found = next((line for line in process.stderr if words in line), None)
    finally:
        patience.cancel()
    assert found is not None, f"it never said {words!r}"
    return found


def interrupted(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    return ended(process).code


def types(bench: Bench) -> list[str]:
    return [event["type"] for event in bench.events()]


def _named(task_id: str) -> Callable[[str], str]:
    return lambda _kind: task_id


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


# --- run --listen --------------------------------------------------------------------------------


def test_a_run_that_listens_ends_its_doubts_by_itself(table: Set) -> None:
    bench, judge = table
    bench.write({
        "lost": "lost [create=drop_kept] [call=ok] [end=called]",
        "page": "page [create=html_kept] [call=ok*3] [end=called]",
        "fine": "fine [call=ok] [end=called]",
    })  # fmt: skip
    ran = bench.run(*HEARING)
    assert (ran.code, ran.err.count("CONFLICT")) == (0, 0)
    assert set(bench.states().values()) == {"succeeded"}
    assert bench.known_tasks() == bench.accepted_tasks()
    assert len(judge.creates) == 3
    assert {call.status for call in judge.calls.made} <= {200, 0}, "0: it was over before a third"
    rulings = [event for event in bench.events() if event["type"] == "resolved"]
    assert [ruling["evidence"].startswith("a callback") for ruling in rulings] == [True, True]
    assert "accepted unsigned, as hints only" in ran.err
    assert bench.do("status", "--exit-code").code == 0
    assert bench.do("manifest", "verify").code == 0


def test_signed_callbacks_end_doubts_and_others_are_turned_away(signing: Set) -> None:
    bench, judge = signing
    bench.write({"one": "one [create=drop_kept] [call=forged,unsigned,ok] [end=called]"})
    ran = bench.run(*HEARING, KIE_WEBHOOK_HMAC_KEY=HOOK_KEY)
    assert ran.code == 0
    assert HOOK_KEY not in ran.out + ran.err
    assert [call.status for call in judge.calls.made] == [401, 401, 200]
    (ruling,) = (event for event in bench.events() if event["type"] == "resolved")
    assert ruling["evidence"].startswith("a signed callback")
    assert bench.known_tasks() == bench.accepted_tasks()


def test_what_is_forged_or_names_no_task_ends_no_doubt(signing: Set) -> None:
    bench, judge = signing
    bench.write({"one": "one [create=drop_kept] [call=forged,unsigned,nobody]"})
    process = start(bench, KIE_WEBHOOK_HMAC_KEY=HOOK_KEY)
    told(process, "names a task that the API lacks")
    assert interrupted(process) == 4
    assert bench.states() == {"one": "in_doubt"}
    assert not {"called", "resolved", "conflicted"} & set(types(bench))
    assert len(judge.creates) == 1


def test_the_attempt_travels_in_the_query_and_stays_out_of_what_is_bought(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [call=ok]"})
    assert bench.plan() == {"one": "submit"}
    assert bench.run(*HEARING).code == 0
    (create,) = judge.creates
    url = json.loads(create.body)["callBackUrl"]
    assert url.endswith(f"?attempt={bench.job('one')['attempt_id']}")
    assert bench.plan() == {"one": "keep"}, "the URL is no part of the request"


def test_a_task_of_another_job_is_a_conflict_and_the_doubt_waits_for_a_person(table: Set) -> None:
    bench, judge = table
    bench.write({"first": "first"})
    assert bench.run().code == 0
    bench.write({"first": "first", "lost": "lost [create=drop_kept] [call=other]"})
    process = start(bench)
    told(process, "CONFLICT at judged/lost")
    assert interrupted(process) == 4
    status = bench.do("status", "--format", "json", "--exit-code")
    assert status.code == 4
    (conflict,) = status.json["conflicts"]
    assert conflict["claims"][0]["why"].startswith("the task belongs to `judged/first`")
    assert conflict["attempt"]["state"] == "in_doubt"
    assert "the task belongs to" in bench.do("status").out
    task_id = next(t.task_id for t in judge.tasks.values() if "lost" in str(t.body))
    assert bench.do("resolve", "judged/lost", "--task", task_id).code == 0
    assert bench.do("status", "--format", "json").json["conflicts"] == []
    assert bench.run().code == 0
    assert len(judge.creates) == 2


def test_a_second_task_of_one_create_is_paid_shown_and_never_lost(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [call=twin,ok] [end=called]"}, budget={"credits": 40})
    assert bench.run(*HEARING).code == 4
    assert len(judge.creates) == 1
    assert len(judge.tasks) == 2
    one = bench.job("one")
    assert {one["task_id"], *one["other_task_ids"]} == bench.accepted_tasks()
    status = bench.do("status", "--exit-code")
    assert status.code == 4
    assert "a second task for one create" in status.out
    assert "32 credits spent or held" in status.out
    document = bench.do("status", "--format", "json").json
    assert refused("documents/status", document) == []
    assert [claim["task_id"] for claim in document["conflicts"][0]["claims"]] == one["other_task_ids"]
    assert [found for event in bench.events() for found in refused("event", event)] == []
    assert [found for made in bench.manifests() for found in refused("manifest", made)] == []
    verified = bench.do("manifest", "verify")
    assert verified.code == 1
    assert "judged/one is one create with several tasks: " in verified.out
    assert all(task_id in verified.out for task_id in bench.accepted_tasks())
    assert "16 credits more than once would have cost" in verified.out
    assert bench.do("resolve", "judged/one", "--task", one["other_task_ids"][0]).code == 2
    assert bench.do("resolve", "judged/one", "--task", one["task_id"]).code == 0
    assert bench.do("manifest", "verify").code == 0
    assert bench.do("status", "--exit-code").code == 0
    assert bench.plan() == {"one": "keep"}
    bench.write({"one": "one [call=twin,ok] [end=called]", "two": "two"},
                budget={"credits": 40, "per": "campaign"})  # fmt: skip
    assert bench.run().code == 5, "32 of 40 are held"
    assert len(judge.creates) == 1


def test_a_conflict_at_what_was_ruled_lost_can_be_ended_too(table: Set) -> None:
    bench, judge = table
    bench.write({"first": "first", "lost": "lost [create=drop]"})
    assert bench.run("--public-url", "http://127.0.0.1:9/").code == 4
    attempt = bench.job("lost")["attempt_id"]
    assert bench.do("resolve", "judged/lost", "--lost").code == 0
    process = bench.start("listen", "--port", "0", "--poll", "50ms")
    url = told(process, "listening at").split()[2]
    first = next(iter(judge.tasks))
    judge.calls.expect(f"{url}?attempt={attempt}", ["ok"], lambda _: first)
    told(process, "CONFLICT at judged/lost")
    assert interrupted(process) == 4
    status = bench.do("status", "--exit-code")
    assert status.code == 4
    assert "kiejobs resolve judged/lost --lost" in status.out
    assert bench.do("resolve", "judged/lost", "--lost").code == 0
    assert bench.do("status", "--exit-code").code == 0
    assert bench.plan() == {"first": "keep", "lost": "submit"}


def test_a_doubt_whose_callback_goes_elsewhere_is_not_waited_for(table: Set) -> None:
    bench, judge = table
    theirs = "http://127.0.0.1:9/own?token=s3cret"
    bench.write({
        "theirs": "theirs [create=drop_kept]",
        "fine": "fine",
    }, defaults={"model": "bytedance/v1-pro-fast-image-to-video", "callBackUrl": theirs})  # fmt: skip
    assert bench.run(*HEARING).code == 4
    attempts = {json.loads(c.body)["callBackUrl"].removeprefix(f"{theirs}&attempt=") for c in judge.creates}
    assert attempts == {bench.job(name)["attempt_id"] for name in ("theirs", "fine")}
    assert b"s3cret" not in b"".join(path.read_bytes() for path in bench.journals())


def test_a_callback_url_that_takes_no_query_is_sent_as_it_is(table: Set) -> None:
    bench, judge = table
    theirs = "http://127.0.0.1:9/own"
    model = {"model": "bytedance/v1-pro-fast-image-to-video"}
    bench.write({"one": "one"}, defaults={**model, "callBackUrl": theirs, "correlate": False})
    assert bench.run(*HEARING).code == 0
    assert [json.loads(create.body)["callBackUrl"] for create in judge.creates] == [theirs]


# --- listen beside others ------------------------------------------------------------------------


def test_a_listener_brings_home_what_a_detached_run_buys_and_ends_its_doubts(table: Set) -> None:
    bench, judge = table
    listener = bench.start("listen", "--port", "0", "--poll", "50ms")
    url = told(listener, "listening at").split()[2]
    bench.write({
        "lost": "lost [create=drop_kept] [call=ok] [end=called]",
        "fine": "fine [call=ok] [end=called]",
        "silent": "silent",
    })  # fmt: skip
    assert bench.run("--detach", "--public-url", url).code == 4
    until(lambda: len(list(bench.folder.rglob("*.mp4"))) == 3, judge)
    until(lambda: types(bench).count("collected") == 3, judge)
    assert interrupted(listener) == 0
    assert set(bench.states().values()) == {"succeeded"}
    assert bench.known_tasks() == bench.accepted_tasks()
    assert len(judge.creates) == 3
    assert "callbacks arrive, the last" not in bench.do("status").out, "nothing is at the API"
    assert bench.do("manifest", "verify").code == 0


def test_a_listener_until_done_ends_by_itself_with_what_it_was_there_for(table: Set) -> None:
    bench, judge = table
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    bench.write({"lost": "lost [create=drop_kept] [end=called]", "held": "held [end=called]"})
    assert bench.run("--detach", "--public-url", url).code == 4
    words = ("listen", "--port", str(port), "--public-url", url, "--until-done", "--poll", "50ms")
    listener = bench.start(*words)
    told(listener, "listening at")
    for create, task_id in zip(judge.creates, judge.tasks, strict=True):
        judge.tasks[task_id].called = True
        task = judge.tasks[task_id]
        assert task.body == json.loads(create.body)
        judge.calls.expect(task.body["callBackUrl"], ["ok"], _named(task_id))
    assert ended(listener).code == 0
    assert set(bench.states().values()) == {"succeeded"}
    assert bench.known_tasks() == bench.accepted_tasks()
    assert bench.do("listen", "--port", "0", "--until-done", "--poll", "50ms").code == 0


def test_a_listener_until_done_does_not_wait_for_ever(table: Set) -> None:
    bench, _ = table
    bench.write({"slow": "slow [end=never]", "quick": "quick"})
    assert bench.run("--detach").code == 0
    left = bench.do("listen", "--port", "0", "--until-done", "--poll", "50ms", "--wait", "300ms")
    assert left.code == 8
    assert "still running" in left.out
    assert bench.states() == {"slow": "running", "quick": "succeeded"}


@pytest.mark.parametrize("before", [True, False])
def test_the_name_is_the_newest_purchases_for_a_listener_too(table: Set, before: bool) -> None:  # noqa: FBT001
    """Also where it was bought when the listener was there already."""
    bench, _ = table
    bench.write({"one": "one"})
    assert bench.run().code == 0
    old = bench.job("one")
    bench.write({"one": "one, edited [end=held]", "two": "two [end=held]"})
    listen = ("listen", "--port", "0", "--until-done", "--poll", "50ms")
    judge = table[1]
    if before:
        assert bench.run("--detach").code == 0
        listener = bench.start(*listen)
    else:
        assert bench.run("--detach", "--select", "job:two").code == 0
        listener = bench.start(*listen)
        told(listener, "listening at")
        assert bench.run("--detach").code == 0
    judge.wait_until(lambda: len(judge.tasks) == 3)
    judge.let_go.set()
    assert ended(listener).code == 0
    new = bench.job("one")["files"][0]
    assert new["path"] == old["files"][0]["path"]
    aside = bench.folder / "outputs" / new["path"].replace(".mp4", f"~{old['fingerprint'][:8]}.mp4")
    assert hashlib.sha256(aside.read_bytes()).hexdigest() == old["files"][0]["sha256"]
    assert bench.do("manifest", "verify").code == 0
    assert set(bench.plan().values()) == {"keep"}


def test_a_run_a_collect_and_a_listener_at_once_get_in_nobodys_way(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n} [call=ok] [end=held]" for n in range(4)})
    runner = start(bench)
    judge.wait_until(lambda: len(judge.tasks) == 4)
    others = [
        bench.start("collect", "--poll", "50ms"),
        bench.start("listen", "--port", "0", "--until-done", "--poll", "50ms"),
    ]
    told(others[1], "listening at")
    judge.let_go.set()
    assert [ended(process).code for process in (runner, *others)] == [0, 0, 0]
    assert len(judge.creates) == 4
    assert set(bench.states().values()) == {"succeeded"}
    assert len(list((bench.folder / "outputs").rglob("*.mp4"))) == 4
    assert list((bench.folder / "outputs").rglob("*.part")) == []
    assert bench.do("manifest", "verify").code == 0
    assert bench.plan() == {f"j{n}": "keep" for n in range(4)}


def test_polling_as_a_safety_net_is_told_by_status(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [call=ok] [end=called]", "held": "held [end=held]"})
    process = start(bench)
    told(process, "polling is only a safety net now")
    status = bench.do("status").out
    assert "callbacks arrive, the last" in status
    assert "polling is only a safety net" in status
    document = bench.do("status", "--format", "json").json
    assert (document["callbacks"]["attempts"], document["callbacks"]["arriving"]) == (1, True)
    judge.let_go.set()
    assert ended(process).code == 0


# --- where nobody can listen ---------------------------------------------------------------------


@pytest.mark.parametrize("verb", [("run", "jobs.yaml", "--yes", "--listen"), ("listen",)])
def test_a_port_that_is_taken_is_said_before_anything_is_bought(table: Set, verb: tuple[str, ...]) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = bench.do(*verb, "--port", str(port))
    assert ran.code == 2
    assert f"can't listen on 127.0.0.1:{port}: " in ran.err
    assert (judge.creates, bench.journals()) == ([], [])


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://hooks.example.com/", "https://", "https://u:p@hooks.example.com/"]
)
def test_a_public_url_that_nobody_can_call_is_refused(table: Set, url: str) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    ran = bench.run("--detach", "--public-url", url)
    assert (ran.code, "not a valid URL for callbacks" in ran.err) == (2, True)
    assert judge.creates == []


@pytest.mark.parametrize(
    "words",
    [
        ("--listen", "--port", "0"),
        ("--listen", "--port", "0", "--public-url", "http://localhost:8788/"),
        ("--detach", "--public-url", "http://192.168.0.7:8788/"),
    ],
)
def test_an_api_in_the_world_can_not_call_this_machine_by_its_own_name(
    table: Set, words: tuple[str, ...]
) -> None:
    bench, _ = table
    bench.write({"one": "one"})
    ran = bench.run(*words, "--base-url", "https://api.example.com")
    assert ran.code == 2
    assert "https://api.example.com can't call http://" in ran.err
    assert bench.journals() == []


@pytest.mark.parametrize("flag", ["--listen", "--canary"])
def test_what_waits_for_results_does_not_go_with_detach(table: Set, flag: str) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    ran = bench.run("--detach", flag)
    assert ran.code == 2
    assert f"{flag} can't be combined with --detach" in ran.err
    assert judge.requests == []


# --- against the sandbox as a process, with faults -------------------------------------------------


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Starts `kiejobs sandbox` with rules, as a process of its own; gives a workplace beside it."""
    started: list[subprocess.Popen[str]] = []

    def serve(*rules: dict[str, Any], **environment: str) -> Bench:
        bench = Bench(tmp_path, "")
        (tmp_path / "faults.yaml").write_text(json.dumps({"rules": rules}))
        words = ("--port", "0", "--store", "store", "--faults", "faults.yaml", "--speed", "60")
        process = bench.start("sandbox", *words, **environment)
        started.append(process)
        bench.url = told(process, "sandbox at").split()[2].rstrip(",")
        return bench

    yield serve
    for process in started:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=100)


def on(prompt: str, **do: Any) -> dict[str, Any]:
    return {"on": "create", "when": {"match": {"prompt": prompt}}, "do": do}


def charged(bench: Bench) -> list[str]:
    return [task.task_id for task in read_charges(bench.folder / "store")]


def test_doubts_end_however_callbacks_come(sandbox: Callable[..., Bench]) -> None:
    lost = {"lose_reply": "after_accept"}
    rules = [
        on("plain", **lost),
        on("late", **lost, callback="late", by=20),
        on("doubled", **lost, callback="doubled", by=1),
        on("forged", **lost, callback="forged", by=1),
        on("silent", callback="none"),
    ]
    key = {"KIE_WEBHOOK_HMAC_KEY": HOOK_KEY}
    bench = sandbox(*rules, **key)
    names = ["plain", "late", "doubled", "forged", "silent", "calm"]
    bench.write({name: name for name in names})
    ran = bench.run(*HEARING, **key)
    assert ran.code == 0, ran.err
    assert len(charged(bench)) == len(set(charged(bench))) == len(names)
    assert set(charged(bench)) == bench.known_tasks()
    assert set(bench.states().values()) == {"succeeded"}
    assert types(bench).count("resolved") == 4
    assert "conflicted" not in types(bench)


def test_a_doubt_that_no_callback_can_end_stays_one(sandbox: Callable[..., Bench]) -> None:
    rules = [
        {**on("never", lose_reply="before_accept"), "times": 1},
        on("silent", lose_reply="after_accept", callback="none"),
    ]
    bench = sandbox(*rules)
    bench.write({"never": "never", "silent": "silent", "calm": "calm"})
    process = start(bench)
    told(process, "waiting up to 15 min for callbacks")
    assert interrupted(process) == 4
    assert bench.states() == {"never": "in_doubt", "silent": "in_doubt", "calm": "succeeded"}
    assert bench.run(*HEARING).code == 4, "and nothing is bought for them"
    paid = charged(bench)
    assert len(paid) == 2
    (unknown,) = set(paid) - bench.known_tasks()
    assert bench.do("resolve", "judged/never", "--task", unknown).code == 4
    assert bench.do("resolve", "judged/silent", "--task", unknown).code == 0
    assert bench.do("resolve", "judged/never", "--lost").code == 0
    assert bench.run().code == 0
    assert len(charged(bench)) == 3
    assert set(charged(bench)) == bench.known_tasks()
