"""A job file as it was at a revision, with everything beside it as that was.

In: a job file's name, a revision. Out: its jobs then, and what was wrong with it. Touches: git, by reading;
a temporary folder.

Models and prices are today's: the question is what an edit did, not what the vendor did.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.git import GitFailed, lay_out, repository_of
from kiejobs.app.load import JobFolder, try_to_load
from kiejobs.core.diagnostics import Diagnostic, InvalidJobFile, Problems, Severity, UsageProblem
from kiejobs.core.plan.request_diff import Before

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.adapters.git import Repository
    from kiejobs.app.job_file import JobFileOptions
    from kiejobs.app.load import LoadedJobFile
    from kiejobs.core.diagnostics import Place

_PARTED = "..."


@dataclass(frozen=True, slots=True)
class Earlier:
    """`problems` are errors of the file as it was, their places named `REVISION:FILE`."""

    commit: str
    before: Before
    existed: bool = True
    problems: Sequence[Diagnostic] = ()
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)


@contextmanager
def as_it_was(wanted: JobFileOptions, revision: str) -> Iterator[Earlier]:
    """The files are there until the end. Raises UsageProblem where git knows no such revision.

    `A...` is where HEAD and A parted, as git has it.
    """
    try:
        repository = repository_of(Path(wanted.file).parent)
        if repository is None:
            where = Path(wanted.file).parent.as_posix()
            hint = "git itself must be installed"
            raise UsageProblem(f"--diff {revision}: {where} is in no git repository", hint=hint)
        commit = _commit(repository, revision)
        with tempfile.TemporaryDirectory(prefix="kiejobs-") as name:
            yield _earlier(wanted, revision, commit, repository, Path(name).resolve())
    except GitFailed as failed:
        raise UsageProblem(f"--diff {revision}: git says: {failed}") from failed


def _commit(repository: Repository, revision: str) -> str:
    if revision.endswith(_PARTED):
        return repository.merge_base(revision.removesuffix(_PARTED))
    return repository.commit(revision)


def _earlier(
    wanted: JobFileOptions, revision: str, commit: str, repository: Repository, into: Path
) -> Earlier:
    file = _below(repository, wanted.file)
    if file is None:
        raise UsageProblem(f"--diff {revision}: {wanted.file} lies outside of its repository")
    inside = {name: path for name in wanted.vars_files if (path := _below(repository, name))}
    folder = file.rpartition("/")[0]
    try:
        lay_out(repository, commit, [folder, *inside.values()], into)
    except OSError as error:
        raise UsageProblem(f"--diff: can't write to {into}: {error.strerror or error}") from error
    if not (into / file).is_file():
        return Earlier(commit, Before(None), existed=False)
    # A file of variables that came later said nothing then; one from elsewhere is as it is.
    files = [str(into / inside[name]) if name in inside else name for name in wanted.vars_files]
    there = tuple(name for name in files if Path(name).is_file())
    then = replace(wanted, file=str(into / file), vars_files=there, locked=False)
    return _tried(then, commit, f"{revision}:", f"{into.as_posix()}/")


def _below(repository: Repository, name: str) -> str | None:
    """A file's path from the repository's top; a link is taken for itself."""
    path = Path(name).parent.resolve() / Path(name).name
    return (
        path.relative_to(repository.top).as_posix() if path.is_relative_to(repository.top) else None
    )


def _tried(then: JobFileOptions, commit: str, prefix: str, folder: str) -> Earlier:
    """Places below `folder` get `prefix` in its place."""
    loaded = None
    try:
        loaded, problems = try_to_load(then, JobFolder(then.file, decode=then.check_assets))
    except InvalidJobFile as invalid:
        problems = invalid.problems
    except UsageProblem as problem:
        message = problem.message.replace(folder, prefix)
        problems = Problems([Diagnostic("file-unreadable", message, hint=problem.hint)])

    def named(name: str) -> str:
        return name.replace(folder, prefix)

    def place(at: Place) -> Place:
        return replace(at, file=named(at.file))

    problems_then = [
        replace(each, place=each.place and place(each.place), also=tuple(map(place, each.also)))
        for each in problems
        if each.severity is Severity.ERROR
    ]
    lines = {named(name): text for name, text in problems.lines.items()}
    return Earlier(commit, _before(loaded), problems=problems_then, lines=lines)


def _before(loaded: LoadedJobFile | None) -> Before:
    """Jobs that could not even be multiplied are unclear, as is all of a file that is no job file."""
    if loaded is None:
        return Before(None, None)
    jobs = loaded.jobfile.document.root["jobs"]
    return Before(loaded.expansion, set(jobs) - loaded.expansion.job_names)
