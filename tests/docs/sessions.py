"""A page's console blocks run for real, and what they say held against what the page shows.

In: a page, an empty folder. Out: for each command what it printed, and whether the page shows that.
Touches: the folder, and processes in it.

Each page has a folder and a shell of its own (the README's is like a clone, the others are empty): files, variables, `cd` and `$?` last from one command
to the next. stdout and stderr come together, as on a terminal. Where a page and a real run may differ:

- A line `...` stands for any lines, `...` within a line for anything.
- A time is as good as any other.
- Task ids, attempt ids and run ids are bound where they first appear: from there on the page's id
  means the one that was really given, in output and in commands alike.
- That a price has grown old by now is left out.
- Progress lines (`[2/8] collected …`) are left out: their order is chance, and on a terminal they are
  a live display.

A command that fails must be followed by `$ echo $?`, so that the page shows the exit code.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.docs.pages import ROOT
from tests.support.forked import PACKAGE, WITHOUT_MEDIA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.docs.pages import Block, Page

SPEED = "400"
"""Rehearsals on paper run at 20 times the real pace; here there is no one to watch."""

PICTURED = {
    f"docs/how-to/{name}.md"
    for name in ("check-what-came-back", "look-at-results", "send-a-client-the-results", "use-local-images")
}
"""Pages on pictures and clips; what the others show is the same without the extra `media`, and much quicker."""

_PROGRESS = re.compile(r"\[ *\d+/\d+\] ")
_ID = r"[0-9a-f]{32}|\d{8}T\d{6}(?:\d{3})?Z-[0-9a-f]{6}"
_TOKEN = re.compile(
    rf"(?P<id>\b(?:{_ID})\b)"
    r"|(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{3})?(?:Z| UTC))"
    r"|(?P<any>\.\.\.)"
)
_OLD_PRICES = re.compile(r"; older than \d+ days: [^;`]*|\u26a0\ufe0f (?=Prices: )")
"""Prices grow old while a page stays as it is."""
_TIME = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{3})?(?:Z| UTC)"


@dataclass(frozen=True)
class Command:
    """A command as the page has it, and the lines that it shows below; `line` from 1."""

    text: str
    shown: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Told:
    """What a command really printed, in the page's own ids, and whether the page shows that."""

    command: Command
    lines: tuple[str, ...]
    code: int
    fits: bool


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    found: list[Command] = []
    for number, line in enumerate(block.lines, start=block.first):
        if line.startswith("$ "):
            found.append(Command(line[2:], (), number))
        else:
            assert found, f"line {number}: output before the first command"
            last = found[-1]
            found[-1] = Command(last.text, (*last.shown, line), last.line)
    return found


class Ids:
    """Which real id each id of a page stands for."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}

    def in_command(self, text: str) -> str:
        """The command with real ids for the page's."""
        return re.sub(_ID, lambda found: self._real.get(found[0], found[0]), text)

    def in_page(self, text: str) -> str:
        """Output with the page's ids for real ones."""
        shown = {real: page for page, real in self._real.items()}
        return re.sub(_ID, lambda found: shown.get(found[0], found[0]), text)

    def fit(self, shown: tuple[str, ...], printed: tuple[str, ...]) -> bool:
        """Does the page show what was printed? Binds new ids where it does."""
        fresh: dict[str, str] = {}
        lines = (r"(?:.*\n)*?" if line == "..." else f"{self._pattern(line, fresh)}\n" for line in shown)
        found = re.fullmatch("".join(lines), "".join(f"{line}\n" for line in printed))
        if found is None:
            return False
        self._real.update({page: found[group] for page, group in fresh.items()})
        return True

    def _pattern(self, line: str, fresh: dict[str, str]) -> str:
        made, end = "", 0
        for token in _TOKEN.finditer(line):
            made += re.escape(line[end : token.start()])
            made += self._token_pattern(token, fresh)
            end = token.end()
        return made + re.escape(line[end:])

    def _token_pattern(self, token: re.Match[str], fresh: dict[str, str]) -> str:
        if token["any"]:
            return ".*?"
        if token["time"]:
            return _TIME
        page = token["id"]
        if page in self._real:
            return re.escape(self._real[page])
        if page in fresh:
            return f"(?P={fresh[page]})"
        fresh[page] = f"id{len(fresh)}"
        return f"(?P<{fresh[page]}>{_ID})"


class Session:
    """One page's folder and shell."""

    def __init__(self, folder: Path, page: Page) -> None:
        self._page = page
        self._folder = folder / "here"
        self._folder.mkdir()
        if page.name == "README.md":
            _clone(self._folder)
        self._state = folder / "state.sh"
        self._state.write_text(f"cd {shlex.quote(str(self._folder))}\n", encoding="utf-8")
        self._code = 0
        self._env = _environment(folder, page)
        self.ids = Ids()

    def follow(self) -> Iterator[Told]:
        """Write the page's files and run its commands, in order."""
        for block in self._page.snippets:
            if block.file is not None:
                self.write(block.file, block.text)
            elif block.language == "python":
                code = f"{shlex.quote(sys.executable)} - <<'END'\n{block.text}END"
                yield self._told(Command(code, ("...",), block.first))
            elif block.language == "console":
                yield from map(self._told, commands(block))

    def write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _told(self, command: Command) -> Told:
        printed = self._run(self.ids.in_command(command.text))
        fits = self.ids.fit(command.shown, printed)
        lines = tuple(self.ids.in_page(line) for line in printed)
        return Told(command, lines, self._code, fits)

    def _run(self, text: str) -> tuple[str, ...]:
        state = shlex.quote(str(self._state))
        script = (
            f"source {state}; (exit {self._code})\n{text}\n"
            f'code=$?; {{ export -p; printf "cd %q\\n" "$PWD"; }} > {state}; exit $code'
        )
        ran = subprocess.run(
            ["bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._env,
            check=False,
            timeout=280,
        )
        self._code = ran.returncode
        lines = ran.stdout.decode().splitlines()
        lines = [_OLD_PRICES.sub("", line.rstrip()) for line in lines]
        return tuple(line for line in lines if not _PROGRESS.match(line))


def _clone(folder: Path) -> None:
    """The README speaks to somebody in a clone; every other page begins in an empty folder."""
    for name in ("jobfiles", "schemas"):
        shutil.copytree(ROOT / name, folder / name)


def _environment(folder: Path, page: Page) -> dict[str, str]:
    """The machine's own, without anything that speaks to kiejobs; `kiejobs` is this Python's."""
    programs = folder / "bin"
    programs.mkdir()
    shim = programs / "kiejobs"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kiejobs "$@"\n', "utf-8")
    shim.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KIE")}
    return kept | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": PACKAGE if page.name in PICTURED else WITHOUT_MEDIA,
        "PYTHONUNBUFFERED": "1",
        "HOME": str(folder),
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "KIEJOBS_SPEED": SPEED,
    }
