"""A project's root: the folder whose ledger, outputs, models and prices a job file belongs to.

In: a job file's name, the current folder. Out: a `Root`; names as they are typed in the current folder. Touches:
disk, by looking; git's own files, and no git is started.

The root is the nearest folder at or above the job file that holds `kiejobs.yaml`, no higher than the git work
tree; without one the work tree; outside of git that of the current folder, which is the root where nothing else
says so. So one job file has one ledger, wherever it is called from and whoever has checked it out.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT_FILE = "kiejobs.yaml"
_NOT_READ = re.compile(r"\.?kiejobs\.(ya?ml|json)", re.IGNORECASE)
_GIT = ".git"
_DEVICES = tuple(map(Path, ("/dev", "/proc")))
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True, slots=True)
class Root:
    """A project's folder, links resolved. `mark` is what makes it one: `kiejobs.yaml` or `.git`, None for neither."""

    path: Path
    mark: str | None

    def seen(self, name: str = "") -> str:
        """A name below the root, as it is typed in the current folder."""
        return os.path.relpath(self.path / name)

    def find(self, name: str) -> str | None:
        """The same, where it is there; a link that leads nowhere is, too: nothing is passed over in silence."""
        return self.seen(name) if os.path.lexists(self.path / name) else None

    def reach(self, file: str) -> Path:
        """The folder that includes, tables and pictures of a job file may come from, links followed first.

        The project's, where something marks its root: a current folder that happens to be above is no project.
        """
        folder = Path(os.path.realpath(os.path.dirname(file)))  # noqa: PTH120 - a bare name is here
        return self.path if self.mark is not None and folder.is_relative_to(self.path) else folder

    def below(self, name: str) -> str | None:
        """A file's path from the root, with `/`; None for what is not below it."""
        path = Path(name)
        at = Path(os.path.realpath(path.parent)) / path.name
        return at.relative_to(self.path).as_posix() if at.is_relative_to(self.path) else None


def find_root(file: str = "") -> Root:
    """Of a job file or a folder of them; without one, of the current folder. Raises UsageProblem for `kiejobs.yml`.

    A link to a job file of another project has two roots, and no ledger would be the right one: UsageProblem.
    """
    root = _root_of(_folder_of(file) if file else None)
    if file and os.path.islink(file) and not _is_of_the_shell(file):  # noqa: PTH114 - a bare name is here
        target = os.path.realpath(file)
        if _root_of(_folder_of(target)).path != root.path:
            message = f"{file} is a link to a job file of another project"
            raise UsageProblem(message, hint=f"name the file itself: {os.path.relpath(target)}")
    return root


def _root_of(folder: Path | None) -> Root:
    here = Path.cwd()
    for start in (folder, here) if folder else (here,):
        for one in _upwards(start):
            _require_no_other_spelling(one)
            if os.path.lexists(one / PROJECT_FILE):
                return Root(one, PROJECT_FILE)
            if (one / _GIT).exists():
                return Root(one, _GIT)
    return Root(here, None)


def _require_no_other_spelling(folder: Path) -> None:
    """What one file system takes for the project's file and another doesn't, or what is nearly its name."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are enough
    except OSError:  # a folder above may be closed to us
        return
    for name in names:
        if name != PROJECT_FILE and _NOT_READ.fullmatch(name):
            hint = f"rename it to {PROJECT_FILE}; if it is a job file, give it another name"
            message = f"{os.path.relpath(folder / name)} is not read: a project's file is {PROJECT_FILE}"
            raise UsageProblem(message, hint=hint)


def other_folders(root: Root, file: str) -> list[Path]:
    """Where a job file's purchases may be on record by mistake, or from before there were projects.

    The folders from the job file's and from the current one up to the root, which is left out; of an unmarked root
    those above it, too. The current folder outside of a root that only git marks.
    """
    here = Path.cwd()
    starts = (_folder_of(file), here) if file else (here,)
    found = dict.fromkeys(folder for start in starts for folder in (start, *start.parents))
    if root.mark is not None:
        is_caller = root.mark == _GIT and not here.is_relative_to(root.path)
        found = {one: None for one in found if one.is_relative_to(root.path) or (is_caller and one == here)}
    return [folder for folder in found if folder != root.path]


def candidates(file: str) -> list[str]:
    """Wherever a `kiejobs.yaml` would be the job file's, whether it is there or not."""
    return [os.path.relpath(folder / PROJECT_FILE) for folder in _upwards(_folder_of(file))]


def _upwards(start: Path) -> Iterator[Path]:
    """The folder and those above it, up to the top of the git work tree."""
    for folder in (start, *start.parents):
        yield folder
        if (folder / _GIT).exists():
            return


def _folder_of(file: str) -> Path:
    """Links to folders resolved, as `cd` and `pwd -P` would; what a shell puts into /dev has no folder."""
    path = Path(os.path.realpath(file if os.path.isdir(file) else os.path.dirname(file)))  # noqa: PTH112, PTH120 - a bare name is here
    return Path.cwd() if _is_of_the_shell(path) else path


def _is_of_the_shell(path: str | Path) -> bool:
    """`<(…)` and /dev/stdin."""
    return any(map(Path(path).is_relative_to, _DEVICES))


# --- the git checkout ------------------------------------------------------------------------------


def below_checkout(name: str) -> str | None:
    """A path from the root of the git checkout that we are in, with `/`; None for what is not below it."""
    *_, top = _upwards(Path.cwd())
    top = top if (top / _GIT).exists() else Path.cwd()
    for path in (Path(name).resolve(), Path(os.path.abspath(name))):  # noqa: PTH100 - keeps links
        if path.is_relative_to(top):
            return path.relative_to(top).as_posix()
    return None


def common_git_folder(folder: Path) -> tuple[Path, str] | None:
    """The git directory that all worktrees of a clone share, and the folder's path from the top; None outside of git."""
    *_, top = _upwards(folder)
    place = top / _GIT
    try:
        if place.is_file():
            place = top / place.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        if (place / "commondir").is_file():
            place /= (place / "commondir").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return (place, folder.relative_to(top).as_posix()) if place.is_dir() else None


def git_commit(folder: Path) -> str | None:
    """The commit that `folder` is checked out at; None outside of git, and for what is no commit."""
    at = folder.resolve()
    while not (at / _GIT).is_dir() and at != at.parent:
        at = at.parent
    try:
        found = _head(at / _GIT) if (at / _GIT).is_dir() else ""
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
