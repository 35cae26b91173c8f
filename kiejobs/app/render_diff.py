"""`kiejobs render FILE --diff REV`: what an edit did to each request. No key, no network.

In: a job file, a revision. Out: text, the document of schemas/documents/render-diff.schema.json, or
Markdown; the same in files. Touches: git and disk, by reading; a temporary folder; the files that were
asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kiejobs.adapters.git.repository import below_root
from kiejobs.app.at_revision import as_it_was
from kiejobs.app.output_files import files_by_ending, write
from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.plan.request_diff import request_diff
from kiejobs.reports.diagnostics.text import diagnostics_text
from kiejobs.reports.diff.markdown import DiffMarkdown
from kiejobs.reports.diff.text import DiffJson, DiffText, PolicyHold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.app.job_file import JobFileOptions
    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.output import Screen
    from kiejobs.core.plan.request_diff import Edit, Kind, RequestDiff
    from kiejobs.core.plan.selection import Selection

FORMS = ("text", "json", "markdown")


class DiffFormat(Protocol):
    """A format: what to print first, for each edit, and at the end."""

    def begin(self) -> str: ...
    def line(self, edit: Edit) -> str: ...
    def end(self, totals: Mapping[Kind, int]) -> str: ...


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
        held = PolicyHold(
            loaded.jobfile.campaign,
            wanted.file,
            revision,
            earlier.commit,
            existed=earlier.existed,
            problems=earlier.problems,
        )
        if earlier.problems:
            told = diagnostics_text(earlier.problems, earlier.lines, color=screen.color_err)
            screen.say(f"{told}\nin {wanted.file} as it was at {held.when}")
        diff = request_diff(loaded.expansion, earlier.before, selection)
        kept: list[list[str]] = [[] for _ in files]
        shown = _words(form, held, color=screen.color_out)
        others = [
            (_words(kind, held, color=False), text)
            for (_, kind), text in zip(files, kept, strict=True)
        ]
        screen.stream(_told(diff, shown, others))
    for (path, _), text in zip(files, kept, strict=True):
        write(path, "".join(text))
    return ExitCode.DONE


def _told(
    diff: RequestDiff, shown: DiffFormat, others: Sequence[tuple[DiffFormat, list[str]]]
) -> Iterator[str]:
    """What goes to stdout, as it comes; the same goes into the texts of the others."""
    for words, text in others:
        text.append(words.begin())
    yield shown.begin()
    for edit in diff.edits:
        for words, text in others:
            text.append(words.line(edit))
        yield shown.line(edit)
    for words, text in others:
        text.append(words.end(diff.totals))
    yield shown.end(diff.totals)


def _words(form: str, held: PolicyHold, *, color: bool) -> DiffFormat:
    if form == "json":
        return DiffJson(held)
    if form == "markdown":
        return _AtTheEnd(DiffMarkdown(held, below_root(held.file) or held.file))
    return _AtTheEnd(DiffText(held, color=color))


class _AtTheEnd:
    """A format that must have seen all."""

    def __init__(self, report: DiffText | DiffMarkdown) -> None:
        self._report = report

    def begin(self) -> str:
        return ""

    def line(self, edit: Edit) -> str:
        self._report.add(edit)
        return ""

    def end(self, totals: Mapping[Kind, int]) -> str:
        return self._report.text(totals)
