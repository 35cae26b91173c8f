"""One project, one ledger: wherever the command is typed, and however the job file is named."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import FAST, MODEL, Bench, Ran
from tests.support.pictures import picture

if TYPE_CHECKING:
    from tests.support.judge.server import Judge

Set = tuple["Bench", "Judge"]

RUN = ("--yes", *FAST)
DONE = "Nothing to buy"


def at(bench: Bench, folder: str, *words: str, **environment: str) -> Ran:
    """A command typed in a folder below."""
    there = Bench(bench.folder / folder, bench.url)
    there.folder.mkdir(parents=True, exist_ok=True)
    return there.do(*words, **environment)


def project(bench: Bench, folder: str = ".", text: str = "") -> None:
    path = bench.folder / folder / "kiejobs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"version: 1\n{text}\n", encoding="utf-8")


def git(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)


def jobs(bench: Bench, name: str = "jobfiles/tea.yaml") -> str:
    (bench.folder / name).parent.mkdir(parents=True, exist_ok=True)
    return bench.write({"pour": "Tea"}, name=name)


def ending(ran: Ran, option: str) -> str:
    """The command that is shown with this option."""
    lines = (line.strip().lstrip("$ ") for line in ran.out.splitlines())
    return next(line for line in lines if line.startswith("kiejobs ") and option in line)


# --- bought once, from wherever ---------------------------------------------------------------------


@pytest.mark.parametrize("made_by", ["kiejobs.yaml", "git"])
def test_from_the_root_from_a_subfolder_and_with_c_it_is_one_ledger(table: Set, made_by: str) -> None:
    bench, judge = table
    file = jobs(bench)
    if made_by == "git":
        git(bench.folder)
    else:
        project(bench)
    assert at(bench, ".", "run", file, *RUN).code == 0
    absolute = str(bench.folder / file)
    for folder, *words in (
        ("jobfiles", "run", "tea.yaml"),
        ("deep/er", "run", "../../jobfiles/tea.yaml"),
        ("deep", "run", absolute),
        (".", "-C", "jobfiles", "run", "tea.yaml"),
        ("deep/er", "-C", "..", "-C", "../jobfiles", "run", "tea.yaml"),
    ):
        again = at(bench, folder, *words, *RUN)
        assert again.code == 0, (folder, words)
        assert DONE in again.out
    assert len(judge.creates) == 1
    found = sorted(str(path.relative_to(bench.folder)) for path in bench.folder.rglob("runs"))
    assert found == ["runs"]
    assert (bench.folder / "outputs" / "judged" / "pour" / "pour.mp4").is_file()
    source = {str(event.get("source") and event["source"]["file"]) for event in bench.events()[:1]}
    assert source == {"jobfiles/tea.yaml"}


def test_outside_of_git_and_without_a_project_file_the_current_folder_is_the_project(table: Set) -> None:
    bench, judge = table
    file = jobs(bench)
    assert at(bench, ".", "run", file, *RUN).code == 0
    assert at(bench, "elsewhere", "plan", f"../{file}").out.count("1 job to buy") == 1
    assert len(judge.creates) == 1
    project(bench)
    assert DONE in at(bench, "elsewhere", "plan", f"../{file}").out


def test_a_job_file_from_outside_belongs_to_the_project_it_is_run_in(table: Set) -> None:
    bench, judge = table
    (bench.folder / "stray").mkdir()
    jobs(bench, "stray/tea.yaml")
    project(bench, "mine", "limits: {credits_per_run: 1}")
    assert at(bench, "mine/sub", "plan", "../../stray/tea.yaml").code == 5
    project(bench, "mine")
    assert at(bench, "mine/sub", "run", "../../stray/tea.yaml", *RUN).code == 0
    assert list((bench.folder / "mine" / "runs").glob("*/journal.jsonl"))
    assert len(judge.creates) == 1


@pytest.mark.parametrize("declared", [True, False])
def test_a_project_inside_a_superproject_is_its_own(table: Set, *, declared: bool) -> None:
    bench, judge = table
    git(bench.folder)
    project(bench, text="limits: {credits_per_run: 1}")
    git(bench.folder / "sub")
    if declared:
        project(bench, "sub")
    file = jobs(bench, "sub/jobfiles/tea.yaml")
    assert at(bench, ".", "run", file, *RUN).code == 0
    for folder, *words in (
        ("sub", "run", "jobfiles/tea.yaml"),
        (".", "-C", "sub", "run", "jobfiles/tea.yaml"),
    ):
        assert DONE in at(bench, folder, *words, *RUN).out
    assert len(judge.creates) == 1
    assert not (bench.folder / "runs").exists()
    assert "nothing was ever bought" in at(bench, ".", "manifest", "export", "--format", "csv").err


def test_a_link_to_a_folder_leads_to_the_same_project(table: Set, tmp_path: Path) -> None:
    bench, judge = table
    project(bench)
    file = jobs(bench)
    assert at(bench, ".", "run", file, *RUN).code == 0
    (tmp_path / "door").symlink_to(bench.folder / "jobfiles")
    outside = Bench(tmp_path, bench.url)
    assert DONE in outside.do("plan", "door/tea.yaml").out
    assert len(judge.creates) == 1


def test_a_rehearsal_is_the_projects_too(table: Set) -> None:
    bench, _ = table
    project(bench)
    jobs(bench)
    fast = ("--sandbox", "--speed", "400")
    assert at(bench, "jobfiles", "run", "tea.yaml", *fast).code == 0
    assert sorted(path.name for path in bench.folder.iterdir() if path.is_dir()) == ["jobfiles", "rehearsal"]
    assert DONE in at(bench, ".", "plan", "jobfiles/tea.yaml", "--sandbox").out


# --- what is the project's ---------------------------------------------------------------------------


def test_prices_and_models_are_those_at_the_root(table: Set) -> None:
    bench, _ = table
    project(bench)
    file = jobs(bench)
    price = "{per: video, credits: 3, source: our invoice, date: 2026-11-03}"
    prices = f"version: 1\nmodels:\n  {MODEL}: {price}\n"
    for folder in (".", "jobfiles"):
        text = prices if folder == "." else prices.replace("credits: 3", "credits: 5")
        (bench.folder / folder / "prices.yaml").write_text(text)
    for folder, name in ((".", file), ("jobfiles", "tea.yaml"), ("else", f"../{file}")):
        assert at(bench, folder, "plan", name, "--format", "json").json["totals"]["credits"] == "3"


def test_models_are_imported_into_the_root_and_found_from_everywhere(table: Set) -> None:
    bench, _ = table
    project(bench)
    page = Path(__file__).resolve().parents[1] / "data" / "vendor_page.md"
    done = at(bench, "video", "models", "import", str(page), "--format", "json")
    assert done.code == 0
    (imported,) = [file for one in done.json["pages"] for file in one["models"]]
    assert imported["file"] == f"../schemas/models/{imported['model']}.json"
    (bench.folder / "video" / "schemas" / "models").mkdir(parents=True)
    for folder in (".", "video", "deep"):
        assert imported["model"] in at(bench, folder, "models", "list", "project").out
    text = json.dumps(
        {"version": 1, "campaign": "own", "jobs": {"a": {"model": imported["model"], "input": {}}}}
    )
    (bench.folder / "video" / "own.yaml").write_text(text)
    (bench.folder.parent / "outside").mkdir(exist_ok=True)
    outside = Bench(bench.folder.parent / "outside", bench.url)
    told = outside.do("validate", str(bench.folder / "video" / "own.yaml")).err
    assert "is not known" not in told


def test_a_job_file_is_selected_by_its_path_from_the_root(table: Set) -> None:
    bench, judge = table
    project(bench)
    jobs(bench)
    assert at(bench, "jobfiles", "run", "tea.yaml", "--select", "file:jobfiles/*", *RUN).code == 0
    assert len(judge.creates) == 1
    assert "succeeded  1" in at(bench, "deep", "status", "--select", "file:jobfiles/tea.yaml").out
    assert at(bench, ".", "plan", "jobfiles/tea.yaml", "--select", "file:tea.yaml").code == 0
    assert at(bench, ".", "plan", "jobfiles/tea.yaml", "--select", "file:other/*").code == 2


def test_paths_and_commands_that_are_shown_work_where_they_are_read(table: Set) -> None:
    bench, judge = table
    project(bench)
    bench.write({"pour": "Tea [create=drop_kept]", "kept": "Tea"}, name="tea.yaml")
    ran = at(bench, "sub", "run", "../tea.yaml", *RUN)
    assert ran.code == 4
    assert "../outputs" in ran.out
    assert "../runs/" in ran.out
    assert at(bench, "sub", "status", "--exit-code").code == 4
    assert "../tea.yaml" in at(bench, "sub", "report").out or "kiejobs run" not in ran.out
    assert len(judge.creates) == 2


def test_from_another_project_commands_that_are_shown_lead_back_by_c(table: Set) -> None:
    bench, judge = table
    project(bench, "mine")
    project(bench, "theirs")
    bench.write({"pour": "Tea [create=drop_kept]"}, name="theirs/tea.yaml")
    ran = at(bench, "mine", "run", "../theirs/tea.yaml", *RUN)
    assert ran.code == 4
    command = ending(ran, "--lost")
    assert command.endswith(" -C ../theirs")
    assert at(bench, "mine", *shlex.split(command)[1:]).code == 0
    again = ending(at(bench, "mine", "explain", "judged/pour", "../theirs/tea.yaml"), "run tea.yaml")
    assert again.endswith(" -C ../theirs")
    assert at(bench, "mine", *shlex.split(again)[1:], *RUN).code == 0, "it was ruled lost"
    assert len(judge.creates) == 2
    assert not (bench.folder / "mine" / "runs").exists()


def test_with_c_the_commands_that_are_shown_have_it_too(table: Set) -> None:
    bench, _ = table
    project(bench, "video")
    bench.write({"pour": "Tea [create=drop_kept]"}, name="video/tea.yaml")
    ran = at(bench, ".", "-C", "video", "run", "tea.yaml", *RUN)
    assert ran.code == 4
    command = ending(ran, "--lost")
    assert command.endswith(" -C video")
    assert at(bench, ".", *shlex.split(command)[1:]).code == 0


def test_c_must_lead_to_a_folder(table: Set) -> None:
    bench, _ = table
    gone = at(bench, ".", "-C", "gone", "status")
    assert gone.code == 2
    assert "gone: No such file or directory" in gone.err


def test_a_plan_file_says_its_job_file_from_the_root(table: Set) -> None:
    bench, judge = table
    project(bench)
    jobs(bench)
    assert at(bench, "jobfiles", "plan", "tea.yaml", "-o", "../plan.json").code == 0
    assert at(bench, "deep", "run", "--plan", "../plan.json", *FAST).code == 0
    assert len(judge.creates) == 1


# --- kiejobs.yaml --------------------------------------------------------------------------------------


def test_a_link_to_a_job_file_of_another_project_is_refused(table: Set) -> None:
    bench, judge = table
    git(bench.folder)
    (bench.folder / "clips").mkdir()
    (bench.folder / "clips" / "kiejobs.yaml").write_text("version: 1\n")
    bench.write({"a": "a"}, name="clips/jobs.yaml")
    (bench.folder / "today.yaml").symlink_to("clips/jobs.yaml")
    refused = at(bench, ".", "run", "today.yaml", *RUN)
    assert (refused.code, judge.requests) == (2, [])
    assert "name the file itself: clips/jobs.yaml" in refused.err
    (bench.folder / "clips" / "again.yaml").symlink_to("jobs.yaml")
    assert at(bench, ".", "plan", "clips/again.yaml").code == 0


@pytest.mark.parametrize("words", [("",), ("jobs.yaml", "")])
def test_an_empty_name_is_no_name_of_all_job_files(table: Set, words: tuple[str, ...]) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    for verb in ("run", "plan"):
        refused = at(bench, ".", verb, *words, *(["--yes"] if verb == "run" else []))
        assert (refused.code, judge.requests) == (2, [])
        assert "the name of a job file is empty" in refused.err


@pytest.mark.parametrize("also", [True, False])
@pytest.mark.parametrize(
    "spelling", ["kiejobs.yml", "Kiejobs.yaml", "kiejobs.YAML", ".kiejobs.yaml", "kiejobs.json"]
)
def test_a_project_file_with_another_spelling_is_an_error_and_not_passed_over(
    table: Set, spelling: str, *, also: bool
) -> None:
    bench, judge = table
    git(bench.folder)
    file = jobs(bench)
    if also:
        project(bench)
    (bench.folder / spelling).write_text("version: 1\nlimits: {credits_per_run: 1}\n")
    for folder, *words in (
        (".", "run", file, *RUN),
        ("jobfiles", "validate", "tea.yaml"),
        ("jobfiles", "status"),
    ):
        refused = at(bench, folder, *words)
        assert refused.code == 2, words
        name = os.path.relpath(bench.folder / spelling, bench.folder / folder)
        assert f"error: {name} is not read: a project's file is kiejobs.yaml" in refused.err
        assert "rename it to kiejobs.yaml" in refused.err
    assert judge.requests == []
    git(bench.folder / "sub")
    assert at(bench, "sub", "status").code == 0, "another repository's"


@pytest.mark.parametrize("home", ["git", "{git: {branch: kept}}"])
def test_a_ledger_on_a_branch_needs_a_repository_and_a_rehearsal_needs_none(table: Set, home: str) -> None:
    bench, judge = table
    project(bench, text=f"ledger: {home}")
    file = jobs(bench)
    refused = at(bench, ".", "run", file, *RUN)
    assert refused.code == 7
    assert "git can't be asked here" in refused.err
    assert judge.requests == []
    assert at(bench, ".", "run", file, "--sandbox", "--speed", "400").code == 0
    project(bench, text="ledger: folder")
    assert at(bench, ".", "run", file, *RUN).code == 0


# --- two ledgers -----------------------------------------------------------------------------------------


def old(bench: Bench, folder: str, file: str) -> None:
    """Journals as versions before 0.2 left them: in the folder that they were called in."""
    assert at(bench, folder, "run", file, "--runs", "runs", "--outputs", "outputs", *RUN).code == 0


def cures(refused: Ran) -> tuple[str, str]:
    """The commands that the hint shows: to move the journals, to mark a root."""
    _, move, _, mark, _ = refused.err.rpartition("help: ")[2].split("`")
    return move, mark


@pytest.mark.parametrize("typed_in", [".", "video", "video/jobfiles"])
@pytest.mark.parametrize("cure", [0, 1])
def test_journals_between_the_job_file_and_the_root_stop_all_spending(
    table: Set, typed_in: str, cure: int
) -> None:
    bench, judge = table
    project(bench)
    file = jobs(bench, "video/jobfiles/tea.yaml")
    old(bench, "video", "jobfiles/tea.yaml")
    here = os.path.relpath(bench.folder / file, bench.folder / typed_in)
    refused = at(bench, typed_in, "run", here, *RUN)
    assert refused.code == 7
    place, runs = (
        os.path.relpath(bench.folder / name, bench.folder / typed_in) for name in ("video/runs", "runs")
    )
    assert f"error: {place} holds journals that this project's ledger, {runs}, does not have" in refused.err
    for verb in ("plan", "status", "collect"):
        assert f"note: {place} holds journals" in at(bench, typed_in, verb, here).err
    assert at(bench, typed_in, "run", here, "--sandbox", "--speed", "400").code == 0
    assert len(judge.creates) == 1
    subprocess.run(cures(refused)[cure], shell=True, cwd=bench.folder / typed_in, check=True)
    again = at(bench, typed_in, "run", here, *RUN)
    assert again.code == 0
    assert len(judge.creates) == 1
    assert "note:" not in at(bench, typed_in, "status", here).err


def test_an_old_ledger_in_the_current_folder_counts_whatever_the_job_file(table: Set) -> None:
    bench, judge = table
    git(bench.folder)
    file = jobs(bench)
    old(bench, "sub", f"../{file}")
    refused = at(bench, "sub", "run", f"../{file}", *RUN)
    assert refused.code == 7
    assert "error: runs holds journals that this project's ledger, ../runs, does not have" in refused.err
    subprocess.run(cures(refused)[0], shell=True, cwd=bench.folder / "sub", check=True)
    assert at(bench, "sub", "run", f"../{file}", *RUN).code == 0
    assert len(judge.creates) == 1


@pytest.mark.parametrize("cure", [0, 1])
def test_bought_from_a_superproject_it_is_not_bought_again_by_its_own_project(table: Set, cure: int) -> None:
    bench, judge = table
    git(bench.folder)
    git(bench.folder / "sub")
    file = jobs(bench, "sub/tea.yaml")
    old(bench, ".", file)
    refused = at(bench, ".", "run", file, *RUN)
    assert refused.code == 7
    assert "error: runs holds journals that this project's ledger, sub/runs, does not have" in refused.err
    assert len(judge.creates) == 1
    subprocess.run(cures(refused)[cure], shell=True, cwd=bench.folder, check=True)
    assert at(bench, ".", "run", file, *RUN).code == 0
    assert len(judge.creates) == 1 + cure, "a file in the project says that the journals are another's"


@pytest.mark.parametrize("first", [".", "jobfiles"])
def test_outside_of_git_the_same_file_from_two_folders_is_bought_once(table: Set, first: str) -> None:
    bench, judge = table
    file = jobs(bench)
    names = {".": file, "jobfiles": "tea.yaml"}
    assert at(bench, first, "run", names[first], *RUN).code == 0
    (second,) = names.keys() - {first}
    refused = at(bench, second, "run", names[second], *RUN)
    assert refused.code == 7
    assert "holds journals that this project's ledger, runs, does not have" in refused.err
    assert len(judge.creates) == 1
    subprocess.run(cures(refused)[1], shell=True, cwd=bench.folder / second, check=True)
    assert DONE in at(bench, second, "run", names[second], *RUN).out
    assert len(judge.creates) == 1


def test_a_ledger_that_a_policy_moved_is_not_forgotten(table: Set) -> None:
    bench, judge = table
    file = jobs(bench)
    (bench.folder / "ci").mkdir()
    old(bench, "ci", f"../{file}")
    (bench.folder / "ci" / "runs").rename(bench.folder / "ci" / "kept")
    (bench.folder / "ci" / "rules.yaml").write_text("version: 1\nfolders: {runs: kept}\n")
    refused = at(bench, ".", "run", file, *RUN, KIEJOBS_POLICY="ci/rules.yaml")
    assert refused.code == 7
    assert "ci/kept holds journals" in refused.err
    project(bench, text="folders: {runs: ci/kept}")
    assert at(bench, ".", "run", file, *RUN, KIEJOBS_POLICY="ci/rules.yaml").code == 0
    assert len(judge.creates) == 1
    project(bench, text="folders: {runs: video/runs}")
    shutil.rmtree(bench.folder / "runs")
    (bench.folder / "ci" / "kept").rename(bench.folder / "runs")
    assert "remove `folders.runs` from kiejobs.yaml" in at(bench, ".", "run", file, *RUN).err
    assert len(judge.creates) == 1


# --- init -------------------------------------------------------------------------------------------------


def test_init_marks_a_project_once(table: Set) -> None:
    bench, _ = table
    made = at(bench, ".", "init", "video")
    assert made.code == 0
    assert "wrote video/kiejobs.yaml" in made.out
    assert (bench.folder / "video" / "kiejobs.yaml").read_text().endswith("\nversion: 1\n")
    assert at(bench, "video/jobfiles", "validate", "first.yaml").code == 0
    assert at(bench, ".", "init", "video/more").out.startswith("kept video as the project's root")
    assert not (bench.folder / "video" / "more" / "kiejobs.yaml").exists()
    project(bench, "mine", "limits: {jobs: 3}")
    assert at(bench, "mine", "init").code == 0
    assert "jobs: 3" in (bench.folder / "mine" / "kiejobs.yaml").read_text()


def test_init_takes_no_job_file_out_of_the_project_that_bought_it(table: Set) -> None:
    bench, judge = table
    git(bench.folder)
    file = jobs(bench, "video/jobfiles/tea.yaml")
    assert at(bench, ".", "run", file, *RUN).code == 0
    assert at(bench, "video", "init").out.startswith("kept .. as the project's root")
    assert DONE in at(bench, "video", "run", "jobfiles/tea.yaml", *RUN).out
    assert len(judge.creates) == 1
    assert at(bench, ".", "init", "--github").code == 0
    assert (bench.folder / "kiejobs.yaml").read_text().endswith("version: 1\n")


# --- what a job file may read ------------------------------------------------------------------------------

SHARED = """\
version: 1
campaign: judged
defaults: {model: bytedance/v1-pro-fast-image-to-video}
jobs:
  pour:
    matrix:
      scene: {from: ../../shared/scenes.csv, key: id}
      image: {glob: "../../shared/**/*.png"}
    input: {prompt: "{% include '../../shared/mood.j2' %} {{ matrix.scene.words }}", image_url: "{{ matrix.image }}"}
"""


def shared(bench: Bench) -> str:
    folder = bench.folder / "shared"
    (folder / "pictures").mkdir(parents=True)
    (folder / "scenes.csv").write_text("id,words\none,A cup\n")
    (folder / "mood.j2").write_text("Soft light.")
    (folder / "pictures" / "cup.png").write_bytes(picture("png", (300, 300)))
    path = bench.folder / "video" / "jobfiles" / "tea.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(SHARED)
    return "video/jobfiles/tea.yaml"


def test_includes_tables_and_pictures_come_from_anywhere_below_the_root(table: Set) -> None:
    bench, judge = table
    file = shared(bench)
    outside = at(bench, ".", "validate", file)
    assert outside.code == 2, "nothing marks a root"
    assert "move it there, or write `version: 1` into a kiejobs.yaml above both" in outside.err
    (bench.folder / "kiejobs.yaml").write_text("version: 1\n")
    assert at(bench, ".", "validate", file).code == 0
    project(bench)
    (request,) = at(bench, "video", "render", "jobfiles/tea.yaml").out.splitlines()
    assert '"prompt": "Soft light. A cup"' in request
    assert at(bench, ".", "run", file, *RUN).code == 0
    assert at(bench, ".", "lock", file).code == 0
    locked = json.loads((bench.folder / f"{file}.lock").read_text())
    assert list(locked["templates"]) == ["../../shared/mood.j2"]
    assert at(bench, "video/jobfiles", "run", "tea.yaml", "--locked", *RUN).code == 0
    assert len(judge.creates) == 1


def test_nothing_is_read_from_outside_of_the_root_or_from_what_is_hidden(table: Set) -> None:
    bench, _ = table
    file = shared(bench)
    project(bench, "video")
    told = at(bench, ".", "validate", file).err
    assert "`../../shared/scenes.csv` is outside the project" in told
    assert "its root is `video`, which holds kiejobs.yaml: move the file below it" in told
    assert "no file matches `../../shared/**/*.png`" in told
    (bench.folder / "video" / "kiejobs.yaml").unlink()
    (bench.folder / "video" / ".git").mkdir()
    told = at(bench, "video/jobfiles", "validate", "tea.yaml").err
    assert "its root is `..`, the git work tree: move the file below it" in told
    project(bench, "video")
    project(bench)
    (bench.folder / "video" / "kiejobs.yaml").unlink()
    (bench.folder / "shared").rename(bench.folder / ".shared")
    (bench.folder / "video" / "shared").symlink_to(bench.folder / ".shared")
    path = bench.folder / file
    path.write_text(SHARED.replace("../../shared", "../../.shared"))
    assert at(bench, ".", "validate", file).code == 2
    path.write_text(SHARED.replace("../../shared", "../shared"))
    assert at(bench, ".", "validate", file).code == 2
    path.write_text(SHARED.replace("../../shared", "../../jobfiles/../shared"))
    assert "is not allowed" in at(bench, ".", "validate", file).err


def test_a_change_of_what_is_read_from_the_root_is_seen(table: Set) -> None:
    bench, _ = table
    shared(bench)
    git(bench.folder)
    for words in (
        ("add", "-A"),
        ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "first"),
    ):
        subprocess.run(["git", *words], cwd=bench.folder, check=True)
    assert "No job file changed" in at(bench, ".", "validate", "video", "--changed-since", "HEAD").err
    (bench.folder / "shared" / "pictures" / "mug.png").write_bytes(picture("png", (400, 400)))
    assert "valid: 2 jobs" in at(bench, ".", "validate", "video", "--changed-since", "HEAD").err
    (bench.folder / "shared" / "pictures" / "mug.png").unlink()
    (bench.folder / "shared" / "mood.j2").write_text("Hard light.")
    diff = at(bench, "video", "render", "jobfiles/tea.yaml", "--diff", "HEAD")
    assert diff.code == 0
    assert "Soft light." in diff.out
    assert "Hard light." in diff.out
