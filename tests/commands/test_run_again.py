"""Run it again and it does only what is left: plans against the requests that really came."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import Bench
from tests.support.judge.server import Judge

if TYPE_CHECKING:
    from pathlib import Path

Set = tuple[Bench, Judge]


def test_what_is_sent_is_what_render_shows_and_plan_counts(table: Set) -> None:
    bench, judge = table
    axes = {"resolution": ["720p", "1080p"], "duration": [5, 10]}
    scenes = {"pour": "{{ matrix.duration }} s 意式浓缩", "steam": "steam"}
    bench.write(scenes, defaults={"model": "bytedance/v1-pro-fast-image-to-video", "matrix": axes})
    planned = bench.do("plan", "jobs.yaml", "--format", "json").json
    rendered = [json.loads(line) for line in bench.do("render", "jobs.yaml").out.splitlines()]
    ran = bench.do("run", "jobs.yaml", KIEJOBS_YES="1", KIEJOBS_POLL="50ms", KIEJOBS_FORMAT="json")
    assert ran.code == 0
    assert ran.json["run_id"] == bench.manifests()[0]["run_id"], "stdout is the document alone"
    assert "to buy" in ran.err
    assert planned["totals"]["credits"] == "320"
    submits = [change for change in planned["changes"] if change["action"] == "submit"]
    assert len(submits) == len(judge.creates) == len(judge.tasks) == 8
    sent = sorted(request.body for request in judge.creates)
    bodies = [json.dumps(r["body"], ensure_ascii=False, separators=(",", ":")) for r in rendered]
    assert sent == sorted(body.encode() for body in bodies)
    (manifest,) = bench.manifests()
    assert set(manifest["jobs"]) == {change["address"] for change in submits}
    assert bench.known_tasks() == bench.accepted_tasks() == set(judge.tasks)
    assert manifest["totals"]["credits"] == {"charged": "320", "planned": "320"}


def test_a_second_run_buys_nothing_says_so_and_leaves_nothing_behind(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one", "two": "two"})
    bench.run()
    before = sorted(bench.folder.rglob("*"))
    again = bench.run()
    assert again.code == 0
    assert "Nothing to buy" in again.out
    told = [bench.run("--format", "json"), bench.do("collect", "--format", "json")]
    assert [ran.code for ran in told] == [0, 0]
    assert [len(ran.json["jobs"]) for ran in told] == [2, 0]
    assert len(judge.creates) == 2
    assert sorted(bench.folder.rglob("*")) == before


def test_an_edit_buys_the_edited_job_alone_and_its_name_is_the_new_files(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one", "two": "two"})
    bench.run()
    old = bench.job("one")["files"][0]
    mark = bench.job("one")["fingerprint"][:8]
    bench.write({"one": "one, edited", "two": "two"})
    assert bench.run().code == 0
    assert len(judge.creates) == 3
    new = bench.job("one")["files"][0]
    assert (new["path"], new["sha256"] == old["sha256"]) == (old["path"], False)
    aside = bench.folder / "outputs" / old["path"].replace(".mp4", f"~{mark}.mp4")
    assert sha256(aside) == old["sha256"]
    assert sha256(bench.folder / "outputs" / old["path"]) == new["sha256"]
    assert bench.do("manifest", "verify").code == 0
    bench.write({"one": "one", "two": "two"})
    assert bench.plan() == {"one": "keep", "two": "keep"}
    assert "Nothing to collect" in bench.do("collect").err


def test_a_renamed_job_is_adopted_and_a_new_one_may_have_its_name(table: Set) -> None:
    bench, judge = table
    bench.write({"old": "one"})
    bench.run()
    bench.write({"old": "another", "new": "one"})
    assert bench.plan() == {"old": "submit", "new": "adopt"}
    assert bench.run().code == 0
    assert len(judge.creates) == 2
    assert bench.plan() == {"old": "keep", "new": "keep"}


def test_takes_buy_the_same_on_purpose(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one"}, defaults={"model": "bytedance/v1-pro-fast-image-to-video", "takes": 3})
    assert bench.run().code == 0
    assert len(judge.tasks) == 3
    assert len({request.body for request in judge.creates}) == 1
    assert set(bench.states()) == {"one", "one#2", "one#3"}
    assert len(list((bench.folder / "outputs").rglob("*.mp4"))) == 3
    assert bench.run().code == 0
    assert len(judge.creates) == 3


def test_a_removed_or_damaged_file_is_collected_again_and_not_bought(table: Set) -> None:
    bench, judge = table
    bench.write({"gone": "one", "flipped": "two", "short": "three", "whole": "four"})
    bench.run()
    files = {job: bench.folder / "outputs" / bench.job(job)["files"][0]["path"] for job in bench.states()}
    files["gone"].unlink()
    data = files["flipped"].read_bytes()
    files["flipped"].write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    files["short"].write_bytes(data[:-1])
    plan = bench.do("plan", "jobs.yaml", "--format", "json").json
    reasons = {change["address"]: change["reason"] for change in plan["changes"]}
    assert reasons == {
        "judged/gone": "file_missing",
        "judged/flipped": "file_damaged",
        "judged/short": "file_damaged",
        "judged/whole": "done",
    }
    assert plan["totals"]["credits"] == "0"
    assert bench.do("manifest", "verify").code == 1
    assert bench.run().code == 0
    assert bench.do("manifest", "verify").code == 0
    assert len(judge.creates) == 4


def test_collect_brings_home_what_is_missing_and_needs_no_job_file(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one", "two": "two"})
    assert bench.run("--detach").code == 0
    assert set(bench.states().values()) == {"submitted"}
    assert not (bench.folder / "outputs").exists()
    (bench.folder / "jobs.yaml").unlink()
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert set(bench.states().values()) == {"succeeded"}
    first, second = bench.manifests()
    assert first["jobs"] == second["jobs"], "the run that bought them knows as well"
    assert bench.do("collect").code == 0
    assert len(bench.manifests()) == 2, "with nothing to do it leaves nothing behind"
    assert len(judge.creates) == 2


def test_a_task_that_failed_and_was_bought_again_is_still_known(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "unlucky [end=fail]"})
    assert bench.run().code == 1
    (failed,) = judge.tasks
    assert bench.run("--retry", "failed").code == 1
    assert len(judge.tasks) == 2
    assert bench.known_tasks() == bench.accepted_tasks() == set(judge.tasks)
    assert failed in bench.known_tasks()
    assert bench.do("manifest", "verify").code == 0


def test_a_task_that_an_edit_left_in_flight_is_still_collected(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one [end=held]"})
    bench.run("--detach")
    bench.write({"one": "one, edited [end=held]"})
    bench.run("--detach")
    assert bench.run("--detach").code == 0
    judge.let_go.set()
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert len(judge.tasks) == 2
    assert bench.known_tasks() == set(judge.tasks)
    assert len(list((bench.folder / "outputs").rglob("*.mp4"))) == 2
    assert bench.do("manifest", "verify").code == 0


def test_select_and_var_reach_the_wire(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "{{ vars.brand }} one", "two": "{{ vars.brand }} two"}, vars={"brand": "Aurora"})
    assert bench.run("--select", "tw*", "--var", "brand=Boreas").code == 0
    (create,) = judge.creates
    assert json.loads(create.body)["input"]["prompt"] == "Boreas two"
    assert bench.plan("--var", "brand=Boreas") == {"one": "submit", "two": "keep"}


def test_a_rehearsal_is_not_a_purchase(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    rehearsed = bench.do("run", "jobs.yaml", "--sandbox", "--yes", "--speed", "1000")
    assert rehearsed.code == 0
    assert judge.requests == []
    assert bench.plan() == {"one": "submit"}
    assert not (bench.folder / "runs").exists()
    assert bench.run().code == 0
    assert len(judge.creates) == 1


def test_what_another_api_sold_is_not_taken_for_bought(table: Set, tmp_path: Path) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    bench.run()
    with Judge(tmp_path / "other.jsonl") as other:
        elsewhere = ("--base-url", other.url)
        assert bench.run(*elsewhere).code == 0
        assert len(other.tasks) == 1
        assert bench.plan(*elsewhere) == bench.plan() == {"one": "keep"}
    assert len(judge.creates) == 1


def test_a_callback_url_carries_the_attempt_and_changes_no_identity(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    job = bench.folder / "jobs.yaml"
    document = json.loads(job.read_text())
    document["jobs"]["one"]["callBackUrl"] = "https://hooks.example.com/a?b=1"
    job.write_text(json.dumps(document))
    bench.run("--detach")
    attempt = next(e["attempt_id"] for e in bench.events() if e["type"] == "reserved")
    sent = json.loads(judge.creates[0].body)
    assert sent["callBackUrl"] == f"https://hooks.example.com/a?b=1&attempt={attempt}"
    bench.write({"one": "one"})
    assert bench.plan() == {"one": "resume"}


def test_two_collectors_at_once_bring_everything_home_whole(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n} [end=held]" for n in range(12)})
    bench.run("--detach")
    words = ("collect", "--poll", "20ms")
    processes = [bench.start(*words), bench.start(*words)]
    judge.wait_until(lambda: len(judge.sent("/api/v1/jobs/recordInfo")) > 60)
    judge.let_go.set()
    for process in processes:
        process.communicate(timeout=100)
        assert process.returncode == 0
    assert len(list((bench.folder / "outputs").rglob("*.mp4"))) == 12
    assert list(bench.folder.rglob("*.part")) == []
    assert bench.do("manifest", "verify").code == 0


def test_two_campaigns_with_one_request_share_its_purchase_and_then_all_is_quiet(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one"}, name="tea.yaml", campaign="tea")
    bench.write({"cup": "one"}, name="mug.yaml", campaign="mug")
    for name in ("tea.yaml", "mug.yaml", "tea.yaml", "mug.yaml"):
        assert bench.do("run", name, "--yes", "--poll", "50ms").code == 0
    assert len(judge.creates) == 1
    for name in ("tea.yaml", "mug.yaml"):
        planned = bench.do("plan", name, "--format", "json", "--detailed-exitcode")
        assert planned.code == 0
        assert [change["action"] for change in planned.json["changes"]] == ["keep"]


def test_a_campaign_under_another_name_does_not_begin_its_limits_anew(table: Set) -> None:
    bench, judge = table
    limits = "limits: {credits_per_campaign: 20, credits_per_month: 40, credits_per_project: 50}"
    (bench.folder / "kiejobs.yaml").write_text(f"version: 1\n{limits}\n")
    bench.write({"one": "one"}, name="jobs.yaml", campaign="tea")
    assert bench.run().code == 0
    bench.write({"one": "one", "two": "two"}, name="jobs.yaml", campaign="renamed")
    refused = bench.run()
    assert refused.code == 5
    assert "credits_per_campaign" in refused.err
    bench.write({"two": "two"}, name="jobs.yaml", campaign="other")
    assert bench.run().code == 0
    bench.write({"three": "three"}, name="jobs.yaml", campaign="third")
    refused = bench.run()
    assert refused.code == 5
    assert "credits_per_month" in refused.err
    assert len(judge.creates) == 2


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_kiejobs_did_not_write_is_never_written_over(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    place = bench.folder / "outputs/judged/one/one.mp4"
    place.parent.mkdir(parents=True)
    place.write_text("my own")
    assert "what is not from kiejobs stays" in bench.do("plan", "jobs.yaml").out
    assert bench.run().code == 0
    assert place.read_text() == "my own"
    (file,) = bench.job("one")["files"]
    assert file["path"] == f"judged/one/one~{file['sha256'][:8]}.mp4"
    assert bench.plan() == {"one": "keep"}
    edited = bench.folder / "outputs" / file["path"]
    edited.write_text("cut by hand")
    assert bench.plan() == {"one": "collect"}
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert (edited.read_text(), place.read_text()) == ("cut by hand", "my own")
    assert bench.plan() == {"one": "keep"}
    assert len(judge.creates) == 1


@pytest.mark.parametrize("then", ["nothing", "an edit", "a move"])
def test_the_plan_says_that_an_edited_result_stays_and_it_does(table: Set, then: str) -> None:
    """Whatever the line is: a download again, another purchase, an adoption."""
    bench, _ = table
    bench.write({"one": "one"})
    assert bench.run().code == 0
    (file,) = bench.job("one")["files"]
    place = bench.folder / "outputs" / file["path"]
    place.write_text("cut by hand")
    wanted = {"nothing": {"one": "one"}, "an edit": {"one": "two"}, "a move": {"other": "one"}}
    bench.write(wanted[then])
    words = "what was edited since it was collected stays, and the result goes next to it: "
    assert words + file["path"] in bench.do("plan", "jobs.yaml", "--format", "json").out
    for form in ("text", "markdown"):
        assert words in bench.do("plan", "jobs.yaml", "--format", form).out
    assert bench.run().code == 0
    assert place.read_text() == "cut by hand"
    (new,) = bench.job(next(iter(wanted[then])))["files"]
    assert new["path"] == file["path"].replace(".mp4", f"~{new['sha256'][:8]}.mp4")
    assert set(bench.plan().values()) == {"keep"}


def test_the_plan_says_what_is_in_the_way_of_a_result_to_come(table: Set) -> None:
    bench, judge = table
    bench.write({"one": "one", "two": "two"})
    assert bench.run("--detach").code == 0
    in_the_way = bench.folder / "outputs/judged/one/one.mp4"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("my own")
    (bench.folder / "outputs/judged/two/two.mp4").mkdir(parents=True)
    said = bench.do("plan", "jobs.yaml").out
    assert said.count("what is not from kiejobs stays") == 2
    assert bench.run().code == 0
    assert in_the_way.read_text() == "my own"
    paths = [file["path"] for job in ("one", "two") for file in bench.job(job)["files"]]
    assert all("~" in path and (bench.folder / "outputs" / path).is_file() for path in paths)
    assert (len(paths), len(judge.creates)) == (2, 2)


@pytest.mark.parametrize("place", ["outputs/judged/one/one.mp4/", "outputs", "outputs/judged"])
def test_what_would_keep_a_result_out_is_said_before_it_is_bought(table: Set, place: str) -> None:
    bench, judge = table
    bench.write({"one": "one"})
    there = bench.folder / place
    if place.endswith("/"):
        there.mkdir(parents=True)
    else:
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text("a file")
    for ran in (bench.run(), bench.do("plan", "jobs.yaml")):
        assert ran.code == 2
        assert place.rpartition("outputs/")[2].strip("/") in ran.err
    assert judge.creates == []


def test_a_report_is_written_where_nothing_is_left_to_buy(table: Set) -> None:
    bench, judge = table
    bench.write({"pour": "pour"})
    assert bench.do("run", "jobs.yaml", "--yes", KIEJOBS_POLL="50ms").code == 0
    again = bench.do("run", "jobs.yaml", "--yes", "-o", "report.md", "-o", "report.json")
    assert again.code == 0
    assert len(judge.tasks) == 1
    assert "### kiejobs run" in (bench.folder / "report.md").read_text()
    assert json.loads((bench.folder / "report.json").read_text())["exit_code"] == 0
