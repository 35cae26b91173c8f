"""What lies beside a job file: tables, and names of files.

In: names as a job file says them. Out: bytes, names, or why there are none. Touches: disk, by reading.

Nothing outside of the folder is there, and nothing hidden: links are followed first, and none to folders.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kiejobs.adapters.system import is_shown
from kiejobs.core.document.nodes import Source
from kiejobs.core.matrix.glob_axis import is_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class DataFolder:
    """A job file's folder, as its axes read it.

    `digests` keeps the SHA-256 of each table by its path below the folder; `asked` all names, of those that
    are not there too; `patterns` those of globs.
    """

    def __init__(self, folder: Path, shown: Path | None = None) -> None:
        """`shown` is what the folder is called in messages, where that is something else."""
        self._shown = folder if shown is None else shown
        self._folder = folder.resolve()
        self.digests: dict[str, str] = {}
        self.asked: set[str] = set()
        self.patterns: set[str] = set()

    def read(self, name: str, most: int) -> Source | str:
        """The file under the name that people know it by; or why it can't be read."""
        self.asked.add(name)
        shown = (self._shown / name).as_posix()
        try:
            path = (self._folder / name).resolve()
            if ".." in PurePosixPath(name).parts or not is_shown(path, self._folder):
                return f"`{name}` is hidden, or not below the job file's folder"
            if path.exists() and not path.is_file():  # a pipe would never end, or never begin
                return f"`{shown}` is no file"
            with path.open("rb") as stream:
                data = stream.read(most + 1)  # not by its stated size: some have none
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in circles
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return f"can't read `{shown}`: {why}"
        if len(data) > most:
            return f"`{shown}` is larger than {most // 2**20} MB: split it into several tables"
        below = path.relative_to(self._folder).as_posix()
        self.digests[below] = hashlib.sha256(data).hexdigest()
        return Source(shown, data)

    def entries(self, folder: str, pattern: str) -> tuple[Sequence[str], Sequence[str]]:
        """The names of a folder's files, and of its folders."""
        self.patterns.add(pattern)
        files, folders = [], []
        try:
            with os.scandir(self._folder / folder) as found:
                for each in found:
                    if each.name.startswith("."):
                        continue
                    if each.is_dir(follow_symlinks=False):
                        folders.append(each.name)
                    elif self._is_file(each):
                        files.append(each.name)
        except OSError:  # a folder that isn't there, or may not be read, has nothing in it
            return (), ()
        return files, folders

    def would_match(self, names: Iterable[str]) -> bool:
        """Is one of these, below the folder, what a glob asked for, whether it is there or not?"""
        return any(is_match(pattern, name) for name in names for pattern in self.patterns)

    def _is_file(self, entry: os.DirEntry[str]) -> bool:
        try:
            if entry.is_symlink() and not is_shown(Path(entry.path).resolve(), self._folder):
                return False
            return entry.is_file()
        except (OSError, RuntimeError):
            return False
