"""`kiejobs render FILE --diff REV`: what an edit did to each request. No key, no network.

In: a job file, a revision. Out: text, the document of schemas/documents/render-diff.schema.json, or Markdown.
Touches: git and disk, by reading; a temporary folder; the files that were asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import below_root
from kiejobs.app.by_git import as_it_was
from kiejobs.app.output import Screen, files_by_ending, write
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.plan.request_diff import request_diff
from kiejobs.reports.diagnostics import diagnostics_text
from kiejobs.reports.diff import DiffView, diff_json, diff_text
from kiejobs.reports.markdown import diff_markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.project import JobFileOptions
    from kiejobs.core.plan.selection import Selection

FORMS = ("text", "json", "markdown")


def render_diff(
    loaded: LoadedJobFile,
    wanted: JobFileOptions,
    selection: Selection,
    how: tuple[str, str, Sequence[str]],
    screen: Screen,
) -> ExitCode:
    """`how` is the revision, the format for stdout, and names of files for further ones."""
    revision, form, outs = how
    files = files_by_ending(outs, FORMS, (wanted.file,))
    with as_it_was(wanted, revision) as earlier:
        diff = request_diff(loaded.expansion, earlier.before, selection)
        view = DiffView(
            loaded.jobfile.campaign, wanted.file, revision, earlier.commit,
            existed=earlier.existed, problems=earlier.problems, edits=diff.edits, totals=diff.totals,
        )  # fmt: skip
        if view.problems:
            report = diagnostics_text(view.problems, earlier.lines, color=screen.color_err)
            screen.say(f"{report}\nin {wanted.file} as it was at {view.when}")
    screen.show(_in_form(form, view, color=screen.color_out))
    for path, kind in files:
        write(path, _in_form(kind, view, color=False))
    return ExitCode.DONE


def _in_form(form: str, view: DiffView, *, color: bool) -> str:
    if form == "json":
        return diff_json(view)
    if form == "markdown":
        return diff_markdown(view, below_root(view.file) or view.file)
    return diff_text(view, color=color)
