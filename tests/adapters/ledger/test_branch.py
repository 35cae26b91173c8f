"""The ledger's branch by git's plumbing: real repositories, every kind of checkout, nothing else touched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.git import GitFailed
from kiejobs.adapters.ledger.branch import LedgerBranch
from kiejobs.core.diagnostics import JournalProblem
from tests.support.repositories import CHECKOUTS, as_it_is, clone, git, hook, make_remote

if TYPE_CHECKING:
    from pathlib import Path

BRANCH = "kiejobs-ledger"


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):  # as on a machine that nobody has set up
        monkeypatch.setenv(name, os.devnull)
    return make_remote(tmp_path)


def put(branch: LedgerBranch, changes: dict[str, bytes | None]) -> str:
    """As a buyer does: on what is there now."""
    tip = branch.fetch()
    commit = branch.commit_on(tip, changes, "a change")
    branch.push(commit, tip)
    return commit


def everything(branch: LedgerBranch) -> dict[str, bytes]:
    tip = branch.fetch()
    return {} if tip is None else dict(branch.contents(branch.files(tip)))


@pytest.mark.parametrize("kind", CHECKOUTS)
def test_any_checkout_reads_and_writes_it_and_stays_as_it_was(remote: Path, kind: str) -> None:
    put(LedgerBranch(clone(remote, "other"), BRANCH), {"a/journal.jsonl": b"one\r\n\0\n"})
    folder = CHECKOUTS[kind](remote)
    before = as_it_is(folder)
    here = LedgerBranch(folder, BRANCH)
    assert everything(here) == {"a/journal.jsonl": b"one\r\n\0\n"}
    put(here, {"b c/journal.jsonl": b"two\n", "a/journal.jsonl": None})
    assert everything(LedgerBranch(clone(remote, "third"), BRANCH)) == {"b c/journal.jsonl": b"two\n"}
    assert as_it_is(folder) == before


def test_a_shallow_clone_has_the_ledger_without_its_history(remote: Path) -> None:
    other = LedgerBranch(clone(remote, "other"), BRANCH)
    for number in range(3):
        put(other, {f"{number}/journal.jsonl": b"x"})
    folder = CHECKOUTS["shallow"](remote)
    here = LedgerBranch(folder, BRANCH)
    put(here, {"mine/journal.jsonl": b"y"})
    put(other, {"theirs/journal.jsonl": b"z"})
    put(here, {"again/journal.jsonl": b"y"})
    assert sorted(everything(other)) == [
        f"{name}/journal.jsonl" for name in ("0", "1", "2", "again", "mine", "theirs")
    ]
    assert git(folder, "rev-list", "--count", "HEAD") == "1"
    assert int(git(folder, "rev-list", "--count", here.ref)) < 4
    assert git(remote, "rev-list", "--count", BRANCH) == "6"
    git(folder, "fetch", "--quiet", "--unshallow")
    assert git(folder, "rev-list", "--count", "HEAD") == "3"
    assert everything(here) == everything(other)


def test_projects_share_a_branch_and_see_their_own(remote: Path) -> None:
    folder = clone(remote, "both")
    top, tea = LedgerBranch(folder, BRANCH), LedgerBranch(folder / "clips" / "tea", BRANCH)
    put(top, {"a/journal.jsonl": b"top"})
    put(tea, {"a/journal.jsonl": b"tea"})
    assert (everything(top), everything(tea)) == ({"a/journal.jsonl": b"top"}, {"a/journal.jsonl": b"tea"})
    assert git(remote, "show", f"{BRANCH}:clips/tea/runs/a/journal.jsonl") == "tea"


def test_worktrees_share_one_git_directory(remote: Path) -> None:
    worktree = CHECKOUTS["worktree"](remote)
    assert LedgerBranch(worktree, BRANCH).common == (remote.parent / "main" / ".git").resolve()


def test_who_was_slower_is_refused_whether_the_branch_was_there_or_not(remote: Path) -> None:
    one, other = LedgerBranch(clone(remote, "one"), BRANCH), LedgerBranch(clone(remote, "other"), BRANCH)
    for name in ("first", "second"):
        tips = [one.fetch(), other.fetch()]
        commits = [
            each.commit_on(tip, {f"{name}/{who}": b""}, "x")
            for each, tip, who in zip((one, other), tips, "ab", strict=True)
        ]
        one.push(commits[0], tips[0])
        with pytest.raises(GitFailed):
            other.push(commits[1], tips[1])
    assert everything(other) == {"first/a": b"", "second/a": b""}


def test_without_a_remote_it_is_a_ref_of_the_clone_and_of_all_its_worktrees(tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "first")
    git(folder, "worktree", "add", "--quiet", "../side")
    here, side = LedgerBranch(folder, BRANCH), LedgerBranch(tmp_path / "side", BRANCH)
    put(here, {"a/journal.jsonl": b"one"})
    assert everything(side) == {"a/journal.jsonl": b"one"}
    stale = side.commit_on(None, {"b": b""}, "x")
    with pytest.raises(GitFailed):
        side.push(stale, None)


def test_where_there_are_remotes_but_not_that_one_nothing_is_guessed(remote: Path) -> None:
    folder = clone(remote, "renamed", "--origin=upstream")
    with pytest.raises(JournalProblem, match="this clone has no remote `origin`"):
        LedgerBranch(folder, BRANCH)
    assert LedgerBranch(folder, BRANCH, "upstream").remote == "upstream"


def test_outside_of_a_repository_the_reason_is_given(tmp_path: Path) -> None:
    with pytest.raises(JournalProblem, match="git can't be asked here: not a git repository"):
        LedgerBranch(tmp_path, BRANCH)


@pytest.mark.parametrize("name", ["-x", "a..b", "a b", "/a", "a/", "a.lock", "ext::sh", "a/.b", ""])
def test_a_name_that_git_could_take_for_something_else_is_refused(remote: Path, name: str) -> None:
    with pytest.raises(JournalProblem, match="can't be a branch's or a remote's name"):
        LedgerBranch(remote, name or "-")


def test_hooks_signing_line_ends_filters_and_a_callers_variables_have_no_part_in_it(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = clone(remote, "odd")
    for name in ("pre-commit", "pre-push", "post-commit", "reference-transaction", "commit-msg"):
        hook(folder / ".git", name, "exit 1")
    (folder / ".git" / "info" / "attributes").write_text("* text eol=crlf filter=lfs\n")
    for setting in (
        "commit.gpgsign=true", "gpg.program=/bin/false", "push.gpgsign=if-asked", "core.autocrlf=true",
        "filter.lfs.clean=false", "filter.lfs.smudge=false", "filter.lfs.required=true", "fetch.prune=true",
        "push.followTags=true", "push.default=nothing", "user.name=", "remote.origin.prune=true",
    ):  # fmt: skip
        git(folder, "config", *setting.split("=", 1))
    monkeypatch.setenv("GIT_DIR", str(remote))
    monkeypatch.setenv("GIT_INDEX_FILE", str(folder / "stolen"))
    put(LedgerBranch(folder, BRANCH), {"a/journal.jsonl": b"one\r\ntwo\n"})
    monkeypatch.undo()
    assert everything(LedgerBranch(clone(remote, "third"), BRANCH)) == {"a/journal.jsonl": b"one\r\ntwo\n"}
    assert git(remote, "log", "--format=%cn %ce", BRANCH) == "kiejobs kiejobs@localhost"
    assert git(folder, "for-each-ref", "refs/kiejobs-commit") == ""


def test_commits_carry_the_users_name_where_git_knows_one(remote: Path) -> None:
    folder = clone(remote, "named")
    git(folder, "config", "user.name", "Ana <b>")
    git(folder, "config", "user.email", "ana@example.com")
    put(LedgerBranch(folder, BRANCH), {"a": b""})
    assert git(remote, "log", "--format=%an|%ae", BRANCH) == "Ana b|ana@example.com"


def test_a_refusal_is_quoted_and_leaves_the_ref_as_it_was(remote: Path) -> None:
    hook(remote, "pre-receive", "echo 'the ledger is closed' >&2; exit 1")
    here = LedgerBranch(clone(remote, "here"), BRANCH)
    commit = here.commit_on(None, {"a": b""}, "x")
    with pytest.raises(GitFailed, match="the ledger is closed"):
        here.push(commit, None)
    assert here.tip() is None


def test_a_remote_that_is_gone_is_no_empty_branch(remote: Path) -> None:
    here = LedgerBranch(clone(remote, "here"), BRANCH)
    assert here.fetch() is None
    remote.rename(remote.with_name("elsewhere"))
    with pytest.raises(GitFailed):
        here.fetch()


def test_a_lock_that_a_machine_left_when_it_went_down_is_taken_away(remote: Path) -> None:
    here = LedgerBranch(clone(remote, "here"), BRANCH)
    put(here, {"a": b""})
    lock = here.common / f"{here.ref}.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    put(LedgerBranch(clone(remote, "other"), BRANCH), {"b": b""})
    assert everything(here) == {"a": b"", "b": b""}


def test_blobs_that_a_partial_clone_lacks_are_fetched(remote: Path) -> None:
    put(LedgerBranch(clone(remote, "other"), BRANCH), {"a/journal.jsonl": b"one", "b/journal.jsonl": b"two"})
    here = LedgerBranch(clone(remote, "partial", "--filter=blob:none"), BRANCH)
    assert everything(here) == {"a/journal.jsonl": b"one", "b/journal.jsonl": b"two"}


def test_a_project_in_a_folder_with_an_odd_name(remote: Path) -> None:
    folder = clone(remote, "odd")
    names = {'a "b" c': b"1", "ünïcode\\x": b"2", " -x": b"3"}
    for name, data in names.items():
        (folder / name).mkdir()
        put(LedgerBranch(folder / name, BRANCH), {"r/journal.jsonl": data})
    for name, data in names.items():
        assert everything(LedgerBranch(folder / name, BRANCH)) == {"r/journal.jsonl": data}
