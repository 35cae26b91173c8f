"""Real repositories for the ledger's branch: a bare remote and every kind of checkout of it.

In: a folder. Out: folders in checkouts; what git says of them. Touches: disk, processes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WHO = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{role}_{what}": "a@example.com"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
}


def _commit(number: int) -> str:
    files = ("jobs.yaml", "clips/tea/jobs.yaml")
    changed = "".join(f"M 100644 inline {path}\ndata 2\n{number}\n\n" for path in files)
    who = "committer A <a@example.com> 1700000000 +0000"
    return f"commit refs/heads/main\n{who}\ndata 1\n{number}\n{changed}\n"


def git(folder: Path, *words: str, fails: bool = False, given: str | None = None) -> str:
    """What git prints. The test fails where it does not do as expected."""
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *words],
        cwd=folder,
        env={**os.environ, **WHO},
        capture_output=True,
        text=True,
        input=given,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout.strip()


def make_remote(folder: Path) -> Path:
    """A bare repository with three commits on `main`: a project at the top, another one in `clips/tea`."""
    remote = folder / "remote.git"
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(remote, "config", "uploadpack.allowFilter", "true")
    git(remote, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(remote, "fast-import", "--quiet", given="".join(map(_commit, range(3))))
    return remote


def hook(repository: Path, name: str, script: str) -> None:
    path = repository / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def clone(remote: Path, name: str, *words: str) -> Path:
    folder = remote.parent / name
    git(remote.parent, "clone", "--quiet", *words, f"file://{remote}", str(folder))
    return folder


def _plain(remote: Path) -> Path:
    return clone(remote, "plain")


def _shallow(remote: Path) -> Path:
    return clone(remote, "shallow", "--depth=1")


def _sparse(remote: Path) -> Path:
    folder = clone(remote, "sparse", "--sparse", "--filter=blob:none")
    git(folder, "sparse-checkout", "set", "clips")
    return folder


def _detached(remote: Path) -> Path:
    folder = clone(remote, "detached")
    git(folder, "switch", "--quiet", "--detach", "HEAD~1")
    return folder


def _worktree(remote: Path) -> Path:
    git(clone(remote, "main"), "worktree", "add", "--quiet", "-b", "side", "../worktree")
    return remote.parent / "worktree"


def _bare(remote: Path) -> Path:
    return clone(remote, "bare.git", "--bare")


def _mirror(remote: Path) -> Path:
    return clone(remote, "mirror.git", "--mirror")


def _bare_with_worktree(remote: Path) -> Path:
    git(clone(remote, "hub.git", "--bare"), "worktree", "add", "--quiet", "../of-hub", "main")
    return remote.parent / "of-hub"


def _submodule(remote: Path) -> Path:
    above = remote.parent / "above"
    above.mkdir()
    git(above, "init", "--quiet")
    git(above, "submodule", "--quiet", "add", f"file://{remote}", "part")
    return above / "part"


CHECKOUTS: dict[str, Callable[[Path], Path]] = {
    made.__name__.removeprefix("_"): made
    for made in (
        _plain, _shallow, _sparse, _detached, _worktree, _bare, _mirror, _bare_with_worktree, _submodule,
    )
}  # fmt: skip
"""Kinds of checkouts, by name: each is made of a remote and answers with its folder."""


def as_it_is(folder: Path) -> dict[str, str]:
    """All of a checkout that people see or that git goes by: files, HEAD, index, branches, status, settings.

    Not how far a branch of the ledger has come at the remote, where a clone follows it.
    """
    common = (folder / git(folder, "rev-parse", "--git-common-dir")).resolve()
    own = (folder / git(folder, "rev-parse", "--git-dir")).resolve()
    status = "" if git(folder, "rev-parse", "--is-bare-repository") == "true" else git(folder, "status")
    refs = git(folder, "for-each-ref", "refs/heads", "refs/remotes", "refs/tags").splitlines()
    watched = [own / "HEAD", own / "index", own / "FETCH_HEAD", common / "config"]
    watched += [path for path in folder.rglob("*") if path.is_file() and not _is_inside(path, {own, common})]
    return {
        "status": status,
        "branches": "\n".join(ref for ref in refs if "kiejobs-ledger" not in ref),
        **{str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in watched if path.is_file()},
    }


def _is_inside(path: Path, folders: set[Path]) -> bool:
    return any(path.resolve().is_relative_to(folder) for folder in folders)
