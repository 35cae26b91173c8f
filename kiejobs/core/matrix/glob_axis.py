"""An axis of files: `glob: images/*.webp`.

In: a pattern, and a way to list folders. Out: names of files as they are written relative to the job
file's folder, sorted, or what is wrong. Touches nothing itself.

`*`, `?` and `[...]` match within one name, `**` any folders. Hidden files and folders are none.
"""

from __future__ import annotations

import re
from fnmatch import translate
from functools import cache
from typing import TYPE_CHECKING, Final

from kiejobs.core.address import label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_SEEN: Final = 100_000
"""Files and folders that are looked at for one pattern."""

_MOST_LEVELS = 32
_LONGEST = 500
_WAY = "write a path below the job file's folder, like `images/*.webp` or `images/**/*.webp`"
_NONE = "hidden files, and links that lead out, are none"
_DRIVE = re.compile(r"[A-Za-z]:")


class BadGlob(Exception):
    """`hint` says what to write instead."""

    def __init__(self, message: str, hint: str = _WAY) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def glob_names(
    pattern: str, entries: Callable[[str], tuple[Sequence[str], Sequence[str]]]
) -> list[str]:
    """The files that match. `entries` gives the names of a folder's files, and of its folders.

    Raises BadGlob, also where there are none.
    """
    steps = _steps(pattern)
    found = sorted(_Walk(entries).files("", steps, 0))
    if not found:
        hint = f"it is looked for below the job file's folder; {_NONE}"
        raise BadGlob(f"no file matches `{pattern}`", hint)
    called: dict[str, str] = {}
    for name in found:
        if not name.isprintable():
            raise BadGlob("a file has a name that can't be shown", f"rename it: {ascii(name)[:80]}")
        other = called.setdefault(label(name) or "", name)
        if other != name:
            raise BadGlob(f"`{other}` and `{name}` have the same name in an address", "rename one")
    return found


def is_match(pattern: str, name: str) -> bool:
    """Would a file of this name match, if it were there?"""
    try:
        steps = _steps(pattern)
    except BadGlob:
        return False
    parts = tuple(name.split("/"))
    return not any(part.startswith(".") for part in parts) and _fits(steps, parts)


def _fits(steps: tuple[re.Pattern[str] | None, ...], parts: tuple[str, ...]) -> bool:
    @cache
    def fits(at: int, number: int) -> bool:
        """Do the steps from `at` on match the parts from `number` on?"""
        if at == len(steps) or number == len(parts):
            return at == len(steps) and number == len(parts)
        step = steps[at]
        if step is None:
            return at == len(steps) - 1 or fits(at + 1, number) or fits(at, number + 1)
        return step.fullmatch(parts[number]) is not None and fits(at + 1, number + 1)

    return fits(0, 0)


def _steps(pattern: str) -> tuple[re.Pattern[str] | None, ...]:
    """One regular expression for each part of the path, None for `**`. Raises BadGlob."""
    parts = pattern.removeprefix("./").split("/")
    if "\\" in pattern or _DRIVE.match(pattern) or {"", ".", ".."}.intersection(parts):
        raise BadGlob(f"the pattern `{pattern[:80]}` is not allowed")
    if len(pattern) > _LONGEST or len(parts) > _MOST_LEVELS:
        raise BadGlob(f"a pattern has at most {_LONGEST} characters and {_MOST_LEVELS} parts")
    if any(part.startswith(".") for part in parts):
        raise BadGlob(
            f"`{pattern}` asks for hidden files", "files whose names begin with `.` are none"
        )
    if any("**" in part and part != "**" for part in parts):
        raise BadGlob(f"`**` stands alone between two `/`, not as in `{pattern}`")
    kept = [part for at, part in enumerate(parts) if part != "**" or parts[at - 1 : at] != ["**"]]
    return tuple(None if part == "**" else re.compile(translate(part)) for part in kept)


class _Walk:
    """Looks into each folder once, and into so many only."""

    def __init__(self, entries: Callable[[str], tuple[Sequence[str], Sequence[str]]]) -> None:
        self._entries = entries
        self._known: dict[str, tuple[Sequence[str], Sequence[str]]] = {}
        self._been: set[tuple[str, int]] = set()
        self._seen = 0

    def files(self, folder: str, steps: tuple[re.Pattern[str] | None, ...], at: int) -> set[str]:
        """The files below `folder` that match the steps from `at` on."""
        if (folder, at) in self._been or folder.count("/") > _MOST_LEVELS:
            return set()
        self._been.add((folder, at))
        files, folders = self._listed(folder)
        step, is_last = steps[at], at == len(steps) - 1
        found = set()
        if is_last:
            found = {folder + name for name in files if step is None or step.fullmatch(name)}
        elif step is None:
            found = self.files(folder, steps, at + 1)
        for name in folders:
            if step is None:
                found |= self.files(f"{folder}{name}/", steps, at)
            elif not is_last and step.fullmatch(name):
                found |= self.files(f"{folder}{name}/", steps, at + 1)
        return found

    def _listed(self, folder: str) -> tuple[Sequence[str], Sequence[str]]:
        if folder not in self._known:
            self._known[folder] = files, folders = self._entries(folder)
            self._seen += len(files) + len(folders)
            if self._seen > MOST_SEEN:
                message = f"there are more than {MOST_SEEN:,} files to look at"
                raise BadGlob(message, "name the folder, like `images/*.webp`")
        return self._known[folder]
