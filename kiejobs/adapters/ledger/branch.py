"""A branch that only kiejobs writes, by git's plumbing: fetched, read, and pushed by compare-and-swap.

In: a folder in a repository, a branch's and a remote's name; files to change. Out: the files of the branch; a
commit. Touches: objects and the ref `refs/kiejobs/BRANCH` of the repository; the network with the user's own
set-up. Not touched are work tree, index, HEAD, branches, FETCH_HEAD, hooks, filters, signing keys.

Commits are made by `git fast-import`: in one process, without an index whose lock a killed process leaves.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from kiejobs.adapters.git import GitFailed, Repository
from kiejobs.adapters.project.root import PROJECT_FILE
from kiejobs.core.diagnostics import JournalProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path
    from typing import IO

_NAME = re.compile(r"(?!.*(?:\.\.|//|/\.|\.lock(?:/|$)))[A-Za-z0-9][A-Za-z0-9._/-]*(?<![./])")
_STILL = ("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "fetch.writeCommitGraph=false")
_FETCH = (
    *_STILL, "fetch", "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-filter",
    "--no-recurse-submodules", "--no-show-forced-updates", "--refmap=",
)  # fmt: skip
_PUSH = (
    "push", "--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no",
)  # fmt: skip
_PROMISES = r"^extensions\.partialclone$|^remote\..*\.promisor$"
_REGULAR = {"100644", "100755"}
_OLD = 60.0  # seconds: no process of ours holds a lock on a ref that long


@dataclass(frozen=True, slots=True)
class BranchFile:
    """A file of the branch; `blob` is git's name of what is in it. Not `regular` are links and submodules."""

    blob: str
    size: int
    regular: bool


class LedgerBranch(Repository):
    """The branch as this clone has it. `remote` is None where the repository has none.

    Every method raises GitFailed where git can't answer. `prefix` is the project's path from the top, with `/`
    at its end, `common` the git directory that all worktrees of the clone share.
    """

    def __init__(self, folder: Path, branch: str, remote: str | None = None, path: str | None = None) -> None:
        """`remote`: None means `origin`. `path` on the branch, where it is not the folder's own. Raises JournalProblem."""
        super().__init__(folder)
        for name in filter(None, (branch, remote)):
            if not _NAME.fullmatch(name):
                raise JournalProblem(f"`ledger: git`: `{name}` can't be a branch's or a remote's name")
        self.branch = branch
        self.ref = f"refs/kiejobs/{branch}"
        try:
            asked = ("--git-common-dir", "--show-object-format", "--is-shallow-repository", "--show-prefix")
            common, form, shallow, prefix = self._ask("rev-parse", *asked).split("\n", 3)
            self.common = (folder / common).resolve()
            own = prefix.removesuffix("\n")
            self.prefix = own if path is None else f"{path.strip('/')}/".removeprefix("./")
            self._nothing = "0" * (64 if form == "sha256" else 40)
            # A CI job needs no history of the ledger.
            self._depth = ("--depth=1",) if shallow == "true" else ()
            self.remote = self._remote(remote)
            self._is_partial = bool(self._asked("config", "--get-regexp", _PROMISES))
        except (GitFailed, OSError) as failed:
            hint = "run inside a clone of the repository, with git on the PATH"
            raise JournalProblem(
                f"`ledger: git`, but git can't be asked here: {failed}", hint=hint
            ) from failed

    def __str__(self) -> str:
        return f"{self.remote}/{self.branch}" if self.remote else f"the local ref {self.ref}"

    def tip(self) -> str | None:
        """The branch's last commit as far as it is known here."""
        return self._asked("rev-parse", "--verify", "--quiet", f"{self.ref}^{{commit}}")

    def fetch(self, seconds: float = 30.0) -> str | None:
        """The branch's last commit at the remote, with all that it holds; None where there is no such branch."""
        if self.remote is None:
            return self.tip()
        self._forget_dead_lock()
        try:
            self._ask(
                *_FETCH, *self._depth, self.remote, f"+refs/heads/{self.branch}:{self.ref}", seconds=seconds
            )
        except GitFailed as failed:
            if "couldn't find remote ref" in str(failed):
                return None
            raise
        return self.tip()

    def files(self, commit: str) -> dict[str, BranchFile]:
        """What the commit has below the project's `runs/`, by path from there; all of it is here then."""
        runs = f"{self.prefix}runs"
        self._fetch_missing(commit, runs)
        listed = self._paths("ls-tree", "-r", "-z", "--full-tree", commit, "--", runs)
        entries = [(*about.split(), path) for about, _, path in (one.partition("\t") for one in listed)]
        sizes = self._sizes({blob for _, kind, blob, _ in entries if kind == "blob"})
        return {
            path.removeprefix(f"{runs}/"): BranchFile(blob, sizes.get(blob, 0), mode in _REGULAR)
            for mode, _, blob, path in entries
        }

    def projects(self, commit: str) -> list[str]:
        """The prefixes of all projects that have a journal there."""
        paths = self._paths("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
        found = (path.split("/") for path in paths)
        return sorted({"".join(f"{part}/" for part in one[:-3]) for one in found if one[-3:-2] == ["runs"]})

    def is_project(self, prefix: str) -> bool:
        """Does the checkout's commit have a project there?"""
        return self._agrees("cat-file", "-e", f"HEAD:{prefix}{PROJECT_FILE}")

    def contents(self, files: Mapping[str, BranchFile]) -> Iterator[tuple[str, bytes]]:
        """What is in each of them, by the same names."""
        with tempfile.TemporaryFile() as batch:
            self.blobs((file.blob for file in files.values()), batch)
            batch.seek(0)
            for name in files:
                yield name, _next_blob(batch, name)

    def commit_on(self, parent: str | None, changes: Mapping[str, bytes | None], message: str) -> str:
        """A commit with these files changed, by path from the project's `runs/`; None removes one."""
        given = b"".join(self._stream(parent, changes, message))
        lines = self._ask(*_STILL, "fast-import", "--quiet", seconds=300.0, given=given).split()
        if not lines:
            raise GitFailed("git fast-import made no commit")
        return lines[0]

    def push(self, commit: str, onto: str | None, seconds: float = 60.0) -> None:
        """Make it the branch's last commit, where `onto` is that still. What went wrong is for a fetch to show."""
        if self.remote is not None:
            only_new = () if onto else (f"--force-with-lease=refs/heads/{self.branch}:",)
            mirror = ("-c", f"remote.{self.remote}.mirror=false")
            refspec = f"{commit}:refs/heads/{self.branch}"
            self._ask(*_STILL, *mirror, *_PUSH, *only_new, self.remote, refspec, seconds=seconds)
        self._forget_dead_lock()
        expected = () if self.remote else (onto or self._nothing,)
        self._ask("update-ref", "--no-deref", self.ref, commit, *expected)

    def _remote(self, named: str | None) -> str | None:
        """Where there are remotes, but not this one, others may buy by a ledger that can't be seen from here."""
        remotes = self._ask("remote").split()
        name = named or "origin"
        if name in remotes:
            return name
        if named is None and not remotes:
            return None
        hint = f"`git remote add {name} URL`, or name another one: `ledger: {{git: {{remote: NAME}}}}`"
        raise JournalProblem(f"`ledger: git`: this clone has no remote `{name}`", hint=hint)

    def _sizes(self, blobs: Collection[str]) -> dict[str, int]:
        given = "".join(f"{blob}\n" for blob in blobs).encode()
        found = self._ask("cat-file", "--batch-check", given=given).splitlines()
        return {blob: int(size) for blob, _, size in map(str.split, found)}

    def _fetch_missing(self, commit: str, folder: str) -> None:
        """A partial clone may have followed the branch without its blobs."""
        if not self._is_partial:
            return
        words = ("--objects", "--no-walk", "--missing=print", commit, "--", folder)
        found = self._ask("rev-list", *words).splitlines()
        missing = "".join(f"{one[1:]}\n" for one in found if one.startswith("?")).encode()
        lazy = ("-c", "fetch.negotiationAlgorithm=noop", *_FETCH, "--stdin", self.remote or ".")
        if missing:
            self._ask(*lazy, seconds=300.0, given=missing)

    def _stream(
        self, parent: str | None, changes: Mapping[str, bytes | None], message: str
    ) -> Iterator[bytes]:
        """For fast-import, which writes a ref for each commit, unless it is taken back before the end."""
        scratch = "refs/kiejobs-commit"
        yield f"feature done\ncommit {scratch}\nmark :1\ncommitter {self._who} {int(time.time())} +0000\n".encode()
        yield _data(message.encode())
        if parent is not None:
            yield f"from {parent}\n".encode()
        for path, data in changes.items():
            name = _quoted(f"{self.prefix}runs/{path}")
            yield b"D " + name if data is None else b"M 100644 inline " + name + _data(data)
        yield f"\nget-mark :1\nreset {scratch}\nfrom {self._nothing}\n\ndone\n".encode()

    @cached_property
    def _who(self) -> str:
        return f"{self._person('name', 'kiejobs')} <{self._person('email', 'kiejobs@localhost')}>"

    def _person(self, what: str, fallback: str) -> str:
        """Some servers take commits only under an address that they know."""
        found = self._asked("config", "--get", f"user.{what}") or ""
        return re.sub(r"[<>\x00-\x1f]", "", found).strip() or fallback

    def _forget_dead_lock(self) -> None:
        """A machine that went down while git wrote the ref left its lock, for which git would wait in vain."""
        lock = self.common / f"{self.ref}.lock"
        with contextlib.suppress(OSError):
            if time.time() - lock.stat().st_mtime > _OLD:
                lock.unlink()


def _next_blob(batch: IO[bytes], name: str) -> bytes:
    header = batch.readline().split()
    if len(header) != 3 or header[1] != b"blob":
        raise GitFailed(f"the repository does not hold {name} of the ledger's branch")
    data = batch.read(int(header[2]))
    batch.read(1)
    return data


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _quoted(path: str) -> bytes:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return b'"' + os.fsencode(escaped) + b'"\n'
