"""`kiejobs lock FILE`: write `FILE.lock`, for `--locked` to check against. No key.

In: a job file. Out: its lock. Touches: disk; with `--check-assets` the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import read_source
from kiejobs.app.approve import lock_of, lock_path, look_at_assets
from kiejobs.app.load import load
from kiejobs.app.output import write
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.expand.expand import wanted_files
from kiejobs.core.plan.lock import to_bytes
from kiejobs.reports.checks import locked_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.app.options import JobFileOptions
    from kiejobs.app.output import Screen
    from kiejobs.core.plan.lock import Asset


def lock(wanted: JobFileOptions, screen: Screen) -> ExitCode:
    loaded = load(wanted)
    images: Mapping[str, Asset | None] = dict.fromkeys(wanted_files(loaded.expansion))
    if wanted.check_assets:
        images = look_at_assets(loaded, screen)
    made = lock_of(loaded, images)
    path, data = lock_path(wanted.file), to_bytes(made)
    there = read_source(str(path)).data if path.exists() else None
    if there != data:
        write(path, data)
    screen.say(locked_text(str(path), made, written=there != data))
    return ExitCode.DONE
