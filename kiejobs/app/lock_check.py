"""What a job file is held against where that is asked for: its lock, and the files that it points at.

In: a loaded job file, `--locked`, `--check-assets`. Out: nothing where all is as it was, StalePlan or
UsageProblem where it is not. Touches: the lock, by reading; with `--check-assets` the network.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from kiejobs.adapters.project.files import read_source
from kiejobs.adapters.project.schemas import read_schema
from kiejobs.adapters.system import api_base
from kiejobs.app.job_file import variables_of
from kiejobs.core.diagnostics import StalePlan, UsageProblem
from kiejobs.core.expand.expand import wanted_files
from kiejobs.core.plan.lock import (
    Asset,
    Lock,
    differences,
    from_bytes,
    image_name,
    make_lock,
)
from kiejobs.core.plan.plan import difference
from kiejobs.reports.field_diff import diff_lines
from kiejobs.reports.guards import assets_text, changes_text
from kiejobs.reports.terminal import Paint, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.adapters.http.fetch import Found
    from kiejobs.app.job_file import JobFileOptions
    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.output import Screen
    from kiejobs.core.expand.job import Job, LocalFile
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.models.spec import FileRule
    from kiejobs.core.plan.lock import Explain, LockedJob


def require_locked(
    loaded: LoadedJobFile,
    wanted: JobFileOptions,
    screen: Screen,
    *,
    base: str | None = None,
    ledger: Ledger | None = None,
) -> None:
    """Does nothing without `--locked` and `--check-assets`.

    `base` is the API's, as for `fetch_assets`; the `ledger` knows what was bought, and so what changed
    in a request. Raises StalePlan where the lock says something else, UsageProblem where there is no lock
    or a file can't be used.
    """
    locked = read_lock(wanted.file) if wanted.locked else None
    images = look_at_assets(loaded, screen, base) if wanted.check_assets else {}
    if locked is None:
        return
    now = lock_of(loaded, wanted, images)
    explain = _explainer(loaded, ledger)
    found = list(differences(locked, now, explain, images=wanted.check_assets))
    if found:
        screen.say(changes_text(found, color=screen.color_err))
        hint = f"once that is meant, `kiejobs lock {quoted(wanted.file)}` locks it anew"
        raise StalePlan(f"{wanted.file} is not what its lock says", hint=hint)


def lock_path(file: str) -> Path:
    """Beside the job file, under its name and `.lock`."""
    return Path(f"{file}.lock")


def read_lock(file: str) -> Lock:
    """The lock of a job file. Raises UsageProblem where there is none, or none of ours."""
    path, again = lock_path(file), f"`kiejobs lock {quoted(file)}` writes it"
    if not path.exists():
        raise UsageProblem(f"{path} is missing", hint=again)
    try:
        return from_bytes(read_source(str(path)).data, read_schema("lock.schema.json"))
    except ValueError as error:
        raise UsageProblem(f"{path} can't be read as a lock: {error}", hint=again) from error


def lock_of(
    loaded: LoadedJobFile, wanted: JobFileOptions, images: Mapping[str, Asset | None]
) -> Lock:
    """What the lock would be now; `images` by their URLs. Local files are locked in any case."""
    return make_lock(
        loaded.expansion,
        {
            **{image_name(url): asset for url, asset in images.items()},
            **{path: _asset_of(file) for path, file in loaded.files.read.items()},
        },
        templates=loaded.folder.includes.read,
        vars_files={
            _from_folder(wanted.file, name): digest for name, digest in loaded.vars_files.items()
        },
        variables=variables_of(wanted),
        data_files=loaded.folder.data.digests,
    )


def _asset_of(file: LocalFile) -> Asset:
    return Asset(sha256=file.sha256, bytes=file.bytes, media_type=file.media_type)


def look_at_assets(
    loaded: LoadedJobFile, screen: Screen, base: str | None = None
) -> dict[str, Asset]:
    """The campaign's files on the web by URL. Raises UsageProblem, all that is wrong reported before."""
    files = wanted_files(loaded.expansion)
    found = _fetched(files, base)
    seen = {url: asset for url, asset in found.items() if not isinstance(asset, str)}
    wrong = {url: why for url, why in found.items() if isinstance(why, str)}
    if wrong:
        screen.say(assets_text(wrong, color=screen.color_err))
        what = f"{len(wrong)} of {len(found)} files that the requests point at can't be used"
        raise UsageProblem(what, hint="the API would fetch them as they are")
    return seen


def _fetched(files: Mapping[str, FileRule], base: str | None) -> Found:
    from kiejobs.adapters.http.fetch import fetch_assets  # noqa: PLC0415 - httpx is slow to import

    return anyio.run(fetch_assets, files, base or api_base(None))


def _from_folder(file: str, name: str) -> str:
    """A file's name as seen from the job file's folder; no absolute path gets into a lock."""
    if Path(name).is_absolute():
        return Path(name).name
    return Path(os.path.relpath(name, Path(file).parent)).as_posix()


def _explainer(loaded: LoadedJobFile, ledger: Ledger | None) -> Explain:
    """Says what changed in a request, where the locked one was bought."""
    jobs: dict[str, Job] = {}

    def explain(address: str, locked: LockedJob) -> str | None:
        attempt = (
            ledger.bought(locked["fingerprint"], locked["take"]) if ledger is not None else None
        )
        if attempt is None:
            return None
        if not jobs:
            jobs.update((job.address, job) for job in loaded.expansion.jobs)
        job = jobs[address]
        fields = difference(
            {"model": attempt.reserved.model, **attempt.reserved.input},
            {"model": job.model, **job.input},
            loaded.files.paths,
        )
        return "; ".join(diff_lines(fields, Paint(color=False))) or None

    return explain
