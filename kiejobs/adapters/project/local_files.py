"""Local files that requests point at, read from below the project's root and from nowhere else.

In: paths that `core/expand/job.py` let through. Out: `LocalFile`s, or why there is none. Touches: disk, by
reading each file once. Links are followed first, and what lies outside of the folder or is hidden is not read;
neither is what is no plain file: a pipe would hang us, a device would never end.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import unicodedata
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, BinaryIO

from kiejobs.adapters.project.files import named, refusal
from kiejobs.core.document.nodes import LFS_POINTER, NO_POINTER
from kiejobs.core.document.wording import nearest, shorten
from kiejobs.core.expand.job import LocalFile, NoFile, cannot_be_sent
from kiejobs.core.models.spec import HEAD, LARGEST, UNKNOWN, FileRule, media_type_of, too_large

if TYPE_CHECKING:
    from pathlib import Path

    from kiejobs.adapters.media.pictures import Measures


_CHUNK = 2**20
_MOST_NAMES = 2000  # of a folder are looked through for what was probably meant
_MOST_GUESSES = 20  # as many problems are reported; a table may name thousands of missing files
_LARGEST = 5 * LARGEST  # bytes that are read at most, whatever a model's schema says


class LocalFolder:
    """Reads local files by path, each once; with `decode` pictures are decoded, else only their headers.

    `read` keeps each file by its path, `paths` each path by its file's ref; `asked` all paths, found or not.
    """

    def __init__(self, folder: Path, top: Path | None = None, *, decode: bool = False) -> None:
        """Paths are from `folder`, and may lead up to `top`."""
        self._folder = folder.resolve()
        self._top = top or self._folder
        self._decode = decode
        self.read: dict[str, LocalFile] = {}
        self.paths: dict[str, str] = {}
        self.asked: set[str] = set()
        self._refused: dict[tuple[str, int], NoFile] = {}
        self._guesses = 0

    def __call__(self, path: str, rule: FileRule) -> LocalFile | NoFile:
        most = min(rule.most, _LARGEST)
        known = self.read.get(path) or self._refused.get((path, most))
        if known is not None:
            return known
        self.asked.add(path)
        found = self._look(path, most)
        if isinstance(found, NoFile):
            self._refused[path, most] = found
        else:
            self.read[path] = found
            self.paths.setdefault(found.ref, path)
        return found

    def open(self, path: str) -> BinaryIO | NoFile:
        """The file as it is now, for the caller to read and close."""
        try:
            target = named(self._folder, path)
            if (refused := refusal(target, self._folder, self._top)) is not None:
                return _no_path(path, *refused)
            return _opened(target, path)
        except (FileNotFoundError, ValueError):  # ValueError: half a character, a NUL
            return NoFile("missing-file", f"points at no file: {shorten(path)}", self._meant(path))
        except (OSError, RuntimeError) as error:  # RuntimeError: links in circles, until Python 3.13
            if isinstance(error, OSError) and error.errno != errno.ELOOP:
                return _unreadable(path, error)
            return _no_path(path, "is a link that goes round in circles")

    def _look(self, path: str, most: int) -> LocalFile | NoFile:
        stream = self.open(path)
        if isinstance(stream, NoFile):
            return stream
        with stream:
            try:
                return _examined(stream, path, most, decode=self._decode)
            except OSError as error:
                return _unreadable(path, error)

    def _meant(self, path: str) -> str | None:
        self._guesses += 1
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # it is but a guess
            return self._guess(path) if self._guesses <= _MOST_GUESSES else None
        return None

    def _guess(self, path: str) -> str | None:
        """Parts that are not there, replaced by what looks the same there, or one by what is close to it."""
        there, meant, is_near = self._folder, list[str](), False
        for part in path.split("/"):
            if (there / part).exists():
                there = (there / part).resolve()
                meant.append(part)
                continue
            if refusal(there, self._folder, self._top) or not there.is_dir():
                return None
            with os.scandir(there) as entries:
                every = islice((entry.name for entry in entries), _MOST_NAMES)
                names = [name for name in every if not name.startswith(".")]
            alike = [name for name in names if _seen_as(name) == _seen_as(part)]
            close = alike[0] if alike else None if is_near else nearest(part, names)
            if close is None:
                return None
            there, is_near = (there / close).resolve(), is_near or not alike
            meant.append(close)
        found = "/".join(meant)
        return f"did you mean `{found}`?{_unseen(path, found)}" if (self._folder / found).is_file() else None


def _seen_as(name: str) -> str:
    """What people see of it, in lower case."""
    shown = unicodedata.normalize("NFKC", name)
    return " ".join("".join(char for char in shown if unicodedata.category(char) != "Cf").split()).lower()


def _unseen(path: str, meant: str) -> str:
    both = (unicodedata.normalize("NFC", name) for name in (path, meant))
    pairs = [(one, other) for one, other in zip_longest(*both, fillvalue="") if one != other]
    if not pairs or _seen_as(path) != _seen_as(meant) or path.lower() == meant.lower():
        return ""
    one, other = (
        f"U+{ord(char):04X} {unicodedata.name(char, '')}" if char else "nothing" for char in pairs[0]
    )
    return f" The path has {one} where the name of the file has {other}"


def _opened(target: Path, path: str) -> BinaryIO | NoFile:
    """Without waiting for whoever is at the other end of a pipe, and without following a link again."""
    number = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    mode = os.fstat(number).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(number, "rb")
    os.close(number)
    kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
    return _no_path(path, f"is {kind}, not a file")


def _examined(stream: BinaryIO, path: str, most: int, *, decode: bool) -> LocalFile | NoFile:
    head = stream.read(HEAD)
    if head.startswith(LFS_POINTER):
        return NoFile("unfit-file", f"points at {shorten(path)}, which is {NO_POINTER[0]}", NO_POINTER[1])
    media_type = media_type_of(head)
    size = os.fstat(stream.fileno()).st_size
    if size > most or not size:
        return _beyond(stream, path, media_type, most, size)
    digest, read = hashlib.sha256(head), len(head)
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        read += len(chunk)
        if read > most:
            return _beyond(stream, path, media_type, most, read)
    seen = _seen(stream, media_type, decode=decode)
    if isinstance(seen, str):
        return cannot_be_sent(path, seen)
    return LocalFile(path, digest.hexdigest(), read, media_type or UNKNOWN, *(seen or ()))


def _beyond(stream: BinaryIO, path: str, media_type: str | None, most: int, size: int) -> NoFile:
    """More than the model takes, or nothing at all."""
    seen = _seen(stream, media_type, decode=False)
    pixels = f"{seen.width} x {seen.height} pixels" if isinstance(seen, tuple) and seen.width else None
    rule = FileRule(most, frozenset())
    return cannot_be_sent(path, too_large(rule, size) or "it changes while it is read", pixels)


def _seen(stream: BinaryIO, media_type: str | None, *, decode: bool) -> Measures | str | None:
    from kiejobs.adapters.media.pictures import look_at  # noqa: PLC0415 - most jobs have no local files

    stream.seek(0)
    return look_at(stream, media_type, decode=decode)


def _unreadable(path: str, error: OSError) -> NoFile:
    why = f"points at {shorten(path)}, which can't be read: {error.strerror or error}"
    return NoFile("missing-file", why)


def _no_path(path: str, what: str, hint: str | None = None) -> NoFile:
    return NoFile("file-path", f"points at {shorten(path)}, which {what}", hint)
