"""`kiejobs lock FILE...`: write `FILE.lock` next to each, for `--locked` to check against. No key.

In: job files, folders of them. Out: a lock for each. Touches: disk; with `--check-assets` the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import read_source
from kiejobs.app.approve import lock_of, lock_path, look_at_assets
from kiejobs.app.load import load_all
from kiejobs.app.output import write
from kiejobs.app.plan import named_files
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.expand.expand import wanted_files
from kiejobs.core.plan.lock import to_bytes
from kiejobs.reports.checks import locked_text
from kiejobs.reports.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.options import JobFileOptions
    from kiejobs.app.output import Screen
    from kiejobs.core.plan.lock import Asset


def lock(wanted: JobFileOptions, files: Sequence[str], screen: Screen) -> ExitCode:
    """Nothing is written where one of the files is not valid."""
    names = named_files(files, wanted)
    for name in names:
        lock_path(name)  # standard input has none
    every = load_all(wanted, names)
    for loaded in every:
        _lock(loaded, screen)
    if len(every) > 1:
        jobs = sum(len(one.expansion.jobs) for one in every)
        screen.note(f"{plural(len(every), 'job file')}: {plural(jobs, 'job')} locked")
    return ExitCode.DONE


def _lock(loaded: LoadedJobFile, screen: Screen) -> None:
    wanted = loaded.wanted
    images: Mapping[str, Asset | None] = dict.fromkeys(wanted_files(loaded.expansion))
    if wanted.check_assets:
        images = look_at_assets(loaded, screen)
    made = lock_of(loaded, images)
    path, data = lock_path(wanted.file), to_bytes(made)
    there = read_source(str(path)).data if path.exists() else None
    if there != data:
        write(path, data)
    screen.note(locked_text(str(path), made, written=there != data))
