"""What a program did to a folder, call by call, as `strace` saw it.

In: a command, the folder that it works in. Out: operations on numbered files, in order: made, written,
cut, renamed, removed, synced; and each create call, at the moment when its last byte was sent. Touches:
starts the command; the trace's file. Linux, with Debian's `strace`.

A call that changes files and is not known here is an error, and so is a recording that does not add up
to what lies in the folder afterwards: nothing is passed over in silence.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

ROOT = 0
"""The number of the folder itself, which is there from the start."""

_CREATE = b"POST /api/v1/jobs/createTask "
_KNOWN = "openat,close,write,fsync,fdatasync,rename,unlink,mkdir,ftruncate,socket,sendto"
_STRANGE = (
    "open,creat,pwrite64,writev,pwritev,pwritev2,sync,syncfs,sync_file_range,renameat,renameat2,"
    "unlinkat,rmdir,mkdirat,truncate,fallocate,link,linkat,symlink,symlinkat,copy_file_range,"
    "sendfile,splice,chdir,fchdir,io_uring_setup,sendmsg,sendmmsg"
)
_TRACE = ("strace", "-f", "-qq", "-xx", "-s", "100000000", "-e", "signal=none")
_WHOLE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)(?: .*)?", re.DOTALL)
_HEAD = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>", re.DOTALL)
_TAIL = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Made:
    """A new file or folder, under a name in a folder."""

    file: int
    folder: int
    name: str
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes, at an offset."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file given a size."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Renamed:
    """Within one folder, over whatever had the new name."""

    file: int
    folder: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Removed:
    """A name taken away."""

    folder: int
    name: str


@dataclass(frozen=True, slots=True)
class Synced:
    """fsync or fdatasync returned: of a file its data, of a folder its names."""

    file: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A create call has left whole: from now on it may have been charged."""

    body: Mapping[str, Any]


Operation: TypeAlias = Made | Wrote | Cut | Renamed | Removed | Synced | Asked


class Recorder:
    """Records one command after the other in the same folder; `operations` grows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.operations: list[Operation] = []
        self._at: dict[Path, int] = {self.folder: ROOT}
        self._size: dict[int, int] = {}
        self._count = ROOT

    def record(self, command: Sequence[str], environment: Mapping[str, str], codes: Container[int]) -> None:
        """Run it to its end. Raises ValueError where its exit code is none of these."""
        trace = self.folder.parent / f"{self.folder.name}.trace"
        words = [*_TRACE, "-o", str(trace), "-e", f"trace={_KNOWN},{_STRANGE}", *command]
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=dict(environment),
            capture_output=True,
            check=False,
            timeout=300,
        )
        _OneProcess(self).read(_calls(trace))
        trace.unlink()
        if done.returncode not in codes:
            raise ValueError(f"exit code {done.returncode}: {done.stderr.decode()[-2000:]}")

    def number(self, path: Path) -> int | None:
        """The file under this name, if it is below the folder and there."""
        return self._at.get(path)

    def size(self, file: int) -> int:
        return self._size[file]

    def make(self, path: Path, *, is_folder: bool) -> int:
        self._count += 1
        self._at[path] = self._count
        self._size[self._count] = 0
        self.operations.append(Made(self._count, self._at[path.parent], path.name, is_folder))
        return self._count

    def write(self, file: int, offset: int, data: bytes) -> None:
        self._size[file] = max(self._size[file], offset + len(data))
        self.operations.append(Wrote(file, offset, data))

    def cut(self, file: int, size: int) -> None:
        if self._size[file] != size:
            self._size[file] = size
            self.operations.append(Cut(file, size))

    def rename(self, old: Path, new: Path) -> None:
        if old.parent != new.parent or old.is_dir():
            raise ValueError(f"a rename that is not modelled: {old} -> {new}")
        file = self._at[new] = self._at.pop(old)
        self.operations.append(Renamed(file, self._at[old.parent], old.name, new.name))

    def remove(self, path: Path) -> None:
        del self._at[path]
        self.operations.append(Removed(self._at[path.parent], path.name))


class _OneProcess:
    """The calls of one process, its threads together: they share open files."""

    def __init__(self, recorder: Recorder) -> None:
        self._to = recorder
        self._open: dict[int, int] = {}
        self._offset: dict[int, int | None] = {}
        self._sent: dict[int, bytes] = {}

    def read(self, calls: Iterator[tuple[str, list[str], int]]) -> None:
        for name, words, answer in calls:
            if answer >= 0:
                getattr(self, f"_{name}", self._strange)(words, answer)

    def _openat(self, words: list[str], fd: int) -> None:
        path = self._path(words[1])
        file = self._to.number(path)
        if file is None and self._is_ours(path) and "O_CREAT" in words[2]:
            file = self._to.make(path, is_folder=False)
        if file is None:
            return
        if "O_TRUNC" in words[2]:
            self._to.cut(file, 0)
        self._open[fd] = file
        self._offset[fd] = None if "O_APPEND" in words[2] else 0

    def _close(self, words: list[str], _answer: int) -> None:
        fd = int(words[0])
        for table in (self._open, self._offset, self._sent):
            table.pop(fd, None)

    def _write(self, words: list[str], written: int) -> None:
        fd = int(words[0])
        if fd not in self._open:
            return
        offset = self._offset[fd]
        at = self._to.size(self._open[fd]) if offset is None else offset
        self._to.write(self._open[fd], at, _bytes(words[1])[:written])
        self._offset[fd] = None if offset is None else offset + written

    def _ftruncate(self, words: list[str], _answer: int) -> None:
        if int(words[0]) in self._open:
            self._to.cut(self._open[int(words[0])], int(words[1]))

    def _fsync(self, words: list[str], _answer: int) -> None:
        if int(words[0]) in self._open:
            self._to.operations.append(Synced(self._open[int(words[0])]))

    _fdatasync = _fsync

    def _rename(self, words: list[str], _answer: int) -> None:
        old, new = map(self._path, words)
        if self._is_ours(old) or self._is_ours(new):
            self._to.rename(old, new)

    def _unlink(self, words: list[str], _answer: int) -> None:
        path = self._path(words[0])
        if self._is_ours(path):
            self._to.remove(path)

    def _mkdir(self, words: list[str], _answer: int) -> None:
        path = self._path(words[0])
        if self._is_ours(path):
            self._to.make(path, is_folder=True)

    def _socket(self, _words: list[str], fd: int) -> None:
        self._sent[fd] = b""

    def _sendto(self, words: list[str], sent: int) -> None:
        fd = int(words[0])
        self._sent[fd] = self._sent.get(fd, b"") + _bytes(words[1])[:sent]
        head, blank, body = self._sent[fd].partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if head.startswith(_CREATE) and blank and length and len(body) == int(length[1]):
            self._to.operations.append(Asked(json.loads(body)))

    def _strange(self, words: list[str], _answer: int) -> None:
        raise ValueError(f"a call that is not modelled, on {words}")

    def _path(self, word: str) -> Path:
        return Path(os.path.normpath(self._to.folder / os.fsdecode(_bytes(word))))

    def _is_ours(self, path: Path) -> bool:
        return self._to.folder in path.parents


def _calls(trace: Path) -> Iterator[tuple[str, list[str], int]]:
    """Names, words and answers, each call in the place where it returned."""
    begun: dict[str, str] = {}
    for line in trace.read_text(encoding="ascii").splitlines():
        head, tail = _HEAD.fullmatch(line), _TAIL.fullmatch(line)
        if head is not None:
            begun[head[1]] = line.removesuffix(" <unfinished ...>")
            continue
        whole = _WHOLE.fullmatch(begun.pop(tail[1]) + tail[2] if tail is not None else line)
        if whole is not None:  # else it never returned: a thread that ended with its process
            yield whole[2], whole[3].split(", "), int(whole[4])


def _bytes(word: str) -> bytes:
    """`"\\x61\\x62"`, as -xx prints all strings."""
    return bytes.fromhex(word.strip('"').replace("\\x", ""))
