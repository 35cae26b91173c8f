"""What a repository was ever given of journals must be on disk before anything is bought, wherever a checkout stands."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.git import repository_of
from kiejobs.core.diagnostics import ExitCode
from tests.support.bench import Bench, ended
from tests.support.forked import WITHOUT_MEDIA
from tests.support.gitops.clones import WHO, Clone, Origin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.judge.server import Judge


@pytest.fixture
def origin(table: tuple[Bench, Judge]) -> Origin:
    bench, _ = table
    return Origin(bench.folder, bench.url, a="a")


@pytest.fixture
def clone(origin: Origin) -> Clone:
    """On main; `a` is bought, committed and pushed."""
    clone = origin.clone("mine")
    assert clone.run().code == 0
    clone.keep("bought")
    clone.push()
    return clone


def bought(clone: Clone) -> int:
    folder = next(one for one in clone.folder.parents if (one / "origin.git").exists())
    return len(Bench(folder, "").accepted_tasks())


def require_refused(clone: Clone, words: str) -> str:
    """By `run`, with exit code 6; `doctor` says it as well. The command that mends it."""
    before = bought(clone)
    ran = clone.run()
    assert (ran.code, bought(clone)) == (ExitCode.STALE_PLAN, before), ran.err
    assert words in ran.err
    assert "nothing was bought" in ran.err
    assert "--allow-behind" in ran.err
    assert words in clone.do("doctor").out
    _, command, _ = ran.err.partition("help: ")[2].split("`", 2)
    return command


def require_mended(clone: Clone, words: str) -> None:
    """What the message says, followed to the letter, is enough: nothing is bought again."""
    command = require_refused(clone, words)
    environment = {**clone.environment(), **WHO}
    subprocess.run(
        ["bash", "-c", command], cwd=clone.folder, env=environment, check=True, capture_output=True
    )
    ran = clone.run()
    assert ran.code == 0, ran.err
    assert bought(clone) == 1


def the_run(clone: Clone) -> str:
    (journal,) = clone.journals()
    return journal.parent.name


# --- another commit is checked out ----------------------------------------------------------------


def go_back(clone: Clone, *words: str) -> None:
    clone.git("checkout", "--quiet", *words, "HEAD~1")
    assert clone.journals() == []


def test_a_detached_head_needs_what_the_default_branch_has(clone: Clone) -> None:
    go_back(clone, "--detach")
    require_mended(clone, "origin/main has the journal of 2")


def test_a_feature_branch_needs_what_the_default_branch_has(clone: Clone) -> None:
    go_back(clone, "-b", "feature")
    clone.git("remote", "set-head", "origin", "main")
    require_mended(clone, "origin/main has the journal of 2")


def test_without_a_remote_branches_that_contain_the_commit_say_it(clone: Clone) -> None:
    clone.git("remote", "remove", "origin")
    go_back(clone, "-b", "old")
    require_mended(clone, "branch main has the journal of 2")


def test_a_branch_of_somebody_else_that_goes_on_from_here_is_known_by_its_remote(
    clone: Clone, origin: Origin
) -> None:
    buyer = origin.clone("buyer")
    buyer.git("switch", "--quiet", "-c", "buyer")
    buyer.write({"a": "a", "b": "b", "new": "new"})
    assert buyer.run().code == 0
    buyer.keep("bought on a branch")
    buyer.git("push", "--quiet", "origin", "buyer")
    clone.git("fetch", "--quiet")
    clone.write({"a": "a", "b": "b", "new": "new"})
    refused = clone.run()
    assert (refused.code, "branch origin/buyer has" in refused.err) == (ExitCode.STALE_PLAN, True)


def test_branches_that_went_apart_know_of_each_other_by_their_remote(clone: Clone) -> None:
    run = the_run(clone)
    go_back(clone, "-b", "feature")
    (clone.folder / "notes").write_text("words")
    clone.keep("feature")
    assert run in require_refused(clone, "origin/main has")
    clone.git("merge", "--quiet", "origin/main")
    assert clone.run().code == 0


@pytest.mark.parametrize("which", [["--cone"], ["--no-cone", "/*", "!/runs/"]], ids=["cone", "patterns"])
def test_a_sparse_checkout_needs_its_journals(clone: Clone, which: list[str]) -> None:
    clone.git("sparse-checkout", "set", *which)
    assert clone.journals() == []
    require_mended(clone, "a sparse checkout leaves out the journal of 2")


# --- journals that went ------------------------------------------------------------------------------


def tidied(clone: Clone) -> None:
    clone.git("rm", "-r", "--quiet", "runs")
    clone.keep("tidy")


def tidied_and_forgotten(clone: Clone) -> None:
    tidied(clone)
    clone.push()
    for number in range(3):
        (clone.folder / "notes").write_text(f"{number}")
        clone.keep("later")


def reverted(clone: Clone) -> None:
    clone.git("revert", "--no-edit", "HEAD")
    clone.push()


def merged_away(clone: Clone) -> None:
    """A merge that takes nothing of the branch that has them."""
    clone.git("switch", "--quiet", "-c", "other", "HEAD~1")
    clone.git("commit", "--quiet", "--allow-empty", "-m", "apart")
    clone.git("merge", "--quiet", "-s", "ours", "-m", "merge", "main")
    clone.git("branch", "--quiet", "-D", "main")
    clone.git("remote", "remove", "origin")


def cut_off(clone: Clone) -> None:
    (journal,) = clone.journals()
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:2]))
    clone.git("rm", "--quiet", "--cached", f"runs/{the_run(clone)}/manifest.json")
    (journal.parent / "manifest.json").unlink()
    clone.keep("cut")
    clone.git("push", "--quiet", "--force", "origin", "HEAD")


GONE: dict[str, tuple[Callable[[Clone], object], str]] = {
    "removed from disk": (lambda clone: shutil.rmtree(clone.folder / "runs"), "git's index has the journal of"),
    "removed, not committed": (lambda clone: clone.git("rm", "-rq", "runs"), "HEAD has the journal of"),
    "tidied just now": (tidied, "origin/main has the journal of"),
    "tidied": (tidied, "this clone is behind origin/main: it lacks"),
    "tidied long ago": (tidied_and_forgotten, "took away the journal of 2"),
    "reverted": (reverted, "took away the journal of 2"),
    "merged away": (merged_away, "took away the journal of 2"),
    "cut off": (cut_off, "took away the journal of 2"),
}  # fmt: skip


@pytest.mark.parametrize(("go", "words"), GONE.values(), ids=GONE)
def test_a_journal_that_was_committed_once_is_missed(
    clone: Clone, go: Callable[[Clone], object], words: str
) -> None:
    go(clone)
    if "behind" in words:
        clone.git("reset", "--quiet", "--hard", "HEAD~2")
    require_mended(clone, words)


def test_a_journal_that_went_on_since_it_was_committed_is_the_same(clone: Clone) -> None:
    """Also where a checkout has turned its line breaks."""
    clone.write({"a": "a", "b": "b"})
    (journal,) = clone.journals()
    whole = journal.read_bytes()
    journal.write_bytes(b"".join(whole.splitlines(keepends=True)[:3]))
    clone.keep("half of it")
    clone.push()
    journal.write_bytes(whole)
    assert clone.run("--select", "a").code == 0
    clone.git("commit", "--quiet", "-am", "all of it")
    journal.write_bytes(whole.replace(b"\n", b"\r\n"))
    assert clone.run("--select", "b").code == 0


# --- other worktrees -----------------------------------------------------------------------------


@pytest.fixture
def worktree(origin: Origin) -> tuple[Clone, Clone]:
    """Two worktrees of one repository, without a remote."""
    first = origin.clone("first-tree")
    first.git("remote", "remove", "origin")
    first.git("worktree", "add", "--quiet", "-b", "second", "../second-tree")
    return first, Clone(first.folder.parent / "second-tree", first.url)


def test_what_another_worktree_bought_and_did_not_commit_is_needed(worktree: tuple[Clone, Clone]) -> None:
    first, second = worktree
    assert second.run().code == 0
    require_mended(first, f"the worktree {second.folder} has the journal of 2")
    assert second.run().code == 0, "both have it now"


def test_what_another_worktree_committed_is_needed(worktree: tuple[Clone, Clone]) -> None:
    first, second = worktree
    assert second.run().code == 0
    (first.folder / "notes").write_text("apart")
    first.keep("apart")
    second.keep("bought")
    require_mended(first, f"the worktree {second.folder} has the journal of 2")


def test_while_another_worktree_buys_nothing_is_bought_here(
    worktree: tuple[Clone, Clone], table: tuple[Bench, Judge]
) -> None:
    first, second = worktree
    _, judge = table
    first.write({"a": "a [create=hang_kept]"})
    second.write({"a": "a [create=hang_kept]"})
    process = second.start("run", "jobs.yaml", "--yes", "--poll", "50ms")
    judge.wait_until(lambda: len(judge.creates) == 1)
    refused = first.run()
    judge.let_go.set()
    assert ended(process).code == 0
    assert refused.code == ExitCode.JOURNAL
    assert f"{second.folder}/runs, of the same repository, is in use by run 2" in refused.err
    assert len(judge.creates) == 1


# --- git ignores them ------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["*.jsonl", "runs/", "journal.*", "/runs/*"])
def test_journals_that_git_ignores_are_refused_with_the_line_that_does_it(
    origin: Origin, pattern: str
) -> None:
    clone = origin.clone("mine")
    with (clone.folder / ".gitignore").open("a") as lines:
        lines.write(f"{pattern}\n")
    ran = clone.run()
    assert ran.code == 6
    assert f"git ignores the journals in runs (.gitignore:4:{pattern}); nothing was bought" in ran.err
    assert f".gitignore:4:{pattern}" in clone.do("doctor").out
    assert clone.run("--allow-behind").code == 0
    assert clone.do("run", "jobs.yaml", "--sandbox", "--speed", "400", PYTHONPATH=WITHOUT_MEDIA).code == 0


def test_patterns_that_are_taken_back_are_none(origin: Origin) -> None:
    clone = origin.clone("mine")
    with (clone.folder / ".gitignore").open("a") as lines:
        lines.write("*.jsonl\n!runs/**/journal.jsonl\n")
    assert clone.run().code == 0


def test_init_says_which_line_has_git_ignore_journals(origin: Origin) -> None:
    clone = origin.clone("mine")
    assert "commit runs/: it is the record" in clone.do("init", "well").out
    (clone.folder / ".gitignore").write_text("*.jsonl\n")
    begun = clone.do("init", "new")
    assert begun.code == 0
    assert "git ignores the journals in new/runs (.gitignore:1:*.jsonl)" in begun.err
    assert "is not ignored" not in begun.out


# --- git can't be asked ------------------------------------------------------------------------------


def test_a_work_tree_without_git_buys_nothing(clone: Clone) -> None:
    ran = clone.run(PATH="/nowhere")
    assert ran.code == 0, "there is nothing to buy"
    clone.write({"b": "b"})
    refused = clone.run(PATH="/nowhere")
    assert refused.code == 6
    assert "git is not on the PATH" in refused.err
    assert clone.run("--allow-behind", PATH="/nowhere").code == 0


def test_a_repository_that_is_broken_buys_nothing(origin: Origin) -> None:
    clone = origin.clone("mine")
    (clone.folder / ".git" / "HEAD").unlink()
    assert "can't ask git which journals there are" in clone.run().err
    assert clone.run().code == 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user_buys_nothing_until_git_may_look(origin: Origin, tmp_path: Path) -> None:
    clone = origin.clone("mine")
    shutil.chown(clone.folder, 12345, 12345)
    shutil.chown(clone.folder / ".git", 12345, 12345)
    refused = clone.run()
    assert refused.code == 6
    assert f"git config --global --add safe.directory {clone.folder}" in refused.err
    config = tmp_path / "gitconfig"
    config.write_text(f"[safe]\n\tdirectory = {clone.folder}\n")
    assert clone.run(GIT_CONFIG_GLOBAL=str(config)).code == 0


# --- forms of clones ---------------------------------------------------------------------------------


def test_a_shallow_clone_says_what_it_cannot_see(clone: Clone, origin: Origin) -> None:
    shallow = origin.clone("shallow", "--depth=1", source=f"file://{origin.path}")
    shallow.write({"a": "a", "b": "b"})
    ran = shallow.run()
    assert ran.code == 0
    assert (
        "this clone is shallow; journals that were deleted before its first commit can't be seen" in ran.err
    )
    assert bought(clone) == 2


def test_a_project_below_the_top_has_runs_of_its_own(origin: Origin) -> None:
    top = origin.clone("mine")
    project = Clone(top.folder / "films" / "tea one", top.url)
    project.folder.mkdir(parents=True)
    project.write({"a": "a"})
    assert project.run().code == 0
    top.keep("bought")
    top.git("checkout", "--quiet", "--detach", "HEAD~1")
    project.folder.mkdir(parents=True, exist_ok=True)
    project.write({"a": "a"})
    require_mended(project, "branch main has the journal of 2")


def test_a_submodule_is_a_repository_of_its_own(origin: Origin, clone: Clone) -> None:
    outer = Clone(origin.folder / "outer", clone.url)
    outer.folder.mkdir()
    outer.git("init", "--quiet", "--initial-branch=main")
    allow = ("-c", "protocol.file.allow=always")
    outer.git(*allow, "submodule", "--quiet", "add", str(origin.path), "films")
    outer.git("commit", "--quiet", "-m", "with films")
    inner = Clone(outer.folder / "films", clone.url)
    inner.git("checkout", "--quiet", "--detach", "HEAD~1")
    require_mended(inner, "origin/main has the journal of 2")


def test_journals_that_are_kept_by_lfs_are_known_by_their_pointers(clone: Clone) -> None:
    (journal,) = clone.journals()
    data = journal.read_bytes()
    pointer = (
        "version https://git-lfs.github.com/spec/v1\n"
        f"oid sha256:{hashlib.sha256(data).hexdigest()}\nsize {len(data)}\n"
    )
    journal.write_text(pointer)
    clone.git("add", "runs")
    clone.git("commit", "--quiet", "--amend", "-m", "by LFS")
    clone.git("push", "--quiet", "--force", "origin", "HEAD")
    journal.write_bytes(data)
    clone.write({"b": "b"})
    assert clone.run().code == 0
    pointer_of_more = pointer.replace("size ", "size 9")
    journal.write_text(pointer_of_more)
    clone.git("commit", "--quiet", "-am", "a longer one")
    journal.write_bytes(data)
    clone.write({"c": "c"})
    require_refused(clone, "git's index has the journal of 2")
    assert "which is not all here" in clone.run().err


def test_few_processes_are_enough_for_many_branches(clone: Clone) -> None:
    for number in range(40):
        clone.git("branch", f"b{number}")
    repository = repository_of(clone.folder)
    assert repository is not None
    assert len(repository.branches_with_head()) == 43, "and origin/main, by two names"
    assert repository.default_branches() == ["origin/main"]
    clone.write({"b": "b"})
    assert clone.run().code == 0
