"""Job files by name, by folder, and by what was touched since a revision.

In: words from the command line, `--changed-since`. Out: names of job files. Touches: disk, by reading; git.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.git import GitFailed, Repository, lay_out, repository_of
from kiejobs.adapters.project.files import candidates, find_up, read_source
from kiejobs.adapters.project.models import FOLDER as SCHEMAS
from kiejobs.app.load import JobFolder, LoadedJobFile, load, try_to_load
from kiejobs.app.project import POLICY, JobFileOptions
from kiejobs.core.diagnostics import Diagnostic, InvalidJobFile, Problems, Severity, UsageProblem
from kiejobs.core.document.reader import read_document
from kiejobs.core.models.spec import IS_ID
from kiejobs.core.plan.request_diff import Before
from kiejobs.core.prices import table as prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Place


_ENDINGS = (".yaml", ".yml")
_LOOKS_LIKE_ONE = re.compile(rb"^(?:campaign|jobs)[ \t]*:", re.MULTILINE)
"""For a file that is no YAML: a slip in a job file, or something else altogether?"""


def job_files(names: Sequence[str], wanted: JobFileOptions, since: str | None = None) -> list[str]:
    """Each file once: those named and those in folders; of these what changed `since`. Raises UsageProblem."""
    found = list(dict.fromkeys(file for name in names for file in _files(name)))
    if since is None:
        return found
    changes = Changes(since)
    return [file for file in found if changes.touch(replace(wanted, file=file))]


def are_many(names: Sequence[str], since: str | None) -> bool:
    """Is a list wanted, however many there turn out to be?"""
    return since is not None or len(names) > 1 or any(Path(name).is_dir() for name in names)


class Changes:
    """What differs, in whatever repository a job file lies, from where HEAD and `revision` parted."""

    def __init__(self, revision: str) -> None:
        self._revision = revision
        self._known: dict[Path, set[Path]] = {}

    def touch(self, wanted: JobFileOptions) -> bool:
        """Is the job file among it, or anything that its jobs are made from, gone or unreadable as it may be?"""
        made_from = [wanted.file, f"{wanted.file}.lock", *wanted.vars_files]
        made_from += [*candidates(POLICY), *candidates(prices.FILE)]
        changed = self._in(Path(wanted.file).parent)
        if _meet(made_from, changed) or _schemas(wanted.file, changed):
            return True
        folder = Path(wanted.file).resolve().parent
        below = any(path.is_relative_to(folder) for path in changed)
        return below and _reads(wanted, changed)

    def _in(self, folder: Path) -> set[Path]:
        if folder not in self._known:
            self._known[folder] = self._asked(folder)
        return self._known[folder]

    def _asked(self, folder: Path) -> set[Path]:
        try:
            repository = repository_of(folder)
            if repository is not None:
                return repository.changed_since(self._revision)
        except GitFailed as failed:
            raise UsageProblem(f"--changed-since {self._revision}: git says: {failed}") from failed
        raise UsageProblem(
            f"--changed-since {self._revision}: {folder.as_posix()} is in no git repository",
            hint="leave it out to look at all files; git itself must be installed",
        )


def _schemas(file: str, changed: set[Path]) -> bool:
    """Did a project's schema of a model that it names change? One that is gone counts, too."""
    candidates = [path for path in changed if f"/{SCHEMAS}/" in path.as_posix()]
    folder = find_up(SCHEMAS)
    if folder is None and not candidates:
        return False
    names = [f"{SCHEMAS}/{model}.json" for model in _models_of(file)]
    own = [str(Path(folder).parent.parent / name) for name in names] if folder else []
    return _meet(own, changed) or any(path.match(name) for path in candidates for name in names)


def _models_of(file: str) -> Iterator[str]:
    try:
        document, _ = read_document(read_source(file))
    except UsageProblem:
        return
    root = document.root if document is not None and isinstance(document.root, dict) else {}
    jobs = root.get("jobs")
    for entry in (root.get("defaults"), *(jobs.values() if isinstance(jobs, dict) else ())):
        model = entry.get("model") if isinstance(entry, dict) else None
        if isinstance(model, str) and IS_ID.fullmatch(model):
            yield model


def _reads(wanted: JobFileOptions, changed: set[Path]) -> bool:
    """Does it ask for something next to it that changed? What is gone is asked for, too."""
    folder, read = Path(wanted.file).parent, JobFolder(wanted.file)
    try:
        load(wanted, read)
    except InvalidJobFile:
        pass  # what broke it, if it was touched, was asked for before it broke
    except UsageProblem:
        return True
    if _meet([str(folder / name) for name in read.asked], changed):
        return True
    below = (path for path in changed if path.is_relative_to(folder.resolve()))
    return read.data.would_match(path.relative_to(folder.resolve()).as_posix() for path in below)


def _meet(names: Iterable[str], changed: set[Path]) -> bool:
    """By the name itself and by what it leads to: of a link either may have changed."""
    paths = [Path(name) for name in names]
    own = {_target(path.parent) / path.name for path in paths}
    return not changed.isdisjoint(own | {_target(path) for path in paths})


def _target(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError:  # links that go round in circles
        return path


def _files(name: str) -> Iterator[str]:
    if not Path(name).is_dir():
        yield name
        return
    below = sorted(path for path in Path(name).rglob("*") if path.suffix in _ENDINGS)
    found = [str(path) for path in below if _is_shown(path, Path(name)) and _is_job_file(path)]
    if not found:
        raise UsageProblem(f"no job file below {name}", hint="their names end in .yaml or .yml")
    yield from found


def _is_shown(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return path.is_file() and not any(part.startswith(".") for part in parts)


def _is_job_file(path: Path) -> bool:
    """Does it name a campaign or jobs? Other YAML may lie beside: variables, faults, the policy."""
    source = read_source(str(path))
    document, _ = read_document(source)
    if document is None:
        return _LOOKS_LIKE_ONE.search(source.data) is not None
    root = document.root if isinstance(document.root, dict) else {}
    return "campaign" in root or root.keys() >= {"version", "jobs"}


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
    """The files are there until the end. `A...` is where HEAD and A parted. Raises UsageProblem."""
    try:
        repository = repository_of(Path(wanted.file).parent)
        if repository is None:
            where = Path(wanted.file).parent.as_posix()
            hint = "git itself must be installed"
            raise UsageProblem(f"--diff {revision}: {where} is in no git repository", hint=hint)
        name = revision.removesuffix(_PARTED)
        find = repository.commit if name == revision else repository.merge_base
        commit = find(name)
        with tempfile.TemporaryDirectory(prefix="kiejobs-") as into:
            yield _earlier(wanted, revision, commit, repository, Path(into).resolve())
    except GitFailed as failed:
        raise UsageProblem(f"--diff {revision}: git says: {failed}") from failed


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
    path, top = Path(name).parent.resolve() / Path(name).name, repository.top
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else None


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

    errors = (each for each in problems if each.severity is Severity.ERROR)
    problems_then = [
        replace(each, place=each.place and place(each.place), also=tuple(map(place, each.also)))
        for each in errors
    ]
    lines = {named(name): text for name, text in problems.lines.items()}
    return Earlier(commit, _before(loaded), problems=problems_then, lines=lines)


def _before(loaded: LoadedJobFile | None) -> Before:
    """Jobs that could not even be multiplied are unclear, as is all of a file that is no job file."""
    if loaded is None:
        return Before(None, None)
    jobs = loaded.jobfile.document.root["jobs"]
    return Before(loaded.expansion, set(jobs) - loaded.expansion.job_names)
