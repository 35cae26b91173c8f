"""The checkout that we are in, as git's own files show it: no git is started.

In: folders, names of files. Out: its top, paths below it, the commit. Touches: disk, by reading.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def root() -> Path:
    """The checkout's folder; where there is none, the folder that we are in."""
    here = Path.cwd()
    return next((p for p in (here, *here.parents) if (p / ".git").exists()), here)


def below_root(name: str) -> str | None:
    """With forward slashes; None for what is not below the root."""
    top = root()
    for path in (Path(name).resolve(), Path(os.path.abspath(name))):  # noqa: PTH100 - keeps links
        if path.is_relative_to(top):
            return path.relative_to(top).as_posix()
    return None


def git_commit(folder: Path) -> str | None:
    """The commit that `folder` is checked out at, read from git's files; None outside of git."""
    for parent in (folder.resolve(), *folder.resolve().parents):
        git = parent / ".git"
        if git.is_dir():
            return _commit_in(git)
    return None


def _commit_in(git: Path) -> str | None:
    """None for what is no commit: a file that HEAD names may hold anything."""
    try:
        found = _head(git)
    except (OSError, ValueError):
        return None
    return found if _COMMIT.fullmatch(found) else None


def _head(git: Path) -> str:
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref: "):
        return head
    ref = head.removeprefix("ref: ")
    if (git / ref).is_file():
        return (git / ref).read_text(encoding="utf-8").strip()
    packed = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {ref}")), "")
