"""`kiejobs render FILE`: the requests, one JSON a line; or what an edit did to them. No key.

In: a job file, a selection. Out: lines on stdout. Touches: disk, git; with `--check-assets` the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.app.load import load
from kiejobs.app.plan import require_selected, selection_of_file
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.reports.documents import json_text

if TYPE_CHECKING:
    from kiejobs.app.options import JobFileOptions
    from kiejobs.app.output import Screen


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
        from kiejobs.app.render_diff import render_diff  # noqa: PLC0415 - behind a flag

        return render_diff(loaded, selection, since, screen)
    for job in filter(selection.takes_job, loaded.expansion.jobs):
        names = ("address", "fingerprint", "take", "body")
        line = {name: getattr(job, name) for name in names}
        screen.out.write(f"{json_text(line, indent=None)}\n")
    return ExitCode.DONE
