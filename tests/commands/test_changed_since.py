"""`--changed-since`, with real repositories: what was touched, and what is made from what was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import MODEL, Bench
from tests.support.gitops.clones import Clone, Origin

if TYPE_CHECKING:
    from pathlib import Path

SHARED = "{% include 'prompts/shared.j2' %}"
FILES = {
    "one.yaml": "one",
    "with.yaml": SHARED,
    "deep/with.yml": "{% if true %}{% include 'prompts/inner.j2' %}{% endif %}",
}

PRICES = f"""\
version: 1
models:
  {MODEL}: {{per: video, credits: 20, source: our invoice, date: 2026-11-03}}
"""


def job_file(prompt: str, **more: object) -> str:
    given = {"image_url": "https://example.com/a.webp", "prompt": prompt}
    jobs = {"a": {"model": MODEL, "input": given}}
    return json.dumps({"version": 1, "campaign": "c", **more, "jobs": jobs})


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Three job files, two of them with templates, pushed."""
    made = Origin(tmp_path, "http://127.0.0.1:9").clone("mine")
    folder = made.folder / "jobfiles"
    for name in ("prompts/shared.j2", "deep/prompts/inner.j2", "notes.md", "vars.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("who: them\n" if name == "vars.yaml" else "words")
    for name, prompt in FILES.items():
        (folder / name).write_text(job_file(prompt))
    made.keep("job files")
    made.push()
    return made


def looked_at(clone: Clone, *words: str, since: str = "origin/main") -> list[str]:
    ran = clone.do("validate", "jobfiles", "--changed-since", since, "--format", "json", *words)
    return [found["file"].removeprefix("jobfiles/") for found in ran.json]


def test_nothing_that_changed_is_nothing_to_look_at(clone: Clone) -> None:
    assert looked_at(clone) == []
    ran = clone.do("validate", "jobfiles", "--changed-since", "origin/main")
    assert ran.code == 0
    assert ran.err == "No job file changed since origin/main.\n"


@pytest.mark.parametrize(
    ("touched", "files"),
    [
        ("one.yaml", ["one.yaml"]),
        ("prompts/shared.j2", ["with.yaml"]),
        ("deep/prompts/inner.j2", ["deep/with.yml"]),
        ("one.yaml.lock", ["one.yaml"]),
        ("new.yaml", ["new.yaml"]),
        ("notes.md", []),
        ("vars.yaml", []),
        ("../kiejobs.yaml", sorted(FILES)),
        ("../prices.yaml", sorted(FILES)),
    ],
)
@pytest.mark.parametrize("how", ["committed", "staged", "only written"])
def test_a_job_file_counts_with_all_that_it_is_made_from(
    clone: Clone, touched: str, files: list[str], how: str
) -> None:
    text = {"../kiejobs.yaml": "version: 1\n", "../prices.yaml": PRICES}.get(touched, "other words")
    (clone.folder / "jobfiles" / touched).write_text(
        job_file("other") if touched.endswith(("one.yaml", "new.yaml")) else text
    )
    if how != "only written":
        clone.git("add", ".")
    if how == "committed":
        clone.git("commit", "--quiet", "-m", "touched")
    assert looked_at(clone) == files


def test_prices_that_are_gone_are_missed_by_all(clone: Clone) -> None:
    (clone.folder / "prices.yaml").write_text(PRICES)
    clone.keep("prices")
    clone.push()
    assert looked_at(clone) == []
    (clone.folder / "prices.yaml").unlink()
    assert looked_at(clone) == sorted(FILES)


def test_a_template_that_is_gone_is_missed_by_the_file_that_includes_it(clone: Clone) -> None:
    clone.git("rm", "--quiet", "jobfiles/prompts/shared.j2")
    ran = clone.do("validate", "jobfiles", "--changed-since", "origin/main")
    assert ran.code == 2
    assert "with.yaml" in ran.err
    assert "one.yaml" not in ran.err


def test_a_file_that_was_broken_before_is_not_this_branch_s_business(clone: Clone) -> None:
    (clone.folder / "jobfiles/broken.yaml").write_text("campaign: [\n")
    clone.keep("broken")
    clone.push()
    (clone.folder / "jobfiles/one.yaml").write_text(job_file("other"))
    assert looked_at(clone) == ["one.yaml"]
    assert clone.do("validate", "jobfiles").code == 2


def test_a_file_of_variables_that_is_named_and_touched_concerns_all(clone: Clone) -> None:
    folder = clone.folder / "jobfiles"
    for name in FILES:
        (folder / name).write_text(job_file("for {{ vars.who }}", vars={"who": "us"}))
    clone.keep("variables")
    clone.push()
    words = ("--vars-file", "jobfiles/vars.yaml")
    assert looked_at(clone, *words) == []
    (folder / "vars.yaml").write_text("who: all\n")
    assert looked_at(clone, *words) == sorted(FILES)
    assert looked_at(clone) == []


def test_what_came_to_the_other_branch_meanwhile_is_not_ours(clone: Clone) -> None:
    clone.git("switch", "--quiet", "-c", "ours")
    (clone.folder / "jobfiles/one.yaml").write_text(job_file("ours"))
    clone.keep("ours")
    clone.git("switch", "--quiet", "main")
    (clone.folder / "jobfiles/with.yaml").write_text(job_file("theirs"))
    clone.keep("theirs")
    clone.push()
    clone.git("switch", "--quiet", "ours")
    assert looked_at(clone) == ["one.yaml"]


def test_what_was_touched_and_put_back_is_as_it_was(clone: Clone) -> None:
    (clone.folder / "jobfiles/one.yaml").write_text(job_file("other"))
    clone.keep("there")
    (clone.folder / "jobfiles/one.yaml").write_text(job_file("one"))
    clone.keep("and back")
    assert looked_at(clone) == []


def test_links_count_by_themselves_and_by_what_they_lead_to(clone: Clone) -> None:
    folder = clone.folder / "jobfiles"
    (folder / "prompts/link.j2").symlink_to("shared.j2")
    (folder / "linked.yaml").symlink_to("one.yaml")
    (folder / "by-link.yaml").write_text(job_file("{% include 'prompts/link.j2' %}"))
    clone.keep("links")
    clone.push()
    (folder / "prompts/shared.j2").write_text("other")
    (folder / "one.yaml").write_text(job_file("other"))
    assert looked_at(clone) == ["by-link.yaml", "linked.yaml", "one.yaml", "with.yaml"]


def test_odd_names_are_names(clone: Clone) -> None:
    odd = 'jobfiles/é "quoted" -x\n.yaml'
    (clone.folder / odd).write_text(job_file("odd"))
    clone.keep("odd")
    assert looked_at(clone) == [odd.removeprefix("jobfiles/")]


def test_plan_is_for_one_file_and_silent_where_it_did_not_change(clone: Clone) -> None:
    words = ("plan", "jobfiles/with.yaml", "--changed-since", "origin/main")
    same = clone.do(*words, "--detailed-exitcode")
    assert (same.code, same.out) == (0, "")
    assert same.err == "jobfiles/with.yaml is unchanged since origin/main: no plan\n"
    (clone.folder / "jobfiles/prompts/shared.j2").write_text("other")
    assert "1 job to buy" in clone.do(*words).out


def test_run_knows_nothing_of_it(clone: Clone) -> None:
    refused = clone.do("run", "jobfiles/one.yaml", "--changed-since", "HEAD")
    assert refused.code == 2
    assert "--changed-since" in refused.err


# --- revisions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "revision", ["nowhere", "--output=x", "-", "", "HEAD..main", "HEAD:jobfiles", "a\nb", "^HEAD"]
)
def test_what_is_no_commit_is_refused(clone: Clone, revision: str) -> None:
    refused = clone.do("validate", "jobfiles", f"--changed-since={revision}")
    assert refused.code == 2
    assert "git knows no commit" in refused.err
    assert not (clone.folder / "x").exists()


@pytest.mark.parametrize("revision", ["HEAD", "main", "HEAD~1", "origin/main"])
def test_revisions_are_git_s(clone: Clone, revision: str) -> None:
    assert clone.do("validate", "jobfiles", "--changed-since", revision).code == 0


def test_a_history_that_is_not_here_is_said(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "--orphan", "apart")
    clone.keep("apart")
    refused = clone.do("validate", "jobfiles", "--changed-since", "main")
    assert refused.code == 2
    assert "no common history" in refused.err
    assert "fetch-depth: 0" in refused.err


def test_outside_of_a_repository_nothing_can_be_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    bench.write({"a": "a"})
    refused = bench.do("validate", "jobs.yaml", "--changed-since", "HEAD")
    assert refused.code == 2
    assert "is not in a git repository" in refused.err


# --- folders ---------------------------------------------------------------------------------------


def test_a_folder_means_the_job_files_below_it(clone: Clone) -> None:
    (clone.folder / "jobfiles/.hidden.yaml").write_text("campaign: [")
    (clone.folder / "jobfiles/faults.yml").write_text("- nothing of ours\n")
    (clone.folder / "jobfiles/slip.yaml").write_text("jobs:\n\t- tab\n")
    ran = clone.do("validate", "jobfiles", "jobfiles/one.yaml", "--format", "json")
    assert ran.code == 2
    valid = {found["file"].removeprefix("jobfiles/"): found["valid"] for found in ran.json}
    assert valid == {**dict.fromkeys(sorted(FILES), True), "slip.yaml": False}
    assert len(ran.json) == 4


def test_a_folder_without_job_files_is_a_slip(clone: Clone) -> None:
    refused = clone.do("validate", "jobfiles/prompts")
    assert refused.code == 2
    assert "no job file below jobfiles/prompts" in refused.err


@pytest.mark.parametrize(
    ("touched", "files"),
    [
        ("scenes.csv", ["tables.yaml"]),
        ("styles/new.j2", ["tables.yaml"]),
        ("styles/film.j2", ["tables.yaml"]),
        ("styles/deep/new.j2", []),
        ("styles/.hidden.j2", []),
        ("other.csv", []),
    ],
)
def test_tables_and_files_that_axes_are_made_of_count(clone: Clone, touched: str, files: list[str]) -> None:
    axes = {
        "scene": {"from": "scenes.csv", "key": "id"},
        "style": {"glob": "styles/*.j2"},
    }
    prompt = "{{ matrix.scene.id }} {{ matrix.style }}"
    folder = clone.folder / "jobfiles"
    (folder / "styles/deep").mkdir(parents=True)
    (folder / "styles/film.j2").write_text("film")
    (folder / "scenes.csv").write_text("id\ndawn\n")
    defaults = {"model": MODEL, "matrix": axes}
    (folder / "tables.yaml").write_text(job_file(prompt, defaults=defaults))
    clone.keep("tables")
    clone.push()
    assert looked_at(clone) == []
    (folder / touched).write_text("id\ndusk\n")
    assert looked_at(clone) == files


def test_a_file_that_a_glob_no_longer_finds_counts(clone: Clone) -> None:
    folder = clone.folder / "jobfiles"
    (folder / "styles").mkdir()
    for name in ("film", "ink"):
        (folder / f"styles/{name}.j2").write_text(name)
    defaults = {"model": MODEL, "matrix": {"style": {"glob": "styles/*.j2"}}}
    (folder / "tables.yaml").write_text(job_file("{{ matrix.style }}", defaults=defaults))
    clone.keep("styles")
    clone.push()
    (folder / "styles/ink.j2").unlink()
    assert looked_at(clone) == ["tables.yaml"]
