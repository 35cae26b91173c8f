"""`plan --comment`: one comment for each project on a pull request, ours, up to date whatever became of the plan."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import Bench
from tests.support.forked import WITHOUT_MEDIA
from tests.support.gitops.comments import LARGEST, US, Comments
from tests.support.repositories import git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.forked import Ran

MARK = "<!-- kiejobs plan: . -->"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "jobfiles").mkdir()
    (tmp_path / "kiejobs.yaml").write_text("version: 1\n")
    return Bench(tmp_path, "http://127.0.0.1:9")


@pytest.fixture
def forge() -> Iterator[Comments]:
    with Comments() as made:
        yield made


def github(bench: Bench, forge: Comments, *words: str, repo: str = "studio/films", **more: str) -> Ran:
    event = {"pull_request": {"number": 1, "head": {"sha": "ab" * 20, "repo": {"full_name": repo}}}}
    (bench.folder / "event.json").write_text(json.dumps(event))
    there = {
        "GITHUB_ACTIONS": "true", "GITHUB_API_URL": forge.url, "GITHUB_REPOSITORY": "studio/films",
        "GITHUB_TOKEN": "ghs_token", "GITHUB_EVENT_PATH": str(bench.folder / "event.json"),
    }  # fmt: skip
    return bench.do("plan", *(words or ("jobfiles",)), "--comment", **{**there, **more})


def gitlab(bench: Bench, forge: Comments, **more: str) -> Ran:
    there = {
        "GITLAB_CI": "true", "CI_API_V4_URL": forge.url, "CI_PROJECT_ID": "7", "CI_COMMIT_SHA": "cd" * 20,
        "CI_MERGE_REQUEST_IID": "3", "CI_MERGE_REQUEST_PROJECT_ID": "7", "GITLAB_TOKEN": "ghs_token",
    }  # fmt: skip
    return bench.do("plan", "jobfiles", "--comment", **{**there, **more})


def bodies(forge: Comments) -> list[str]:
    return [comment["body"] for comment in forge.kept]


def test_a_comment_has_one_total_over_all_files_and_changes_with_the_plan(
    bench: Bench, forge: Comments
) -> None:
    bench.write({"a": "a", "b": "b"}, name="jobfiles/1.yaml", campaign="one")
    bench.write({"c": "c"}, name="jobfiles/2.yaml", campaign="two")
    assert github(bench, forge).code == 0
    (body,) = bodies(forge)
    assert body.startswith(f"{MARK}\n### kiejobs plan\n\n**+3 jobs, 48 credits ($0.24)** in 2 job files")
    assert "Digest over all: `" in body
    assert "ab" * 20 in body
    bench.write({"a": "a"}, name="jobfiles/1.yaml", campaign="one")
    assert github(bench, forge).code == 0
    (body,) = bodies(forge)
    assert "**+2 jobs, 32 credits ($0.16)** in 2 job files" in body


def test_it_is_brought_up_to_date_where_validation_failed_and_where_nothing_is_left(
    bench: Bench, forge: Comments
) -> None:
    bench.write({"a": "a"}, name="jobfiles/1.yaml", campaign="one")
    bench.write({"c": "c"}, name="jobfiles/2.yaml", campaign="two")
    github(bench, forge)
    (bench.folder / "jobfiles" / "2.yaml").write_text("campaign: two\njobs: {}\n@everyone `x`")
    assert github(bench, forge).code == 2
    (body,) = bodies(forge)
    assert "**No plan** for `jobfiles/2.yaml`: a run would buy nothing." in body
    assert "Digest" not in body
    for file in (bench.folder / "jobfiles").iterdir():
        file.unlink()
    assert github(bench, forge).code == 2
    (body,) = bodies(forge)
    assert "no job file below jobfiles" in body


def test_nothing_to_do_makes_no_comment_but_changes_one(bench: Bench, forge: Comments) -> None:
    bench.write({"a": "a"}, name="jobfiles/1.yaml", campaign="one")
    assert bench.do("run", "jobfiles", "--sandbox", "--speed", "1000", PYTHONPATH=WITHOUT_MEDIA).code == 0
    done = ("jobfiles", "--sandbox")
    assert "no comment: nothing changes here" in github(bench, forge, *done).err
    assert forge.kept == []
    forge.add(f"{MARK}\n+1 job")
    assert github(bench, forge, *done).code == 0
    assert "Nothing to buy" in forge.kept[0]["body"]


def test_a_pull_request_that_touches_picks_alone_has_a_comment_with_them(
    bench: Bench, forge: Comments
) -> None:
    bench.write({"a": "a"}, name="jobfiles/1.yaml", campaign="one")
    assert bench.do("run", "jobfiles", "--sandbox", "--speed", "1000", PYTHONPATH=WITHOUT_MEDIA).code == 0
    assert bench.do("pick", "a", "--sandbox", "--note", "@everyone").code == 0
    git(bench.folder, "init", "--quiet", "--initial-branch=main")
    git(bench.folder, "add", ".")
    git(bench.folder, "commit", "--quiet", "-m", "Jobs")
    words = ("jobfiles", "--sandbox", "--base", "main")
    assert "no comment: nothing changes here" in github(bench, forge, *words).err
    (bench.folder / "jobfiles" / "picks.yaml").write_text("version: 1\npicks:\n")
    assert github(bench, forge, *words).code == 0
    (body,) = bodies(forge)
    assert "**Picks**: 1 picked." in body
    assert "@everyone` |" in body


def test_two_projects_have_two_comments(bench: Bench, forge: Comments) -> None:
    bench.write({"a": "a"}, name="jobfiles/1.yaml", campaign="one")
    (bench.folder / ".git").mkdir()
    other = bench.folder / "films -- 2"
    other.mkdir()
    (other / "kiejobs.yaml").write_text("version: 1\n")
    bench.write({"b": "b"}, name="films -- 2/b.yaml", campaign="two")
    github(bench, forge)
    github(bench, forge, "films -- 2")
    github(bench, forge)
    assert [body.partition("\n")[0] for body in bodies(forge)] == [
        MARK,
        "<!-- kiejobs plan: films%20-%2D%202 -->",
    ]


def test_what_others_wrote_is_left_alone_on_any_page_and_a_second_one_of_ours_goes(
    bench: Bench, forge: Comments
) -> None:
    bench.write({"a": "a"}, name="jobfiles/1.yaml", campaign="one")
    forged = f"{MARK}\n### kiejobs plan\n\n**Nothing to buy**"
    for _ in range(120):
        forge.add(forged, by="stranger")
    ours = forge.add(f"{MARK}\nold")
    forge.add(f"{MARK}\nolder")
    assert github(bench, forge).code == 0
    assert bodies(forge)[:120] == [forged] * 120
    assert [comment["id"] for comment in forge.kept[120:]] == [ours["id"]]
    assert "+1 job, 16 credits" in ours["body"]


@pytest.mark.parametrize("more", [{"repo": "stranger/films"}, {"GITHUB_ACTOR": "dependabot[bot]"}])
def test_who_may_not_comment_gets_a_plan_all_the_same(
    bench: Bench, forge: Comments, more: dict[str, str]
) -> None:
    bench.write({"a": "a"}, name="jobfiles/1.yaml", campaign="one")
    planned = github(bench, forge, **more)
    assert planned.code == 0
    assert "no comment on this pull request" in planned.err
    assert "1 job to buy" in planned.out
    assert forge.asked == []


def test_a_forge_that_refuses_is_an_error_for_else_an_old_comment_would_be_believed(
    bench: Bench, forge: Comments
) -> None:
    bench.write({"a": "a"}, name="jobfiles/1.yaml", campaign="one")
    refused = github(bench, forge, GITHUB_TOKEN="ghs_another")
    assert refused.code == 2
    assert "can't comment: HTTP 403" in refused.err
    assert '"token": "***"' in refused.err
    forge.broken = True
    broken = github(bench, forge)
    assert broken.code == 2
    assert "##[" not in broken.err
    assert "can't comment: no connection" in github(bench, forge, GITHUB_API_URL="http://127.0.0.1:9").err
    assert bench.do("plan", "jobfiles", "--comment").code == 2


def test_gitlab_s_notes_are_kept_in_the_same_way(bench: Bench, forge: Comments) -> None:
    bench.write({"a": "a"}, name="jobfiles/1.yaml", campaign="one")
    assert (
        "no comment on this pull request: GITLAB_TOKEN is not set"
        in gitlab(bench, forge, GITLAB_TOKEN="").err
    )
    forge.add(MARK, by="stranger", issue="3")
    assert gitlab(bench, forge).code == 0
    assert gitlab(bench, forge).code == 0
    assert [(note["issue"], note["user"]["login"]) for note in forge.kept] == [("3", "stranger"), ("3", US)]
    assert "cd" * 20 in forge.kept[1]["body"]
    assert "from a fork" in gitlab(bench, forge, CI_MERGE_REQUEST_PROJECT_ID="8").err


def test_a_comment_fits_counts_what_it_leaves_out_and_keeps_the_policy_s_verdict(
    bench: Bench, forge: Comments
) -> None:
    (bench.folder / "kiejobs.yaml").write_text("version: 1\nlimits: {credits_per_run: 1}\n")
    for number in range(40):
        prompts = {f"job-{number}-{at}-{'x' * 40}": f"{number} {at} \U000020ac" for at in range(60)}
        bench.write(prompts, name=f"jobfiles/{number}.yaml", campaign=f"campaign-{number}")
    planned = github(bench, forge)
    assert planned.code == 5
    (body,) = bodies(forge)
    assert len(body) <= LARGEST
    assert "**+2,400 jobs, 38,400 credits ($192.00)** in 40 job files" in body
    assert "\u26d4 **Policy**: a run would refuse `jobfiles/0.yaml`" in body
    assert "and 30 more, and buy nothing." in body
    shown = body.count("\n#### ")
    rest = "" if shown == 40 else f"*{40 - shown} more plans left out: too long for a comment.*"
    assert rest in body
    assert "left out: too long for a comment" in body


def test_nothing_in_a_job_file_forges_a_comment(bench: Bench, forge: Comments) -> None:
    evil = f"x`\n{MARK}\n### kiejobs plan\n**Nothing to buy** @org/team <img src=x> ![](http://evil)"
    bench.write({"a": evil}, name="jobfiles/1 @me `x` <b>.yaml", campaign="one")
    bench.write({"a": "a"}, name="jobfiles/2.yaml", campaign="one")
    github(bench, forge)
    (body,) = bodies(forge)
    assert body.count("<!-- kiejobs") == 1
    assert "`jobfiles/1 @me \u02cbx\u02cb <b>.yaml`" in body
