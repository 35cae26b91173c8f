"""Journals in git, with real repositories: what was bought is known wherever the journals are."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.git import GitFailed, repository_of
from kiejobs.core.diagnostics import ExitCode
from tests.support.bench import Bench
from tests.support.gitops.clones import Clone, Origin

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.judge.server import Judge


@pytest.fixture
def origin(table: tuple[Bench, Judge]) -> Origin:
    bench, _ = table
    return Origin(bench.folder, bench.url, a="a", b="b")


def edited(clone: Clone, **prompts: str) -> None:
    clone.write(prompts)


def wipe(folder: Path) -> None:
    for path in folder.rglob("*.mp4"):
        path.unlink()


# --- what git does with journals -----------------------------------------------------------------


def test_the_journals_of_two_branches_merge_without_a_conflict(origin: Origin) -> None:
    one, other = origin.clone("one"), origin.clone("other")
    for clone, job in ((one, "a"), (other, "b")):
        clone.git("switch", "--quiet", "-c", f"buys-{job}")
        assert clone.run("--select", job).code == 0
        clone.keep(f"bought {job}")
        clone.push()
    merged = origin.clone("merged")
    merged.git("merge", "--quiet", "-m", "one", "origin/buys-a")
    merged.git("merge", "--quiet", "-m", "other", "origin/buys-b")
    assert merged.do("manifest", "rebuild").out.startswith("All manifests match their journals")
    assert merged.to_buy() == []
    assert merged.known_tasks() == merged_tasks(one, other)


def merged_tasks(*clones: Clone) -> set[str]:
    return set().union(*(clone.known_tasks() for clone in clones))


def test_manifests_that_two_collects_wrote_at_once_are_made_again_where_they_conflict(origin: Origin) -> None:
    """The recipe of the page Stop and resume: manifests are made from journals, and journals never conflict."""
    first = origin.clone("bought")
    assert first.run("--detach").code == 0
    first.keep("bought")
    first.push()
    one, other = origin.clone("one"), origin.clone("other")
    for clone in (one, other):
        assert clone.do("collect", "--poll", "50ms").code == 0
        clone.keep("collected")
    one.push()
    other.git("fetch", "--quiet")
    other.git("merge", "--quiet", "origin/main", fails=True)
    assert "manifest.json" in other.git("diff", "--name-only", "--diff-filter=U")
    assert other.do("manifest", "rebuild").code == 0
    other.git("add", "runs")
    other.git("commit", "--quiet", "--no-edit")
    other.push()
    assert other.do("manifest", "verify").code == 0
    assert other.to_buy() == []
    assert len(Bench(origin.folder, "").accepted_tasks()) == 2


def test_a_fresh_clone_with_only_the_journals_knows_all_that_was_bought(origin: Origin) -> None:
    first = origin.clone("bought")
    assert first.run().code == 0
    first.keep("bought")
    first.push()
    fresh = origin.clone("fresh")
    assert not (fresh.folder / "outputs").exists()
    assert fresh.plan() == {"a": "collect", "b": "collect"}
    assert fresh.run().code == 0
    assert fresh.plan() == {"a": "keep", "b": "keep"}
    assert len(Bench(origin.folder, "").accepted_tasks()) == 2


def test_manifest_verify_fails_in_a_clone_where_a_line_was_edited(origin: Origin) -> None:
    first = origin.clone("bought")
    assert first.run().code == 0
    first.keep("bought")
    assert first.do("manifest", "verify").code == 0
    journal = first.journals()[0]
    journal.write_text(journal.read_text().replace('"planned"', '"pIanned"', 1))
    refused = first.do("manifest", "verify")
    assert refused.code == ExitCode.JOURNAL
    assert "journal.jsonl:" in refused.out


# --- behind ----------------------------------------------------------------------------------------


def behind(origin: Origin, *, fetched: bool) -> Clone:
    """A clone that lacks the journal of one run, which bought all."""
    mine, other = origin.clone("mine"), origin.clone("other")
    assert other.run().code == 0
    other.keep("bought")
    other.push()
    if fetched:
        mine.git("fetch", "--quiet")
    return mine


@pytest.mark.parametrize("fetched", [True, False])
def test_a_clone_that_is_behind_buys_nothing_until_it_has_the_journals(
    origin: Origin, *, fetched: bool
) -> None:
    mine = behind(origin, fetched=fetched)
    refused = mine.run()
    assert refused.code == ExitCode.STALE_PLAN == 6
    assert "this clone is behind origin/main" in refused.err
    assert ("it lacks the journal of 2" in refused.err) == fetched
    assert "git pull" in refused.err
    assert mine.journals() == []
    mine.git("pull", "--quiet")
    assert mine.run().code == 0
    assert len(Bench(origin.folder, "").accepted_tasks()) == 2


def test_a_clone_that_is_behind_may_be_told_to_buy_and_may_rehearse(origin: Origin) -> None:
    mine = behind(origin, fetched=True)
    assert mine.do("run", "jobs.yaml", "--sandbox", "--speed", "400").code == 0
    assert mine.run("--allow-behind", "--select", "a").code == 0
    assert mine.run("--select", "b", KIEJOBS_ALLOW_BEHIND="1").code == 0
    assert len(Bench(origin.folder, "").accepted_tasks()) == 4


def test_a_clone_that_is_behind_still_collects_and_runs_where_nothing_is_to_be_bought(
    origin: Origin,
) -> None:
    mine, other = origin.clone("mine"), origin.clone("other")
    assert mine.run().code == 0
    other.write({"c": "c"})
    assert other.run().code == 0
    other.keep("bought")
    other.push()
    wipe(mine.folder / "outputs")
    assert mine.run().code == 0
    wipe(mine.folder / "outputs")
    assert mine.do("collect").code == 0


def test_commits_without_journals_stop_nobody(origin: Origin) -> None:
    mine, other = origin.clone("mine"), origin.clone("other")
    (other.folder / "notes.md").write_text("words")
    other.keep("notes")
    other.push()
    mine.git("fetch", "--quiet")
    assert mine.run().code == 0


def test_a_clone_that_is_ahead_buys(origin: Origin) -> None:
    mine = origin.clone("mine")
    mine.write({"a": "a", "b": "b", "c": "c"})
    mine.keep("one more")
    assert mine.run().code == 0
    mine.keep("bought")
    mine.write({"a": "a", "b": "b", "c": "c", "d": "d"})
    assert mine.run().code == 0


def test_branches_that_went_apart_are_refused_only_where_the_other_bought(origin: Origin) -> None:
    mine, other = origin.clone("mine"), origin.clone("other")
    for clone, prompt in ((mine, "m"), (other, "o")):
        (clone.folder / f"{prompt}.txt").write_text(prompt)
        clone.keep(prompt)
    other.push()
    mine.git("fetch", "--quiet")
    assert mine.run("--select", "a").code == 0
    mine.keep("bought a")
    assert other.run("--select", "b").code == 0
    other.keep("bought b")
    other.push()
    mine.git("fetch", "--quiet")
    refused = mine.run()
    assert refused.code == 6
    assert "it lacks the journal of 2" in refused.err
    mine.git("pull", "--quiet", "--no-rebase")
    assert mine.run().code == 0
    assert mine.do("manifest", "verify").code == 0
    assert len(Bench(origin.folder, "").accepted_tasks()) == 2


def test_a_push_of_journals_that_is_refused_is_retried_after_a_merge(origin: Origin) -> None:
    mine, other = origin.clone("mine"), origin.clone("other")
    assert mine.run("--select", "a").code == 0
    mine.keep("bought a")
    assert other.run("--select", "b").code == 0
    other.keep("bought b")
    other.push()
    mine.git("push", "--quiet", "origin", "HEAD", fails=True)
    mine.git("pull", "--quiet", "--rebase")
    mine.push()
    assert origin.clone("fresh").to_buy() == []


# --- where git has nothing to say ------------------------------------------------------------------


def test_a_shallow_checkout_of_a_commit_is_not_refused(origin: Origin) -> None:
    behind(origin, fetched=False)
    url = f"file://{origin.path}"
    shallow = origin.clone("shallow", "--depth=1", source=url)
    shallow.git("checkout", "--quiet", "--detach")
    shallow.write({"a": "a", "b": "b", "c": "c"})
    assert shallow.run().code == 0


def test_a_shallow_clone_of_a_branch_is_asked_like_any_other(origin: Origin) -> None:
    url = f"file://{origin.path}"
    shallow = origin.clone("shallow", "--depth=1", source=url)
    assert shallow.run("--select", "a").code == 0
    behind(origin, fetched=False)
    refused = shallow.run("--select", "b")
    assert refused.code == 6
    assert "whose last commit is not here" in refused.err


def test_a_branch_that_follows_nothing_a_first_commit_and_no_repository_are_not_asked(
    origin: Origin, table: tuple[Bench, Judge]
) -> None:
    mine = behind(origin, fetched=False)
    mine.git("switch", "--quiet", "-c", "new")
    assert mine.run("--select", "a").code == 0
    unborn = Clone(origin.folder / "unborn", mine.url)
    unborn.folder.mkdir()
    unborn.git("init", "--quiet")
    unborn.write({"x": "x"})
    assert unborn.run().code == 0
    bench, _ = table
    bench.write({"y": "y"})
    assert bench.run().code == 0
    assert "git" not in bench.run().err


def test_a_remote_that_cannot_be_asked_is_said_and_lived_with(origin: Origin) -> None:
    mine = origin.clone("mine")
    mine.git("remote", "set-url", "origin", f"{origin.path}-moved")
    ran = mine.run()
    assert ran.code == 0
    assert "can't ask origin whether there is more" in ran.err


def test_a_remote_that_never_answers_is_given_up_with_all_that_was_started(origin: Origin) -> None:
    mine = origin.clone("mine")
    told = mine.folder.parent / "told.txt"
    mine.git("config", "core.sshCommand", f'echo $$ > "{told}"; exec sleep 600 #')
    mine.git("remote", "set-url", "origin", "ssh://git@example.invalid/x.git")
    repository = repository_of(mine.folder)
    assert repository is not None
    upstream = repository.upstream()
    assert upstream is not None
    with pytest.raises(GitFailed, match="no answer within 2 seconds"):
        repository.tip_at(upstream, seconds=2)
    asked = int(told.read_text())
    assert ends(asked)


def ends(pid: int) -> bool:
    """Within 30 s: who is killed is not gone at once on a busy machine."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 30)[0])
    finally:
        os.close(process)


def test_a_branch_that_is_gone_at_the_remote_stops_nobody(origin: Origin) -> None:
    mine = origin.clone("mine")
    mine.git("switch", "--quiet", "-c", "feature")
    mine.git("push", "--quiet", "--set-upstream", "origin", "feature")
    mine.git("push", "--quiet", "origin", "--delete", "feature")
    assert mine.run().code == 0


def test_git_neither_sees_the_key_nor_starts_what_a_repository_names(origin: Origin) -> None:
    mine = origin.clone("mine")
    told = mine.folder.parent / "told.txt"
    script = mine.folder.parent / "spy"
    script.write_text(f'#!/bin/sh\nenv >> "{told}"\nexit 1\n')
    script.chmod(0o755)
    mine.git("config", "core.fsmonitor", str(script))
    mine.git("config", "diff.external", str(script))
    mine.git("config", "core.hooksPath", str(script.parent))
    assert mine.run("--select", "a").code == 0
    assert mine.do("plan", "jobs.yaml", "--changed-since", "origin/main").code == 0
    assert not told.exists()
    mine.git("config", "core.sshCommand", f"{script} #")
    mine.git("remote", "set-url", "origin", "ssh://git@example.invalid/x.git")
    assert mine.run("--select", "b").code == 0
    assert "PATH=" in told.read_text()
    assert "KIE_API_KEY" not in told.read_text()


def test_the_variables_that_a_hook_is_given_lead_nowhere_else(origin: Origin) -> None:
    mine = behind(origin, fetched=True)
    other = origin.clone("elsewhere")
    refused = mine.run(GIT_DIR=str(other.folder / ".git"), GIT_WORK_TREE=str(other.folder))
    assert refused.code == 6
