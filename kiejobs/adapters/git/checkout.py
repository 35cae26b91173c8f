"""The repository that we are in: its root, and what files are called from there.

In: a file's name as it was typed. Out: its path below the root, as forges and editors know it. Touches:
disk, by asking where links lead and where `.git` is.
"""

from __future__ import annotations

import os
from pathlib import Path


def root() -> Path:
    """The checkout's folder; where there is none, the folder that we are in."""
    here = Path.cwd()
    return next((p for p in (here, *here.parents) if (p / ".git").exists()), here)


def below_root(name: str) -> str | None:
    """With forward slashes; None for what is not below the root."""
    top = root()
    for path in (Path(name).resolve(), Path(os.path.abspath(name))):  # noqa: PTH100 - keeps links
        if path.is_relative_to(top):
            return path.relative_to(top).as_posix()
    return None
