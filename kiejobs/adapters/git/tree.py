"""A folder as it was at a commit, laid out on disk so that it can be read like any other.

In: a repository, a commit, folders and files in it. Out: a copy below another folder, under the same
paths. Touches: git, by reading; the folder that is given.

Only what git keeps, byte for byte: no filter of a repository is run, and nothing hidden is copied. Links
come last, so that nothing is ever written through one, and those that would lead out are left away.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import tempfile
from typing import TYPE_CHECKING, BinaryIO

from kiejobs.adapters.git.repository import GitFailed
from kiejobs.core.diagnostics import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kiejobs.adapters.git.repository import Repository, TreeFile

MOST_FILES = 20_000
MOST_BYTES = 1_000_000_000
_LONGEST_LINK = 4_096
_CHUNK = 2**20


def lay_out(repository: Repository, commit: str, paths: Iterable[str], into: Path) -> None:
    """`paths` are as seen from the repository's top. Raises UsageProblem for far too much, GitFailed."""
    found = {file.path: file for path in paths for file in repository.files_at(commit, path)}
    files = [file for file in found.values() if _is_plain(file.path)]
    size = sum(file.size for file in files)
    if len(files) > MOST_FILES or size > MOST_BYTES:
        message = f"{len(files):,} files with {size // 10**6:,} MB lie beside the job file there"
        hint = f"at most {MOST_FILES:,} files and {MOST_BYTES // 10**6:,} MB are looked at; give it a folder of its own"
        raise UsageProblem(message, hint=hint)
    with tempfile.TemporaryFile() as batch:
        ordered = sorted(files, key=lambda file: file.is_link)
        repository.blobs((file.blob for file in ordered), batch)
        batch.seek(0)
        for file in ordered:
            _put(file, batch, into)


def _is_plain(path: str) -> bool:
    """Neither hidden nor of a form that could leave the folder on some system."""
    parts = path.split("/")
    return not any(part in {"", ".."} or part.startswith(".") for part in parts) and not (
        set(path) & set("\\:")
    )


def _put(file: TreeFile, batch: BinaryIO, into: Path) -> None:
    header = batch.readline().split()
    if len(header) != 3 or header[1] != b"blob":
        raise GitFailed(f"the repository does not hold {file.path} of that commit; fetch it whole")
    size = int(header[2])
    target = into / file.path
    with contextlib.suppress(FileExistsError, NotADirectoryError):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_link:
            with target.open("xb") as stream:
                for piece in _pieces(batch, size):
                    stream.write(piece)
                size = 0
        elif size <= _LONGEST_LINK:
            _link(file.path, batch.read(size), target)
            size = 0
    batch.seek(size + 1, os.SEEK_CUR)


def _pieces(batch: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0:
        piece = batch.read(min(size, _CHUNK))
        if not piece:
            raise GitFailed("git ended before it had said all")
        size -= len(piece)
        yield piece


def _link(path: str, named: bytes, target: Path) -> None:
    to = os.fsdecode(named)
    leads = posixpath.normpath(posixpath.join(posixpath.dirname(path), to))
    if not posixpath.isabs(to) and not leads.startswith("../") and leads != "..":
        with contextlib.suppress(OSError, ValueError):  # a system without links, an odd name
            target.symlink_to(to)
