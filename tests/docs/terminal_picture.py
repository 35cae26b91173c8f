"""The README's picture of a terminal: docs/terminal.svg, a rehearsal's plan and its progress half way.

    python tests/docs/terminal_picture.py

In: what `kiejobs run` really writes to a terminal. Out: an SVG by rich's own export, with no font from anywhere. Touches
that file, a temporary folder, a pseudo-terminal. Times and task ids are another run's each time; a test holds the lines of
the plan against what `kiejobs plan` says now.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "terminal.svg"
COMMAND = "kiejobs run jobfiles/espresso.yaml --sandbox --yes"

_COLUMNS = 80
_REDRAWN = re.compile("(?:\r\x1b\\[2K(?:\x1b\\[1A\x1b\\[2K)*)")
_SHOWS_LIVE = "\x1b[?25l"
_DONE = re.compile(r"([0-9])/8\b")
_BUSY = re.compile(r"\d generating.*\d success")
_SPEED = "5"
"""Slow enough that drawing results, which takes as long at any speed, does not come after all else."""
_FONT_FACE = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)
_LINE = re.compile(r'<text class="[^"]*-r\d+" x="([^"]*)" y="([^"]*)"[^>]*>(.*?)</text>')


def drawing() -> str:
    """The whole SVG, of a run that is made for it: a few seconds."""
    plan, _, live = _written().partition(_SHOWS_LIVE)
    frames = _REDRAWN.split(live)
    half_way = min(frames, key=lambda frame: (not _BUSY.search(frame), abs(_done(frame) - 4)))
    shown = f"$ {COMMAND}\n{plan}{half_way}".replace("\r\n", "\n")
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown), soft_wrap=True)
    form = _FONT_FACE.sub("", CONSOLE_SVG_FORMAT).replace("Fira Code", "ui-monospace, Menlo, Consolas")
    text = console.export_svg(title="kiejobs", theme=MONOKAI, code_format=form, unique_id="kiejobs")
    label = '<svg role="img" aria-label="The plan of eight jobs, and their progress half way" class'
    return "\n".join(line.rstrip() for line in text.replace("<svg class", label).splitlines()) + "\n"


def lines_of(svg: str) -> list[str]:
    """The lines of text that a picture shows, with blanks as they are."""
    found: dict[str, str] = {}
    for at, row, text in _LINE.findall(svg):
        columns = round(float(at) / 12.2)
        found[row] = found.get(row, "").ljust(columns) + unescape(text).replace("\xa0", " ")
    return [line.rstrip() for line in found.values()]


def _done(frame: str) -> int:
    counted = _DONE.search(frame)
    return int(counted[1]) if counted else 99


def _written() -> str:
    """All that the command writes to a terminal of that width."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "jobfiles", folder / "jobfiles")
        ours, theirs = pty.openpty()
        variables = {"TERM": "xterm-256color", "COLUMNS": str(_COLUMNS), "PYTHONPATH": str(ROOT)}
        variables["KIEJOBS_SPEED"] = _SPEED
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        words = [sys.executable, "-m", *COMMAND.split()]
        process = subprocess.Popen(
            words, cwd=folder, env={**kept, **variables}, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        text = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        if process.wait() != 0:
            raise RuntimeError(text.decode())
    return text.decode()


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65_536)
    except OSError:  # the other end is closed
        return b""


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
    sys.stdout.write(f"wrote {PICTURE}\n")
