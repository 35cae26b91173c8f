"""Where the policy of this checkout is.

In: the folder that we are called in. Out: a file's name. Touches: disk, by looking.

The current folder counts and nothing else: a job file that is given by a path brings no policy along.
"""

from __future__ import annotations

import os
from pathlib import Path

from kiejobs.core.policy import FILE


def find_policy() -> str | None:
    """The nearest `kiejobs.yaml`, from the current folder up to the root of its git checkout.

    Outside of git only the current folder is looked at. A link that leads nowhere is a policy too, one
    that can't be read: what somebody put there is never passed over in silence.
    """
    here = Path.cwd()
    for folder in _up_to_root(here):
        if os.path.lexists(folder / FILE):
            return os.path.relpath(folder / FILE, here)
    return None


def _up_to_root(here: Path) -> list[Path]:
    folders = [here, *here.parents]
    for number, folder in enumerate(folders, start=1):
        if (folder / ".git").exists():
            return folders[:number]
    return [here]
