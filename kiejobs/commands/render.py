"""`kiejobs render FILE...`: the requests, one JSON a line; or what an edit did to them. No key.

In: job files, folders of them, a selection. Out: lines on stdout. Touches: disk, git; with `--check-assets` the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.app.load import load_all
from kiejobs.app.plan import has_selected, named_files, nothing_selected, selection_of_file
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.reports.documents import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.options import JobFileOptions
    from kiejobs.app.output import Screen


def render(
    wanted: JobFileOptions, files: Sequence[str], screen: Screen, since: str | None = None
) -> ExitCode:
    """With `since`, a revision, what an edit did to the requests; only then there is a choice of forms."""
    if screen.outs and since is None:
        raise UsageProblem("--out goes with --diff", hint="the requests go to stdout: `> FILE`")
    names = named_files(files, wanted)
    selection_of_file(wanted, "render")
    every = load_all(wanted, names)
    chosen = list(filter(has_selected, every))
    if not chosen:
        raise nothing_selected(wanted.select, [job for one in every for job in one.expansion.jobs])
    if wanted.locked or wanted.check_assets:
        from kiejobs.app.approve import require_locked  # noqa: PLC0415 - where it is asked for

        for loaded in chosen:
            require_locked(loaded, screen)
    if since is not None:
        from kiejobs.app.render_diff import render_diff  # noqa: PLC0415 - behind a flag

        return render_diff(chosen, since, screen)
    for loaded in chosen:
        takes = selection_of_file(loaded.wanted, "render").takes_job
        for job in filter(takes, loaded.expansion.jobs):
            line = {name: getattr(job, name) for name in ("address", "fingerprint", "take", "body")}
            screen.out.write(f"{json_text(line, indent=None)}\n")
    return ExitCode.DONE
