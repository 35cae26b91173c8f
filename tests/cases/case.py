"""A whole command line with all that it prints, kept as a folder.

In: a folder of `tests/cases/`. Out: what its commands print and end with, in words that are the same every
time. Touches a folder of its own, into which the case's files are copied, and processes in it.

A case's folder holds the files that its commands work on, and three or four of its own:

- `args`: the commands, one a line, without `kiejobs`; quoted as in a shell. A line with `#` is a remark.
- `stdout`: what they print, each below a line `$ kiejobs …`.
- `stderr`: likewise; where there is none, nothing is printed there.
- `exit`: their exit codes, one a line.

What differs from run to run is named by the order in which it first appears: `RUN-1`, `ID-2`, and `TIME` for
every point in time and every duration. Left out are progress lines, whose order is chance, and that a price has grown old by now.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.forked import WITHOUT_MEDIA, Ran, forked

CASES = Path(__file__).parent
SPEED = "1000"
"""How many times faster a rehearsal's time runs: nobody watches."""

_OWN = ("args", "stdout", "stderr", "exit")
_PROGRESS = re.compile(r"(?m)^\[ *\d+/\d+\] .*\n")
_HELP = re.compile(r"(?<=^Try ')(kiejobs.*) (?:-h|--help)(?=' for help\.$)", re.MULTILINE)
"""Releases of click differ in which of the two they name."""
_OLD_PRICES = re.compile(r"; older than \d+ days: [^;`\n]*")
_NAMES = {
    "RUN": re.compile(r"\b\d{8}T\d{6}(?:\d{3})?Z-[0-9a-f]{6}\b"),
    "ID": re.compile(r"\b[0-9a-f]{32}\b"),
}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| UTC)?|(?<= time=\")[0-9.]+")


@dataclass(frozen=True)
class Outcome:
    """What the commands of a case printed, and their exit codes; as its files have it."""

    stdout: str
    stderr: str
    exit: str


def names() -> list[str]:
    return sorted(path.parent.name for path in CASES.glob("*/args"))


def kept(name: str) -> Outcome:
    """What the case's folder says."""
    return Outcome(*(_read(CASES / name / file) for file in ("stdout", "stderr", "exit")))


def keep(name: str, outcome: Outcome) -> bool:
    """Write that into the case's folder; whether anything is new."""
    before = kept(name)
    for file in ("stdout", "stderr", "exit"):
        path, text = CASES / name / file, getattr(outcome, file)
        if text:
            path.write_text(text, encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
    return before != kept(name)


def play(name: str, folder: Path) -> Outcome:
    """Run the case's commands, one after another, in `folder`, which is empty."""
    shutil.copytree(CASES / name, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_OWN))
    lines = _read(CASES / name / "args").splitlines()
    ran = [(line, _run(line, folder)) for line in lines if line and not line.startswith("#")]
    steady = _Steady(folder)
    out, err = "", ""
    for line, done in ran:
        out += f"$ kiejobs {line}\n{steady.text(done.out)}"
        err += _headed(line, steady.text(done.err))
    return Outcome(out, err, "".join(f"{done.code}\n" for _, done in ran))


def _headed(line: str, text: str) -> str:
    return f"$ kiejobs {line}\n{text}" if text else ""


def _run(line: str, folder: Path) -> Ran:
    return forked(shlex.split(line), folder, _environment(folder))


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": WITHOUT_MEDIA,
        "HOME": str(folder),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "KIEJOBS_SPEED": SPEED,
    }


class _Steady:
    """Gives what differs from run to run its name, the same in all that a case prints."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._given: dict[str, str] = {}

    def text(self, printed: str) -> str:
        text = _OLD_PRICES.sub("", _PROGRESS.sub("", printed.replace(self._folder, "FOLDER")))
        for kind, pattern in _NAMES.items():
            text = pattern.sub(lambda found, kind=kind: self._named(kind, found[0]), text)
        return _TIME.sub("TIME", _HELP.sub(r"\1 --help", text))

    def _named(self, kind: str, word: str) -> str:
        if word not in self._given:
            number = sum(name.startswith(kind) for name in self._given.values()) + 1
            self._given[word] = f"{kind}-{number}"
        return self._given[word]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
