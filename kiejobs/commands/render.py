"""`kiejobs render FILE`: the request bodies, one JSON object a line. No key, no network.

In: a job file and a selection. Out: `{"address", "fingerprint", "take", "body"}` lines, streamed; or what
an edit did to them. Touches: disk, by reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.app.load import load
from kiejobs.app.plan import require_selected, selection_of_file
from kiejobs.app.render_diff import render_diff
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.reports.documents import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.output import Screen
    from kiejobs.app.project import JobFileOptions
    from kiejobs.core.plan.selection import Selection


def render(wanted: JobFileOptions, screen: Screen, since: str | None = None) -> ExitCode:
    """With `since`, a revision, what an edit did to the requests; only then there is a choice of forms."""
    if screen.outs and since is None:
        raise UsageProblem("--out goes with --diff", hint="the requests go to stdout: `> FILE`")
    selection = selection_of_file(wanted, "render")
    loaded = load(wanted)
    require_selected(loaded)
    if wanted.locked or wanted.check_assets:
        from kiejobs.app.approve import require_locked  # noqa: PLC0415 - where it is asked for

        require_locked(loaded, screen)
    if since is not None:
        return render_diff(loaded, wanted, selection, (since, screen.form, screen.outs), screen)
    for line in _lines(loaded, selection):
        screen.out.write(line)
    return ExitCode.DONE


def _lines(loaded: LoadedJobFile, selection: Selection) -> Iterator[str]:
    for job in loaded.expansion.jobs:
        if selection.takes_job(job):
            line = {
                "address": job.address,
                "fingerprint": job.fingerprint,
                "take": job.take,
                "body": job.body,
            }
            yield json_text(line, indent=None) + "\n"
