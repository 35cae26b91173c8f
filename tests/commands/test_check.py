"""`kiejobs check`, and checks after a run, by the real command line: results come over a socket."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.adapters.sandbox import make_sandbox
from tests.support.bench import FAST, MODEL, Bench
from tests.support.clips import black_between, make_clip, picture, scene
from tests.support.results import refused
from tests.support.sandbox_served import read_charges, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.forked import Ran

CHECKED = {"KIEJOBS_CHECKS": "true"}


@contextmanager
def shop(folder: Path, clips: dict[str, bytes]) -> Iterator[Bench]:
    """A sandbox that gives each prompt the clip that is meant for it."""
    sandbox = make_sandbox(folder / "store", 1000.0, None)
    sandbox.draw = lambda _, task, __, ___: clips.get(task.input["prompt"])
    with serving(sandbox) as url:
        yield Bench(folder, url)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("clips")
    hd: dict[str, Any] = {"size": (1280, 720), "fps": 8}
    made = {
        "good": make_clip(folder / "good.mp4", **hd),
        "short": make_clip(folder / "short.mp4", seconds=3.0, **hd),
        "black": make_clip(folder / "black.mp4", frame=black_between(1.0, 3.0), **hd),
        "other": make_clip(folder / "other.mp4", frame=scene(4), **hd),
    }
    return {name: path.read_bytes() for name, path in made.items()} | {
        "twin": made["good"].read_bytes() + b"\0\0\0\x08free"
    }


def write(bench: Bench, jobs: dict[str, Any], **more: Any) -> None:
    fields = {"image_url": "https://example.com/cup.webp", "duration": "5", "resolution": "720p"}
    bodies = {
        name: {**job, "input": {**fields, "prompt": name, **job.get("input", {})}}
        for name, job in jobs.items()
    }
    document = {"version": 1, "campaign": "tea", "defaults": {"model": MODEL, **more}, "jobs": bodies}
    (bench.folder / "jobs.yaml").write_text(json.dumps(document))


def checked(bench: Bench, *words: str) -> tuple[Ran, dict[str, dict[str, str]]]:
    ran = bench.do("check", "jobs.yaml", "--format", "json", *words)
    assert refused("documents/check", ran.json) == []
    found = {one["address"].partition("/")[2]: one["checks"] for one in ran.json["results"]}
    return ran, {name: {one["name"]: one["verdict"] for one in checks} for name, checks in found.items()}


def test_what_was_asked_for_is_checked_without_a_word_and_a_failure_is_exit_1(
    tmp_path: Path, clips: dict[str, bytes]
) -> None:
    with shop(tmp_path, clips) as bench:
        write(bench, {"good": {}, "short": {}})
        assert bench.run(**CHECKED).code == 0
        ran, found = checked(bench)
        verified = bench.do("manifest", "verify", "--decode")
    assert (ran.code, verified.code) == (1, 1)
    assert found == {"good": {"length": "ok", "size": "ok"}, "short": {"length": "failed", "size": "ok"}}
    assert "it lasts 3.0 s, 5 s were asked for" in verified.out


def test_a_stated_check_that_fails_is_the_run_s_exit_code_and_in_all_reports(
    tmp_path: Path, clips: dict[str, bytes]
) -> None:
    with shop(tmp_path, clips) as bench:
        write(bench, {"good": {}, "black": {}}, checks={"not_black": True})
        ran = bench.run("-o", "report.json", "-o", "report.xml", "-o", "report.md", **CHECKED)
        again = bench.run(**CHECKED)
        report = bench.do("report")
    assert ran.code == 1
    assert "check not_black failed: it is black from 1.00 s to 3.00 s" in ran.out
    assert "kiejobs check jobs.yaml" in ran.out
    assert "check not_black failed: it is black from 1.00 s to 3.00 s" in report.out
    document = json.loads((tmp_path / "report.json").read_text())
    assert refused("documents/report", document) == []
    verdicts = {job["address"]: {c["name"]: c["verdict"] for c in job["checks"]} for job in document["jobs"]}
    assert verdicts["tea/black"]["not_black"] == "failed"
    assert verdicts["tea/good"] == {"length": "ok", "size": "ok", "not_black": "ok"}
    assert "it is black from 1.00 s to 3.00 s" in (tmp_path / "report.md").read_text()
    xml = (tmp_path / "report.xml").read_text()
    assert 'failures="1"' in xml
    assert 'type="check"' in xml
    # A failed check never buys: there was nothing to do the second time.
    assert again.code == 0
    assert len(read_charges(tmp_path / "store")) == 2


def test_checks_are_no_part_of_a_request(tmp_path: Path, clips: dict[str, bytes]) -> None:
    with shop(tmp_path, clips) as bench:
        write(bench, {"short": {}})
        bench.run(**CHECKED)
        lock = bench.do("lock", "jobs.yaml").code
        write(bench, {"short": {"checks": {"length": False, "cuts": {"at_most": 3}}}})
        assert bench.plan() == {"short": "keep"}
        assert (lock, bench.do("validate", "jobs.yaml", "--locked").code) == (0, 0)
        ran, found = checked(bench)
    assert (ran.code, found) == (0, {"short": {"size": "ok", "cuts": "ok"}})


def test_a_job_s_checks_are_laid_over_those_of_the_defaults(tmp_path: Path, clips: dict[str, bytes]) -> None:
    jobs = {
        "good": {"checks": {"cuts": False}},
        "short": {"checks": {"length": {"severity": "warning"}}},
        "other": {"checks": False},
    }
    with shop(tmp_path, clips) as bench:
        write(bench, jobs, checks={"length": {"within": 0.1}, "cuts": True, "size": False})
        bench.run(**CHECKED)
        ran, found = checked(bench)
    assert ran.code == 0
    assert found == {"good": {"length": "ok"}, "short": {"length": "warning", "cuts": "ok"}}


def test_what_is_known_is_not_looked_at_again_and_can_be_made_again(
    tmp_path: Path, clips: dict[str, bytes]
) -> None:
    with shop(tmp_path, clips) as bench:
        write(bench, {"good": {}})
        bench.run(**CHECKED)
        kept = tmp_path / "runs/.lock.checks"
        first = kept.read_bytes()
        kept.write_bytes(first.replace(b"5.00 s", b"4.99 s"))
        assert "4.99 s" in bench.do("check").out
        assert "5.00 s" in bench.do("check", "--again").out
        kept.unlink()
        assert "5.00 s" in bench.do("check").out
        assert kept.read_bytes() == first
        kept.write_bytes(b"nonsense\n[1]\n")
        assert bench.do("check").code == 0
        result = next((tmp_path / "outputs").rglob("*.mp4"))
        result.write_bytes(clips["short"])
        assert "No result has checks." in bench.do("check", "--again").out


def test_near_duplicates_name_one_another(tmp_path: Path, clips: dict[str, bytes]) -> None:
    with shop(tmp_path, clips) as bench:
        write(bench, {"good": {}, "twin": {}, "other": {}}, checks={"not_duplicate": True})
        bench.run(**CHECKED)
        ran, found = checked(bench)
        text = bench.do("check").out
    assert ran.code == 1
    assert {name: checks["not_duplicate"] for name, checks in found.items()} == {
        "good": "failed", "twin": "failed", "other": "ok",
    }  # fmt: skip
    assert "it looks like tea/twin: likeness 1.000" in text


def test_a_local_picture_is_held_against_the_first_frame(tmp_path: Path, clips: dict[str, bytes]) -> None:
    picture(tmp_path / "cup.png")
    with shop(tmp_path, clips) as bench:
        local = {"input": {"image_url": "cup.png"}}
        write(bench, {"good": local, "other": local}, checks={"first_frame_matches": True})
        environment = {**CHECKED, "KIE_UPLOAD_BASE": bench.url}
        assert bench.run(**environment).code == 1
        _, found = checked(bench)
    assert {name: checks["first_frame_matches"] for name, checks in found.items()} == {
        "good": "ok",
        "other": "failed",
    }


def test_a_canary_that_fails_its_checks_is_the_only_purchase(tmp_path: Path, clips: dict[str, bytes]) -> None:
    with shop(tmp_path, clips) as bench:
        write(bench, {"short": {"takes": 3, "checks": {"length": True}}})
        ran = bench.run("--canary", **CHECKED)
        assert ran.code == 1
        assert "failed its checks (length: it lasts 3.0 s, 5 s were asked for)" in ran.out
        assert len(read_charges(tmp_path / "store")) == 1
        assert bench.run("--canary", "--no-checks").code == 0
        assert len(read_charges(tmp_path / "store")) == 3


def test_a_failed_canary_holds_its_job_back_in_later_runs_until_it_is_picked(
    tmp_path: Path, clips: dict[str, bytes]
) -> None:
    with shop(tmp_path, clips) as bench:
        jobs = {"short": {"takes": 3, "checks": {"length": True}}, "good": {"takes": 2}}
        write(bench, jobs)
        assert bench.run("--canary", **CHECKED).code == 1
        held = bench.run("--canary", **CHECKED)
        assert held.code == 1
        assert held.out.count("not bought: tea/short failed its checks (length: it lasts 3.0 s") == 2
        assert "2 jobs were not bought, since another result of the same job did not pass." in held.out
        assert "    kiejobs pick tea/short\n    kiejobs run jobs.yaml --canary\n" in held.out
        assert "kiejobs run jobs.yaml\n" not in held.out
        later = bench.do("report").out
        assert "    kiejobs pick tea/short\n    kiejobs run jobs.yaml --canary\n" in later
        assert "kiejobs run jobs.yaml\n" not in later
        assert len(read_charges(tmp_path / "store")) == 3
        bench.do("pick", "tea/short", "--reject")
        assert bench.run("--canary", **CHECKED).code == 1
        assert len(read_charges(tmp_path / "store")) == 3, "a rejected result speaks against its job as well"
        bench.do("pick", "tea/short")
        assert "failed its checks" in bench.run("--canary", **CHECKED).out, "the next canary is not picked"
        assert len(read_charges(tmp_path / "store")) == 4
        bench.do("pick", "tea/short*")
        bench.run("--canary", **CHECKED)
        assert len(read_charges(tmp_path / "store")) == 5


@pytest.mark.parametrize(
    "changed", [{"checks": {"length": False}}, {"input": {"duration": "10"}, "checks": {"length": True}}]
)
def test_a_changed_job_or_check_is_no_longer_held_back(
    changed: dict[str, Any], tmp_path: Path, clips: dict[str, bytes]
) -> None:
    with shop(tmp_path, clips) as bench:
        write(bench, {"short": {"takes": 2, "checks": {"length": True}}})
        bench.run("--canary", **CHECKED)
        write(bench, {"short": {"takes": 2, **changed}})
        bench.run("--canary", **CHECKED)
        assert len(read_charges(tmp_path / "store")) == 2


def test_without_canary_the_rest_is_bought_as_it_is(tmp_path: Path, clips: dict[str, bytes]) -> None:
    with shop(tmp_path, clips) as bench:
        write(bench, {"short": {"takes": 2, "checks": {"length": True}}})
        bench.run("--canary", **CHECKED)
        bench.run(**CHECKED)
        assert len(read_charges(tmp_path / "store")) == 2


def test_select_and_junit(tmp_path: Path, clips: dict[str, bytes]) -> None:
    with shop(tmp_path, clips) as bench:
        write(bench, {"good": {}, "short": {}})
        bench.run("--no-checks", *FAST)
        assert not (tmp_path / "runs/.lock.checks").exists()
        assert bench.do("check", ".", "--select", "job:good").code == 0
        ran = bench.do("check", "--format", "junit")
    assert ran.code == 1
    assert '<testsuite name="checks" tests="4" failures="1"' in ran.out
    assert 'message="it lasts 3.0 s, 5 s were asked for"' in ran.out


def test_samples_are_not_judged(tmp_path: Path) -> None:
    with shop(tmp_path, {}) as bench:
        write(bench, {"good": {}}, checks={"length": True})
        assert bench.run(**CHECKED).code == 0
        ran = bench.do("check")
    assert (ran.code, ran.out) == (0, "No result has checks.\n")
    assert "1 sample file is used as results" in ran.err


def test_a_check_of_the_defaults_is_refused_once_at_its_place(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    write(
        bench,
        {"pour": {}, "steam": {"checks": {"cuts": True}}},
        checks={"length": {"at_least": 9, "at_most": 3}},
    )
    ran = bench.do("validate", "jobs.yaml")
    assert ran.code == 2
    assert (ran.out + ran.err).count("`defaults.checks.length.at_least` can never pass") == 1


@pytest.mark.parametrize(
    "checks",
    [
        {"fps": False, "length": {"at_least": 9, "at_most": 3, "off": True}},
        {"cuts": {"at_least": 2}, "length": {"at_least": 3}, "loudness": {"at_most": -20}},
        {"size": {"width": 1248, "height": 704, "ratio": "16:9", "at_least": 704}},
        {"fps": {"equals": 24, "within": 2}, "last_frame_matches": {"field": "image_url"}},
    ],
)
def test_checks_that_can_pass_are_valid(checks: Any, tmp_path: Path) -> None:
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    write(bench, {"pour": {"checks": checks}})
    assert bench.do("validate", "jobs.yaml").code == 0


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ({"lenght": True}, "did you mean `length`?"),
        ({"length": {"within": "0.5 s"}}, "`jobs.pour.checks.length.within`"),
        ({"length": {"at_last": 4}}, "did you mean `at_least`?"),
        ({"size": {"ratio": "wide"}}, "two numbers with a colon"),
        ({"cuts": {"severity": "fatal"}}, "`jobs.pour.checks.cuts.severity`"),
        ({"cuts": {"at_most": -1}}, "`jobs.pour.checks.cuts.at_most`"),
        ({"length": {"at_least": 9, "at_most": 3}}, "`jobs.pour.checks.length.at_least` can never pass"),
        ({"length": {"seconds": 5, "at_least": 9}}, "write `seconds:`, or `at_least:` and `at_most:`"),
        ({"fps": {"equals": 24, "at_least": 30}}, "30 at least and 24.5 at most exclude each other"),
        ({"fps": True}, "`jobs.pour.checks.fps` checks nothing: it has no limit"),
        ({"fps": {"severity": "warning"}}, "for example `fps: {equals: 24}`"),
        ({"loudness": {"at_least": -5}}, "`at_most` is -9 by default: write it as well"),
        ({"cuts": {"at_least": 3, "at_most": 2}}, "swap the two limits"),
        ({"first_frame_matches": {"field": "nope"}}, "`jobs.pour.checks.first_frame_matches.field` is nope"),
        ({"first_frame_matches": {"field": "image_urk"}}, "did you mean `image_url`?"),
        ([], "`jobs.pour.checks`"),
    ],
)
def test_wrong_checks_are_told_at_their_place(checks: Any, words: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    write(bench, {"pour": {"checks": checks}})
    ran = bench.do("validate", "jobs.yaml")
    assert ran.code == 2
    assert words in ran.out + ran.err
    assert "jobs.yaml:1:" in ran.out + ran.err
