"""What was paid for and answered oddly is on record, shown, and a command away: against the judge's server."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.media.clips import sound_of, video_of
from kiejobs.adapters.storage.containers import what_is_wrong_with
from kiejobs.sandbox.files import make_content
from tests.support.bench import MODEL, Bench
from tests.support.judge.replies import PAGE
from tests.support.judge.server import KEY
from tests.support.raw_server import raw_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.judge.server import Judge

    Set = tuple[Bench, Judge]

PATIENT = ("--wait", "2s")
"""Time for a first poll on the busiest machine, of what will never end."""


def on_record(bench: Bench) -> str:
    texts = [path.read_text() for path in sorted(bench.folder.glob("runs/*/*.json*"))]
    assert not any(KEY in text for text in texts)
    return "".join(texts)


def test_a_task_that_is_named_oddly_is_offered_as_the_next_command(table: Set) -> None:
    bench, judge = table
    bench.write({"odd": "a cup [create=odd_kept]"})
    ran = bench.run()
    assert ran.code == 4
    (task_id,) = judge.tasks
    address = next(iter(bench.manifests()[0]["jobs"]))
    command = f"kiejobs resolve {address} --task {task_id}"
    for said in (ran.out, bench.do("status").out, bench.do("report").out):
        assert command in said.replace("'", "")
        assert f'"task_id": "{task_id}"' in said.replace('":"', '": "')
    assert task_id in on_record(bench)
    assert bench.do("resolve", address, "--task", task_id).code == 0
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert bench.job("odd")["state"] == "succeeded"
    assert "answer" not in bench.job("odd")
    assert len(judge.creates) == 1


def test_collect_ends_a_doubt_where_the_record_carries_its_attempt(table: Set) -> None:
    bench, judge = table
    hook = {
        "defaults": {
            "model": "bytedance/v1-pro-fast-image-to-video",
            "callBackUrl": "https://hooks.example.com/kie",
        }
    }
    bench.write({"odd": "a cup [create=odd_kept]", "cut": "a mug [create=cut_kept]"}, **hook)
    assert bench.run().code == 4
    assert bench.do("collect", "--poll", "50ms").code in {0, 4}
    assert bench.job("odd")["state"] == "succeeded"
    assert bench.states()["cut"] == "in_doubt"
    assert len(judge.creates) == 2


def test_collect_does_not_believe_an_answer_without_the_attempt(table: Set) -> None:
    bench, _ = table
    bench.write({"odd": "a cup [create=odd_kept]"})
    assert bench.run().code == 4
    assert bench.do("collect", "--poll", "50ms").code == 4
    assert bench.states() == {"odd": "in_doubt"}


def test_two_creates_with_one_task_are_a_conflict(table: Set) -> None:
    bench, judge = table
    bench.write({"first": "a cup"})
    assert bench.run().code == 0
    bench.write({"first": "a cup", "second": "a mug [create=same_kept]"})
    assert bench.run().code == 4
    first = next(iter(judge.tasks))
    said = bench.do("status").out
    assert "Conflict" in said
    assert "on record for another create" in said
    for address in bench.manifests()[-1]["jobs"]:
        assert bench.do("resolve", address, "--task", first).code == 0
    assert "Conflict" not in bench.do("status").out


def test_a_value_where_a_video_was_promised_is_kept_as_json(table: Set) -> None:
    bench, _ = table
    bench.write({"sora": "a face [end=value]"})
    ran = bench.run()
    assert ran.code == 1
    assert "video/mp4 was promised, and no file came, but a value" in ran.out
    assert "c-77" in ran.err
    (file,) = bench.job("sora")["files"]
    assert file["path"].endswith(".json")
    assert "c-77" in (bench.folder / "outputs" / file["path"]).read_text()
    assert "c-77" in on_record(bench)
    assert bench.plan() == {"sora": "keep"}


def test_a_video_whose_address_is_in_a_value_is_downloaded(table: Set) -> None:
    bench, _ = table
    bench.write({"odd": "a face [end=object]"})
    assert bench.run().code == 0
    (file,) = bench.job("odd")["files"]
    assert file["path"].endswith("odd.mp4")
    assert "seed" in on_record(bench)
    assert bench.plan() == {"odd": "keep"}


def test_a_result_that_can_not_be_read_is_shown_and_asked_for_again(table: Set) -> None:
    bench, _ = table
    bench.write({"odd": "a face [end=text]"})
    ran = bench.run(*PATIENT)
    assert ran.code == 8
    assert "see *** in our mail" in ran.out
    assert "see *** in our mail" in on_record(bench)
    assert "see *** in our mail" in bench.do("report").out
    status = bench.do("status").out
    assert "see *** in our mail" in status
    assert "No result: " in status
    assert "running" not in status
    assert "At the API" not in status


def test_a_word_that_nobody_knows_is_quoted_everywhere(table: Set) -> None:
    bench, _ = table
    bench.write({"odd": "a face [end=failed]"})
    ran = bench.run(*PATIENT)
    assert ran.code == 8
    assert bench.job("odd")["api_state"] == "failed"
    for said in (ran.out, ran.err, bench.do("report").out, bench.do("status").out):
        assert "failed" in said


def test_a_page_of_the_edge_is_no_word_on_the_key(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [create=403]"})
    ran = bench.run()
    assert ran.code == 5
    assert "edge" in ran.out
    assert "Check KIE_API_KEY" not in ran.out
    assert len(judge.creates) == 1


@pytest.mark.parametrize(
    ("fault", "code", "words", "wrong"),
    [
        ("401_said", 5, "Check KIE_API_KEY", "Top up"),
        ("402", 5, "Top up the account", "KIE_API_KEY"),
        ("402_as_500", 5, "Top up the account", "KIE_API_KEY"),
        ("433", 5, "Topping up the account does not help", "Top up"),
        ("404", 1, "no such endpoint or model: check --base-url and `model`", "change the input"),
        ("422", 1, "the vendor sells no model under this name", "change the input"),
        ("422_input", 1, "change the input", "--check-assets"),
        ("500_text", 1, "change the input", "--check-assets"),
        ("500", 4, "TASK_ID", "--check-assets"),
        ("500_unreachable", 4, "an input's URL that the API can't fetch", "change the input"),
        ("500_long", 4, "`kiejobs validate jobs.yaml --check-assets`", "change the input"),
        ("501", 4, "TASK_ID", "--check-assets"),
        ("505", 1, "switched off; the input is not at fault", "change the input"),
        ("429*99", 5, "429: other programs use up the account's rate limit", "for 0 s"),
        ("455*99", 5, "and --wait ends before the next try, ", "KIE_API_KEY"),
    ],
)
def test_each_code_has_the_cure_that_helps(table: Set, fault: str, code: int, words: str, wrong: str) -> None:
    """Texts as the real service was seen to send them, or as its pages have them."""
    bench, judge = table
    bench.write({"one": f"one [create={fault}]"})
    ran = bench.run("--wait", "500ms")
    assert ran.code == code
    assert words in ran.out
    assert wrong not in ran.out
    assert judge.tasks == {}


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        ("500", "Your prompt was caught by our AI moderator", "change the input"),
        ("500", "internal error, please try again later", "the input may be fine"),
        ("500", "the server is busy", "to buy the same again:"),
        ("402", "insufficient", "top up first"),
        ("400", "Failed to fetch the image from its url", "--check-assets"),
    ],
)
def test_a_task_that_failed_has_the_cure_that_helps(table: Set, code: str, said: str, words: str) -> None:
    bench, judge = table
    judge.failure, judge.failure_code = said, code
    bench.write({"one": "one [end=fail]"})
    ran = bench.run()
    assert ran.code == 1
    assert words in ran.out
    assert (words == "change the input") == ("change the input" in ran.out)


@pytest.mark.parametrize("fault", ["403_edge", "403"])
def test_whatever_is_asked_the_edge_is_named(table: Set, fault: str) -> None:
    """Of polls, uploads and doctor, too; what was bought is collected once the edge lets it through."""
    bench, judge = table
    bench.write({"one": "one [poll=403_edge*3]"})
    ran = bench.run()
    assert ran.code == 5
    assert "HTTP 403 from a proxy, a firewall or the API's edge" in ran.out
    assert "Check KIE_API_KEY" not in ran.out
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert len(judge.creates) == 1
    (bench.folder / "cup.png").write_bytes(make_content("image/png", "cup").data)
    one = {"input": {"prompt": "a cup", "image_url": "cup.png"}}
    document = {"version": 1, "campaign": "judged", "defaults": {"model": MODEL}, "jobs": {"up": one}}
    (bench.folder / "jobs.yaml").write_text(json.dumps(document))
    judge.host.faults.append(fault)
    ran = bench.run()
    assert ran.code == 5
    assert "an upload: HTTP 403 from a proxy, a firewall or the API's edge" in ran.out
    assert "Check KIE_API_KEY" not in ran.out
    assert len(judge.creates) == 1


@pytest.mark.parametrize("status", ["403 Forbidden", "503 Service Unavailable", "200 OK"])
def test_doctor_names_the_edge(tmp_path: Path, status: str) -> None:
    with raw_server(lambda wire: wire.answer(PAGE, status)) as edge:
        ran = Bench(tmp_path, edge.url).do("doctor")
    assert ran.code == 1
    assert f"HTTP {status[:3]} from a proxy, a firewall or the API's edge, not from the API" in ran.out
    assert "the key may be fine" in ran.out


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("503_edge", "HTTP 503 from a proxy"),
        ("429", "the API says 429: too often"),
        ("455", "the API says 455: maintenance"),
        ("404", "the API says 404: not found"),
    ],
)
def test_what_keeps_a_poll_from_its_answer_is_waited_out_and_named(
    table: Set, fault: str, words: str
) -> None:
    bench, _ = table
    bench.write({"one": f"one [poll={fault}*99]"})
    ran = bench.run(*PATIENT)
    assert ran.code == 8
    assert words in ran.out


def test_refusals_without_end_end_with_the_wait(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [create=429*500]"})
    ran = bench.run("--wait", "1s")
    assert ran.code == 5
    assert "busy" in ran.out
    assert len(judge.creates) < 10


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXTINF:5,\nsecret.mp4\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        "\nffconcat version 1.0\nfile secret.mp4\n",
    ],
)
def test_a_text_that_names_other_files_opens_none(tmp_path: Path, text: str) -> None:
    lure = tmp_path / "a.mp4"
    lure.write_text(text)
    assert video_of(lure) == "it does not decode (no container of video that is known)"
    assert sound_of(lure) == "it does not decode (no container of sound that is known)"
    head = text.encode()
    assert what_is_wrong_with(head, len(head), "video/mp4") is not None


def test_a_folder_that_is_gone_and_an_amount_that_nobody_has_are_worded(table: Set, tmp_path: Path) -> None:
    bench, _ = table
    bench.write({"one": "one"})
    assert bench.run().code == 0
    (journal,) = bench.journals()
    journal.write_bytes(journal.read_bytes().replace(b'"credits": "16"', b'"credits": "' + b"9" * 29 + b'"'))
    assert bench.do("status").code == 7
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && exec {sys.executable} -m kiejobs status"
    ran = subprocess.run(
        ["sh", "-c", script], env=bench.environment(), capture_output=True, text=True, check=False
    )
    assert (ran.returncode, "the current folder is gone" in ran.stderr) == (2, True)


@pytest.mark.parametrize("words", ["status", "models list", "render jobs.yaml", "--help", "--version"])
def test_a_stdout_that_takes_nothing_is_worded(table: Set, words: str) -> None:
    """Full, closed, or without a reader."""
    bench, _ = table
    bench.write({"one": "one"})
    kiejobs = f"{sys.executable} -m kiejobs {words}"
    for line, code in ((f"{kiejobs} >/dev/full", 7), (f"{kiejobs} >&-", 0), (f"{kiejobs} | true", 0)):
        ran = shell(bench, f"set -o pipefail; {line}")
        assert (ran.returncode, "can't write" in ran.stderr) == (code, code == 7), line
        assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("most", [6, 8, 16])
def test_a_machine_without_files_to_open_leaves_no_doubt(table: Set, most: int) -> None:
    bench, judge = table
    bench.write({f"j{number}": f"p{number}" for number in range(6)})
    run = f"{sys.executable} -m kiejobs run jobs.yaml --yes --poll 50ms --rate 400/400ms --budget 48"
    ran = shell(bench, f"ulimit -n {most}; exec {run}")
    assert ran.returncode in {1, 5, 7}
    assert "Traceback" not in ran.stderr
    assert bench.known_tasks() == set(judge.tasks)
    assert "in_doubt" not in bench.states().values()


def test_a_disk_that_is_full_is_worded(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    for words in ("plan jobs.yaml -o plan.json", "run jobs.yaml --yes", "init there"):
        ran = shell(bench, f"trap '' XFSZ; ulimit -f 0; exec {sys.executable} -m kiejobs {words}")
        assert ran.returncode in {2, 7}
        assert "File too large" in ran.stderr
    assert judge.creates == []


def shell(bench: Bench, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=bench.folder,
        env=bench.environment(KIE_API_BASE=bench.url),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_frame_that_does_not_come_is_on_record_and_collected_again_until_it_comes(table: Set) -> None:
    bench, judge = table
    bench.write({"pour": "a cup [still=500*8]"})
    assert bench.run().code == 1
    (task_id,) = judge.tasks
    frame = f"{judge.url}/files/{task_id}.png"
    assert on_record(bench).count(frame) >= 2
    assert "sig=" not in on_record(bench)
    assert bench.plan() == {"pour": "collect"}
    for shown in (bench.do("status").out, bench.do("report").out):
        assert "Not collected" in shown
    assert frame in bench.do("report").out

    assert bench.do("collect", "--poll", "50ms").code == 1
    assert bench.plan() == {"pour": "collect"}
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert [file["media_type"] for file in bench.job("pour")["files"]] == ["video/mp4", "image/png"]
    assert bench.job("pour")["error"] is None
    assert bench.plan() == {"pour": "keep"}
    assert len(judge.creates) == 1
    assert len(judge.sent(f"/files/{task_id}.mp4")) == 1
