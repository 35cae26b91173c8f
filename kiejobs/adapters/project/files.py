"""Files that a project brings along: by name, and next to a job file; and the bundled schemas.

In: names. Out: bytes, texts, names, or why there are none. Touches: disk, by reading. Job files come with
strangers' branches: links are followed first, and what lies outside of the folder or is hidden is not read.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import sys
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.project.root import PROJECT_FILE
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.document.nodes import LFS_POINTER, NO_POINTER, Source
from kiejobs.core.document.wording import CONTROL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kiejobs.core.template.renderer import TemplateProblem

STDIN = "-"
"""What a job file is called that comes from standard input."""

LARGEST_TEMPLATE = 1_000_000  # bytes of one included file
_DEVICES = Path("/dev")
_BYTE = 0xDC00  # with a byte that is not UTF-8 added, the character that replaces it
_ODD = re.compile(f"[\udc80-\udcff]|{CONTROL.pattern}")


def read_source(name: str, *, most: int = 64 * 2**20) -> Source:
    """A file's bytes. Raises UsageProblem where it can't be read or is larger than `most` bytes.

    A link that leads out of its folder is not followed: problems are shown with their lines.
    `-` is standard input.
    """
    if name == STDIN:
        return Source(name, _bounded(name, _stdin(most), most))
    path = Path(name)
    try:
        if path.is_symlink() and not _stays(path):
            hint = "name the file itself, if that is what is meant"
            raise UsageProblem(f"{name} is a link that leads out of its folder", hint=hint)
        if path.is_fifo() and not str(path.absolute()).startswith("/dev/"):  # a shell's `<(…)` is there
            raise UsageProblem(f"{name} is a pipe: nobody may ever write to it", hint="name a plain file")
        with path.open("rb") as stream:
            data = stream.read(most + 1)  # not by its stated size: /dev/zero has none
    except OSError as error:
        meant = next((at for at in map(str, Path("jobfiles").glob("*.y*ml")) if Path(at).stem == name), None)
        why = f"can't read {name}: {error.strerror or error}"
        raise UsageProblem(why, hint=f"did you mean `{meant}`?" if meant else None) from error
    return Source(name, _bounded(name, data, most))


def _bounded(name: str, data: bytes, most: int) -> bytes:
    if len(data) > most:
        raise UsageProblem(f"{name} is larger than {most // 2**20} MB")
    if data.startswith(LFS_POINTER):
        raise UsageProblem(f"{name} is {NO_POINTER[0]}", hint=NO_POINTER[1])
    return data


@cache
def _stdin(most: int) -> bytes:
    """It can be read once, and a command may ask for it again."""
    return sys.stdin.buffer.read(most + 1)


def _stays(link: Path) -> bool:
    """Whether a link leads to a file below its own folder or below the one that we are called in.

    What a shell puts into /dev is typed by whoever calls. Circles are left to `open`, which says more.
    """
    try:
        target = link.resolve()
    except RuntimeError:
        return True
    roots = (link.parent.resolve(), Path.cwd().resolve())
    return link.parent == _DEVICES or any(is_shown(target, root) for root in roots)


def is_shown(path: Path, root: Path) -> bool:
    """Both resolved: below `root`, and not in a hidden place there: `.git/config` may hold a token."""
    if not path.is_relative_to(root):
        return False
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def refusal(path: Path, folder: Path, top: Path) -> tuple[str, str] | None:
    """Why a file isn't read, and what to do; None where it may be. All are resolved.

    It may be below the job file's folder or below `top`, the project's root, and not hidden there.
    """
    if is_shown(path, folder) or is_shown(path, top):
        return None
    if path.is_relative_to(folder) or path.is_relative_to(top):
        return "is hidden", "names that begin with a dot are not read: they may hold keys; rename it"
    seen = "the current folder" if top == Path.cwd() else f"`{os.path.relpath(top)}`"
    marks = {PROJECT_FILE: f"which holds {PROJECT_FILE}", ".git": "the git work tree"}
    mark = next((words for name, words in marks.items() if (top / name).exists()), None)
    if mark is not None:
        return "is outside the project", f"its root is {seen}, {mark}: move the file below it"
    hint = f"move it there, or write `version: 1` into a {PROJECT_FILE} above both: its folder is then the project's root"
    return "is outside the job file's folder", hint


def named(folder: Path, name: str) -> Path:
    """The path of a name, resolved; é may be one character in the name and two in the folder, or the reverse."""
    forms = (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD")))
    paths = [(folder / form).resolve() for form in dict.fromkeys(forms)]
    return next((path for path in paths if path.exists()), paths[0])


def _from(folder: Path, path: Path) -> str:
    """A path from the folder, with `/`."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _digest(data: bytes) -> str:
    """Line ends don't count: git may change them with a checkout, and the requests are the same."""
    joined = data.replace(b"\r\n", b"\n")
    return hashlib.sha256(joined if b"\n" in joined else joined.replace(b"\r", b"\n")).hexdigest()


class IncludeFolder:
    """Templates by their path from the job file's folder, which may lead up to `top` and no further.

    Hidden files and what lies in hidden folders are none. `read` keeps the SHA-256 of each that was
    asked for, by its path from the folder; `asked` all names, of those that are not there too.
    """

    def __init__(self, folder: Path, top: Path | None = None) -> None:
        self._folder = folder.resolve()
        self._top = top or self._folder
        self.read: dict[str, str] = {}
        self.asked: set[str] = set()

    def __call__(self, name: str) -> str | TemplateProblem | None:
        """The template's text; None where there is none that may be read, else why it can't be."""
        self.asked.add(name)
        return self._text(name, self.read)

    def peek(self, name: str) -> str | TemplateProblem | None:
        """The same, for one that is only looked at: it doesn't count as asked for."""
        return self._text(name, {})

    def _text(self, name: str, digests: dict[str, str]) -> str | TemplateProblem | None:
        try:
            path = named(self._folder, name)
            if (wrong := self._wrong_place(path, name)) is not None:
                return _refused(name, *wrong)
            if not path.exists():
                return None
            if path.stat().st_size > LARGEST_TEMPLATE:
                return _refused(name, f"is larger than {LARGEST_TEMPLATE:,} bytes")
            data = path.read_bytes()
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links that go round in circles
            why = error.strerror if isinstance(error, OSError) and error.strerror else "that is no path"
            return _refused(name, f"can't be read: {why}")
        if data.startswith(LFS_POINTER):
            return _refused(name, f"is {NO_POINTER[0]}", NO_POINTER[1])
        text = _template_text(data, name)
        if isinstance(text, str):
            digests[_from(self._folder, path)] = _digest(data)
        return text

    def _wrong_place(self, path: Path, name: str) -> tuple[str, ...] | None:
        """What is there, or may be, and can't be included; where nothing is, `ignore missing` may go on."""
        if (refused := refusal(path, self._folder, self._top)) is not None:
            return refused
        if path.is_dir():
            return "is a folder", "name a file in it"
        if path.exists():
            return None if path.is_file() else ("is a pipe or a device", "name a plain file")
        is_link = (self._folder / name).is_symlink()
        return ("is a link that leads nowhere", "name the file itself") if is_link else None


def _refused(name: str, why: str, hint: str | None = None) -> TemplateProblem:
    """It is the place that names the template that is to blame."""
    from kiejobs.core.template.renderer import TemplateProblem  # noqa: PLC0415 - as above

    return TemplateProblem(f"the template `{name[:80]}` {why}", hint, written=name)


def _template_text(data: bytes, name: str) -> str | TemplateProblem:
    from kiejobs.core.template.renderer import TemplateProblem  # noqa: PLC0415 - as above

    text = data.decode(errors="surrogateescape").removeprefix("\ufeff")
    odd = _ODD.search(text)
    if odd is None:
        return text
    line, column = text.count("\n", 0, odd.start()) + 1, odd.start() - text.rfind("\n", 0, odd.start())
    char, hint = ord(odd[0]), "delete it"
    message = f"an invisible character, U+{char:04X}, is not allowed here"
    if char >= _BYTE:
        message, hint = f"byte 0x{char - _BYTE:02x} is not UTF-8", "save the file as UTF-8"
    return TemplateProblem(message, hint, line, name, column=column)


class DataFolder:
    """A job file's folder, as its axes read it.

    `digests` keeps the SHA-256 of each table by its path from the folder; `asked` all names, of those that
    are not there too; `patterns` those of globs. All of them may lead up to `top` and no further.
    """

    def __init__(self, folder: Path, shown: Path | None = None, *, top: Path | None = None) -> None:
        """`shown` is what the folder is called in messages, where that is something else."""
        self._shown = folder if shown is None else shown
        self._folder = folder.resolve()
        self._top = top or self._folder
        self.digests: dict[str, str] = {}
        self.asked: set[str] = set()
        self.patterns: set[str] = set()

    def read(self, name: str, most: int) -> Source | tuple[str, str | None]:
        """The file under the name that people know it by; or why it can't be read, and maybe what to do."""
        self.asked.add(name)
        shown = posixpath.normpath((self._shown / name).as_posix())
        try:
            path = named(self._folder, name)
            if (refused := refusal(path, self._folder, self._top)) is not None:
                return f"`{name}` {refused[0]}", refused[1]
            if path.exists() and not path.is_file():  # a pipe would never end, or never begin
                return f"`{shown}` is no file", None
            with path.open("rb") as stream:
                data = stream.read(most + 1)  # not by its stated size: some have none
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in circles
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return f"can't read `{shown}`: {why}", None
        if len(data) > most:
            return f"`{shown}` is larger than {most // 2**20} MB", "split it into several tables"
        self.digests[_from(self._folder, path)] = _digest(data)
        return Source(shown, data)

    def entries(self, folder: str, pattern: str) -> tuple[Sequence[str], Sequence[str]]:
        """The names of a folder's files, and of its folders."""
        self.patterns.add(pattern)
        files, folders = [], []
        try:
            path = (self._folder / folder).resolve()
            if refusal(path, self._folder, self._top):
                return (), ()
            with os.scandir(path) as found:
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
        from kiejobs.core.matrix.axis_values import is_match  # noqa: PLC0415 - most jobs have no globs

        return any(is_match(pattern, name) for name in names for pattern in self.patterns)

    def _is_file(self, entry: os.DirEntry[str]) -> bool:
        try:
            if entry.is_symlink() and refusal(Path(entry.path).resolve(), self._folder, self._top):
                return False
            return entry.is_file()
        except (OSError, RuntimeError):
            return False


# --- what comes with kiejobs -----------------------------------------------------------------------


def schema_folder() -> Path:
    """`schemas/`: inside the installed package, or next to it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "schemas"
    return inside if inside.is_dir() else package.parent / "schemas"


@cache
def read_schema(name: str) -> Mapping[str, Any]:
    """One of our schemas by its path below `schemas/`, e.g. `jobfile.schema.json`."""
    text = (schema_folder() / name).read_text(encoding="utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


@cache
def model_names() -> tuple[str, ...]:
    """The models that there is a schema for: `<vendor>/<model>`, or `<model>` alone."""
    folder = schema_folder() / "models"
    found = folder.rglob("*.json")
    return tuple(sorted(path.relative_to(folder).with_suffix("").as_posix() for path in found))
