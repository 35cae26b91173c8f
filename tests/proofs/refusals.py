"""The ways in which a disk can refuse, each of them made for one command.

In: the calls of a watched run. Out: `Refusal`s, which give the words to put before the command. Touches:
the campaign's folder: its mode, or a small tmpfs that only the command and its namespace see, whose
content is copied into the folder at the end.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.proofs.syscalls import refusing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.proofs.syscalls import Call

_ERRORS = {
    "write": "ENOSPC", "fsync": "EIO", "openat": "ENOSPC", "mkdir": "ENOSPC", "rename": "ENOSPC",
    "ftruncate": "EIO", "utimensat": "EIO", "unlink": "EIO",
}  # fmt: skip
_PAGES = range(1, 25)  # 4 KiB each; one run of three jobs fills about twenty
_FILES = range(2, 20)
_PAGE = 4096
_WHILE = 17  # more writes: as often as three jobs try to write their tasks' ids down, and say so


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way. `passes`: the next try works; `silences`: writes to the screen are refused too.

    `at` gives, for a campaign's folder, the words that go before the command.
    """

    name: str
    sort: str
    at: Callable[[Path], AbstractContextManager[list[str]]]
    passes: bool = False
    silences: bool = False


def refused_calls(found: Iterable[Call]) -> list[Refusal]:
    """Each call that asks something of the disk: once, for a while, for good from there on."""
    asking = [call for call in found if _asks(call)]
    # For longer, new names would be refused to Python's own imports too: no full disk does that.
    longer = [call for call in asking if call.name != "openat"]
    return [
        *(_refused(call, "one call", 0) for call in asking),
        *(_refused(call, "for a while", _WHILE) for call in longer if call.name == "write"),
        *(_refused(call, "from a call on", None) for call in longer),
    ]


def full_folders(root: Path) -> list[Refusal]:
    """A disk with so much room and no more; none where this machine lets nobody mount one."""
    if not _works("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(root)):
        return []
    pages = [_full(f"{count} pages", f"size={count * _PAGE}") for count in _PAGES]
    return pages + [_full(f"{count} files", f"nr_inodes={count}") for count in _FILES]


def read_only_folders(root: Path) -> list[Refusal]:
    """Folders that may not be written to, surely: it is tried first, since root may write anywhere."""
    probe = root / "read-only"
    probe.mkdir(mode=0o555)
    before = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []
    if _works(*before, "touch", str(probe / "written")):
        return []
    return [
        Refusal(f"{name} read-only", "read-only folder", _read_only(name, before))
        for name in ("runs", "outputs", ".")
    ]


def trace_of(folder: Path) -> Path:
    """Where the calls that were refused to this campaign are written down."""
    return folder.with_suffix(".trace")


def full_screens() -> list[Refusal]:
    """What is said goes to a file on a full disk."""
    return [_screen("stdout", ">"), _screen("stderr", "2>"), _screen("both", "2>/dev/full >")]


def _asks(call: Call) -> bool:
    """Does it ask for room, or that something be kept? A folder that is there needs no making."""
    if call.what == "socket" or call.name not in _ERRORS:
        return False
    if call.name == "openat":
        return call.creates and call.worked
    return call.worked or call.name != "mkdir"


def _refused(call: Call, sort: str, more: int | None) -> Refusal:
    error = _ERRORS[call.name]

    @contextmanager
    def at(folder: Path) -> Iterator[list[str]]:
        yield refusing(trace_of(folder), call, error, more)

    said = f" ({', '.join(call.said)})" if call.said else ""
    return Refusal(
        name=f"{call.kind}{said}, no. {call.number}: {error}",
        sort=sort,
        at=at,
        passes=more == 0,
        silences=more != 0 and call.name == "write",
    )


def _full(name: str, options: str) -> Refusal:
    @contextmanager
    def at(folder: Path) -> Iterator[list[str]]:
        place = shlex.quote(str(folder))
        made = folder.parent / f"{folder.name}.kept"
        kept = shlex.quote(str(made))
        script = (
            f"mount -t tmpfs -o {options} tmpfs {place} && cp -a {kept}/. {place} && cd {place} || exit 99; "
            f'"$@"; code=$?; cp -a {place}/. {kept}; exit $code'
        )
        made.mkdir()
        (folder / "jobs.yaml").rename(made / "jobs.yaml")
        yield ["unshare", "-rm", "sh", "-c", script, "sh"]
        for entry in made.iterdir():
            entry.rename(folder / entry.name)

    return Refusal(f"a disk of {name}", "full disk", at)


def _read_only(name: str, before: list[str]) -> Callable[[Path], AbstractContextManager[list[str]]]:
    @contextmanager
    def at(folder: Path) -> Iterator[list[str]]:
        place = folder / name
        place.mkdir(exist_ok=True)
        place.chmod(0o555)
        yield before
        place.chmod(0o755)

    return at


def _screen(name: str, redirection: str) -> Refusal:
    @contextmanager
    def at(_folder: Path) -> Iterator[list[str]]:
        yield ["sh", "-c", f'exec "$@" {redirection}/dev/full', "sh"]

    return Refusal(f"{name} on a full disk", "full screen", at, silences=True)


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
