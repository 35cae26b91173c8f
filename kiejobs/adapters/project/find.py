"""The project that we are called in, and what it brings along: its policy, models and prices.

In: a name. Out: where the nearest thing of that name is. Touches: disk, by looking.

The current folder counts and nothing else: a job file that is given by a path brings nothing along.
"""

from __future__ import annotations

import os
from pathlib import Path


def find_up(name: str) -> str | None:
    """The nearest file or folder `name`, from the current folder up to the root of its git checkout.

    Outside of git only the current folder is looked at. A link that leads nowhere is found too: what
    somebody put there is never passed over in silence. As a path from the current folder.
    """
    return next((place for place in candidates(name) if os.path.lexists(place)), None)


def candidates(name: str) -> list[str]:
    """Wherever `nearest` looks for `name`, whether it is there or not. As paths from the current folder."""
    here = Path.cwd()
    return [os.path.relpath(folder / name, here) for folder in _up_to_root(here)]


def _up_to_root(here: Path) -> list[Path]:
    folders = [here, *here.parents]
    for number, folder in enumerate(folders, start=1):
        if (folder / ".git").exists():
            return folders[:number]
    return [here]
