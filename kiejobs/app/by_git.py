"""Job files by name, by folder, and by what was touched since a revision.

In: words from the command line, `--changed-since`. Out: names of job files. Touches: disk, by reading; git.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import STDIN, read_source
from kiejobs.adapters.project.models import FOLDER as SCHEMAS
from kiejobs.adapters.project.models import target_of
from kiejobs.adapters.project.root import candidates, find_root
from kiejobs.app.load import JobFolder, load
from kiejobs.core.diagnostics import InvalidJobFile, UsageProblem
from kiejobs.core.document.reader import read_document
from kiejobs.core.models.spec import IS_ID
from kiejobs.core.prices import table as prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kiejobs.app.options import JobFileOptions

_ENDINGS = (".yaml", ".yml")
_LOOKS_LIKE_ONE = re.compile(rb"^(?:campaign|jobs)[ \t]*:", re.MULTILINE)
"""For a file that is no YAML: a slip in a job file, or something else altogether?"""


def job_files(
    names: Sequence[str], wanted: JobFileOptions, since: str | None = None, base: str | None = None
) -> list[str]:
    """Each file once: those named and those in folders; of these what changed `since`. Raises UsageProblem.

    Where a revision was named, in `base` too, folders may be empty or gone by now.
    """
    if since is not None:
        require_names(names)
    may_be_gone = since is not None or base is not None
    found = list(dict.fromkeys(file for name in names for file in _files(name, may_be_gone=may_be_gone)))
    if since is None:
        return found
    changes = Changes(since)
    return [file for file in found if changes.touch(replace(wanted, file=file))]


def require_names(files: Sequence[str]) -> None:
    """Raises UsageProblem where one is standard input: git knows no earlier one."""
    if STDIN in files:
        message = "standard input has no name in git, so there is no earlier version to compare it with"
        raise UsageProblem(message, hint="write it over the job file, and name that")


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
        made_from += [*candidates(wanted.file), find_root(wanted.file).seen(prices.FILE)]
        changed = self._in(Path(wanted.file).parent)
        if _meet(made_from, changed) or _schemas(wanted.file, changed):
            return True
        top = find_root(wanted.file).reach(wanted.file)
        below = any(path.is_relative_to(top) for path in changed)
        return below and _reads(wanted, changed)

    def has(self, file: str) -> bool:
        """Is this very file among it?"""
        return _meet([file], self._in(Path(file).parent))

    def _in(self, folder: Path) -> set[Path]:
        if folder not in self._known:
            from kiejobs.adapters.git import GitFailed, repository_of  # noqa: PLC0415 - behind --changed-since

            option = f"--changed-since {self._revision}"
            try:
                repository = repository_of(folder)
                if repository is None:
                    hint = "omit it to include all files; git must be installed"
                    message = f"{option}: {folder.as_posix()} is not in a git repository"
                    raise UsageProblem(message, hint=hint)
                self._known[folder] = repository.changed_since(self._revision)
            except GitFailed as failed:
                raise UsageProblem(f"{option}: git says: {failed}") from failed
        return self._known[folder]


def _schemas(file: str, changed: set[Path]) -> bool:
    """Did a project's schema of a model that it names change? One that is gone counts, too."""
    candidates = [path for path in changed if f"/{SCHEMAS}/" in path.as_posix()]
    folder = find_root(file).find(SCHEMAS)
    if folder is None and not candidates:
        return False
    models = list(_models_of(file))
    if None in models:
        return bool(candidates)
    names = [f"{SCHEMAS}/{model}.json" for model in models]
    own = [str(Path(folder).parent.parent / name) for name in names] if folder else []
    return _meet(own, changed) or any(path.match(name) for path in candidates for name in names)


def _models_of(file: str) -> Iterator[str | None]:
    """None for one that an axis or a template says."""
    try:
        document, _ = read_document(read_source(file))
    except UsageProblem:
        return
    root = document.root if document is not None and isinstance(document.root, dict) else {}
    jobs = root.get("jobs")
    for entry in (root.get("defaults"), *(jobs.values() if isinstance(jobs, dict) else ())):
        model = entry.get("model") if isinstance(entry, dict) else None
        matrix = entry.get("matrix") if isinstance(entry, dict) else None
        if isinstance(model, str) and IS_ID.fullmatch(model):
            yield model
        if (isinstance(model, str) and "{" in model) or (isinstance(matrix, dict) and "model" in matrix):
            yield None


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
    below = (path for path in changed if path.is_relative_to(read.top))
    return read.data.would_match(Path(os.path.relpath(path, folder)).as_posix() for path in below)


def _meet(names: Iterable[str], changed: set[Path]) -> bool:
    """By the name itself and by what it leads to: of a link either may have changed."""
    paths = [Path(name) for name in names]
    own = {target_of(path.parent) / path.name for path in paths}
    return not changed.isdisjoint(own | {target_of(path) for path in paths})


def _files(name: str, *, may_be_gone: bool = False) -> Iterator[str]:
    if not Path(name).is_dir():
        if not may_be_gone or os.path.lexists(name) or name.endswith(_ENDINGS):
            yield name
        return
    below = sorted(path for path in Path(name).rglob("*") if path.suffix in _ENDINGS)
    found = [str(path) for path in below if _is_shown(path, Path(name)) and _is_job_file(path)]
    if not found and not may_be_gone:
        raise UsageProblem(f"no job file below {name}", hint="their names end in .yaml or .yml")
    yield from found


def _is_shown(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return path.is_file() and not any(part.startswith(".") for part in parts)


def _is_job_file(path: Path) -> bool:
    """Does it name a campaign or jobs? Other YAML may be next to it: variables, faults, the policy."""
    source = read_source(str(path))
    document, _ = read_document(source)
    if document is None:
        return _LOOKS_LIKE_ONE.search(source.data) is not None
    root = document.root if isinstance(document.root, dict) else {}
    return "campaign" in root or root.keys() >= {"version", "jobs"}
