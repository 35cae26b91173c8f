"""The system calls of a command: seen by strace, and each of them a point where it can be stopped.

In: a trace. Out: `Call`s that touch the campaign's folders or its sockets; strace's words that kill the
command at one of them, or let one fail. Touches: traces, by reading. Needs strace (Debian's; 6.1 here).

What strace does, as tried here: a SIGKILL is delivered on entering the call, which is *not* carried out;
"after this call" is therefore the same as "at the next one". Calls are numbered by kind and by thread;
kiejobs does all its work in one, and a second one, which only looks up the API's host, wakes it up. With `--seccomp-bpf` the signal gets lost, so it stays off. Calls that
only read are left out: to die before one of them is to die after the call before it.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DISK = (
    "openat", "openat2", "creat", "write", "pwrite64", "writev", "fsync", "fdatasync", "mkdir",
    "mkdirat", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "ftruncate",
    "fallocate", "utimensat", "flock",
)  # fmt: skip
NETWORK = (
    "socket", "bind", "connect", "setsockopt", "sendto", "sendmsg", "recvfrom", "recvmsg", "shutdown",
    "close",
)  # fmt: skip
MISSING = "strace is not on this machine (apt-get install strace)"

_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_DESCRIPTOR = re.compile(r"\d+<(.*?)>(?=[,) ])")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_EVENT = re.compile(r'\\"type\\": \\"(\w+)\\"')
_REQUEST = re.compile(r'"((?:GET|POST) /[\w/-]*?)(?:/[0-9a-f]{8,}[^ ]*)?[? ]')
_THINGS = (
    (".lock", "lock"), ("manifest.json", "manifest"), ("journal.jsonl", "journal"),
    (".part", "partial file"), (".mp4", "file"), ("TCP", "socket"), ("AF_INET", "socket"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """The `number`th call of this name. `what` it touched; `said` is what a write or a send held.

    `said` holds the types of events, or a method and path; `refused`: strace let it fail.
    """

    name: str
    number: int
    what: str
    said: tuple[str, ...]
    creates: bool
    worked: bool
    refused: bool

    @property
    def kind(self) -> str:
        return f"{self.name} {self.what}"


def has_strace() -> bool:
    return shutil.which("strace") is not None


def watching(trace: Path, names: tuple[str, ...] = (*DISK, *NETWORK)) -> list[str]:
    """The words that go before a command to have its calls written to `trace`."""
    which = ",".join(f"?{name}" for name in names)  # ?: not every machine knows all of them
    return ["strace", "-f", "-yy", "-s", "4096", "-o", str(trace), "-e", f"trace={which}"]


def killing(trace: Path, call: Call) -> list[str]:
    """The words that let a command die on entering this call."""
    return [
        *watching(trace, (call.name,)),
        *("-e", f"inject={call.name}:signal=SIGKILL:when={call.number}"),
    ]


def refusing(trace: Path, call: Call, error: str, more: int | None = 0) -> list[str]:
    """The words that let this call fail with `error`, and so many more of its name; None: all."""
    until = "+" if more is None else f"..{call.number + more}" if more else ""
    return [
        *watching(trace, (call.name,)),
        *("-e", f"inject={call.name}:error={error}:when={call.number}{until}"),
    ]


def calls(trace: Path, folder: Path) -> list[Call]:
    """Those of the main thread that touch runs, outputs or a socket, in their order."""
    return [call for call in _calls(trace, folder) if call is not None]


def last(trace: Path, folder: Path) -> Call | None:
    """What it died of, where that was one of them."""
    found = list(_calls(trace, folder))
    return found[-1] if found else None


def _calls(trace: Path, folder: Path) -> Iterator[Call | None]:
    numbers: Counter[str] = Counter()
    main: str | None = None
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        thread, name, rest = match.groups()
        main = main or thread
        if thread == main:
            numbers[name] += 1
            yield _call(name, numbers[name], rest, str(folder.resolve()))


def _call(name: str, number: int, rest: str, folder: str) -> Call | None:
    touched = _touched(rest)
    if not any(_is_ours(thing, folder) for thing in touched):
        return None
    what = next((word for mark, word in _THINGS if mark in touched[-1]), "folder")
    request = _REQUEST.findall(rest) if name == "sendto" else []
    said = tuple(_EVENT.findall(rest) if what == "journal" else request)
    return Call(name, number, what, said, "O_CREAT" in rest, " = -1 " not in rest, "(INJECTED)" in rest)


def _touched(rest: str) -> list[str]:
    """Paths and peers: of a descriptor the one it stands for, else those that are quoted."""
    descriptor = _DESCRIPTOR.match(rest)
    if descriptor is not None:
        return [descriptor[1]]
    return _QUOTED.findall(rest) or [rest]


def _is_ours(thing: str, folder: str) -> bool:
    below = thing.removeprefix(f"{folder}/")
    return below.startswith(("runs", "outputs", "TCP", "AF_INET"))
