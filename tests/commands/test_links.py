"""Links that a checkout brings: nothing is written through them, and it is said before anything is bought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bench import FAST, MODEL, Bench, ended
from tests.support.judge.server import RECORD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.judge.server import Judge

Table = tuple[Bench, "Judge"]


@pytest.fixture
def outside(tmp_path: Path, table: Table) -> Path:
    """A folder that is none of the project's, which gets one of its own."""
    bench, _ = table
    bench.folder = tmp_path / "project"
    bench.folder.mkdir()
    (bench.folder / "kiejobs.yaml").write_text("version: 1\n")
    bench.write({"a": "a"})
    place = tmp_path / "outside"
    place.mkdir()
    return place


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def require_refused(bench: Bench, judge: Judge, name: str, outside: Path, *flags: str) -> None:
    before = content(outside)
    for words in (("plan", "jobs.yaml"), ("run", "jobs.yaml", "--yes")):
        ran = bench.do(*words, *flags)
        assert ran.code in ({2, 7} if name == "runs" else {2}), (words, ran.out, ran.err)
        assert f"{name} is a symbolic link" in ran.err
        assert "help: " in ran.err
    assert judge.creates == []
    assert content(outside) == before
    if not name.startswith("outputs/"):
        assert f"{name} is a symbolic link" in bench.do("doctor", *flags).out


@pytest.mark.parametrize("name", ["outputs", "runs"])
def test_a_folder_of_the_project_that_is_a_link_is_refused(table: Table, outside: Path, name: str) -> None:
    bench, judge = table
    (bench.folder / name).symlink_to(outside)
    require_refused(bench, judge, name, outside)
    assert bench.run(f"--{name}", str(outside)).code == 0, "who names it means it"


@pytest.mark.parametrize("name", ["outputs", "runs"])
def test_so_is_one_that_leads_nowhere(table: Table, outside: Path, name: str) -> None:
    bench, judge = table
    (bench.folder / name).symlink_to(outside / "gone")
    require_refused(bench, judge, name, outside)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["rehearsal", "rehearsal/outputs", "rehearsal/runs", "rehearsal/sandbox"])
def test_a_rehearsals_folders_are_none(table: Table, outside: Path, name: str) -> None:
    bench, judge = table
    link = bench.folder / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    require_refused(bench, judge, name, outside, "--sandbox")


@pytest.mark.parametrize("name", ["charges.jsonl", "requests.jsonl", "uploads"])
def test_what_the_sandbox_writes_is_none(table: Table, outside: Path, name: str) -> None:
    bench, judge = table
    precious = outside / "precious"
    precious.write_text("mine\n")
    store = bench.folder / "rehearsal" / "sandbox"
    store.mkdir(parents=True)
    (store / name).symlink_to(precious)
    require_refused(bench, judge, f"rehearsal/sandbox/{name}", outside, "--sandbox")


def test_a_policys_folder_may_be_reached_by_no_link(table: Table, outside: Path) -> None:
    bench, judge = table
    (bench.folder / "kiejobs.yaml").write_text("version: 1\nfolders: {outputs: media/outputs}\n")
    (bench.folder / "media").symlink_to(outside)
    require_refused(bench, judge, "media", outside)


def test_a_policy_may_name_where_a_link_leads(table: Table, outside: Path) -> None:
    bench, _ = table
    (bench.folder / "media").mkdir()
    (bench.folder / "outputs").symlink_to("media")
    assert bench.run().code == 2
    (bench.folder / "kiejobs.yaml").write_text("version: 1\nfolders: {outputs: media}\n")
    assert bench.run().code == 0
    assert list((bench.folder / "media").rglob("*.mp4"))
    assert list(outside.iterdir()) == []


def test_neither_a_folder_of_results_nor_a_result_may_be_one(table: Table, outside: Path) -> None:
    bench, judge = table
    outputs = bench.folder / "outputs"
    outputs.mkdir()
    (outputs / "judged").symlink_to(outside)
    require_refused(bench, judge, "outputs/judged", outside)
    (outputs / "judged").unlink()
    assert bench.run().code == 0
    bench.write({"b": "b"}, defaults={"model": MODEL, "output": "film.mp4"})
    (outside / "policy").write_text("mine")
    (outputs / "film.mp4").symlink_to(outside / "policy")
    ran = bench.run()
    assert ran.code == 2
    assert f"outputs/film.mp4 is a symbolic link to {outside}/policy" in ran.err
    assert len(judge.creates) == 1


def test_a_link_that_comes_while_a_run_is_at_work_is_not_written_through(table: Table, outside: Path) -> None:
    bench, judge = table
    bench.write({"a": "a [end=held]"})
    running = bench.start("run", "jobs.yaml", "--yes", *FAST)
    judge.wait_until(lambda: len(judge.sent(RECORD)) > 0)
    (bench.folder / "outputs").symlink_to(outside)
    judge.let_go.set()
    ran = ended(running)
    assert ran.code == 1
    assert "outputs is a symbolic link, and nothing is written through one" in ran.out + ran.err
    assert list(outside.iterdir()) == []
    assert bench.do("collect").code == 2
    (bench.folder / "outputs").unlink()
    assert bench.do("collect").code == 0
    assert len(list(bench.folder.rglob("*.mp4"))) == 1
    assert len(judge.creates) == 1


def test_manifests_that_are_links_are_replaced(table: Table, outside: Path) -> None:
    bench, _ = table
    assert bench.run().code == 0
    manifest = bench.journals()[0].with_name("manifest.json")
    (outside / "precious").write_text("mine")
    manifest.unlink()
    manifest.symlink_to(outside / "precious")
    assert bench.do("manifest", "rebuild").code == 0
    assert (outside / "precious").read_text() == "mine"
    assert not manifest.is_symlink()


def test_status_and_report_still_read_through_them(table: Table, outside: Path) -> None:
    bench, _ = table
    assert bench.run().code == 0
    (bench.folder / "runs").rename(outside / "runs")
    (bench.folder / "runs").symlink_to(outside / "runs")
    assert bench.do("status").code == 0
    assert "succeeded  1" in bench.do("status").out
