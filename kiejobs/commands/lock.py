"""`kiejobs lock FILE`: write down what the campaign comes to now, for `--locked` to hold it against.

In: a job file, its variables. Out: `FILE.lock`. Touches: disk; with `--check-assets` the network.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kiejobs.app.approve import lock_of, lock_path, look_at_assets
from kiejobs.app.load import load
from kiejobs.app.output import write
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.expand.expand import wanted_files
from kiejobs.core.plan.lock import to_bytes
from kiejobs.reports.guards import locked_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.app.output import Screen
    from kiejobs.app.project import JobFileOptions
    from kiejobs.core.plan.lock import Asset


def lock(wanted: JobFileOptions, screen: Screen) -> ExitCode:
    loaded = load(wanted)
    images: Mapping[str, Asset | None]
    if wanted.check_assets:
        images = look_at_assets(loaded, screen)
    else:
        images = dict.fromkeys(wanted_files(loaded.expansion))
    made = lock_of(loaded, images)
    path, data = lock_path(wanted.file), to_bytes(made)
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            screen.say(locked_text(str(path), made, written=False))
            return ExitCode.DONE
    write(path, data)
    screen.say(locked_text(str(path), made, written=True))
    return ExitCode.DONE
