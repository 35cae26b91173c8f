"""`kiejobs render FILE --diff REV`: what an edit did to each request. No key, no network.

In: a job file, a revision. Out: text, the document of schemas/documents/render-diff.schema.json, or Markdown.
Touches: git and disk, by reading; a temporary folder; the files that were asked for.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.git import GitFailed, Repository, lay_out, repository_of
from kiejobs.adapters.project.root import below_checkout
from kiejobs.app.by_git import require_names
from kiejobs.app.load import JobFolder, LoadedJobFile, try_to_load
from kiejobs.app.output import Screen, files_by_ending, write
from kiejobs.app.plan import selection_of_file
from kiejobs.core.diagnostics import Diagnostic, ExitCode, InvalidJobFile, Problems, Severity, UsageProblem
from kiejobs.core.plan.request_diff import Before, request_diff
from kiejobs.reports.diagnostics import diagnostics_text
from kiejobs.reports.diff import DiffView, diff_json, diff_text
from kiejobs.reports.markdown import diff_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.adapters.project.root import Root
    from kiejobs.app.options import JobFileOptions
    from kiejobs.core.diagnostics import Place

_PARTED = "..."


def render_diff(every: Sequence[LoadedJobFile], revision: str, screen: Screen) -> ExitCode:
    """Of several files one after the other; as JSON they are a list."""
    read = [loaded.wanted.file for loaded in every]
    require_names(read)
    files = files_by_ending(screen.outs, ("text", "json", "markdown"), read)
    views = [_diff(loaded, revision, screen) for loaded in every]
    screen.show(_in_form(screen.form, views, color=screen.color_out))
    for path, kind in files:
        write(path, _in_form(kind, views, color=False))
    return ExitCode.DONE


def _diff(loaded: LoadedJobFile, revision: str, screen: Screen) -> DiffView:
    wanted, selection = loaded.wanted, selection_of_file(loaded.wanted, "render")
    with as_it_was(wanted, revision, loaded.folder.root) as earlier:
        diff = request_diff(loaded.expansion, earlier.before, selection)
        view = DiffView(
            loaded.jobfile.campaign, wanted.file, revision, earlier.commit,
            existed=earlier.existed, problems=earlier.problems, edits=diff.edits, totals=diff.totals,
        )  # fmt: skip
        if view.problems:
            report = diagnostics_text(view.problems, earlier.lines, color=screen.color_err)
            screen.say(f"{report}\nin {wanted.file} as it was at {view.when}")
    return view


def _in_form(form: str, views: Sequence[DiffView], *, color: bool) -> str:
    if form == "json":
        texts = list(map(diff_json, views))
        return texts[0] if len(texts) == 1 else f"[{','.join(texts)}]\n"
    if form == "markdown":
        return "\n".join(diff_markdown(view, below_checkout(view.file) or view.file) for view in views)
    return "\n\n".join(diff_text(view, color=color) for view in views)


# --- the job file at that revision -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Earlier:
    """`problems` are errors of the file as it was, their places named `REVISION:FILE`."""

    commit: str
    before: Before
    existed: bool = True
    problems: Sequence[Diagnostic] = ()
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)


@contextmanager
def as_it_was(wanted: JobFileOptions, revision: str, root: Root) -> Iterator[Earlier]:
    """The files are there until the end. `A...` is where HEAD and A parted. Raises UsageProblem."""
    try:
        repository = repository_of(Path(wanted.file).parent)
        if repository is None:
            where = Path(wanted.file).parent.as_posix()
            hint = "git must be installed"
            raise UsageProblem(f"--diff {revision}: {where} is not in a git repository", hint=hint)
        name = revision.removesuffix(_PARTED)
        find = repository.commit if name == revision else repository.merge_base
        commit = find(name)
        with tempfile.TemporaryDirectory(prefix="kiejobs-") as into:
            yield _earlier(wanted, revision, commit, repository, Path(into).resolve(), root)
    except GitFailed as failed:
        raise UsageProblem(f"--diff {revision}: git says: {failed}") from failed


def _earlier(
    wanted: JobFileOptions, revision: str, commit: str, repository: Repository, into: Path, root: Root
) -> Earlier:
    file = _below(repository, wanted.file)
    if file is None:
        raise UsageProblem(f"--diff {revision}: {wanted.file} lies outside of its repository")
    inside = {name: path for name in wanted.vars_files if (path := _below(repository, name))}
    folder = file.rpartition("/")[0]
    _lay_out(repository, commit, [folder, *inside.values()], into)
    if not (into / file).is_file():
        return Earlier(commit, Before(None), existed=False)
    # A file of variables that came later had no values then; one from elsewhere is as it is.
    files = [str(into / inside[name]) if name in inside else name for name in wanted.vars_files]
    there = tuple(name for name in files if Path(name).is_file())
    then = replace(wanted, file=str(into / file), vars_files=there, locked=False)
    inner = None if root.mark is None else _below(repository, str(root.path / file))
    top = folder if inner is None else inner.removesuffix(file).rstrip("/")
    read = JobFolder(then.file, decode=then.check_assets, root=root, top=into / top)
    earlier = _tried(then, read, commit, f"{revision}:", f"{into.as_posix()}/")
    if not any(name.startswith("../") for name in read.asked):
        return earlier
    _lay_out(repository, commit, [top], into)  # all of the project, which may be large
    read = JobFolder(then.file, decode=then.check_assets, root=root, top=into / top)
    return _tried(then, read, commit, f"{revision}:", f"{into.as_posix()}/")


def _lay_out(repository: Repository, commit: str, folders: Sequence[str], into: Path) -> None:
    try:
        lay_out(repository, commit, folders, into)
    except OSError as error:
        raise UsageProblem(f"--diff: can't write to {into}: {error.strerror or error}") from error


def _below(repository: Repository, name: str) -> str | None:
    """A file's path from the repository's top; a link is taken for itself."""
    path, top = Path(name).parent.resolve() / Path(name).name, repository.top
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else None


def _tried(then: JobFileOptions, read: JobFolder, commit: str, prefix: str, folder: str) -> Earlier:
    """Places below `folder` get `prefix` in its place."""
    loaded = None
    try:
        loaded, problems = try_to_load(then, read)
    except InvalidJobFile as invalid:
        problems = invalid.problems
    except UsageProblem as problem:
        message = problem.message.replace(folder, prefix)
        problems = Problems([Diagnostic("file-unreadable", message, hint=problem.hint)])

    def place(at: Place) -> Place:
        return at._replace(file=at.file.replace(folder, prefix))

    problems_then = [
        replace(each, place=each.place and place(each.place), also=tuple(map(place, each.also)))
        for each in problems
        if each.severity is Severity.ERROR
    ]
    lines = {name.replace(folder, prefix): text for name, text in problems.lines.items()}
    return Earlier(commit, _before(loaded), problems=problems_then, lines=lines)


def _before(loaded: LoadedJobFile | None) -> Before:
    """Jobs that could not even be multiplied are unclear, as is all of a file that is no job file."""
    if loaded is None:
        return Before(None, None)
    jobs = loaded.jobfile.document.root["jobs"]
    return Before(loaded.expansion, set(jobs) - loaded.expansion.job_names)
