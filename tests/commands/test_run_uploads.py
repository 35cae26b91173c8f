"""Local files end to end: the real command line, and a judge that keeps what was uploaded to it.

The judge shares no code with kiejobs; its list of accepted tasks and of uploads is the oracle.
"""

from __future__ import annotations

import hashlib
import json
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.adapters.ledger.journal import FileJournal
from kiejobs.adapters.system import SystemClock
from kiejobs.core.ledger import events as e
from kiejobs.sandbox.files import make_content
from tests.support.bench import FAST, MODEL, Bench, ended
from tests.support.judge.server import KEY, Judge
from tests.support.judge.uploads import UPLOAD
from tests.support.raw_server import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.judge.uploads import UploadHost

Set = tuple[Bench, Judge]


def picture(bench: Bench, path: str, seed: str = "") -> str:
    """A picture of its own for each path, or for each seed; the SHA-256 of its content."""
    data = make_content("image/png", seed or path).data
    (bench.folder / path).parent.mkdir(exist_ok=True)
    (bench.folder / path).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def write(bench: Bench, jobs: dict[str, str], image: str = "images/cup.png") -> None:
    """Jobs by their prompts; a prompt may name a picture of its own behind ` @`."""
    inputs = {}
    for name, text in jobs.items():
        prompt, _, path = text.partition(" @")
        inputs[name] = {"input": {"prompt": prompt, "image_url": path or image}}
    document = {"version": 1, "campaign": "judged", "defaults": {"model": MODEL}, "jobs": inputs}
    (bench.folder / "jobs.yaml").write_text(json.dumps(document))


def of_type(bench: Bench, kind: str) -> list[dict[str, Any]]:
    return [event for event in bench.events() if event["type"] == kind]


def names(host: UploadHost) -> list[str]:
    return [upload.path.rpartition("/")[2] for upload in host.taken]


# --- what is bought, what is sent --------------------------------------------------------------------


def test_a_local_picture_is_uploaded_and_bought_with_once(table: Set) -> None:
    bench, judge = table
    sha256 = picture(bench, "images/my first cup.png")
    write(bench, {"one": "one", "two": "two"}, "./images/my first cup.png")
    assert bench.run().code == 0
    (upload,) = judge.host.taken
    assert upload.sha256 == sha256
    assert upload.path == f"kieai/7/kiejobs/{sha256}.png"
    assert upload.headers["authorization"] == f"Bearer {KEY}"
    assert upload.headers["user-agent"].startswith("kiejobs/")
    sent = [task.body["input"]["image_url"] for task in judge.tasks.values()]
    assert sent == [f"{judge.url}/uploads/{upload.path}"] * 2
    assert [event["input"]["image_url"] for event in of_type(bench, "reserved")] == [f"sha256:{sha256}"] * 2
    assert bench.plan() == {"one": "keep", "two": "keep"}
    assert bench.run().code == 0
    assert (len(judge.creates), len(judge.sent(UPLOAD))) == (2, 1)


def test_what_was_uploaded_today_is_used_by_the_next_run_under_whatever_name(table: Set) -> None:
    bench, judge = table
    picture(bench, "images/cup.png")
    write(bench, {"one": "one"})
    assert bench.run().code == 0
    (bench.folder / "images/cup.png").rename(bench.folder / "images/mug.png")
    write(bench, {"one": "one", "two": "two"}, "images/mug.png")
    assert bench.plan() == {"one": "keep", "two": "submit"}
    assert bench.run().code == 0
    assert (len(judge.creates), len(judge.host.taken)) == (2, 1)


def test_a_changed_pixel_is_another_picture(table: Set) -> None:
    bench, judge = table
    picture(bench, "images/cup.png")
    write(bench, {"one": "one"})
    assert bench.run().code == 0
    picture(bench, "images/cup.png", "another")
    assert bench.plan() == {"one": "submit"}
    assert bench.run().code == 0
    assert (len(judge.creates), len(judge.host.taken)) == (2, 2)


@pytest.mark.parametrize(("hours", "uploads"), [(5.0, 0), (3.9, 1), (-1.0, 1)])
def test_an_upload_on_record_is_used_for_as_long_as_it_lives(table: Set, hours: float, uploads: int) -> None:
    bench, judge = table
    sha256 = picture(bench, "images/cup.png")
    earlier = f"{judge.url}/files-of-an-earlier-run/cup.png"
    on_record(bench, judge.url, sha256, earlier, hours)
    write(bench, {"one": "one"})
    assert bench.run().code == 0
    (task,) = judge.tasks.values()
    assert (task.body["input"]["image_url"] == earlier) is (uploads == 0)
    assert len(judge.host.taken) == uploads


def test_what_failed_is_tried_again_with_an_upload_of_its_own(table: Set) -> None:
    bench, judge = table
    picture(bench, "images/cup.png")
    write(bench, {"one": "one"})
    assert bench.run().code == 0
    judge.host.forget()
    write(bench, {"one": "one", "two": "two"})
    assert bench.run().code == 1, "the host has dropped it before its time"
    assert (bench.states()["two"], len(judge.host.taken)) == ("failed", 1)
    assert bench.run("--retry", "failed").code == 0
    assert (bench.states()["two"], len(judge.host.taken)) == ("succeeded", 2)
    assert len(judge.creates) == 3


def test_what_was_uploaded_for_another_api_counts_for_nothing(table: Set) -> None:
    bench, judge = table
    sha256 = picture(bench, "images/cup.png")
    on_record(bench, "http://sandbox.invalid", sha256, "http://sandbox.invalid/uploads/x", 20)
    write(bench, {"one": "one"})
    assert bench.run().code == 0
    assert names(judge.host) == [f"{sha256}.png"]


def on_record(bench: Bench, origin: str, sha256: str, url: str, hours: float) -> None:
    """An earlier run's journal that knows of an upload with so many hours to live."""
    header = e.RunStarted("20261101T000000000Z-aaaaaa", "run", "judged", origin, None, "k 0", 1)
    journal = FileJournal(bench.folder / "runs", header, SystemClock())
    expires = datetime.now(UTC) + timedelta(hours=hours)
    text = f"{expires:%Y-%m-%dT%H:%M:%S}.000Z"
    journal.append(e.Uploaded(sha256, url, 9, "image/png", text, "a.png"))
    journal.close()


def test_a_signed_address_is_used_and_never_written_down(table: Set) -> None:
    bench, judge = table
    judge.host.query = "?signature=do-not-keep"
    picture(bench, "images/cup.png")
    write(bench, {"one": "one", "two": "two"})
    assert bench.run().code == 0
    sent = [task.body["input"]["image_url"] for task in judge.tasks.values()]
    assert [url.endswith(".png?signature=do-not-keep") for url in sent] == [True, True]
    assert len(judge.host.taken) == 1
    (event,) = of_type(bench, "uploaded")
    assert event["expires"] is None
    written = [path.read_bytes() for path in (bench.folder / "runs").rglob("*") if path.is_file()]
    assert not any(b"do-not-keep" in data for data in written)
    write(bench, {"one": "one", "two": "two", "three": "three"})
    assert bench.run().code == 0
    assert len(judge.host.taken) == 2, "the next run has to upload again"


# --- what goes wrong ---------------------------------------------------------------------------------


def test_broken_uploads_are_tried_again_and_leave_no_doubt(table: Set) -> None:
    bench, judge = table
    judge.host.faults.extend(["drop", "502"])
    picture(bench, "images/cup.png")
    write(bench, {"one": "one"})
    ran = bench.run()
    assert ran.code == 0
    assert "images/cup.png: the upload host answered 502" in ran.err
    assert (len(judge.sent(UPLOAD)), len(judge.creates)) == (3, 1)


def test_a_file_that_changes_under_a_run_is_not_bought_with(table: Set) -> None:
    bench, judge = table
    judge.host.faults.extend(["hang"] * 4)
    for n in range(6):
        picture(bench, f"images/{n}.png")
    write(bench, {f"j{n}": f"{n} @images/{n}.png" for n in range(6)})
    process = bench.start("run", "jobs.yaml", "--yes", *FAST)
    judge.wait_until(lambda: len(judge.sent(UPLOAD)) == 4)
    picture(bench, "images/4.png", "edited")
    (bench.folder / "images/5.png").unlink()
    judge.let_go.set()
    ran = ended(process)
    assert ran.code == 1
    assert len(judge.creates) == len(judge.host.taken) == len(of_type(bench, "reserved")) == 4
    assert "images/4.png was changed since it was planned" in ran.out
    assert "images/5.png: it points at no file" in ran.out
    assert bench.states()["j4"] is None
    picture(bench, "images/5.png")
    assert bench.run().code == 0
    assert len(judge.creates) == 6


def test_a_file_that_the_host_refuses_is_not_bought_with(table: Set) -> None:
    bench, judge = table
    judge.host.faults.append("400")
    picture(bench, "images/cup.png")
    write(bench, {"one": "one", "two": "two"})
    ran = bench.run()
    assert ran.code == 1
    assert "the upload host refuses images/cup.png: 400: not this one" in ran.out
    assert (len(judge.sent(UPLOAD)), judge.creates) == (1, [])
    assert bench.run().code == 0
    assert len(judge.creates) == 2


def test_what_could_not_be_sent_counts_though_others_are_still_at_the_api(table: Set) -> None:
    bench, judge = table
    judge.host.faults.append("400")
    picture(bench, "images/cup.png")
    write(bench, {"one": "one", "web": "web @https://example.com/a.png"})
    assert bench.run("--detach").code == 1
    assert bench.states() == {"one": None, "web": "submitted"}


@pytest.mark.parametrize("fault", ["401", "401_http"])
def test_a_key_that_the_host_refuses_stops_the_run(table: Set, fault: str) -> None:
    bench, judge = table
    judge.host.faults.append(fault)
    picture(bench, "images/cup.png")
    write(bench, {"one": "one", "two": "two"})
    ran = bench.run()
    assert ran.code == 5
    assert "the upload host says 40" in ran.out + ran.err
    assert (len(judge.sent(UPLOAD)), judge.creates) == (1, [])
    assert of_type(bench, "reserved") == []


def test_an_interrupt_in_the_middle_of_an_upload_ends_it(table: Set) -> None:
    bench, judge = table
    judge.host.faults.append("hang")
    picture(bench, "images/cup.png")
    write(bench, {"one": "one", "two": "two"})
    process = bench.start("run", "jobs.yaml", "--yes", *FAST)
    judge.wait_until(lambda: len(judge.sent(UPLOAD)) == 1)
    process.send_signal(signal.SIGINT)
    ran = ended(process)
    assert ran.code == 130
    assert "\nCancelled; nothing was bought. Run again" in ran.out
    assert (judge.creates, of_type(bench, "reserved")) == ([], [])
    judge.let_go.set()
    assert bench.run().code == 0
    assert len(judge.creates) == 2


def test_without_a_file_nothing_is_asked_of_the_upload_host(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert bench.run(KIE_UPLOAD_BASE=nowhere).code == 0
    assert judge.sent(UPLOAD) == []


def test_files_go_where_the_environment_says(table: Set, tmp_path: Path) -> None:
    bench, judge = table
    sha256 = picture(bench, "images/cup.png")
    write(bench, {"one": "one"})
    with Judge(tmp_path / "other-log") as other:
        assert bench.run(KIE_UPLOAD_BASE=f"{other.url}/").code == 0
        assert names(other.host) == [f"{sha256}.png"]
        (task,) = judge.tasks.values()
        assert task.body["input"]["image_url"].startswith(other.url)
    assert judge.host.taken == []


# --- doubts ------------------------------------------------------------------------------------------


def test_a_callback_ends_the_doubt_of_a_job_with_a_local_file(table: Set) -> None:
    bench, judge = table
    picture(bench, "images/cup.png")
    write(bench, {"lost": "lost [create=drop_kept] [call=ok] [end=called]"})
    ran = bench.run("--listen", "--port", "0")
    assert (ran.code, ran.err.count("CONFLICT")) == (0, 0)
    assert bench.states() == {"lost": "succeeded"}
    assert bench.known_tasks() == bench.accepted_tasks()
    assert len(judge.creates) == 1


def test_a_listener_ends_the_doubt_of_another_process(table: Set) -> None:
    bench, judge = table
    picture(bench, "images/cup.png")
    write(bench, {"lost": "lost [create=drop_kept] [call=ok] [end=called]"})
    port = free_port()
    hook = f"http://127.0.0.1:{port}/"
    listener = bench.start("listen", "--port", str(port), "--public-url", hook, "--poll", "50ms")
    assert listener.stderr is not None
    assert any("listening at" in line for line in listener.stderr)
    assert bench.run("--public-url", hook, "--detach").code == 4
    judge.wait_until(lambda: any(task.asked > 1 for task in judge.tasks.values()))
    listener.send_signal(signal.SIGINT)
    ended(listener)
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert bench.states() == {"lost": "succeeded"}
    assert (len(judge.creates), len(judge.host.taken)) == (1, 1)


def test_a_ruling_takes_the_task_that_has_this_file_and_no_other(table: Set) -> None:
    bench, judge = table
    picture(bench, "images/cup.png")
    picture(bench, "images/jug.png")
    lost = "lost [create=drop_kept]"
    write(bench, {"cup": f"{lost} @images/cup.png", "jug": f"{lost} @images/jug.png"})
    assert bench.run().code == 4
    tasks = {task.body["input"]["image_url"]: task.task_id for task in judge.tasks.values()}
    ids = {upload.sha256: tasks[f"{judge.url}/uploads/{upload.path}"] for upload in judge.host.taken}
    cup, jug = (ids[sha] for sha in (picture(bench, "images/cup.png"), picture(bench, "images/jug.png")))
    wrong = bench.do("resolve", "judged/cup", "--task", jug)
    assert wrong.code == 4
    assert "its `image_url` differs from what was sent" in wrong.err
    assert bench.do("resolve", "judged/cup", "--task", cup).code == 0
    assert bench.do("resolve", "judged/jug", "--task", jug).code == 0
    assert bench.run().code == 0
    assert bench.states() == {"cup": "succeeded", "jug": "succeeded"}
    assert (len(judge.creates), len(judge.host.taken)) == (2, 2)


def test_what_is_ruled_lost_is_bought_again_with_the_same_upload(table: Set) -> None:
    bench, judge = table
    picture(bench, "images/cup.png")
    write(bench, {"lost": "lost [create=drop]"})
    assert bench.run().code == 4
    assert bench.plan() == {"lost": "hold"}
    assert bench.do("resolve", "judged/lost", "--lost").code == 0
    assert bench.run().code == 0
    assert (len(judge.creates), len(judge.host.taken)) == (2, 1)


# --- rehearsals --------------------------------------------------------------------------------------


def test_a_rehearsal_uploads_to_itself_and_remembers_it(table: Set) -> None:
    bench, judge = table
    picture(bench, "images/cup.png")
    write(bench, {"one": "one"})
    words = ("jobs.yaml", "--sandbox", "--speed", "400", "--yes")
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert bench.do("run", *words, KIE_UPLOAD_BASE=nowhere).code == 0
    write(bench, {"one": "one", "two": "two"})
    assert bench.do("run", *words, KIE_UPLOAD_BASE=nowhere).code == 0
    log = (bench.folder / "rehearsal/sandbox/requests.jsonl").read_text()
    assert log.count(UPLOAD) == 1, "what a rehearsal uploaded outlives its process"
    assert judge.requests == []
    assert bench.run().code == 0
    assert len(judge.host.taken) == 1, "a rehearsal's upload is none"


@pytest.mark.parametrize(
    "do",
    [
        {"lose_reply": "before_accept"},
        {"lose_reply": "after_accept"},
        {"hang": "before", "seconds": 5},
        {"http": 500},
        {"http": 502, "body": "html"},
        {"code": 500},
        {"code": 429},
        {"garbage": True},
        {"html": True},
        {"truncate": 20},
        {"slow_bytes": 60},
    ],
)
def test_a_rehearsal_can_be_given_an_upload_host_that_fails(tmp_path: Path, do: dict[str, Any]) -> None:
    bench = Bench(tmp_path, "http://nowhere.invalid")
    picture(bench, "images/cup.png")
    write(bench, {"one": "one"})
    rules = [{"on": "upload", "times": 1, "do": do}]
    (tmp_path / "faults.yaml").write_text(json.dumps({"rules": rules}))
    words = ("--sandbox", "--speed", "400", "--yes", "--faults", "faults.yaml")
    assert bench.do("run", "jobs.yaml", *words).code == 0
    lines = (tmp_path / "rehearsal/sandbox/requests.jsonl").read_text().splitlines()
    faults = [line["fault"] for line in map(json.loads, lines) if line["path"] == UPLOAD]
    fault = next(iter(do))
    assert faults == ([fault] if fault == "slow_bytes" else [fault, None])
