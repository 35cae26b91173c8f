"""Commands of a project whose outputs are in an object store."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import obstore
import pytest

from kiejobs.core.diagnostics import ExitCode
from tests.support.bench import FAST, Bench, ended, judged
from tests.support.forked import WITHOUT_MEDIA
from tests.support.judge.replies import video
from tests.support.object_server import PREFIX, SECRET, ObjectServer
from tests.support.teams import Team, prompts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.forked import Ran
    from tests.support.judge.server import Judge
    from tests.support.postgres import Postgres

A, B = f"{PREFIX}/judged/a/a.mp4", f"{PREFIX}/judged/b/b.mp4"


class Stored(Bench):
    """A bench whose environment leads to an object store, and nowhere where credentials may be."""

    server: ObjectServer

    def environment(self, **more: str) -> dict[str, str]:
        full = super().environment(**{**self.server.environment, **more})
        return {name: value for name, value in full.items() if value}

    def do(self, *words: str, **environment: str) -> Ran:
        ran = super().do(*words, **environment)
        assert SECRET not in ran.out + ran.err
        return ran


@pytest.fixture
def stored(table: tuple[Bench, Judge]) -> Iterator[tuple[Stored, Judge]]:
    bench = Stored(table[0].folder, table[0].url)
    with ObjectServer() as bench.server:
        (bench.folder / "kiejobs.yaml").write_text(f"version: 1\noutputs: {bench.server.url}\n")
        bench.write({"a": "A", "b": "B"})
        yield bench, table[1]


def verified(bench: Bench) -> Ran:
    return bench.do("manifest", "verify")


def test_results_are_in_the_store_and_nowhere_else(stored: tuple[Stored, Judge]) -> None:
    bench, judge = stored
    ran = bench.run()
    assert ran.code == ExitCode.DONE, ran.err
    assert f"files:  {bench.server.url}" in ran.err + ran.out
    assert set(bench.server.objects()) == {A, B}
    assert [path for path in bench.folder.rglob("outputs/**/*") if path.is_file()] == []
    assert bench.job("a")["files"][0]["path"] == "judged/a/a.mp4"
    assert bench.run().code == ExitCode.DONE
    assert set(bench.plan().values()) == {"keep"}
    assert len(judge.creates) == 2
    assert verified(bench).code == ExitCode.DONE


def test_what_is_damaged_or_missing_there_is_collected_again(stored: tuple[Stored, Judge]) -> None:
    bench, judge = stored
    bench.run()
    whole = bench.server.objects()[A]
    obstore.put(bench.server.store(), "judged/a/a.mp4", b"x" * len(whole))
    obstore.delete(bench.server.store(), "judged/b/b.mp4")
    found = verified(bench)
    assert found.code == ExitCode.SOME_FAILED
    assert "judged/a/a.mp4: not what was collected" in found.out
    assert "judged/b/b.mp4: missing" in found.out
    made = bench.do("plan", "jobs.yaml", "--format", "json").json
    assert {c["address"]: (c["action"], c["reason"]) for c in made["changes"]} == {
        "judged/a": ("collect", "file_damaged"),
        "judged/b": ("collect", "file_missing"),
    }
    assert bench.do("collect", *FAST[:2]).code == ExitCode.DONE
    objects = bench.server.objects()
    (aside,) = set(objects) - {A, B}
    assert (objects[A], objects[aside]) == (b"x" * len(whole), whole)
    assert bench.job("a")["files"][0]["path"] == aside.removeprefix(f"{PREFIX}/")
    assert verified(bench).code == ExitCode.DONE
    assert set(bench.plan().values()) == {"keep"}
    assert len(judge.creates) == 2


@pytest.mark.parametrize("at", ["PUT", "GET"])
def test_a_run_that_dies_before_its_file_is_stored_or_on_record_has_it_still(
    stored: tuple[Stored, Judge], at: str
) -> None:
    bench, judge = stored
    bench.write({"a": "A"})
    running = bench.start("run", "jobs.yaml", "--yes", *FAST)

    def kill(method: str, key: str, _: dict[str, Any]) -> str | None:
        if (method, key) != (at, A):
            return None
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        return "500 Internal Server Error"

    bench.server.before = kill
    assert ended(running).code == -signal.SIGKILL
    bench.server.before = lambda *_: None
    assert set(bench.server.objects()) == ({A} if at == "GET" else set())
    (left,) = (bench.folder / "outputs" / ".parts").iterdir()
    assert left.read_bytes() == video(next(iter(judge.tasks)))
    assert bench.run().code == ExitCode.DONE
    assert bench.server.objects() == {A: video(next(iter(judge.tasks)))}
    assert len([one for one in judge.requests if one.path.startswith("/files/")]) == 1
    assert len(judge.creates) == 1
    assert not left.exists()


def test_a_store_that_refuses_in_the_middle_of_a_run_gets_the_files_later(
    stored: tuple[Stored, Judge],
) -> None:
    bench, judge = stored
    bench.server.before = lambda method, key, _: "403 No" if (method, key) == ("PUT", A) else None
    ran = bench.run()
    assert ran.code == ExitCode.SOME_FAILED
    assert f"bought, but not collected: {bench.server.url}: it answered HTTP 403" in ran.out + ran.err
    assert set(bench.server.objects()) == {B}
    bench.server.before = lambda *_: None
    assert bench.do("collect", *FAST[:2]).code == ExitCode.DONE
    assert set(bench.server.objects()) == {A, B}
    assert len([one for one in judge.requests if one.path.startswith("/files/")]) == 2
    assert len(judge.creates) == 2


def test_a_download_that_was_cut_goes_on(stored: tuple[Stored, Judge]) -> None:
    bench, judge = stored
    bench.write({"a": "A [file=cut]"})
    assert bench.run().code == ExitCode.DONE
    first, second = (one for one in judge.requests if one.path.startswith("/files/"))
    assert "range" not in first.headers
    assert "range" in second.headers
    assert set(bench.server.objects()) == {A}


def test_two_machines_that_collect_at_once_have_one_object(stored: tuple[Stored, Judge]) -> None:
    bench, judge = stored
    bench.run("--detach")
    other = Stored(bench.folder / "other", bench.url)
    other.server = bench.server
    other.folder.mkdir()
    for name in ("kiejobs.yaml", "jobs.yaml"):
        shutil.copy(bench.folder / name, other.folder)
    shutil.copytree(bench.folder / "runs", other.folder / "runs")
    both = [one.start("collect", *FAST[:2]) for one in (bench, other)]
    assert [ended(one).code for one in both] == [ExitCode.DONE, ExitCode.DONE]
    assert set(bench.server.objects()) == {A, B}
    assert [verified(one).code for one in (bench, other)] == [ExitCode.DONE, ExitCode.DONE]
    assert len(judge.creates) == 2


def test_workers_elsewhere_bring_a_detached_runs_files_to_the_store(
    postgres: Postgres, tmp_path: Path
) -> None:
    _, judge = judged(tmp_path)
    with judge, ObjectServer() as server:
        team = Team(tmp_path, judge, postgres.database())
        elsewhere = [team.checkout(name) for name in ("one", "two")]
        place = {**server.environment, "KIEJOBS_OUTPUTS": server.url}
        team.first.write(prompts(12))
        assert team.first.do("run", "jobs.yaml", "--yes", "--detach", *FAST, **place).code == ExitCode.DONE
        workers = [one.start("worker", "--drain", "--poll", "50ms", **place) for one in elsewhere]
        assert [ended(one).code for one in workers] == [ExitCode.DONE, ExitCode.DONE]
        assert len(server.objects()) == 12
        assert team.first.do("manifest", "verify", **place).code == ExitCode.DONE
        assert team.first.do("run", "jobs.yaml", "--yes", *FAST, **place).code == ExitCode.DONE
        assert len(judge.creates) == 12


@pytest.mark.parametrize("trouble", ["403 Forbidden", "503 Slow Down"])
def test_nothing_is_bought_for_a_store_that_takes_nothing(stored: tuple[Stored, Judge], trouble: str) -> None:
    bench, judge = stored
    bench.server.before = lambda *_: trouble
    ran = bench.run()
    assert ran.code == ExitCode.INVALID
    assert f"{bench.server.url}: it answered HTTP {trouble[:3]}" in ran.err
    assert judge.creates == []
    bench.server.before = lambda *_: None
    assert bench.run(AWS_ENDPOINT_URL="http://127.0.0.1:1").code == ExitCode.INVALID
    assert judge.creates == []
    assert bench.journals() == []
    bench.run("--detach")
    bench.server.before = lambda *_: trouble
    assert bench.do("collect").code == ExitCode.INVALID
    bench.server.before = lambda *_: None
    assert bench.do("collect", *FAST[:2]).code == ExitCode.DONE
    assert set(bench.server.objects()) == {A, B}


def test_where_no_credentials_are_that_is_said(stored: tuple[Stored, Judge]) -> None:
    bench, judge = stored
    ran = bench.run(
        AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_METADATA_ENDPOINT="http://127.0.0.1:1"
    )
    assert ran.code == ExitCode.INVALID
    assert f"{bench.server.url}: no credentials were found" in ran.err
    assert "AWS_ACCESS_KEY_ID" in ran.err
    assert judge.creates == []


def test_a_store_that_would_overwrite_is_refused(stored: tuple[Stored, Judge]) -> None:
    bench, judge = stored

    def forget(_method: str, _key: str, environ: dict[str, Any]) -> None:
        environ.pop("HTTP_IF_NONE_MATCH", None)

    bench.server.before = forget
    ran = bench.run()
    assert ran.code == ExitCode.INVALID
    assert "it overwrites what is there" in ran.err
    assert judge.creates == []


def test_a_plan_needs_the_store_only_where_files_are(stored: tuple[Stored, Judge]) -> None:
    bench, judge = stored
    bench.server.before = lambda *_: "503 Slow Down"
    assert set(bench.plan().values()) == {"submit"}
    bench.server.before = lambda *_: None
    bench.run()
    bench.server.before = lambda *_: "503 Slow Down"
    refused = bench.do("plan", "jobs.yaml")
    assert refused.code == ExitCode.INVALID
    assert "it answered HTTP 503" in refused.err
    assert bench.do("plan", "jobs.yaml", "--outputs", "empty").code == ExitCode.DONE
    assert len(judge.creates) == 2


def test_the_flag_and_its_variable_name_a_store_too(stored: tuple[Stored, Judge]) -> None:
    bench, _ = stored
    (bench.folder / "kiejobs.yaml").unlink()
    other = f"s3://{bench.server.bucket}/other"
    assert bench.run("--outputs", other).code == ExitCode.DONE
    assert bench.do("manifest", "verify", KIEJOBS_OUTPUTS=other).code == ExitCode.DONE
    assert {key.partition("/")[0] for key in bench.server.objects()} == {"other"}


def test_a_rehearsal_stays_in_its_folder(stored: tuple[Stored, Judge]) -> None:
    bench, _ = stored
    assert bench.do("run", "jobs.yaml", "--sandbox", "--yes", PYTHONPATH=WITHOUT_MEDIA).code == ExitCode.DONE
    assert bench.server.asked == [("PUT", "")]
    assert len(list((bench.folder / "rehearsal" / "outputs").rglob("*.mp4"))) == 2


def test_a_file_url_is_a_folder_anywhere(stored: tuple[Stored, Judge]) -> None:
    bench, _ = stored
    place = bench.folder / "mnt" / "films"
    (bench.folder / "kiejobs.yaml").write_text(f"version: 1\noutputs: file://{place}\n")
    assert bench.run().code == ExitCode.DONE
    assert len(list(place.rglob("*.mp4"))) == 2
    assert verified(bench).code == ExitCode.DONE
    assert bench.server.asked == [("PUT", "")]


@pytest.mark.parametrize(
    "url",
    [
        "s3://somebody:hidden-word@films/autumn",
        "s3://films/autumn?endpoint=http://hidden-word",
        "s3://films/../autumn",
        "s3://films/a%2e",
        "s3://",
        "memory:///",
        "https://films.example.com/autumn",
        "file://films",
        "file:///films?x",
    ],
)
def test_a_place_that_is_none_is_refused_by_file_and_by_flag(stored: tuple[Stored, Judge], url: str) -> None:
    bench, judge = stored
    by_flag = bench.run("--outputs", url)
    (bench.folder / "kiejobs.yaml").write_text(f"version: 1\noutputs: {url}\n")
    by_file = bench.run()
    assert (by_flag.code, by_file.code) == (ExitCode.INVALID, ExitCode.INVALID)
    assert "hidden-word" not in by_flag.err
    assert judge.creates == []
    assert bench.server.asked == [("PUT", "")]


def test_outputs_have_one_place(stored: tuple[Stored, Judge]) -> None:
    bench, _ = stored
    (bench.folder / "kiejobs.yaml").write_text("version: 1\noutputs: here\nfolders: {outputs: there}\n")
    refused = bench.run()
    assert refused.code == ExitCode.INVALID
    assert "kiejobs.yaml:2:1" in refused.err
    assert "two places" in refused.err
    (bench.folder / "kiejobs.yaml").write_text("version: 1\noutputs: here\n")
    assert bench.run().code == ExitCode.DONE
    assert len(list((bench.folder / "here").rglob("*.mp4"))) == 2


def test_without_the_extra_its_command_is_named(stored: tuple[Stored, Judge]) -> None:
    bench, judge = stored
    broken = bench.folder / "without" / "obstore"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError")
    refused = bench.run(PYTHONPATH=f"{broken.parent}{os.pathsep}{bench.package}")
    assert refused.code == ExitCode.INVALID
    assert "pip install 'kiejobs[team]'" in refused.err
    assert judge.creates == []


def test_doctor_tries_the_store(stored: tuple[Stored, Judge]) -> None:
    bench, _ = stored
    assert f"{bench.server.url} can be written" in bench.do("doctor").out
    bench.server.before = lambda *_: "403 Forbidden"
    refused = bench.do("doctor")
    assert refused.code == ExitCode.SOME_FAILED
    assert f"{bench.server.url}: it answered HTTP 403" in refused.out


def test_a_crate_does_not_go_where_no_files_are(stored: tuple[Stored, Judge]) -> None:
    bench, _ = stored
    bench.run()
    refused = bench.do("manifest", "export", "--format", "ro-crate")
    assert refused.code == ExitCode.INVALID
    assert bench.do("manifest", "export", "--format", "ro-crate", "-o", "crate").code == ExitCode.DONE


def test_videos_in_the_store_are_decoded_too(stored: tuple[Stored, Judge]) -> None:
    bench, _ = stored
    pytest.importorskip("av")
    bench.run("--sandbox", "--outputs", bench.server.url)
    decoded = bench.do("manifest", "verify", "--decode", "--sandbox", "--outputs", bench.server.url)
    assert decoded.code == ExitCode.DONE, decoded.out
