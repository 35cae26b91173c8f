"""Real shells at a terminal of their own: what a person who presses Tab gets.

In: the shell's name, lines that are typed. Out: the words that the shell would have run each with. Touches: processes.

After the Tab the cursor goes to the line's start and a `printf` before it, so that the shell itself says what the words
are that it has completed, quoting undone.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
_SETUP = {
    "bash": 'bind "set enable-bracketed-paste off"; eval "$(kiejobs completion bash)"',
    "zsh": 'bindkey -e; unset zle_bracketed_paste; autoload -U compinit; compinit -D; eval "$(kiejobs completion zsh)"',
    "fish": "kiejobs completion fish | source",
}
_AT_A_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
_PATIENCE = 60.0  # seconds; a net for what hangs
_ANSWER = re.compile(r"BEGIN\r?\n(.*?)END\r?\n", re.DOTALL)


def completed(
    shell: str, typed: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> dict[str, list[str]]:
    """The command's words, for each line that is `typed`, once a Tab follows it."""
    ours, theirs = pty.openpty()
    env = {**environment, "TERM": "dumb", "COLUMNS": "500", "HISTFILE": "", "fish_history": ""}
    command = [sys.executable, "-c", _AT_A_TERMINAL, *_START[shell]]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=env)
    os.close(theirs)
    try:
        _say(ours, f"{_SETUP[shell]}; printf 'BEGIN\\nEND\\n'\r")
        _heard(ours)
        return {line: _words(ours, line) for line in typed}
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _words(terminal: int, line: str) -> list[str]:
    _say(terminal, f"{line}\t\x01printf 'BEGIN\\n'; printf '%s\\n' \x05; printf 'END\\n'\r")
    return _heard(terminal)


def _say(terminal: int, text: str) -> None:
    os.write(terminal, text.encode())


def _heard(terminal: int) -> list[str]:
    """The lines between BEGIN and END. Raises TimeoutError with all that came."""
    said, end = "", time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if select.select([terminal], [], [], 1.0)[0]:
            said += os.read(terminal, 65536).decode("utf-8", "replace")
            if found := _ANSWER.search(said):
                return found[1].replace("\r", "").splitlines()
    raise TimeoutError(said)
